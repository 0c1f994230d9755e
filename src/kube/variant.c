#include "kube/variant.h"

#include <elf.h>
#include <string.h>

#include "kube/component.h"
#include "kube/program/buildinfo.h"
#include "kube/versions.h"
#include "text/path.h"

/* Which module or main package says a program's version; without VERSION it says its own. */
struct sign {
    const char *module;
    bool dependency; /* as a dependency, too: a program of somebody else's around the module */
    struct kube_number version;
};

static const struct sign kubernetes_signs[] = {{"k8s.io/kubernetes", true, {0}}, {0}};
static const struct sign etcd_signs[] = {
    {"go.etcd.io/etcd/server/v3", true, {0}},
    {"go.etcd.io/etcd/api/v3", true, {0}},
    {"go.etcd.io/etcd/server/v3", false, {1, {3}}},
    {"go.etcd.io/etcd", false, {2, {3, 4}}}, /* the last without modules of its own */
    {0},
};
static const struct sign containerd_signs[] = {
    {"github.com/containerd/containerd/v2", true, {0}},
    {"github.com/containerd/containerd/v2", false, {1, {2}}},
    {"github.com/containerd/containerd", true, {0}},
    {"github.com/containerd/containerd", false, {1, {1}}},
    {0},
};

static bool version_by(const struct buf *info, const struct sign *signs, struct kube_number *ret)
{
    for (const struct sign *sign = signs; sign->module; sign++) {
        if (sign->dependency && buildinfo_version(info, sign->module, ret))
            return true;
        if (!sign->dependency && buildinfo_is(info, sign->module)) {
            *ret = sign->version;
            return true;
        }
    }
    return false;
}

static int read_version(const struct elf *elf, const struct sign *signs, struct kube_number *ret,
                        struct err *err)
{
    cleanup_buf struct buf info = BUF_INIT(BUILDINFO_MAX);
    if (!elf->is_elf)
        return 0;
    if (buildinfo_read(elf, &info, err) < 0)
        return -1;
    (void)version_by(&info, signs, ret);
    return 0;
}

static unsigned machine_of(const struct recipe *recipe)
{
    return recipe->base.arch && strcmp(recipe->base.arch, "arm64") == 0 ? EM_AARCH64 : EM_X86_64;
}

static int check_machine(const struct kube_args *args, const struct plan_op *op, const struct elf *elf,
                         struct err *err)
{
    char name[ELF_MACHINE_CAP], wanted[ELF_MACHINE_CAP];
    unsigned machine = machine_of(args->recipe);
    if (elf->machine == machine && elf->wide && !elf->big)
        return 0;
    return kube_error(args->recipe, err,
                      "%s is a program for %s%s, but the image is for %s: take the build for that",
                      op->image_path, elf_machine_name(elf->machine, name), elf->wide ? "" : " with 32 bits",
                      elf_machine_name(machine, wanted));
}

/* On these systems /lib and /lib64 are links into /usr. */
static int check_loader(const struct kube_args *args, const struct plan_op *op, const struct elf *elf,
                        struct err *err)
{
    char loader[ELF_INTERP_CAP];
    bool there = false;
    if (elf_interp(elf, loader, err) < 0)
        return err_wrap(err, "%s", op->image_path);
    if (loader[0] != '/' || !args->base->has || plan_find(args->plan, loader))
        return 0;
    if (args->base->has(args->base->ctx, loader + (strncmp(loader, "/usr/", 5) == 0 ? 4 : 0), &there, err) <
        0)
        return -1;
    if (there)
        return 0;
    return kube_error(
        args->recipe, err,
        "%s is dynamically linked: it needs the loader %s, which the base does not have. Take a static "
        "build",
        op->image_path, loader);
}

/* Checks the program of OP, and reads its version when it says one. */
static int read_program(const struct kube_args *args, const struct plan_op *op, const struct sign *signs,
                        struct kube_number *ret, struct err *err)
{
    const struct program program = program_of_blob(&op->content);
    struct elf elf;
    if (elf_read(&program, &elf, err) < 0)
        return err_wrap(err, "%s", op->image_path);
    if (!elf.is_elf)
        return 0;
    if (check_machine(args, op, &elf, err) < 0 || check_loader(args, op, &elf, err) < 0)
        return -1;
    return read_version(&elf, signs, ret, err) < 0 ? err_wrap(err, "%s", op->image_path) : 0;
}

