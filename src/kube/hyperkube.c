#include "kube/hyperkube.h"

#include <stdlib.h>
#include <string.h>

#include "kube/versions.h"

enum { CHUNK = 1 << 20, OVERLAP = 128 };

static const struct {
    const char *name, *package, *starter; /* the unit or manifest that starts it */
} components[] = {
    {"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver/app.", "kube-apiserver.yaml"},
    {"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager/app.",
     "kube-controller-manager.yaml"},
    {"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler/app.", "kube-scheduler.yaml"},
    {"kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy/app.", "kube-proxy.service"},
    {"kubelet", "k8s.io/kubernetes/cmd/kubelet/app.", "kubelet.service"},
};
enum { COMPONENTS = sizeof components / sizeof *components };

static bool is_started(const struct recipe *recipe, const char *starter)
{
    for (size_t i = 0; i < recipe->unit_count; i++)
        if (strcmp(recipe->units[i].name, starter) == 0)
            return true;
    for (size_t i = 0; i < recipe->manifest_count; i++)
        if (strcmp(recipe->manifests[i].name, starter) == 0)
            return true;
    return false;
}

/* Marks what the names of functions show, until nothing is left to find. */
static int find_components(const struct elf *elf, const struct elf_range *names,
                           bool found[static COMPONENTS], struct err *err)
{
    size_t left = COMPONENTS;
    cleanup_free char *bytes = malloc(CHUNK);
    if (!bytes)
        return err_oom(err);
    for (uint64_t at = 0; at < names->size && left > 0; at += CHUNK - OVERLAP) {
        size_t len = names->size - at < CHUNK ? (size_t)(names->size - at) : CHUNK;
        if (elf->program->read(elf->program->ctx, bytes, len, names->off + at, err) < 0)
            return -1;
        for (size_t i = 0; i < COMPONENTS; i++)
            if (!found[i] && memmem(bytes, len, components[i].package, strlen(components[i].package))) {
                found[i] = true;
                left--;
            }
    }
    return 0;
}

static int check_components(const struct kube_args *args, const struct plan_op *op, const bool *found,
                            struct err *err)
{
    cleanup_buf struct buf lacks = BUF_INIT(512);
    bool any = false;
    for (size_t i = 0; i < COMPONENTS; i++) {
        any |= found[i];
        if (!found[i] && is_started(args->recipe, components[i].starter))
            buf_printf(&lacks, "%s%s", lacks.len > 0 ? ", " : "", components[i].name);
    }
    if (!any || lacks.len == 0)
        return buf_check(&lacks, "the components", err);
    return kube_error(args->recipe, err, "%s lacks %s, which the recipe's units and manifests start",
                      op->image_path, lacks.data);
}

static int check_program(const struct kube_args *args, const struct plan_op *op, struct err *err)
{
    const struct program program = program_of_blob(&op->content);
    struct elf elf;
    struct elf_range names = {0};
    bool found[COMPONENTS] = {false};
    if (elf_read(&program, &elf, err) < 0 ||
        (elf.is_elf && elf_section(&elf, ".gopclntab", &names, err) < 0) ||
        find_components(&elf, &names, found, err) < 0)
        return err_wrap(err, "%s", op->image_path);
    return check_components(args, op, found, err);
}

int kube_check_hyperkube(const struct kube_args *args, struct err *err)
{
    if (args->recipe->kubernetes.form != KUBERNETES_HYPERKUBE)
        return 0;
    for (size_t i = 0; i < args->plan->op_count; i++) {
        const struct plan_op *op = &args->plan->ops[i];
        const char *slash = strrchr(op->image_path, '/');
        if (op->kind == PLAN_FILE && slash && strcmp(slash, "/hyperkube") == 0)
            return check_program(args, op, err);
    }
    return 0;
}
