/* What goes into an image, read from small ELF files, and what goes with what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/run.h"
#include "kube/check.h"
#include "program/elf_maker.h"
#include "recipe/recipe.h"

enum { OPS_MAX = 10 };

struct scene {
    struct recipe recipe;
    struct layout layout;
    struct plan plan;
    struct plan_op ops[OPS_MAX];
    struct buf files[OPS_MAX + 1]; /* the last is the base's containerd */
    struct blob base_blob;
    struct program base_program;
    struct kube_base base;
    struct kube_args args;
    struct run run;
    char warned[1024];
    struct err err;
};

static void scene_free(struct scene *scene)
{
    recipe_free(&scene->recipe);
    for (size_t i = 0; i <= OPS_MAX; i++)
        buf_free(&scene->files[i]);
}
#define cleanup_scene cleanup(scene_free)

static void on_event(void *ctx, const struct event *event)
{
    struct scene *scene = ctx;
    if (event->kind == EVENT_WARN)
        snprintf(scene->warned, sizeof scene->warned, "%s", event->what);
}

/* A recipe with FORM and VERSION, and what comes behind. */
static void set_up_scene(struct scene *scene, const char *form, const char *version, const char *more)
{
    cleanup_buf struct buf text = BUF_INIT(4096);
    buf_printf(&text,
               "{\"name\":\"n\",\"base\":{\"os\":\"flatcar\",\"channel\":\"stable\",\"keyring\":\"k\"},\n"
               "\"inputs\":{\"a\":{\"url\":\"file:/a\"}},\n"
               "\"kubernetes\":{\"input\":\"a\",\"form\":\"%s\"%s%s%s}%s}",
               form, *version ? ",\"version\":\"" : "", version, *version ? "\"" : "", more);
    *scene = (struct scene){0};
    if (recipe_parse(text.data, text.len, "r", NULL, NULL, &scene->recipe, &scene->err) < 0)
        fail_msg("%s", scene->err.text);
    scene->layout = (struct layout){.os = OS_FLATCAR, .places[PLACE_BIN] = {.path = "/opt/bin"}};
    scene->plan = (struct plan){.ops = scene->ops};
    scene->base = (struct kube_base){.version = ""};
    scene->args = (struct kube_args){
        .recipe = &scene->recipe, .layout = &scene->layout, .plan = &scene->plan, .base = &scene->base};
    scene->run = (struct run){.on_event = on_event, .ctx = scene};
    scene->args.run = &scene->run;
}

static void add_file(struct scene *scene, const char *path, const void *bytes, size_t len)
{
    size_t i = scene->plan.op_count++;
    scene->files[i] = (struct buf)BUF_INIT(1 << 20);
    buf_add(&scene->files[i], bytes, len);
    scene->ops[i] = (struct plan_op){
        .kind = PLAN_FILE,
        .image_path = path,
        .mode = 0755,
        .content = {.memory = len > 0 ? scene->files[i].data : "", .fd = -1, .size = len},
    };
}

static void add_elf(struct scene *scene, const char *path, const struct elf_spec *spec)
{
    cleanup_buf struct buf file = BUF_INIT(1 << 20);
    elf_make(spec, &file);
    add_file(scene, path, file.data, file.len);
}

/* A program whose build information has LINE. */
static void add_go(struct scene *scene, const char *path, const char *line)
{
    add_elf(scene, path, &(struct elf_spec){.info = line});
}

static void set_base(struct scene *scene, const char *line)
{
    struct buf *file = &scene->files[OPS_MAX];
    *file = (struct buf)BUF_INIT(1 << 20);
    elf_make(&(struct elf_spec){.info = line}, file);
    scene->base_blob = (struct blob){.memory = file->data, .fd = -1, .size = file->len};
    scene->base_program = program_of_blob(&scene->base_blob);
    scene->base.containerd = &scene->base_program;
}

static int read_and_check(struct scene *scene, struct kube_variant *ret)
{
    *ret = (struct kube_variant){0};
    if (kube_variant_read(&scene->args, ret, &scene->err) < 0)
        return -1;
    return kube_check(&scene->args, ret, &scene->err);
}

