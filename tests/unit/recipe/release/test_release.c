/* Published bases: from a release server's answer to URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "recipe/release/release.h"
#include "recipe/recipe.h"

static void parse(const char *base, struct recipe *ret)
{
    struct err err = {0};
    cleanup_buf struct buf text = BUF_INIT(10000);
    buf_printf(&text, "{\"name\":\"n\",\"base\":{%s,\"keyring\":\"k\"}}", base);
    if (recipe_parse(text.data, text.len, "r", NULL, NULL, ret, &err) < 0)
        print_error("%s\n", err.text);
    assert_non_null(ret->name);
}

static const struct {
    const char *base, *version_url, *answer;
    const char *version, *url, *signature; /* version NULL: refused */
} cases[] = {
    {"\"os\":\"coreos\",\"channel\":\"alpha\"",
     "https://alpha.release.core-os.net/amd64-usr/current/version.txt",
     "COREOS_BUILD=2512\nCOREOS_VERSION=2512.3.0\nCOREOS_VERSION_ID=9\n", "2512.3.0",
     "https://alpha.release.core-os.net/amd64-usr/2512.3.0/coreos_production_gce.tar.gz",
     "https://alpha.release.core-os.net/amd64-usr/2512.3.0/coreos_production_gce.tar.gz.sig"},
    {"\"os\":\"flatcar\",\"channel\":\"lts\"",
     "https://lts.release.flatcar-linux.net/amd64-usr/current/version.txt",
     "FLATCAR_VERSION=\"3510.3.1\"\r\n", "3510.3.1",
     "https://lts.release.flatcar-linux.net/amd64-usr/3510.3.1/flatcar_production_gce.tar.gz",
     "https://lts.release.flatcar-linux.net/amd64-usr/3510.3.1/flatcar_production_gce.tar.gz.sig"},
    {"\"os\":\"flatcar\",\"channel\":\"lts\",\"version\":\"current-2024\"",
     "https://lts.release.flatcar-linux.net/amd64-usr/current-2024/version.txt", "FLATCAR_VERSION=4081.3.6\n",
     "4081.3.6", "https://lts.release.flatcar-linux.net/amd64-usr/4081.3.6/flatcar_production_gce.tar.gz",
     "https://lts.release.flatcar-linux.net/amd64-usr/4081.3.6/flatcar_production_gce.tar.gz.sig"},
    {"\"os\":\"flatcar\",\"channel\":\"lts-2023\"",
     "https://lts.release.flatcar-linux.net/amd64-usr/current-2023/version.txt", "FLATCAR_VERSION=3510.3.9\n",
     "3510.3.9", "https://lts.release.flatcar-linux.net/amd64-usr/3510.3.9/flatcar_production_gce.tar.gz",
     "https://lts.release.flatcar-linux.net/amd64-usr/3510.3.9/flatcar_production_gce.tar.gz.sig"},
    {"\"os\":\"flatcar\",\"channel\":\"lts\",\"version\":\"current-2024\"",
     "https://lts.release.flatcar-linux.net/amd64-usr/current-2024/version.txt",
     "FLATCAR_VERSION=current-2024\n", NULL, "base: the server's FLATCAR_VERSION is not a version", NULL},
    {"\"os\":\"flatcar\",\"channel\":\"stable\",\"version\":\"1.2.3\"", NULL, NULL, "1.2.3",
     "https://stable.release.flatcar-linux.net/amd64-usr/1.2.3/flatcar_production_gce.tar.gz",
     "https://stable.release.flatcar-linux.net/amd64-usr/1.2.3/flatcar_production_gce.tar.gz.sig"},
    {"\"os\":\"coreos\",\"url\":\"file:/x\",\"signature\":\".asc\",\"version\":\"7\"", NULL, NULL, "7",
     "file:/x", "file:/x.asc"},
    {"\"os\":\"coreos\",\"channel\":\"stable\"",
     "https://stable.release.core-os.net/amd64-usr/current/version.txt", "", NULL,
     "base: the server's answer has no line COREOS_VERSION=: is this the coreos release server?", NULL},
    {"\"os\":\"coreos\",\"channel\":\"stable\"",
     "https://stable.release.core-os.net/amd64-usr/current/version.txt", "COREOS_VERSION=../../evil\n", NULL,
     "base: the server's COREOS_VERSION is not a version", NULL},
    {"\"os\":\"coreos\",\"channel\":\"stable\"",
     "https://stable.release.core-os.net/amd64-usr/current/version.txt", "COREOS_VERSION=", NULL,
     "base: the server's COREOS_VERSION is not a version", NULL},
};

static void same(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a && b)
        assert_string_equal(a, b);
}

static void answers_become_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_recipe struct recipe recipe = {0};
        cleanup_arena struct arena arena = {0};
        struct release_urls urls = {0};
        struct err err = {0};
        const char *version_url = NULL, *answer = cases[i].answer;
        parse(cases[i].base, &recipe);
        assert_int_equal(release_version_url(&recipe, &arena, &version_url, &err), 0);
        same(version_url, cases[i].version_url);
        int result = release_resolve(&recipe, answer, answer ? strlen(answer) : 0, &arena, &urls, &err);
        if (!cases[i].version) {
            assert_int_equal(result, -1);
            assert_int_equal(err.kind, ERR_VERIFY);
            assert_non_null(strstr(err.text, cases[i].url));
            continue;
        }
        assert_int_equal(result, 0);
        same(urls.version, cases[i].version);
        same(urls.url, cases[i].url);
        same(urls.signature, cases[i].signature);
    }
}

