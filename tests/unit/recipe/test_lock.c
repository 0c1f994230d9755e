#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "recipe/lock.h"
#include "recipe/recipe.h"
#include "text/hex.h"

#define Z64 "0000000000000000000000000000000000000000000000000000000000000000"
#define FPR "04127D0BFABEC8871FFB2CCE50E0885593D2DCB4"

static const char source[] =
    "{\"name\":\"n\",\"base\":{\"os\":\"coreos\",\"channel\":\"stable\",\"keyring\":\"k\"},"
    "\"inputs\":{\"b\":{\"url\":\"https://u:p@h/b\"},\"a\":{\"url\":\"file:/a\",\"sha256\":\"" Z64 "\"}}}";

static void parse_recipe(struct recipe *ret)
{
    struct err err = {0};
    assert_int_equal(recipe_parse(source, sizeof source - 1, "r", NULL, NULL, ret, &err), 0);
}

/* A lock that fits the recipe. */
static void fill(const struct recipe *recipe, struct lock *ret)
{
    struct err err = {0};
    assert_int_equal(lock_begin(recipe, 1600000000, ret, &err), 0);
    struct lock_input in = {.name = "b", .url = "https://u:p@h/b", .size = 5};
    assert_int_equal(lock_add(ret, &in, &err), 0);
    in = (struct lock_input){
        .name = "base", .url = "https://x/b.tar.gz", .size = 6, .signer = FPR, .version = "2.3.0"};
    assert_int_equal(lock_add(ret, &in, &err), 0);
    in = (struct lock_input){.name = "a", .url = "file:/a \"q\"", .size = 7};
    assert_int_equal(lock_add(ret, &in, &err), 0);
    in.url = "file:/a";
    assert_int_equal(lock_add(ret, &in, &err), 0);
}

static const char expected[] = "{\n"
                               "  \"lock_version\": 1,\n"
                               "  \"recipe\": \"n\",\n"
                               "  \"inputs_digest\": \"%s\",\n"
                               "  \"epoch\": 1600000000,\n"
                               "  \"inputs\": [\n"
                               "    {\n"
                               "      \"name\": \"a\",\n"
                               "      \"url\": \"file:/a\",\n"
                               "      \"size\": 7,\n"
                               "      \"sha256\": \"" Z64 "\",\n"
                               "      \"signer\": \"\",\n"
                               "      \"version\": \"\"\n"
                               "    },\n"
                               "    {\n"
                               "      \"name\": \"b\",\n"
                               "      \"url\": \"https://h/b\",\n"
                               "      \"size\": 5,\n"
                               "      \"sha256\": \"" Z64 "\",\n"
                               "      \"signer\": \"\",\n"
                               "      \"version\": \"\"\n"
                               "    },\n"
                               "    {\n"
                               "      \"name\": \"base\",\n"
                               "      \"url\": \"https://x/b.tar.gz\",\n"
                               "      \"size\": 6,\n"
                               "      \"sha256\": \"" Z64 "\",\n"
                               "      \"signer\": \"" FPR "\",\n"
                               "      \"version\": \"2.3.0\"\n"
                               "    }\n"
                               "  ]\n"
                               "}\n";

static void the_text_is_canonical_and_comes_back(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_recipe struct recipe recipe = {0};
    cleanup_lock struct lock lock = {0}, back = {0};
    cleanup_buf struct buf text = BUF_INIT(LOCK_TEXT_MAX), again = BUF_INIT(LOCK_TEXT_MAX),
                           want = BUF_INIT(LOCK_TEXT_MAX);
    parse_recipe(&recipe);
    fill(&recipe, &lock);
    assert_int_equal(lock_write(&lock, &text, &err), 0);
    char hex[SHA256_HEX];
    hex_encode(lock.inputs_digest.bytes, SHA256_SIZE, hex);
    buf_printf(&want, expected, hex);
    assert_string_equal(text.data, want.data);
    assert_int_equal(lock_parse(text.data, text.len, "l", &back, &err), 0);
    assert_int_equal(back.epoch, 1600000000);
    assert_string_equal(lock_find(&back, "base")->signer, FPR);
    assert_null(lock_find(&back, "c"));
    assert_int_equal(lock_write(&back, &again, &err), 0);
    assert_string_equal(text.data, again.data);
    assert_int_equal(lock_matches(&recipe, &back, "l", &err), 0);
}