static void expect_error(struct scene *scene, enum err_kind kind, const char *says)
{
    struct kube_variant variant;
    if (read_and_check(scene, &variant) == 0 || scene->err.kind != kind || !strstr(scene->err.text, says))
        fail_msg("not \"%s\", but: %s", says, scene->err.text);
}

static void expect_text(struct scene *scene, const char *says)
{
    struct kube_variant variant;
    cleanup_buf struct buf text = BUF_INIT(256);
    if (read_and_check(scene, &variant) < 0)
        fail_msg("%s", scene->err.text);
    kube_variant_text(&variant, &text);
    assert_string_equal(text.data ? text.data : "", says);
}

#define UNIT  ",\"units\":[{\"name\":\"kubelet.service\",\"builtin\":true}]"
#define CRI16 "dep\tgithub.com/containerd/containerd\tv1.6.20\n"
#define CRI17 "mod\tgithub.com/containerd/containerd\tv1.7.24+dirty\n"
#define CRI21 "path\tx\ndep\tgithub.com/containerd/containerd/v2\tv2.1.9\n"

/* Every version on every containerd. */
static void versions_on_bases(void **state)
{
    (void)state;
    static const char no_cri[] = "speaks only CRI v1alpha2, and the base's containerd 2.1.9 no longer does",
                      old[] = "does not work with the built-in kubelet.service",
                      later[] = "needs containerd 2 or later, and the base's is 1.";
    static const struct {
        const char *version;
        const char *own[3];      /* with units of the user's own: on 1.6, 1.7, 2.1; NULL: fine */
        const char *builtin[3];  /* with the built-in ones */
        const char *untested[3]; /* the same and --untested-kubernetes */
    } cases[] = {
        {"1.22.17", {NULL, NULL, no_cri}, {old, old, old}, {old, old, old}},
        {"1.23.0", {NULL, NULL, NULL}, {old, old, old}, {old, old, old}},
        {"1.27.3", {NULL, NULL, NULL}, {old, old, old}, {old, old, old}},
        {"1.32.1", {NULL, NULL, NULL}, {NULL, NULL, NULL}, {NULL, NULL, NULL}},
        {"1.36.3", {NULL, NULL, NULL}, {NULL, NULL, NULL}, {NULL, NULL, NULL}},
        {"1.99.0",
         {later, later, NULL},
         {"is not among", "is not among", "is not among"},
         {later, later, NULL}},
    };
    static const char *const bases[] = {CRI16, CRI17, CRI21};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned base = 0; base < 3; base++)
            for (unsigned units = 0; units < 3; units++) {
                const char *const *says = units == 0   ? cases[i].own
                                          : units == 1 ? cases[i].builtin
                                                       : cases[i].untested;
                cleanup_scene struct scene scene;
                struct kube_variant variant;
                set_up_scene(&scene, "hyperkube", cases[i].version, units ? UNIT : "");
                add_file(&scene, "/opt/bin/hyperkube", "#!/bin/sh\n", 10);
                set_base(&scene, bases[base]);
                scene.args.untested = units == 2;
                int r = read_and_check(&scene, &variant);
                if ((r < 0) != (says[base] != NULL) || (r < 0 && !strstr(scene.err.text, says[base])))
                    fail_msg("%s on %s, %u: %s", cases[i].version, bases[base], units, scene.err.text);
                assert_int_equal(scene.warned[0] != '\0',
                                 r == 0 && units == 2 && strcmp(cases[i].version, "1.99.0") == 0);
            }
}

