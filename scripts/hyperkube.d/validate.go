package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	apiserverconfig "k8s.io/apiserver/pkg/apis/apiserver"
	apiserverinstall "k8s.io/apiserver/pkg/apis/apiserver/install"
	apiservervalidation "k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	clientcmdlatest "k8s.io/client-go/tools/clientcmd/api/latest"

	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	core "k8s.io/kubernetes/pkg/apis/core"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	kubeletscheme "k8s.io/kubernetes/pkg/kubelet/apis/config/scheme"
	kubeletvalidation "k8s.io/kubernetes/pkg/kubelet/apis/config/validation"
	proxyconfig "k8s.io/kubernetes/pkg/proxy/apis/config"
	proxyscheme "k8s.io/kubernetes/pkg/proxy/apis/config/scheme"
	proxyvalidation "k8s.io/kubernetes/pkg/proxy/apis/config/validation"
)

// maxFile is kubelet's own limit for a static pod (pkg/kubelet/config/common.go).
const maxFile = 10 << 20

// validateFiles checks files with the code that will read them on the node:
// the components' own types, decoded strictly, and their own validation. The
// components themselves ignore unknown fields in manifests, so that a typing
// mistake becomes a default without a word; here it is an error.
func validateFiles(files []string) int {
	if len(files) == 0 || strings.HasPrefix(files[0], "-") {
		fmt.Fprint(os.Stderr, "Usage: hyperkube validate FILE...\n\n"+
			"Checks static pods, KubeletConfiguration, KubeProxyConfiguration, Encryption-\n"+
			"and AuthenticationConfiguration and kubeconfig files in full, and the fields of\n"+
			"every other Kubernetes object. Unknown and repeated fields are errors.\n")
		return 2
	}
	schemes, err := allSchemes()
	if err != nil {
		fmt.Fprintf(os.Stderr, "hyperkube: validate: %v\n", err)
		return 1
	}
	code := 0
	for _, f := range files {
		names, err := validateFile(schemes, f)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", f, err)
			code = 1
			continue
		}
		for _, n := range names {
			fmt.Printf("%s: %s: ok\n", f, n)
		}
	}
	return code
}

func allSchemes() ([]*runtime.Scheme, error) {
	kubelet, _, err := kubeletscheme.NewSchemeAndCodecs()
	if err != nil {
		return nil, err
	}
	server := runtime.NewScheme()
	apiserverinstall.Install(server)
	return []*runtime.Scheme{legacyscheme.Scheme, kubelet, proxyscheme.Scheme, server, clientcmdlatest.Scheme}, nil
}

// validateFile returns one name for each object in the file.
func validateFile(schemes []*runtime.Scheme, file string) ([]string, error) {
	docs, err := readDocuments(file)
	if err != nil {
		return nil, err
	}
	var names []string
	for i, doc := range docs {
		obj, err := decodeStrict(schemes, doc)
		if err == nil {
			err = validateObject(obj)
		}
		if _, ok := obj.(*core.Pod); err == nil && ok && i == 0 && len(docs) > 1 {
			err = errors.New("a static pod must be alone in its file: kubelet reads the first document only")
		}
		if err != nil {
			where := describe(obj)
			if len(docs) > 1 {
				where = fmt.Sprintf("document %d: %s", i+1, where)
			}
			return nil, fmt.Errorf("%s%w", where, err)
		}
		names = append(names, strings.TrimSuffix(describe(obj), ": "))
	}
	if len(names) == 0 {
		return nil, errors.New("holds no object")
	}
	return names, nil
}

// readDocuments splits a YAML file and drops documents with comments only.
func readDocuments(file string) ([][]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("larger than the %d bytes kubelet reads", maxFile)
	}
	var docs [][]byte
	r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		doc, err := r.Read()
		if err == io.EOF {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		js, err := utilyaml.ToJSON(doc)
		if err != nil {
			return nil, err
		}
		if string(bytes.TrimSpace(js)) != "null" {
			docs = append(docs, doc)
		}
	}
}

// decodeStrict decodes doc by the scheme that knows its kind, applies the
// defaults its component would, and returns the component's internal form.
func decodeStrict(schemes []*runtime.Scheme, doc []byte) (runtime.Object, error) {
	js, err := utilyaml.ToJSON(doc)
	if err != nil {
		return nil, err
	}
	gvk, err := json.DefaultMetaFactory.Interpret(js)
	if err != nil {
		return nil, errors.New("not an object: " + scrub(err))
	}
	if gvk.Kind == "" || gvk.Version == "" {
		return nil, errors.New("apiVersion and kind are required")
	}
	for _, s := range schemes {
		if gvk.Version == runtime.APIVersionInternal || !s.Recognizes(*gvk) {
			continue
		}
		opts := json.SerializerOptions{Yaml: true, Strict: true}
		obj, _, err := json.NewSerializerWithOptions(json.DefaultMetaFactory, s, s, opts).Decode(doc, nil, nil)
		if err != nil {
			return nil, errors.New(gvk.Kind + ": " + scrub(err))
		}
		s.Default(obj)
		return s.UnsafeConvertToVersion(obj, runtime.InternalGroupVersioner)
	}
	return nil, fmt.Errorf("unknown kind %q in %q: not part of this Kubernetes version", gvk.Kind, gvkVersion(*gvk))
}

func gvkVersion(gvk schema.GroupVersionKind) string {
	return gvk.GroupVersion().String()
}