/* Takes what WHO says for the version, or compares it with what was taken before. */
static int settle(const struct kube_args *args, const char *who, const struct kube_number *says,
                  struct kube_variant *variant, struct err *err)
{
    const struct kube_number *has = &variant->kubernetes;
    char one[KUBE_NUMBER_CAP], other[KUBE_NUMBER_CAP];
    if (says->parts == 0)
        return 0;
    if (has->parts > 0 && kube_number_compare(has, says) != 0)
        return kube_error(args->recipe, err, "%s Kubernetes %s, but %s is %s: %s",
                          variant->by_recipe ? "the recipe's \"version\" says" : "other programs are of",
                          kube_number_text(has, one), who, kube_number_text(says, other),
                          variant->by_recipe ? "correct the one or exchange the other"
                                             : "take all from one release");
    if (says->parts >= has->parts)
        variant->kubernetes = *says;
    variant->by_recipe = false;
    return 0;
}

/* The programs of Kubernetes are those that its form brings. */
static bool is_kubernetes(const struct kube_args *args, const struct plan_op *op)
{
    const char *bin = args->layout->places[PLACE_BIN].path, *name = path_base(op->image_path);
    size_t len = strlen(bin);
    return strncmp(op->image_path, bin, len) == 0 && op->image_path + len + 1 == name &&
           (strcmp(name, "hyperkube") == 0 ||
            (args->recipe->kubernetes.form == KUBERNETES_BINARIES && strncmp(name, "kube", 4) == 0));
}

/* Asks one program for what all are. That it does not answer, or cannot run here, does not fail: kube/flags.h
 * tells the user. */
static int ask_version(const struct kube_args *args, const struct plan_op *op, struct kube_variant *variant,
                       struct err *err)
{
    char text[COMPONENT_VERSION_CAP];
    struct kube_number says;
    struct err inner = {0};
    bool hyperkube = variant->form == KUBERNETES_HYPERKUBE;
    const char *name = hyperkube ? "kubelet" : path_base(op->image_path);
    if (kube_component_version(&op->content, hyperkube, name, args->cache, args->run, text, &inner) < 0) {
        if (inner.kind != ERR_INTERRUPTED)
            return 0;
        *err = inner;
        return -1;
    }
    if (!kube_number_parse(text, strlen(text), &says) || says.part[0] == 0)
        return 0;
    return settle(args, op->image_path, &says, variant, err);
}

/* Without a program that says its version, or a file that does. */
static int ask_any(const struct kube_args *args, struct kube_variant *variant, struct err *err)
{
    const char *wanted = variant->form == KUBERNETES_HYPERKUBE ? "hyperkube" : "kubelet";
    for (size_t i = 0; i < args->plan->op_count; i++) {
        const struct plan_op *op = &args->plan->ops[i];
        if (op->kind == PLAN_FILE && is_kubernetes(args, op) &&
            strcmp(path_base(op->image_path), wanted) == 0)
            return ask_version(args, op, variant, err);
    }
    return 0;
}

static int read_op(const struct kube_args *args, const struct plan_op *op, struct kube_variant *variant,
                   struct err *err)
{
    const char *name = path_base(op->image_path);
    struct kube_number says = {0};
    if (op->kind != PLAN_FILE)
        return 0;
    if (is_kubernetes(args, op))
        return read_program(args, op, kubernetes_signs, &says, err) < 0
                   ? -1
                   : settle(args, op->image_path, &says, variant, err);
    if (!(op->mode & 0111))
        return 0;
    if (strcmp(name, "etcd") == 0) {
        variant->has_etcd = true;
        return read_program(args, op, etcd_signs, &variant->etcd, err);
    }
    if (strcmp(name, "containerd") == 0) {
        variant->containerd_from = KUBE_OF_PAYLOAD;
        return read_program(args, op, containerd_signs, &variant->containerd, err);
    }
    return 0;
}