static void what_is_found(void **state)
{
    (void)state;
    cleanup_scene struct scene scene;
    set_up_scene(&scene, "hyperkube", "v1.36.3", UNIT);
    add_go(&scene, "/opt/bin/hyperkube", "path\tnode/hyperkube\ndep\tk8s.io/kubernetes\tv1.36.3\th1:x=\n");
    add_go(&scene, "/opt/bin/etcd",
           "path\tgo.etcd.io/etcd/server/v3\ndep\tgo.etcd.io/etcd/api/v3\tv3.6.16\n=>\t../api\t(devel)\n");
    set_base(&scene, CRI21);
    expect_text(&scene, "kubernetes 1.36.3 (hyperkube), etcd 3.6.16, containerd 2.1.9 of the base");
    assert_string_equal(scene.warned, "");
    /* the payload's own wins */
    add_go(&scene, "/opt/containerd/bin/containerd",
           "path\tgithub.com/containerd/containerd/v2/cmd/containerd\n");
    expect_text(&scene, "kubernetes 1.36.3 (hyperkube), etcd 3.6.16, containerd 2 of the payload");
    struct kube_variant variant;
    cleanup_buf struct buf text = BUF_INIT(512);
    struct json_writer json = {.buf = &text};
    assert_int_equal(kube_variant_read(&scene.args, &variant, &scene.err), 0);
    json_open_flat(&json, NULL, '{');
    kube_variant_json(&variant, &json);
    json_close(&json, '}');
    assert_string_equal(
        text.data, "{\"form\":\"hyperkube\",\"version\":\"1.36.3\",\"etcd\":\"3.6.16\",\"containerd\":\"2\","
                   "\"containerd_from\":\"payload\"}");
}

static void what_is_not_known(void **state)
{
    (void)state;
    cleanup_scene struct scene scene, other;
    set_up_scene(&scene, "hyperkube", "1.36.3", UNIT);
    add_go(&scene, "/opt/bin/hyperkube",
           "path\tk8s.io/kubernetes/cmd/kubelet\nmod\tk8s.io/kubernetes\t(devel)\n");
    add_file(&scene, "/opt/bin/etcd", "text", 4);
    expect_text(&scene, "kubernetes 1.36.3 (hyperkube, by the recipe), etcd of unknown version");
    set_up_scene(&other, "binaries", "", UNIT);
    expect_text(&other, "kubernetes of unknown version (binaries)");
    assert_non_null(strstr(other.warned, "nothing says which Kubernetes"));
    other.args.stated = "v1.35.1";
    expect_text(&other, "kubernetes 1.35.1 (binaries)");
    other.recipe.kubernetes.form = KUBERNETES_NONE;
    expect_text(&other, "");
}