static void what_no_longer_fits_is_named(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_recipe struct recipe recipe = {0};
    cleanup_lock struct lock lock = {0};
    parse_recipe(&recipe);
    fill(&recipe, &lock);
    struct lock_input *a = &lock.inputs[0], saved = *a;
    a->url = "file:/other";
    assert_int_equal(lock_matches(&recipe, &lock, "l", &err), -1);
    assert_string_equal(
        err.text, "l: input a is locked to file:/other, but the recipe says file:/a: run bake lock --update");
    *a = saved;
    a->sha256.bytes[0] = 255;
    assert_int_equal(lock_matches(&recipe, &lock, "l", &err), -1);
    assert_non_null(strstr(err.text, "l: input a is locked to sha256 ff00"));
    *a = saved;
    lock.input_count = 2;
    assert_int_equal(lock_matches(&recipe, &lock, "l", &err), -1);
    assert_string_equal(err.text, "l: input base is not in the lock: run bake lock --update");
    lock.input_count = 3;
    struct lock_input extra = {.name = "c", .url = "file:/c"};
    assert_int_equal(lock_add(&lock, &extra, &err), 0);
    assert_int_equal(lock_matches(&recipe, &lock, "l", &err), -1);
    assert_string_equal(err.text,
                        "l: the lock pins c, which the recipe does not have: run bake lock --update");
    lock.input_count = 3;
    recipe.base.channel = "beta";
    assert_int_equal(lock_matches(&recipe, &lock, "l", &err), -1);
    assert_string_equal(
        err.text, "l: the base or the inputs of the recipe have changed since the lock was made: run bake "
                  "lock --update");
    assert_int_equal(err.kind, ERR_RECIPE);
}

#define HEAD     "{\"lock_version\":1,\"recipe\":\"n\",\"inputs_digest\":\"" Z64 "\",\"epoch\":1,\n\"inputs\":["
#define IN(more) "{\"sha256\":\"" Z64 "\",\"size\":1," more "}"

static const char *const bad[][2] = {
    {"[]", "l:1:1: a lock must be an object, as bake lock writes it"},
    {"{}", "l:1:1: \"lock_version\" is missing here"},
    {"{\"lock_version\":2}",
     "l:1:17: lock version 2 is newer than this bake knows (1): use a newer bake, or run bake lock --update"},
    {"{\"lock_version\":1,\"x\":1}",
     "l:1:19: unknown key \"x\"; known here: lock_version, recipe, inputs_digest, epoch, inputs"},
    {"{\"lock_version\":1,\"recipe\":\"\"}",
     "l:1:28: \"recipe\" is empty, too long or holds control characters"},
    {"{\"lock_version\":1,\"recipe\":\"n\",\"inputs_digest\":\"\"}",
     "l:1:48: \"inputs_digest\" must be 64 hex digits"},
    {"{\"lock_version\":1,\"recipe\":\"n\",\"inputs_digest\":\"" Z64 "\",\"epoch\":-1}",
     "l:1:123: \"epoch\" must be an integer from 0 to 253402300799"},
    {"// no\n{}", "l:1:1: expected a value, found '/': comments are not allowed in this file"},
    {HEAD "1]}", "l:2:11: each input must be an object"},
    {HEAD "{}]}", "l:2:11: \"name\" is missing here"},
    {HEAD "{\"nam\":1}]}", "l:2:12: unknown key \"nam\"; did you mean \"name\"?"},
    {HEAD IN("\"name\":\"a\",\"url\":\"ftp://x\",\"signer\":\"\",\"version\":\"\"") "]}",
     "l:2:114: \"url\" must start with https:, http: or file:/"},
    {HEAD IN("\"name\":\"a\",\"url\":\"https://u:p@h/\",\"signer\":\"\",\"version\":\"\"") "]}",
     "l:2:114: \"url\" has credentials, which a lock must not hold"},
    {HEAD IN("\"name\":\"a\",\"url\":\"file:/a\",\"signer\":\"abc\",\"version\":\"\"") "]}",
     "l:2:133: \"signer\" must be a fingerprint of 40 or 64 upper-case hex digits, or \"\""},
    {HEAD IN("\"name\":\"a\",\"url\":\"file:/a\",\"signer\":\"\",\"version\":1") "]}",
     "l:2:146: \"version\" must be a string, not a number"},
    {HEAD IN("\"name\":\"b\",\"url\":\"file:/a\",\"signer\":\"\",\"version\":\"\"") ",\n" IN(
         "\"name\":\"a\",\"url\":\"file:/a\",\"signer\":\"\",\"version\":\"\"") "]}",
     "l:3:1: input \"a\" must come before \"b\": inputs are sorted by name"},
    {HEAD IN("\"name\":\"a\",\"url\":\"file:/a\",\"signer\":\"\",\"version\":\"\"") ",\n" IN(
         "\"name\":\"a\",\"url\":\"file:/a\",\"signer\":\"\",\"version\":\"\"") "]}",
     "l:3:1: input \"a\" must come once, not again after \"a\": inputs are sorted by name"},
};

