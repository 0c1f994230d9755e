/* Recipes that are accepted: every value ends up where it belongs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "io/file.h"
#include "recipe/read/url.h"
#include "recipe/recipe.h"
#include "recipe/section/sections.h"

static const char *env(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "BRANCH") == 0 ? "main" : NULL;
}

static const char full[] =
    "// a comment\n"
    "{ \"name\": \"node\", \"vars\": {\"k\": \"1.20\", \"v\": \"v${var.k}\", \"over\": \"a\"},\n"
    " \"base\": {\"os\": \"flatcar\", \"channel\": \"beta\", \"keyring\": \"keys/f.gpg\"},\n"
    " \"disk\": {\"size\": \"10GiB\"},\n"
    " \"inputs\": {\n"
    "  \"z\": {\"url\": \"https://u:p@h/${var.v}.tar.gz\", \"sha512\": \""
    "ABCDEF0000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000\"},\n"
    "  \"k8s\": {\"url\": \"file:/k%20${var.over}\", \"signature\": \".sig\", \"keyring\": \"/abs/k.gpg\"} "
    "},\n"
    " \"kubernetes\": {\"input\": \"k8s\", \"form\": \"binaries\", \"version\": \"${var.k}.2\"},\n"
    " \"network\": \"calico\",\n"
    " \"files\": [\n"
    "  {\"path\": \"//opt/./bin/etcd\", \"input\": \"z\", \"member\": \"./usr//bin/etcd\", \"mode\": "
    "\"4755\", "
    "\"uid\": 1, \"gid\": 2,\n"
    "   \"xattrs\": {\"user.z\": \"${env.BRANCH}\", \"security.b\": {\"base64\": \"AAEC\"}}},\n"
    "  {\"path\": \"/cni\", \"input\": \"z\", \"tree\": \"./\"},\n"
    "  {\"path\": \"/w\", \"input\": \"z\"},\n"
    "  {\"path\": \"/motd\", \"text\": \"a $${b} $c ${bake.f}\\n\"},\n"
    "  {\"path\": \"/empty\", \"text\": \"\"},\n"
    "  {\"path\": \"/local\", \"from\": \"x/y\"},\n"
    "  {\"path\": \"/b\", \"builtin\": \"hyperkube\"},\n"
    "  {\"path\": \"/l\", \"symlink\": \"../t\"}, {\"path\": \"/d\", \"directory\": true, \"mode\": "
    "\"700\"},\n"
    "  {\"path\": \"/r\", \"remove\": true}],\n"
    " \"units\": [{\"name\": \"etcd.service\", \"builtin\": true, \"enable\": true, \"dropins\": [{\"name\": "
    "\"1.conf\", "
    "\"text\": \"x\"}]},\n"
    "  {\"name\": \"docker.service\", \"enable\": true, \"wanted_by\": [\"multi-user.target\"]}],\n"
    " \"manifests\": [{\"name\": \"a.yaml\", \"builtin\": \"other.yaml\"}],\n"
    " \"agent\": false,\n"
    " \"image\": {\"family\": \"f\", \"labels\": {\"a\": \"b-1\"}, \"licenses\": "
    "[\"projects/p/global/licenses/l\"],\n"
    "  \"guest_os_features\": [\"GVNIC\", \"NEW_THING\"], \"storage_location\": \"eu\", \"description\": "
    "\"d\"},\n"
    "}\n";

static const struct recipe_pair over[] = {{"over", "${not.expanded}"}}, builtins[] = {{"f", "/fix"}};
static const struct recipe_vars vars = {
    .vars = over, .var_count = 1, .builtins = builtins, .builtin_count = 1, .env = env};

static void parse_full(struct recipe *ret)
{
    struct err err = {0};
    if (recipe_parse(full, sizeof full - 1, "dir/r.json", "dir", &vars, ret, &err) < 0)
        print_error("%s\n", err.text);
    assert_non_null(ret->name);
}

static void the_head_is_read(void **state)
{
    (void)state;
    cleanup_recipe struct recipe r = {0};
    parse_full(&r);
    assert_string_equal(r.name, "node");
    assert_string_equal(r.base.os, "flatcar");
    assert_string_equal(r.base.channel, "beta");
    assert_string_equal(r.base.version, "current");
    assert_string_equal(r.base.arch, "amd64");
    assert_string_equal(r.base.from.keyring, "dir/keys/f.gpg");
    assert_string_equal(r.base.from.keyring_given, "keys/f.gpg");
    assert_null(r.base.from.url);
    assert_true(r.disk_size == (uint64_t)10 << 30);
    assert_int_equal(r.network, NETWORK_CALICO);
    assert_false(r.agent);
    assert_int_equal(r.input_count, 2);
    assert_string_equal(r.inputs[0].name, "k8s");
    assert_string_equal(r.inputs[0].url, "file:/k%20$%7Bnot.expanded%7D");
    assert_string_equal(r.inputs[0].signature, "file:/k%20$%7Bnot.expanded%7D.sig");
    assert_string_equal(r.inputs[0].keyring, "/abs/k.gpg");
    assert_string_equal(r.inputs[1].url, "https://u:p@h/v1.20.tar.gz");
    assert_memory_equal(r.inputs[1].sha512, "abcdef000", 9);
    assert_int_equal(r.inputs[1].where.line, 6);
    assert_int_equal(r.kubernetes.form, KUBERNETES_BINARIES);
    assert_ptr_equal(r.kubernetes.input, &r.inputs[0]);
    assert_string_equal(r.kubernetes.member, "kubernetes/server/bin");
    assert_string_equal(r.kubernetes.version, "1.20.2");
}

static void files_are_read(void **state)
{
    (void)state;
    cleanup_recipe struct recipe r = {0};
    parse_full(&r);
    assert_int_equal(r.file_count, 10);
    const struct recipe_file *f = r.files;
    assert_string_equal(f[0].path, "/opt/bin/etcd");
    assert_int_equal(f[0].source.kind, SOURCE_MEMBER);
    assert_string_equal(f[0].source.member, "usr/bin/etcd");
    assert_ptr_equal(f[0].source.input, &r.inputs[1]);
    assert_true(f[0].has_mode);
    assert_int_equal(f[0].mode, 04755);
    assert_int_equal(f[0].uid, 1);
    assert_int_equal(f[0].gid, 2);
    assert_int_equal(f[0].xattr_count, 2);
    assert_string_equal(f[0].xattrs[0].name, "security.b");
    assert_int_equal(f[0].xattrs[0].size, 3);
    assert_memory_equal(f[0].xattrs[0].value, "\0\1\2", 3);
    assert_int_equal(f[0].xattrs[1].size, 4);
    assert_memory_equal(f[0].xattrs[1].value, "main", 4);
    assert_int_equal(f[1].kind, RECIPE_TREE);
    assert_string_equal(f[1].source.member, "");
    assert_int_equal(f[2].source.kind, SOURCE_INPUT);
    assert_false(f[2].has_mode);
    assert_string_equal(f[3].source.text, "a ${b} $c /fix\n");
    assert_string_equal(f[4].source.text, "");
    assert_int_equal(f[4].source.kind, SOURCE_TEXT);
    assert_string_equal(f[5].source.name, "dir/x/y");
    assert_int_equal(f[6].source.kind, SOURCE_BUILTIN);
    assert_string_equal(f[7].target, "../t");
    assert_int_equal(f[8].kind, RECIPE_DIRECTORY);
    assert_int_equal(f[8].mode, 0700);
    assert_int_equal(f[9].kind, RECIPE_REMOVE);
}

static void units_and_the_rest_are_read(void **state)
{
    (void)state;
    cleanup_recipe struct recipe r = {0};
    parse_full(&r);
    assert_int_equal(r.unit_count, 2);
    assert_true(r.units[0].enable);
    assert_int_equal(r.units[0].source.kind, SOURCE_BUILTIN);
    assert_string_equal(r.units[0].source.name, "etcd.service");
    assert_int_equal(r.units[0].dropin_count, 1);
    assert_string_equal(r.units[0].dropins[0].name, "1.conf");
    assert_int_equal(r.units[1].source.kind, SOURCE_NONE);
    assert_string_equal(r.units[1].wanted_by[0], "multi-user.target");
    assert_string_equal(r.manifests[0].source.name, "other.yaml");
    assert_string_equal(r.image.family, "f");
    assert_string_equal(r.image.labels[0].value, "b-1");
    assert_int_equal(r.image.license_count, 1);
    assert_int_equal(r.image.feature_count, 2);
    assert_string_equal(r.image.guest_os_features[1], "NEW_THING");
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
        bool ok;
    } cases[] = {
        {"0", 0, true},
        {"4096", 4096, true},
        {"1B", 1, true},
        {"10GiB", (uint64_t)10 << 30, true},
        {"16777215TiB", (uint64_t)16777215 << 40, true},
        {"16777216TiB", 0, false},
        {"99999999999999999999", 0, false},
        {"", 0, false},
        {"GiB", 0, false},
        {"01GiB", 0, false},
        {"1 GiB", 0, false},
        {"1GB", 0, false},
        {"1gib", 0, false},
        {"1.5GiB", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t value = 7;
        assert_int_equal(recipe_size(cases[i].text, &value), cases[i].ok);
        assert_true(value == (cases[i].ok ? cases[i].value : 7));
    }
}

static void urls_lose_credentials(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    static const char *const cases[][2] = {
        {"https://u:p@h/x@y", "https://h/x@y"}, {"https://h/x?a=b@c", "https://h/x?a=b@c"},
        {"http://u@h:1/", "http://h:1/"},       {"https://a@b@h/", "https://h/"},
        {"file:///a@b/c", "file:///a@b/c"},     {"https://h", "https://h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(recipe_url_clean(&arena, cases[i][0]), cases[i][1]);
}

static void the_inputs_digest_changes_with_what_counts(void **state)
{
    (void)state;
    struct err err = {0};
    struct sha256 first, other;
    cleanup_recipe struct recipe r = {0};
    parse_full(&r);
    assert_int_equal(recipe_inputs_digest(&r, &first, &err), 0);
    struct recipe_input *in = (struct recipe_input *)(uintptr_t)&r.inputs[1];
    /* credentials and values that differ between machines are left out */
    assert_string_equal(in->portable_url, "https://h/v1.20.tar.gz");
    in->url = "https://other:secret@h/v1.21.tar.gz";
    assert_int_equal(recipe_inputs_digest(&r, &other, &err), 0);
    assert_true(sha256_equal(&first, &other));
    in->portable_url = "https://h/v1.21.tar.gz";
    assert_int_equal(recipe_inputs_digest(&r, &other, &err), 0);
    assert_false(sha256_equal(&first, &other));
    in->portable_url = "https://h/v1.20.tar.gz";
    in->keyring_given = "k";
    assert_int_equal(recipe_inputs_digest(&r, &other, &err), 0);
    assert_false(sha256_equal(&first, &other));
    in->keyring_given = NULL;
    r.base.channel = "stable";
    assert_int_equal(recipe_inputs_digest(&r, &other, &err), 0);
    assert_false(sha256_equal(&first, &other));
}