/* A moving name that is not resolved would be pinned as written. */
static void what_is_not_a_release_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *base, *says;
    } refused[] = {
        {"\"os\":\"flatcar\",\"channel\":\"stable\",\"version\":\"latest\"",
         "not a release of flatcar stable"},
        {"\"os\":\"flatcar\",\"channel\":\"stable\",\"version\":\"current-2024\"",
         "not a release of flatcar stable"},
        {"\"os\":\"flatcar\",\"channel\":\"lts\",\"version\":\"current-24\"", "\"current-2024\" (a stream)"},
        {"\"os\":\"flatcar\",\"channel\":\"lts\",\"version\":\"currently\"", "not a release of flatcar lts"},
        {"\"os\":\"flatcar\",\"channel\":\"lts\",\"version\":\"lts-2024\"", "not a release of flatcar lts"},
        {"\"os\":\"flatcar\",\"channel\":\"lts-24\"", "no channel \"lts-24\""},
        {"\"os\":\"coreos\",\"channel\":\"lts-2024\"", "no channel \"lts-2024\""},
        {"\"os\":\"coreos\",\"channel\":\"stable\",\"version\":\"current-2019\"",
         "not a release of coreos stable"},
        {"\"os\":\"fedora-coreos\",\"channel\":\"stable\"", "Fedora CoreOS cannot be baked"},
        {"\"os\":\"fedora-coreos\",\"url\":\"file:/x\",\"signature\":\".sig\"",
         "Fedora CoreOS cannot be baked"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        cleanup_recipe struct recipe recipe = {0};
        cleanup_buf struct buf text = BUF_INIT(10000);
        struct err err = {0};
        buf_printf(&text, "{\"name\":\"n\",\"base\":{%s,\"keyring\":\"k\"}}", refused[i].base);
        if (recipe_parse(text.data, text.len, "r", NULL, NULL, &recipe, &err) == 0)
            fail_msg("%s was accepted", refused[i].base);
        assert_int_equal(err.kind, ERR_RECIPE);
        if (!strstr(err.text, refused[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.text, refused[i].says);
    }
}

static int update(const char *base, const char *locked_version, const char *locked_url, const char *now,
                  struct err *err)
{
    cleanup_recipe struct recipe recipe = {0};
    cleanup_arena struct arena arena = {0};
    parse(base, &recipe);
    const struct lock_input locked = {
        .name = "base", .url = locked_url, .version = locked_version, .signer = ""};
    const struct release_urls urls = {.version = now};
    return release_check_update(&recipe, &locked, &urls, &arena, err);
}

/* Whether going from LOCKED back to NOW is refused as a downgrade. */
static bool is_older(const char *now, const char *locked)
{
    struct err err = {0};
    char url[200];
    snprintf(url, sizeof url,
             "https://stable.release.flatcar-linux.net/amd64-usr/%s/flatcar_production_gce.tar.gz", locked);
    return update("\"os\":\"flatcar\",\"channel\":\"stable\"", locked, url, now, &err) < 0;
}

static void versions_are_compared_by_components(void **state)
{
    (void)state;
    static const char *const ascending[] = {"2512.3.0",     "3510.2.0", "3510.3.9",   "3510.3.10",
                                            "4081.2",       "4081.2.0", "4081.2.0+1", "4081.10.0",
                                            "4593.2.1-rc1", "10000.0.0"};
    size_t count = sizeof ascending / sizeof *ascending;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            assert_int_equal(is_older(ascending[i], ascending[j]), i < j);
    assert_false(is_older("3.09.1", "3.9.1"));
    assert_false(is_older("3.9.1", "3.09.1"));
}

static void an_older_release_than_the_locked_one_is_refused(void **state)
{
    (void)state;
#define STABLE "\"os\":\"flatcar\",\"channel\":\"stable\""
#define URL(channel, version)                                                                                \
    "https://" channel ".release.flatcar-linux.net/amd64-usr/" version "/flatcar_production_gce.tar.gz"
    struct err err = {0};
    assert_int_equal(update(STABLE, "4081.2.0", URL("stable", "4081.2.0"), "4081.1.9", &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    assert_non_null(strstr(err.text, "--allow-downgrade"));
    assert_int_equal(update(STABLE, "4081.2.10", URL("stable", "4081.2.10"), "4081.2.9", &err), -1);
    assert_int_equal(update("\"os\":\"flatcar\",\"channel\":\"lts\",\"version\":\"current-2024\"",
                            "4081.2.10", URL("lts", "4081.2.10"), "4081.2.9", &err),
                     -1);
    assert_int_equal(update(STABLE, "4081.2.0", URL("stable", "4081.2.0"), "4081.2.0", &err), 0);
    assert_int_equal(update(STABLE, "4081.2.9", URL("stable", "4081.2.9"), "4081.2.10", &err), 0);
    /* requested: by another channel, or by its version */
    assert_int_equal(update(STABLE, "4593.0.0", URL("alpha", "4593.0.0"), "4081.2.0", &err), 0);
    assert_int_equal(
        update(STABLE ",\"version\":\"4000.0.0\"", "4081.2.0", URL("stable", "4081.2.0"), "4000.0.0", &err),
        0);
    assert_int_equal(update(STABLE, "", URL("stable", "4081.2.0"), "4000.0.0", &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_become_urls),
        cmocka_unit_test(what_is_not_a_release_is_refused),
        cmocka_unit_test(versions_are_compared_by_components),
        cmocka_unit_test(an_older_release_than_the_locked_one_is_refused),
    };
    return cmocka_run_group_tests_name("recipe: release", tests, NULL, NULL);
}