// scrub makes one line of a decoder's message. It names fields, never values, which may be keys.
func scrub(err error) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")), " ")
}

func describe(obj runtime.Object) string {
	if obj == nil {
		return ""
	}
	name := obj.GetObjectKind().GroupVersionKind().Kind
	if name == "" {
		name = strings.TrimPrefix(fmt.Sprintf("%T", obj), "*")
		name = name[strings.LastIndex(name, ".")+1:]
	}
	if m, err := meta.Accessor(obj); err == nil && m.GetName() != "" {
		name += " " + m.GetName()
	}
	return name + ": "
}

func validateObject(obj runtime.Object) error {
	switch o := obj.(type) {
	case *core.Pod:
		return validateStaticPod(o)
	case *kubeletconfig.KubeletConfiguration:
		// It asks the machine it runs on, which is not the node.
		o.FailCgroupV1 = false
		return kubeletvalidation.ValidateKubeletConfiguration(o, utilfeature.DefaultFeatureGate)
	case *proxyconfig.KubeProxyConfiguration:
		return toError(proxyvalidation.Validate(o))
	case *apiserverconfig.EncryptionConfiguration:
		return toError(apiservervalidation.ValidateEncryptionConfiguration(o, false))
	case *apiserverconfig.AuthenticationConfiguration:
		return toError(apiservervalidation.ValidateAuthenticationConfiguration(authenticationcel.NewDefaultCompiler(), o, nil))
	case *clientcmdapi.Config:
		return validateKubeconfig(o)
	}
	return nil
}

func toError(list field.ErrorList) error {
	if len(list) == 0 {
		return nil
	}
	return list.ToAggregate()
}

// validateStaticPod does what kubelet does to a file in its manifest folder
// (pkg/kubelet/config/common.go), then adds what would go wrong only later:
// references a static pod cannot have, and flags its component does not know.
func validateStaticPod(pod *core.Pod) error {
	if pod.Namespace == "" {
		pod.Namespace = core.NamespaceDefault
	}
	pod.Spec.NodeName = "node"
	pod.Status.Phase = core.PodPending
	opts := podutil.GetValidationOptionsFromPodSpecAndMeta(&pod.Spec, nil, &pod.ObjectMeta, nil)
	list := corevalidation.ValidatePodCreate(pod, opts)

	spec := field.NewPath("spec")
	refuse := func(what string) podutil.Visitor {
		return func(name string) bool {
			list = append(list, field.Forbidden(spec, "a static pod cannot use the "+what+" "+name))
			return true
		}
	}
	if pod.Spec.ServiceAccountName != "" {
		list = append(list, field.Forbidden(spec.Child("serviceAccountName"), "a static pod cannot use a service account"))
	}
	podutil.VisitPodSecretNames(pod, refuse("secret"), podutil.AllContainers)
	podutil.VisitPodConfigmapNames(pod, refuse("config map"), podutil.AllContainers)
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		if err := checkFlags(append(append([]string{}, c.Command...), c.Args...)); err != nil {
			list = append(list, field.Invalid(spec.Child("containers").Index(i).Child("command"), c.Name, err.Error()))
		}
	}
	return toError(list)
}

// checkFlags parses the arguments of a component with its own flag set.
// kubelet and kubectl parse theirs by hand and are left out.
func checkFlags(argv []string) error {
	if len(argv) == 0 {
		return nil
	}
	if filepath.Base(argv[0]) == "hyperkube" {
		argv = argv[1:]
		if len(argv) == 0 || find(argv[0]) == nil {
			return errors.New("hyperkube needs the name of a component first")
		}
	}
	c := find(filepath.Base(argv[0]))
	if c == nil {
		return nil
	}
	cmd := c.make()
	if cmd.DisableFlagParsing {
		return nil
	}
	cmd.SilenceUsage = true
	cmd.Flags().SetOutput(io.Discard) // a deprecated flag is no error
	fixed := []string{}
	for _, arg := range argv[1:] {
		// kubelet puts a variable's value in; here only the name can be checked.
		if name := strings.SplitN(strings.TrimPrefix(arg, "--"), "=", 2)[0]; strings.Contains(arg, "$(") {
			if cmd.Flags().Lookup(name) == nil {
				return fmt.Errorf("%s: unknown flag: --%s", c.name, name)
			}
			continue
		}
		fixed = append(fixed, arg)
	}
	if err := cmd.ParseFlags(fixed); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	if rest := cmd.Flags().Args(); len(rest) > 0 {
		return fmt.Errorf("%s takes no arguments besides flags, got %q", c.name, rest)
	}
	return nil
}

// validateKubeconfig checks that the current context leads somewhere. It
// opens no file the kubeconfig names: those are on the node, not here.
func validateKubeconfig(c *clientcmdapi.Config) error {
	ctx, ok := c.Contexts[c.CurrentContext]
	if !ok {
		return fmt.Errorf("current-context %q is not one of its contexts", c.CurrentContext)
	}
	cluster, ok := c.Clusters[ctx.Cluster]
	if !ok {
		return fmt.Errorf("context %q: no cluster %q", c.CurrentContext, ctx.Cluster)
	}
	if cluster.Server == "" {
		return fmt.Errorf("cluster %q: no server", ctx.Cluster)
	}
	if _, ok := c.AuthInfos[ctx.AuthInfo]; !ok {
		return fmt.Errorf("context %q: no user %q", c.CurrentContext, ctx.AuthInfo)
	}
	return nil
}
