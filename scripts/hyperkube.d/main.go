// Command hyperkube holds every Kubernetes component in one static binary.
//
// Upstream dropped its hyperkube after 1.18. One binary still pays on a small
// node: the components share most of their code, so one file is a fifth of
// the size of six, and its text pages are in memory once for all of them.
//
// A component is chosen by name, either the first argument or the name the
// program was called by:
//
//	hyperkube kubelet --version
//	kubelet --version               (kubelet being a link to hyperkube)
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
	_ "time/tzdata" // CronJob's timeZone, in a static binary

	"github.com/spf13/cobra"

	_ "k8s.io/client-go/plugin/pkg/client/auth/exec" // kubectl's login plug-ins
	_ "k8s.io/client-go/plugin/pkg/client/auth/oidc"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics of all servers
	_ "k8s.io/component-base/metrics/prometheus/version"  // the build_info metric
	"k8s.io/component-base/version"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"

	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// component is one program that is linked in.
type component struct {
	name string
	what string
	make func() *cobra.Command
}

// components is a function, not a variable: a table built at start-up would
// tie every constructor to package initialisation.
func components() []component {
	return []component{
		{name: "kube-apiserver", what: "serves the Kubernetes API from etcd", make: apiserver.NewAPIServerCommand},
		{name: "kube-controller-manager", what: "runs the control loops", make: controllermanager.NewControllerManagerCommand},
		{name: "kube-scheduler", what: "assigns pods to nodes", make: func() *cobra.Command { return scheduler.NewSchedulerCommand() }},
		{name: "kube-proxy", what: "routes service addresses on a node", make: proxy.NewProxyCommand},
		{name: "kubelet", what: "runs the pods of a node", make: newKubelet},
		{name: "kubectl", what: "talks to a cluster", make: cmd.NewDefaultKubectlCommand},
	}
}

// newKubelet also builds with 1.32, whose kubelet takes no context.
func newKubelet() *cobra.Command {
	switch make := any(kubelet.NewKubeletCommand).(type) {
	case func(context.Context) *cobra.Command:
		return make(context.Background())
	case func() *cobra.Command:
		return make()
	}
	panic("kubelet's command is made in another way")
}

func find(name string) *component {
	for _, c := range components() {
		if c.name == name {
			return &c
		}
	}
	return nil
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Usage: hyperkube COMPONENT [ARGUMENT...]\n\nComponents:\n")
	for _, c := range components() {
		fmt.Fprintf(w, "  %-24s %s\n", c.name, c.what)
	}
	fmt.Fprint(w, "\nAlso:\n"+
		"  validate FILE...         check manifests and configuration files strictly\n"+
		"  --make-symlinks [DIR]    make a link per component in DIR, by default\n"+
		"                           the folder this program is in\n"+
		"  --version                print the version\n"+
		"  --help                   print this; see also COMPONENT --help\n\n"+
		"Called by a component's name, through a link, it is that component.\n")
}

// makeSymlinks puts a link per component into dir. A link that is right is
// left alone; anything else under such a name is an error, never replaced.
func makeSymlinks(args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("--make-symlinks: one folder at most, got %d", len(args))
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("--make-symlinks: cannot tell where this program is: %w", err)
	}
	dir, target := filepath.Dir(self), filepath.Base(self)
	if len(args) == 1 {
		dir, target = args[0], self
	}
	for _, c := range components() {
		link := filepath.Join(dir, c.name)
		if old, err := os.Readlink(link); err == nil && old == target {
			continue
		}
		if err := os.Symlink(target, link); err != nil {
			return fmt.Errorf("--make-symlinks: %w", err)
		}
	}
	return nil
}

// collectLater lets the garbage collector run no more often than by Go's
// default while a server starts: with GOGC=20, which small nodes use, it took
// more than half of the processor time until an API server was ready.
func collectLater() {
	const starting = 30 * time.Second
	percent := debug.SetGCPercent(100)
	if percent < 0 || percent >= 100 {
		debug.SetGCPercent(percent)
		return
	}
	time.AfterFunc(starting, func() {
		debug.SetGCPercent(percent)
		debug.FreeOSMemory()
	})
}

// run becomes the component c. os.Args[0] is set to the component's name
// because client-go puts it into the User-Agent, and kubectl into its help.
func run(c *component, args []string) int {
	os.Args = append([]string{c.name}, args...)
	if c.name != "kubectl" {
		collectLater()
		return cli.Run(c.make())
	}
	if err := cli.RunNoErrOutput(c.make()); err != nil {
		util.CheckErr(err)
	}
	return 0
}

func dispatch(argv []string) int {
	if c := find(filepath.Base(argv[0])); c != nil {
		return run(c, argv[1:])
	}
	if len(argv) < 2 {
		usage(os.Stderr)
		return 2
	}
	name, rest := argv[1], argv[2:]
	switch name {
	case "--help", "-h", "help":
		usage(os.Stdout)
		return 0
	case "--version":
		fmt.Printf("Kubernetes %s\n", version.Get())
		return 0
	case "--make-symlinks":
		if err := makeSymlinks(rest); err != nil {
			fmt.Fprintf(os.Stderr, "hyperkube: %v\n", err)
			return 1
		}
		return 0
	case "validate":
		return validateFiles(rest)
	}
	if c := find(name); c != nil {
		return run(c, rest)
	}
	names := make([]string, 0, len(components()))
	for _, c := range components() {
		names = append(names, c.name)
	}
	fmt.Fprintf(os.Stderr, "hyperkube: unknown component %q: use one of %s, or --help\n", name, strings.Join(names, ", "))
	return 2
}

func main() {
	if len(os.Args) == 0 {
		usage(os.Stderr)
		os.Exit(2)
	}
	os.Exit(dispatch(os.Args))
}
