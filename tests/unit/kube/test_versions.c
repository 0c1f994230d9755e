/* Version numbers, and which versions of Kubernetes a recipe may name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "kube/versions.h"
#include "recipe/recipe.h"

static struct kube_number number(const char *text)
{
    struct kube_number made = {0};
    kube_number_parse(text, strlen(text), &made);
    return made;
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *read; /* NULL: not a number */
    } cases[] = {
        {"1.36.3", "1.36.3"},
        {"v1.36.3", "1.36.3"},
        {"1.36", "1.36"},
        {"2", "2"},
        {"v1.37.0-alpha.1.2+abc", "1.37.0"},
        {"3.5.0~rc.1", "3.5.0"},
        {"1.6.20+unknown", "1.6.20"},
        {"1.36.3\n", "1.36.3"},
        {"9999.0.0", "9999.0.0"},
        {"10000.0", NULL},
        {"99999999999999999999", NULL},
        {"", NULL},
        {"v", NULL},
        {"1.", NULL},
        {"1..2", NULL},
        {"1.x", NULL},
        {"1.36x", NULL},
        {"1.2.3.4", NULL},
        {"(devel)", NULL},
        {" 1.2", NULL},
        {"-1.2", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kube_number made = {0};
        char text[KUBE_NUMBER_CAP];
        bool read = kube_number_parse(cases[i].text, strlen(cases[i].text), &made);
        if (read != (cases[i].read != NULL))
            print_error("\"%s\"\n", cases[i].text);
        assert_int_equal(read, cases[i].read != NULL);
        assert_string_equal(kube_number_text(&made, text), cases[i].read ? cases[i].read : "");
    }
    /* no byte behind the text is read */
    struct kube_number made = {0};
    assert_true(kube_number_parse("1.23", 3, &made));
    assert_int_equal(made.part[1], 2);
}

static void comparisons(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int is;
    } cases[] = {
        {"1.36.3", "1.36.3", 0}, {"1.36", "1.36.3", 0}, {"1.36.2", "1.36.10", -1}, {"1.9", "1.10", -1},
        {"2", "1.7", 1},         {"2.1.9", "2", 0},     {"3.6.0", "3.5.24", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kube_number a = number(cases[i].a), b = number(cases[i].b);
        assert_int_equal(kube_number_compare(&a, &b), cases[i].is);
        assert_int_equal(kube_number_compare(&b, &a), -cases[i].is);
    }
}

/* Every minor has its row, in which all needs agree. */
static void every_minor(void **state)
{
    (void)state;
    for (unsigned minor = 0; minor < 100; minor++) {
        struct kube_number version = {.parts = 2, .part = {1, minor}};
        const struct kube_release *release = kube_release_of(&version);
        assert_non_null(release);
        assert_int_equal(release->support == KUBE_OLD, release->why != NULL);
        assert_true(release->containerd.parts > 0);
        if (release->containerd_end.parts > 0)
            assert_true(kube_number_compare(&release->containerd, &release->containerd_end) < 0);
        if (release->support == KUBE_SUPPORTED)
            assert_true(kube_number_compare(&release->etcd, &release->etcd_advised) <= 0 &&
                        release->etcd.parts > 0);
    }
    struct kube_number none = {0}, next = number("2.0"), major = number("1");
    assert_null(kube_release_of(&none));
    assert_null(kube_release_of(&next));
    assert_null(kube_release_of(&major));
    char range[KUBE_RANGE_CAP];
    assert_string_equal(kube_supported(range), "1.32 to 1.36");
}

/* A recipe with a built-in unit or manifest, and VERSION. */
static int check(const char *version, const char *parts, bool untested, struct err *err)
{
    cleanup_recipe struct recipe recipe = {0};
    cleanup_buf struct buf text = BUF_INIT(4096);
    buf_printf(&text,
               "{\"name\":\"n\",\"base\":{\"os\":\"coreos\",\"channel\":\"stable\",\"keyring\":\"k\"},\n"
               "\"inputs\":{\"a\":{\"url\":\"file:/a\"}},\n"
               "\"kubernetes\":{\"input\":\"a\",\"form\":\"binaries\",\"version\":\"%s\"}%s}",
               version, parts);
    if (recipe_parse(text.data, text.len, "r", NULL, NULL, &recipe, err) < 0)
        fail_msg("%s", err->text);
    return kube_check_recipe(&recipe, untested, err);
}

#define UNIT     ",\"units\":[{\"name\":\"kubelet.service\",\"builtin\":true}]"
#define OWN_UNIT ",\"units\":[{\"name\":\"kubelet.service\",\"text\":\"[Unit]\"}]"
#define MANIFEST                                                                                             \
    ",\"manifests\":[{\"name\":\"mine.yaml\",\"text\":\"x\"},{\"name\":\"kube-scheduler.yaml\",\"builtin\":" \
    "true}]"

static void recipes(void **state)
{
    (void)state;
    static const struct {
        const char *version, *parts;
        bool untested;
        const char *says; /* NULL: is accepted */
    } cases[] = {
        {"1.32.0", UNIT, false, NULL},
        {"v1.36.3", MANIFEST, false, NULL},
        {"1.36", UNIT, false, NULL},
        {"latest", UNIT, false, NULL},
        {"1.99.0", OWN_UNIT, false, NULL},
        {"1.19.2", "", false, NULL},
        {"v1.22.1", UNIT, false,
         "r:3:14: Kubernetes 1.22.1 does not work with the built-in kubelet.service: its kubelet speaks only "
         "CRI "
         "v1alpha2, which containerd 2 does not have, and needs --container-runtime=remote. Use 1.32 to "
         "1.36, or "
         "replace it with a unit or manifest of your own"},
        {"1.23.0", UNIT, true, "its kubelet looks for Docker unless"},
        {"1.27.3", MANIFEST, false,
         "Kubernetes 1.27.3 does not work with the built-in kube-scheduler.yaml: its API server cannot "
         "restrict"},
        {"1.31.9", UNIT, true, "cannot restrict anonymous requests"},
        {"1.0", UNIT, true, "lack what the built-in files ask for"},
        {"1.99.0", UNIT, false,
         "r:3:14: Kubernetes 1.99.0 is not among the versions that the built-in kubelet.service is tested "
         "with: use "
         "1.32 to 1.36, or try it with --untested-kubernetes"},
        {"1.99.0", UNIT, true, NULL},
        {"2.0", UNIT, true, "Kubernetes 2.0 is not among"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        int r = check(cases[i].version, cases[i].parts, cases[i].untested, &err);
        if ((r < 0) != (cases[i].says != NULL) || (r < 0 && !strstr(err.text, cases[i].says)))
            fail_msg("%s: %s", cases[i].version, err.text);
        assert_int_equal(err.kind, r < 0 ? ERR_RECIPE : ERR_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(comparisons),
        cmocka_unit_test(every_minor),
        cmocka_unit_test(recipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