/* By the base's release, where its /usr cannot be read. */
static void bases_by_release(void **state)
{
    (void)state;
    static const struct {
        enum os_kind os;
        const char *version, *says;
    } cases[] = {
        {OS_FLATCAR, "4459.2.0", ", containerd 2 of the base"},
        {OS_FLATCAR, "4593.1.2", ", containerd 2 of the base"},
        {OS_FLATCAR, "4230.2.4", ", containerd 1.7 of the base"},
        {OS_FLATCAR, "4300.0.0", ""},
        {OS_FLATCAR, "2905.2.1", ", containerd 1 of the base"},
        {OS_COREOS, "2512.3.0", ", containerd 1 of the base"},
        {OS_FLATCAR, "", ""},
        {OS_FLATCAR, "current", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        cleanup_scene struct scene scene;
        set_up_scene(&scene, "hyperkube", "1.36.3", "");
        scene.layout.os = cases[i].os;
        scene.base.version = cases[i].version;
        snprintf(text, sizeof text, "kubernetes 1.36.3 (hyperkube, by the recipe)%s", cases[i].says);
        expect_text(&scene, text);
    }
    cleanup_scene struct scene scene;
    set_up_scene(&scene, "hyperkube", "1.21.0", "");
    scene.base.version = "4459.2.0";
    expect_error(&scene, ERR_RECIPE,
                 "r:3:14: the kubelet of Kubernetes 1.21.0 speaks only CRI v1alpha2, and the base's "
                 "containerd 2 no longer does: its nodes would never come up");
}

static void versions_disagree(void **state)
{
    (void)state;
    cleanup_scene struct scene scene, tarball, mixed;
    set_up_scene(&scene, "hyperkube", "1.36.2", UNIT);
    add_go(&scene, "/opt/bin/hyperkube", "dep\tk8s.io/kubernetes\tv1.36.3\n");
    expect_error(&scene, ERR_RECIPE,
                 "r:3:14: the recipe's \"version\" says Kubernetes 1.36.2, but /opt/bin/hyperkube is "
                 "1.36.3: correct the one or exchange the other");
    set_up_scene(&tarball, "binaries", "1.36.3", UNIT);
    tarball.args.stated = "v1.35.0";
    expect_error(&tarball, ERR_RECIPE, "says Kubernetes 1.36.3, but its archive is 1.35.0");
    set_up_scene(&mixed, "binaries", "", UNIT);
    add_go(&mixed, "/opt/bin/kube-apiserver", "mod\tk8s.io/kubernetes\tv1.36.3\n");
    add_go(&mixed, "/opt/bin/kubelet", "mod\tk8s.io/kubernetes\tv1.36.3\n");
    add_go(&mixed, "/opt/bin/kube-proxy", "mod\tk8s.io/kubernetes\tv1.35.3\n");
    expect_error(&mixed, ERR_RECIPE,
                 "other programs are of Kubernetes 1.36.3, but /opt/bin/kube-proxy is 1.35.3");
    cleanup_scene struct scene newer;
    set_up_scene(&newer, "binaries", "", UNIT);
    add_go(&newer, "/opt/bin/kube-apiserver", "mod\tk8s.io/kubernetes\tv1.35.3\n");
    add_go(&newer, "/opt/bin/kubelet", "mod\tk8s.io/kubernetes\tv1.36.0\n");
    expect_error(&newer, ERR_RECIPE,
                 "other programs are of Kubernetes 1.35.3, but /opt/bin/kubelet is 1.36.0: take all from one "
                 "release");
    /* a minor agrees with all its patches */
    cleanup_scene struct scene minor;
    set_up_scene(&minor, "hyperkube", "1.36", UNIT);
    add_go(&minor, "/opt/bin/hyperkube", "dep\tk8s.io/kubernetes\tv1.36.3\n");
    expect_text(&minor, "kubernetes 1.36.3 (hyperkube)");
}

/* The recipe says nothing: what the payload is counts. */
static void payloads_of_the_wrong_version(void **state)
{
    (void)state;
    cleanup_scene struct scene old, new;
    set_up_scene(&old, "hyperkube", "", UNIT);
    add_go(&old, "/opt/bin/hyperkube", "dep\tk8s.io/kubernetes\tv1.29.1\n");
    expect_error(&old, ERR_RECIPE,
                 "r:3:14: Kubernetes 1.29.1 does not work with the built-in kubelet.service");
    set_up_scene(&new, "hyperkube", "", UNIT);
    add_go(&new, "/opt/bin/hyperkube", "dep\tk8s.io/kubernetes\tv1.38.0\n");
    expect_error(&new, ERR_RECIPE, "--untested-kubernetes");
    new.args.untested = true;
    expect_text(&new, "kubernetes 1.38.0 (hyperkube)");
    assert_non_null(strstr(new.warned, "Kubernetes 1.38.0 is newer than any"));
}

static int has_loader(const void *ctx, const char *path, bool *ret, struct err *err)
{
    (void)err;
    *ret = strcmp(path, ctx) == 0;
    return 0;
}

static void programs_that_cannot_run(void **state)
{
    (void)state;
    static const char loader[] = "/lib64/ld-linux-x86-64.so.2";
    cleanup_scene struct scene arm, narrow, dynamic, cut;
    set_up_scene(&arm, "hyperkube", "1.36.3", "");
    add_elf(&arm, "/opt/bin/hyperkube", &(struct elf_spec){.machine = EM_AARCH64});
    expect_error(&arm, ERR_RECIPE, "/opt/bin/hyperkube is a program for arm64, but the image is for x86-64");
    set_up_scene(&narrow, "binaries", "1.36.3", "");
    add_elf(&narrow, "/opt/bin/kubelet", &(struct elf_spec){.narrow = true, .machine = EM_386});
    expect_error(&narrow, ERR_RECIPE, "/opt/bin/kubelet is a program for x86 with 32 bits");
    set_up_scene(&dynamic, "hyperkube", "1.36.3", "");
    add_elf(&dynamic, "/opt/bin/hyperkube", &(struct elf_spec){.interp = loader});
    expect_text(&dynamic, "kubernetes 1.36.3 (hyperkube, by the recipe)"); /* the base cannot be read */
    dynamic.base.has = has_loader;
    dynamic.base.ctx = loader;
    expect_text(&dynamic, "kubernetes 1.36.3 (hyperkube, by the recipe)");
    dynamic.base.ctx = "/lib/ld-musl-x86_64.so.1";
    expect_error(&dynamic, ERR_RECIPE,
                 "/opt/bin/hyperkube is dynamically linked: it needs the loader /lib64/ld-linux-x86-64.so.2");
    set_up_scene(&cut, "hyperkube", "1.36.3", "");
    add_file(&cut, "/opt/bin/hyperkube", "\177ELF\2\1\1", 7);
    expect_error(&cut, ERR_VERIFY, "/opt/bin/hyperkube: a damaged ELF file");
}

static void hyperkubes_without_a_component(void **state)
{
    (void)state;
    static const char proxy[] = ",\"units\":[{\"name\":\"kubelet.service\",\"builtin\":true},"
                                "{\"name\":\"kube-proxy.service\",\"builtin\":true}]";
    static const char names[] = "runtime.main k8s.io/kubernetes/cmd/kubelet/app.NewKubeletCommand "
                                "k8s.io/kubernetes/cmd/kube-proxy/app/options.New";
    cleanup_scene struct scene lacks, enough, other;
    set_up_scene(&lacks, "hyperkube", "1.36.3", proxy);
    add_elf(&lacks, "/opt/bin/hyperkube", &(struct elf_spec){.names = names});
    expect_error(&lacks, ERR_RECIPE, "r:3:14: /opt/bin/hyperkube lacks kube-proxy, which the recipe's units");
    set_up_scene(&enough, "hyperkube", "1.36.3", UNIT);
    add_elf(&enough, "/opt/bin/hyperkube", &(struct elf_spec){.names = names});
    expect_text(&enough, "kubernetes 1.36.3 (hyperkube, by the recipe)");
    set_up_scene(&other, "hyperkube", "1.36.3", proxy);
    add_elf(&other, "/opt/bin/hyperkube", &(struct elf_spec){.names = "main.main"});
    expect_text(&other, "kubernetes 1.36.3 (hyperkube, by the recipe)");
}

static void etcds(void **state)
{
    (void)state;
    static const struct {
        const char *info, *refused, *warned;
    } cases[] = {
        {"dep\tgo.etcd.io/etcd/api/v3\tv3.6.8\n", NULL, NULL},
        {"mod\tgo.etcd.io/etcd/server/v3\tv3.5.24\n", NULL, NULL},
        {"mod\tgo.etcd.io/etcd/server/v3\tv3.5.13\n", NULL, "etcd 3.5.13 is older than 3.5.24"},
        {"path\tgo.etcd.io/etcd\n", NULL, "etcd 3.4 is older than 3.5.24"},
        {"mod\tgo.etcd.io/etcd/server/v3\tv3.3.25\n", "needs etcd 3.4 or later, not 3.3.25", NULL},
        {"path\tgo.etcd.io/etcd/server/v3\n", NULL, NULL}, /* only its major is known */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_scene struct scene scene;
        struct kube_variant variant;
        set_up_scene(&scene, "hyperkube", "1.36.3", UNIT);
        add_go(&scene, "/opt/bin/etcd", cases[i].info);
        if (cases[i].refused)
            expect_error(&scene, ERR_RECIPE, cases[i].refused);
        else
            assert_int_equal(read_and_check(&scene, &variant), 0);
        if (!strstr(scene.warned, cases[i].warned ? cases[i].warned : "") ||
            (!cases[i].warned && scene.warned[0]))
            fail_msg("%s: %s", cases[i].info, scene.warned);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_on_bases),
        cmocka_unit_test(what_is_found),
        cmocka_unit_test(what_is_not_known),
        cmocka_unit_test(bases_by_release),
        cmocka_unit_test(versions_disagree),
        cmocka_unit_test(payloads_of_the_wrong_version),
        cmocka_unit_test(programs_that_cannot_run),
        cmocka_unit_test(hyperkubes_without_a_component),
        cmocka_unit_test(etcds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
