/* The flags of embedded components, asked of a program that knows only --good. */
#include "tests/support/lib/caged.h"

#include <ftw.h>
#include <stdlib.h>

#include "cache/cache.h"
#include "kube/component.h"
#include "kube/flags.h"

static struct blob program;
static int program_fd = -1;

struct said {
    char warnings[4096];
};

static void on_event(void *ctx, const struct event *event)
{
    struct said *said = ctx;
    size_t len = strlen(said->warnings);
    if (event->kind == EVENT_WARN)
        snprintf(said->warnings + len, sizeof said->warnings - len, "%s\n", event->what);
}

struct file {
    const char *path;
    struct blob blob;
};

/* Checks a manifest, and a unit with a drop-in, of an image with these programs; an error's text in *err. */
static int check(const struct file *programs, size_t count, const char *manifest, const char *unit,
                 const char *dropin, struct said *said, struct err *err)
{
    struct plan_op ops[4] = {{.kind = PLAN_DIR, .image_path = "/opt/bin"}};
    struct plan plan = {.ops = ops, .op_count = count + 1};
    struct plan_want items[] = {
        {.kind = WANT_MANIFEST, .label = "manifest m.yaml", .source.where = {3, 4}},
        {.kind = WANT_UNIT, .label = "unit u.service", .source.where = {5, 6}, .index = 1},
        {.kind = WANT_DROPIN, .label = "drop-in d.conf of u.service", .source.where = {7, 8}, .index = 1}};
    struct plan_wants wants = {.items = items, .count = 3};
    struct plan_content contents[3] = {0};
    struct recipe recipe = {.file = "r.json"};
    const char *const texts[] = {manifest, unit, dropin};
    const struct run run = {.on_event = on_event, .ctx = said};
    const struct flags_args args = {.recipe = &recipe, .plan = &plan, .wants = &wants, .contents = contents};
    *said = (struct said){0};
    *err = (struct err){0};
    for (size_t i = 0; i < count; i++)
        ops[i + 1] =
            (struct plan_op){.kind = PLAN_FILE, .image_path = programs[i].path, .content = programs[i].blob};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(blob_from_memory(texts[i], strlen(texts[i]), &contents[i].blob, err), 0);
    return flags_check(&args, &run, err);
}

#define POD(command) "kind: Pod\nspec: {containers: [{command: [" command "]}]}\n"

/* Of an image with a hyperkube. */
static int check_hyperkube(const char *manifest, const char *unit, struct said *said, struct err *err)
{
    const struct file file = {"/opt/bin/hyperkube", program};
    return check(&file, 1, manifest, unit, "", said, err);
}

