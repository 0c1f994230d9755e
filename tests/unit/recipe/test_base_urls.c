/* Published bases: from what a release server answers to URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "recipe/base.h"
#include "recipe/recipe.h"

#define DIGEST "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static void parse(const char *base, struct recipe *ret)
{
    struct err err = {0};
    cleanup_buf struct buf text = BUF_INIT(10000);
    buf_printf(&text, "{\"name\":\"n\",\"base\":{%s,\"keyring\":\"k\"}}", base);
    if (recipe_parse(text.data, text.len, "r", NULL, NULL, ret, &err) < 0)
        print_error("%s\n", err.text);
    assert_non_null(ret->name);
}

#define STREAM(release, location, sha)                                                                       \
    "{\"architectures\":{\"x86_64\":{\"artifacts\":{\"gcp\":{\"release\":\"" release                         \
    "\",\"formats\":{\"tar.gz\":{\"disk\":{\"location\":\"" location                                         \
    "\",\"signature\":\"https://b/i.tar.gz.sig\",\"sha256\":\"" sha "\"}}}}}}}}"

static const struct {
    const char *base, *version_url, *answer;
    const char *version, *url, *signature, *digests, *sha256; /* version NULL: refused */
} cases[] = {
    {"\"os\":\"coreos\",\"channel\":\"alpha\"",
     "https://alpha.release.core-os.net/amd64-usr/current/version.txt",
     "COREOS_BUILD=2512\nCOREOS_VERSION=2512.3.0\nCOREOS_VERSION_ID=9\n", "2512.3.0",
     "https://alpha.release.core-os.net/amd64-usr/2512.3.0/coreos_production_gce.tar.gz",
     "https://alpha.release.core-os.net/amd64-usr/2512.3.0/coreos_production_gce.tar.gz.sig",
     "https://alpha.release.core-os.net/amd64-usr/2512.3.0/coreos_production_gce.tar.gz.DIGESTS", NULL},
    {"\"os\":\"flatcar\",\"channel\":\"lts\"",
     "https://lts.release.flatcar-linux.net/amd64-usr/current/version.txt",
     "FLATCAR_VERSION=\"3510.3.1\"\r\n", "3510.3.1",
     "https://lts.release.flatcar-linux.net/amd64-usr/3510.3.1/flatcar_production_gce.tar.gz",
     "https://lts.release.flatcar-linux.net/amd64-usr/3510.3.1/flatcar_production_gce.tar.gz.sig",
     "https://lts.release.flatcar-linux.net/amd64-usr/3510.3.1/flatcar_production_gce.tar.gz.DIGESTS", NULL},
    {"\"os\":\"flatcar\",\"channel\":\"stable\",\"version\":\"1.2.3\"", NULL, NULL, "1.2.3",
     "https://stable.release.flatcar-linux.net/amd64-usr/1.2.3/flatcar_production_gce.tar.gz",
     "https://stable.release.flatcar-linux.net/amd64-usr/1.2.3/flatcar_production_gce.tar.gz.sig",
     "https://stable.release.flatcar-linux.net/amd64-usr/1.2.3/flatcar_production_gce.tar.gz.DIGESTS", NULL},
    {"\"os\":\"fedora-coreos\",\"channel\":\"next\",\"version\":\"41.1\",\"arch\":\"arm64\"", NULL, NULL,
     "41.1",
     "https://builds.coreos.fedoraproject.org/prod/streams/next/builds/41.1/aarch64/"
     "fedora-coreos-41.1-gcp.aarch64.tar.gz",
     "https://builds.coreos.fedoraproject.org/prod/streams/next/builds/41.1/aarch64/"
     "fedora-coreos-41.1-gcp.aarch64.tar.gz.sig",
     NULL, NULL},
    {"\"os\":\"fedora-coreos\",\"channel\":\"stable\"",
     "https://builds.coreos.fedoraproject.org/streams/stable.json",
     STREAM("41.2", "https://b/i.tar.gz", DIGEST), "41.2", "https://b/i.tar.gz", "https://b/i.tar.gz.sig",
     NULL, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"},
    {"\"os\":\"coreos\",\"url\":\"file:/x\",\"signature\":\".asc\",\"version\":\"7\"", NULL, NULL, "7",
     "file:/x", "file:/x.asc", NULL, NULL},
    {"\"os\":\"coreos\",\"channel\":\"stable\"",
     "https://stable.release.core-os.net/amd64-usr/current/version.txt", "", NULL,
     "base: the server's answer has no line COREOS_VERSION=: is this the coreos release server?", NULL, NULL,
     NULL},
    {"\"os\":\"coreos\",\"channel\":\"stable\"",
     "https://stable.release.core-os.net/amd64-usr/current/version.txt", "COREOS_VERSION=../../evil\n", NULL,
     "base: the server's COREOS_VERSION is not a version", NULL, NULL, NULL},
    {"\"os\":\"coreos\",\"channel\":\"stable\"",
     "https://stable.release.core-os.net/amd64-usr/current/version.txt", "COREOS_VERSION=", NULL,
     "base: the server's COREOS_VERSION is not a version", NULL, NULL, NULL},
    {"\"os\":\"fedora-coreos\",\"channel\":\"stable\"",
     "https://builds.coreos.fedoraproject.org/streams/stable.json", "<html>", NULL,
     "stream metadata:1:1: expected a value, found '<'", NULL, NULL, NULL},
    {"\"os\":\"fedora-coreos\",\"channel\":\"stable\"",
     "https://builds.coreos.fedoraproject.org/streams/stable.json", "{\"architectures\":{}}", NULL,
     "stream metadata:1:18: \"x86_64\" is missing here", NULL, NULL, NULL},
    {"\"os\":\"fedora-coreos\",\"channel\":\"stable\"",
     "https://builds.coreos.fedoraproject.org/streams/stable.json", STREAM("4", "http://b/i", DIGEST), NULL,
     "must be https: URLs", NULL, NULL, NULL},
    {"\"os\":\"fedora-coreos\",\"channel\":\"stable\"",
     "https://builds.coreos.fedoraproject.org/streams/stable.json", STREAM("4/..", "https://b/i", DIGEST),
     NULL, "\"release\" is not a version", NULL, NULL, NULL},
    {"\"os\":\"fedora-coreos\",\"channel\":\"stable\"",
     "https://builds.coreos.fedoraproject.org/streams/stable.json", STREAM("4", "https://b/i", "12"), NULL,
     "\"sha256\" must be 64 hex digits", NULL, NULL, NULL},
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
        struct recipe_base_urls urls = {0};
        struct err err = {0};
        const char *version_url = NULL, *answer = cases[i].answer;
        parse(cases[i].base, &recipe);
        assert_int_equal(recipe_base_version_url(&recipe, &arena, &version_url, &err), 0);
        same(version_url, cases[i].version_url);
        int result = recipe_base_resolve(&recipe, answer, answer ? strlen(answer) : 0, &arena, &urls, &err);
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
        same(urls.digests, cases[i].digests);
        same(urls.sha256, cases[i].sha256);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_become_urls)};
    return cmocka_run_group_tests_name("recipe: base URLs", tests, NULL, NULL);
}