/* What releases are known to hold, for bases whose /usr cannot be read. */
static void containerd_by_release(const struct kube_args *args, struct kube_variant *variant)
{
    static const struct {
        enum os_kind os;
        unsigned first, last; /* major versions */
        struct kube_number containerd;
    } known[] = {
        {OS_FLATCAR, 4459, 9999, {1, {2}}},
        {OS_FLATCAR, 3815, 4230, {2, {1, 7}}},
        {OS_FLATCAR, 1, 3814, {1, {1}}},
        {OS_COREOS, 1, 9999, {1, {1}}},
    };
    struct kube_number release;
    const char *version = args->base->version;
    if (!version || !kube_number_parse(version, strlen(version), &release))
        return;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].os == args->layout->os && release.part[0] >= known[i].first &&
            release.part[0] <= known[i].last) {
            variant->containerd = known[i].containerd;
            variant->containerd_from = KUBE_OF_BASE;
        }
}

/* What is wrong with the base's own program is not the recipe's fault: it is only not known then. */
static void read_base(const struct kube_args *args, struct kube_variant *variant)
{
    struct err ignored = {0};
    struct elf elf;
    if (args->base->containerd && elf_read(args->base->containerd, &elf, &ignored) == 0 &&
        read_version(&elf, containerd_signs, &variant->containerd, &ignored) == 0 &&
        variant->containerd.parts > 0)
        variant->containerd_from = KUBE_OF_BASE;
    else
        containerd_by_release(args, variant);
}

int kube_variant_read(const struct kube_args *args, struct kube_variant *ret, struct err *err)
{
    const struct recipe_kubernetes *kubernetes = &args->recipe->kubernetes;
    struct kube_variant made = {.form = kubernetes->form};
    struct kube_number stated = {0};
    if (kubernetes->form == KUBERNETES_NONE) {
        *ret = made;
        return 0;
    }
    if (kube_number_parse(kubernetes->version, strlen(kubernetes->version), &made.kubernetes))
        made.by_recipe = true;
    if (args->stated && kube_number_parse(args->stated, strlen(args->stated), &stated) &&
        settle(args, "its archive", &stated, &made, err) < 0)
        return -1;
    for (size_t i = 0; i < args->plan->op_count; i++)
        if (read_op(args, &args->plan->ops[i], &made, err) < 0)
            return -1;
    made.by_files = made.kubernetes;
    if ((made.by_recipe || made.kubernetes.parts == 0) && ask_any(args, &made, err) < 0)
        return -1;
    if (made.containerd_from == KUBE_NOWHERE)
        read_base(args, &made);
    *ret = made;
    return 0;
}

static const char *const forms[] = {[KUBERNETES_HYPERKUBE] = "hyperkube", [KUBERNETES_BINARIES] = "binaries"};

void kube_variant_text(const struct kube_variant *variant, struct buf *ret)
{
    char text[KUBE_NUMBER_CAP];
    if (variant->form == KUBERNETES_NONE)
        return;
    buf_printf(ret, "kubernetes %s (%s%s)",
               variant->kubernetes.parts > 0 ? kube_number_text(&variant->kubernetes, text)
                                             : "of unknown version",
               forms[variant->form], variant->by_recipe ? ", by the recipe" : "");
    if (variant->has_etcd)
        buf_printf(ret, ", etcd %s",
                   variant->etcd.parts > 0 ? kube_number_text(&variant->etcd, text) : "of unknown version");
    if (variant->containerd_from != KUBE_NOWHERE)
        buf_printf(ret, ", containerd %s of the %s",
                   variant->containerd.parts > 0 ? kube_number_text(&variant->containerd, text)
                                                 : "of unknown version",
                   variant->containerd_from == KUBE_OF_BASE ? "base" : "payload");
}

static void put_number(struct json_writer *to, const char *name, const struct kube_number *number)
{
    char text[KUBE_NUMBER_CAP];
    if (number->parts > 0)
        json_string(to, name, kube_number_text(number, text));
}

void kube_variant_json(const struct kube_variant *variant, struct json_writer *to)
{
    if (variant->form == KUBERNETES_NONE)
        return;
    json_string(to, "form", forms[variant->form]);
    put_number(to, "version", &variant->kubernetes);
    put_number(to, "etcd", &variant->etcd);
    put_number(to, "containerd", &variant->containerd);
    if (variant->containerd_from != KUBE_NOWHERE)
        json_string(to, "containerd_from", variant->containerd_from == KUBE_OF_BASE ? "base" : "payload");
}