static void test_known_flags(void **state)
{
    (void)state;
    struct said said;
    struct err err;
    if (check_hyperkube(POD("/opt/bin/hyperkube, kube-scheduler, --good=1"),
                        "[Service]\nExecStart=/opt/bin/hyperkube kubelet \\\n --good --good=${NODE_IP}\n",
                        &said, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(said.warnings, "");
}

static void test_unknown_flags(void **state)
{
    (void)state;
    struct said said;
    struct err err;
    assert_int_equal(
        check_hyperkube(POD("/opt/bin/hyperkube, kube-scheduler, --good, --port=0"), "", &said, &err), -1);
    assert_int_equal(err.kind, ERR_RECIPE);
    assert_string_equal(err.text,
                        "r.json:3:4: manifest m.yaml: kube-scheduler of Kubernetes 1.36.97 does not know "
                        "--port: remove it");
    assert_int_equal(
        check_hyperkube("", "[Service]\nExecStart=/opt/bin/hyperkube kubelet --bad\n", &said, &err), -1);
    assert_string_equal(err.text,
                        "r.json:5:6: unit u.service: kubelet of Kubernetes 1.36.97 does not know --bad: "
                        "remove it");
    assert_int_equal(check_hyperkube(POD("/opt/bin/hyperkube, kube-proxy, --good=bad"), "", &said, &err), -1);
    assert_non_null(strstr(err.text, "refuses its flags: invalid argument \"bad\""));
}

static void test_missing_component(void **state)
{
    (void)state;
    struct said said;
    struct err err;
    assert_int_equal(
        check_hyperkube(POD("/opt/bin/hyperkube, kube-controller-manager, --good"), "", &said, &err), -1);
    assert_string_equal(err.text, "r.json:3:4: manifest m.yaml: kube-controller-manager is not in "
                                  "/opt/bin/hyperkube: unknown component \"kube-controller-manager\"");
}

/* The programs of their own, and the script that starts them. */
static void test_single_programs(void **state)
{
    (void)state;
    struct said said;
    struct err err;
    static const char script[] = "#!/bin/sh\n";
    struct file files[] = {{"/opt/bin/kubelet", program}, {"/opt/bin/hyperkube", {0}}};
    assert_int_equal(blob_from_memory(script, sizeof script - 1, &files[1].blob, &err), 0);
    assert_int_equal(
        check(files, 2, "", "[Service]\nExecStart=/opt/bin/hyperkube kubelet --good\n", "", &said, &err), 0);
    assert_int_equal(
        check(files, 2, "", "[Service]\nExecStart=/opt/bin/hyperkube kubelet --bad\n", "", &said, &err), -1);
    assert_int_equal(check(files, 2, "", "[Service]\nExecStart=/opt/bin/kubelet --bad\n", "", &said, &err),
                     -1);
    assert_int_equal(check(files, 2, "", "[Service]\nExecStart=/opt/bin/kubelet --good $A\n",
                           "[Service]\nEnvironment=A=--bad\n", &said, &err),
                     -1);
    assert_non_null(strstr(err.text, "--bad"));
    /* a drop-in may replace what it does not know */
    assert_int_equal(check(files, 2, "", "[Service]\nExecStart=/opt/bin/kubelet --bad\n",
                           "[Service]\nExecStart=\nExecStart=/opt/bin/kubelet --good\n", &said, &err),
                     0);
    assert_string_equal(said.warnings, "");
}

/* Not of Kubernetes, not embedded, or only a node knows it. */
static void test_not_refused(void **state)
{
    (void)state;
    struct said said;
    struct err err;
    assert_int_equal(
        check_hyperkube(POD("/usr/bin/kubelet, --bad"), "[Service]\nExecStart=/bin/sh --bad\n", &said, &err),
        0);
    assert_int_equal(check_hyperkube(POD("/opt/bin/hyperkube, kubectl, --bad"), "", &said, &err), 0);
    assert_int_equal(check_hyperkube(POD("/opt/bin/hyperkube"), "not a unit", &said, &err), 0);
    assert_string_equal(said.warnings, "");
    /* a program that ends otherwise says nothing about its flags */
    assert_int_equal(check_hyperkube(POD("/opt/bin/hyperkube, kubelet, --good=crash"), "", &said, &err), 0);
    assert_non_null(strstr(said.warnings, "the flags of kubelet are not checked"));
    assert_int_equal(check_hyperkube("kind: [\n", "", &said, &err), 0);
    assert_non_null(strstr(said.warnings, "manifest m.yaml: it is not YAML"));
}

static void test_foreign_program(void **state)
{
    (void)state;
    struct said said;
    struct err err;
    cleanup_free char *bytes = NULL;
    struct file file = {"/opt/bin/kubelet", {0}};
    caged_foreign(&program, &file.blob, &bytes);
    assert_int_equal(check(&file, 1, POD("/opt/bin/kubelet, --bad"),
                           "[Service]\nExecStart=/opt/bin/kubelet --bad\n", "", &said, &err),
                     0);
    assert_string_equal(said.warnings,
                        "the flags of kubelet are not checked: it is a program for another kind of "
                        "machine\n");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

/* An answer is not asked for twice: the second time the program is not even there. */
static void test_answers_are_kept(void **state)
{
    (void)state;
    char dir[] = "/tmp/bake-flags.XXXXXX", version[COMPONENT_VERSION_CAP];
    struct cache *cache = NULL;
    struct err err = {0};
    struct blob gone = program;
    assert_non_null(mkdtemp(dir));
    const struct cache_options options = {.dir = dir};
    assert_int_equal(cache_open(&options, &cache, &err), 0);
    assert_int_equal(kube_component_version(&program, true, "kubelet", cache, NULL, version, &err), 0);
    assert_string_equal(version, "v1.36.97");
    gone.fd = -1;
    memset(version, 0, sizeof version);
    if (kube_component_version(&gone, true, "kubelet", cache, NULL, version, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(version, "v1.36.97");
    assert_int_equal(kube_component_version(&gone, false, "kubelet", cache, NULL, version, &err), -1);
    cache_close(cache);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest always[] = {cmocka_unit_test(test_foreign_program)};
    const struct CMUnitTest caged[] = {
        cmocka_unit_test(test_known_flags),     cmocka_unit_test(test_unknown_flags),
        cmocka_unit_test(test_single_programs), cmocka_unit_test(test_missing_component),
        cmocka_unit_test(test_not_refused),     cmocka_unit_test(test_answers_are_kept),
    };
    caged_blob("caged", &program, &program_fd);
    int failed = cmocka_run_group_tests(always, NULL, NULL);
    return caged_possible() ? failed + cmocka_run_group_tests(caged, NULL, NULL) : failed;
}