/* Folders in variables are escaped in file: URLs and nowhere else. */
static void folders_in_urls_are_escaped(void **state)
{
    (void)state;
    static const char text[] = "{\"name\":\"n\",\"base\":{\"os\":\"coreos\",\"url\":\"file:${bake.f}/b%20c\","
                               "\"signature\":\"file:${bake.f}/s\",\"keyring\":\"${bake.f}/k\"},"
                               "\"vars\":{\"d\":\"\"},\"inputs\":{\"a\":{\"url\":\"file:${var.d}\"}}}";
    static const struct recipe_pair dir[] = {{"f", "/a b/50%41/\xc3\xa4#?"}}, var[] = {{"d", "/x y/50%41%"}};
    const struct recipe_vars v = {.builtins = dir, .builtin_count = 1, .vars = var, .var_count = 1};
    struct err err = {0};
    cleanup_recipe struct recipe r = {0};
    if (recipe_parse(text, sizeof text - 1, "r", "", &v, &r, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(r.base.from.url, "file:/a%20b/50%2541/\xc3\xa4%23%3F/b%20c");
    assert_string_equal(r.base.from.signature, "file:/a%20b/50%2541/\xc3\xa4%23%3F/s");
    assert_string_equal(r.base.from.keyring, "/a b/50%41/\xc3\xa4#?/k");
    assert_string_equal(r.inputs[0].url, "file:/x%20y/50%41%25");
}

static void the_examples_parse(void **state)
{
    (void)state;
    static const char *const names[] = {"standin", "flatcar", "flannel", "calico"};
    static const struct recipe_pair fixtures[] = {{"fixtures", "/fixtures"}};
    const struct recipe_vars v = {.builtins = fixtures, .builtin_count = 1};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[100];
        struct err err = {0};
        snprintf(path, sizeof path, "manifests/recipes/%s.json", names[i]);
        cleanup_buf struct buf text = BUF_INIT(RECIPE_TEXT_MAX);
        cleanup_recipe struct recipe r = {0};
        int result = file_read(path, RECIPE_TEXT_MAX, &text, &err);
        if (result == 0)
            result = recipe_parse(text.data, text.len, path, "manifests/recipes", &v, &r, &err);
        if (result < 0)
            print_error("%s\n", err.text);
        assert_int_equal(result, 0);
        assert_true(r.unit_count >= 8);
        assert_true(r.manifest_count >= 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_head_is_read),
        cmocka_unit_test(files_are_read),
        cmocka_unit_test(units_and_the_rest_are_read),
        cmocka_unit_test(sizes),
        cmocka_unit_test(urls_lose_credentials),
        cmocka_unit_test(the_inputs_digest_changes_with_what_counts),
        cmocka_unit_test(folders_in_urls_are_escaped),
        cmocka_unit_test(the_examples_parse),
    };
    return cmocka_run_group_tests_name("recipe", tests, NULL, NULL);
}