static void bad_locks_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct lock lock = {.epoch = 42};
        struct err err = {0};
        assert_int_equal(lock_parse(bad[i][0], strlen(bad[i][0]), "l", &lock, &err), -1);
        assert_string_equal(err.text, bad[i][1]);
        assert_int_equal(err.kind, ERR_RECIPE);
        assert_int_equal(lock.epoch, 42);
    }
    struct err err = {0};
    struct lock lock = {0};
    assert_int_equal(lock_parse("", LOCK_TEXT_MAX + 1, "l", &lock, &err), -1);
    assert_string_equal(err.text, "l: a lock has at most 1024 KiB");
}

static void times_have_bounds(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_recipe struct recipe recipe = {0};
    struct lock lock = {0};
    parse_recipe(&recipe);
    assert_int_equal(lock_begin(&recipe, -1, &lock, &err), -1);
    assert_int_equal(lock_begin(&recipe, 253402300800, &lock, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
}

/* --- on another machine --- */

static const char moving[] =
    "{\"name\":\"n\",\"vars\":{\"dir\":\"/d\",\"v\":\"1\"},"
    "\"base\":{\"os\":\"coreos\",\"url\":\"file:${bake.fixtures}/"
    "b\",\"signature\":\".sig\",\"keyring\":\"${env.KEYS}/k\"},"
    "\"inputs\":{\"local\":{\"url\":\"file:${var.dir}/l\"},\"fixed\":{\"url\":\"file:/srv/f\"},"
    "\"mirror\":{\"url\":\"https://${env.MIRROR}/m\"},\"web\":{\"url\":\"https://h/${var.v}/w\"},"
    "\"signed\":{\"url\":\"${env.ALL}\",\"signature\":\"${env.ALL}.asc\",\"keyring\":\"${var.dir}/k\"}}}";

static const char *machine_env(void *ctx, const char *name)
{
    const char *const *values = ctx;
    return values[strcmp(name, "KEYS") == 0 ? 0 : strcmp(name, "MIRROR") == 0 ? 1 : 2];
}

static void parse_on(const char *const values[static 5], struct recipe *ret)
{
    struct err err = {0};
    const char *env[3] = {values[0], values[1], values[2]};
    const struct recipe_pair fixtures = {"fixtures", values[3]}, dir = {"dir", values[4]};
    const struct recipe_vars vars = {.vars = &dir,
                                     .var_count = 1,
                                     .builtins = &fixtures,
                                     .builtin_count = 1,
                                     .env = machine_env,
                                     .ctx = env};
    assert_int_equal(recipe_parse(moving, sizeof moving - 1, "r", values[4], &vars, ret, &err), 0);
}

static void a_lock_is_for_all_machines(void **state)
{
    (void)state;
    static const char *const here[] = {"/home/a/keys", "mirror-a", "file:/home/a/all", "/home/a/fix",
                                       "/home/a/d"};
    static const char *const there[] = {"/mnt/b/keys", "mirror-b", "https://b/all", "/mnt/b/fix", "/mnt/b/d"};
    static const char *const names[] = {"fixed", "local", "mirror", "signed", "web"};
    static const char *const urls[] = {"file:/srv/f", "file:${var.dir}/l", "https://${env.MIRROR}/m",
                                       "${env.ALL}", "https://h/1/w"};
    struct err err = {0};
    cleanup_recipe struct recipe one = {0}, two = {0};
    cleanup_lock struct lock lock = {0}, back = {0};
    cleanup_buf struct buf text = BUF_INIT(LOCK_TEXT_MAX);
    parse_on(here, &one);
    parse_on(there, &two);
    assert_string_equal(one.base.from.url, "file:/home/a/fix/b");
    assert_string_equal(one.base.from.signature, "file:/home/a/fix/b.sig");
    assert_string_equal(one.base.from.portable_signature, "file:${bake.fixtures}/b.sig");
    assert_int_equal(lock_begin(&one, 1600000000, &lock, &err), 0);
    struct lock_input in = {.name = "base", .url = one.base.from.portable_url, .size = 1};
    assert_int_equal(lock_add(&lock, &in, &err), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_string_equal(one.inputs[i].name, names[i]);
        assert_string_equal(one.inputs[i].portable_url, urls[i]);
        in = (struct lock_input){.name = names[i], .url = urls[i], .size = 1};
        assert_int_equal(lock_add(&lock, &in, &err), 0);
    }
    assert_int_equal(lock_write(&lock, &text, &err), 0);
    assert_null(strstr(text.data, "/home"));
    assert_int_equal(lock_parse(text.data, text.len, "l", &back, &err), 0);
    if (lock_matches(&two, &back, "l", &err) < 0)
        fail_msg("%s", err.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_is_for_all_machines),
        cmocka_unit_test(the_text_is_canonical_and_comes_back),
        cmocka_unit_test(what_no_longer_fits_is_named),
        cmocka_unit_test(bad_locks_are_refused),
        cmocka_unit_test(times_have_bounds),
    };
    return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
