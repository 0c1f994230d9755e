#include "kube/check.h"

#include "kube/hyperkube.h"
#include "kube/versions.h"

static const char *origin_name(const struct kube_variant *variant)
{
    return variant->containerd_from == KUBE_OF_PAYLOAD ? "the payload's" : "the base's";
}

/* kubelet and containerd speak CRI: both versions of it, or only one. */
static int check_containerd(const struct kube_args *args, const struct kube_variant *variant,
                            const struct kube_release *release, struct err *err)
{
    char kubernetes[KUBE_NUMBER_CAP], containerd[KUBE_NUMBER_CAP], limit[KUBE_NUMBER_CAP];
    if (variant->containerd.parts == 0)
        return 0;
    kube_number_text(&variant->kubernetes, kubernetes);
    kube_number_text(&variant->containerd, containerd);
    if (release->containerd_end.parts > 0 &&
        kube_number_compare(&variant->containerd, &release->containerd_end) >= 0)
        return kube_error(
            args->recipe, err,
            "the kubelet of Kubernetes %s speaks only CRI v1alpha2, and %s containerd %s no longer does: "
            "its nodes would never come up. Use Kubernetes 1.23 or later, or a containerd before %s",
            kubernetes, origin_name(variant), containerd, kube_number_text(&release->containerd_end, limit));
    if (kube_number_compare(&variant->containerd, &release->containerd) < 0)
        return kube_error(
            args->recipe, err,
            "Kubernetes %s needs containerd %s or later, and %s is %s: take a newer base, or bring a "
            "containerd of your own",
            kubernetes, kube_number_text(&release->containerd, limit), origin_name(variant), containerd);
    return 0;
}

static int check_etcd(const struct kube_args *args, const struct kube_variant *variant,
                      const struct kube_release *release, struct err *err)
{
    char kubernetes[KUBE_NUMBER_CAP], etcd[KUBE_NUMBER_CAP], limit[KUBE_NUMBER_CAP];
    if (variant->etcd.parts == 0)
        return 0;
    kube_number_text(&variant->kubernetes, kubernetes);
    kube_number_text(&variant->etcd, etcd);
    if (kube_number_compare(&variant->etcd, &release->etcd) < 0)
        return kube_error(args->recipe, err, "the API server of Kubernetes %s needs etcd %s or later, not %s",
                          kubernetes, kube_number_text(&release->etcd, limit), etcd);
    if (kube_number_compare(&variant->etcd, &release->etcd_advised) < 0)
        run_warn(
            args->run, "plan",
            "etcd %s is older than %s, the oldest that kubeadm accepts for Kubernetes %s: take a newer one",
            etcd, kube_number_text(&release->etcd_advised, limit), kubernetes);
    return 0;
}

static void warn_release(const struct kube_args *args, const struct kube_variant *variant,
                         const struct kube_release *release)
{
    char text[KUBE_NUMBER_CAP], range[KUBE_RANGE_CAP];
    const char *name = kube_builtin(args->recipe);
    if (name && variant->kubernetes.parts == 0)
        run_warn(args->run, "plan",
                 "nothing says which Kubernetes this is: the built-in %s is for %s. Give the recipe's "
                 "\"kubernetes\" its "
                 "\"version\"",
                 name, kube_supported(range));
    if (name && release && release->support == KUBE_UNTESTED)
        run_warn(args->run, "plan",
                 "Kubernetes %s is newer than any that the built-in %s is tested with (%s)",
                 kube_number_text(&variant->kubernetes, text), name, kube_supported(range));
}

int kube_check(const struct kube_args *args, const struct kube_variant *variant, struct err *err)
{
    const struct kube_release *release = kube_release_of(&variant->kubernetes);
    if (variant->form == KUBERNETES_NONE)
        return 0;
    if (kube_check_supported(args->recipe, &variant->kubernetes, args->untested, err) < 0 ||
        kube_check_hyperkube(args, err) < 0)
        return -1;
    if (release &&
        (check_containerd(args, variant, release, err) < 0 || check_etcd(args, variant, release, err) < 0))
        return -1;
    warn_release(args, variant, release);
    return 0;
}
