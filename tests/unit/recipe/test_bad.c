/* Recipes that are refused, each with its whole message and position. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "recipe/recipe.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

/* The recipe around a row's text, which begins at line 1 column 1 (WHOLE), line 2 column 8 (BASE), line 3
 * column 11 (INPUT) or line 4 column 1 (BODY). */
enum frame { WHOLE, BASE, INPUT, BODY };
static const struct {
    const char *before, *after;
} frames[] = {
    [WHOLE] = {"", ""},
    [BASE] = {"{\"name\":\"n\",\n\"base\":", "}"},
    [INPUT] = {"{\"name\":\"n\",\n\"base\":{\"os\":\"coreos\",\"url\":\"file:/b\",\"sha256\":\"" ZEROS
               "\"},\n\"inputs\":{",
               "}}"},
    [BODY] = {"{\"name\":\"n\",\n\"base\":{\"os\":\"coreos\",\"url\":\"file:/b\",\"sha256\":\"" ZEROS
              "\"},\n\"inputs\":{\"a\":{\"url\":\"file:/a\"}},\n",
              "}"},
};

struct row {
    enum frame frame;
    const char *text, *message;
};

#include "tests/unit/recipe/bad_rows.h"

static const struct row rows[] = {
    {BODY, "\"disk\":{}", "r:4:8: \"size\" is missing here"},
    {BODY, "\"disk\":{\"size\":10}", "r:4:16: \"size\" must be a string: put it in double quotes"},
    {BODY, "\"disk\":{\"size\":\"10GB\"}",
     "r:4:16: size \"10GB\" must be a number with MiB, GiB or TiB, like \"10GiB\""},
    {BODY, "\"disk\":{\"size\":\"0\"}",
     "r:4:16: size \"0\" must be a number with MiB, GiB or TiB, like \"10GiB\""},
    {BODY, "\"disk\":{\"size\":\"1KiB\"}", "r:4:16: size \"1KiB\" must be a multiple of 1MiB, at most 64TiB"},
    {BODY, "\"disk\":{\"size\":\"99999999TiB\"}",
     "r:4:16: size \"99999999TiB\" must be a number with MiB, GiB or TiB, like \"10GiB\""},
    {BODY, "\"disk\":{\"size\":\"-1GiB\"}",
     "r:4:16: size \"-1GiB\" must be a number with MiB, GiB or TiB, like \"10GiB\""},
    {BODY, "\"disk\":{\"sise\":\"1GiB\"}", "r:4:9: unknown key \"sise\"; did you mean \"size\"?"},
    {BODY, "\"disk\":[]", "r:4:8: \"disk\" must be an object, not an array"},
    {BODY, "\"kubernetes\":{\"form\":\"hyperkube\"}", "r:4:14: \"input\" is missing here"},
    {BODY, "\"kubernetes\":{\"input\":\"a\"}", "r:4:14: \"form\" is missing here"},
    {BODY, "\"kubernetes\":{\"input\":\"b\",\"form\":\"binaries\"}",
     "r:4:23: there is no input \"b\"; known are: a"},
    {BODY, "\"kubernetes\":{\"input\":\"a\",\"form\":\"binary\"}",
     "r:4:34: \"form\" cannot be \"binary\"; known are: hyperkube, binaries"},
    {BODY, "\"kubernetes\":{\"input\":\"a\",\"form\":\"hyperkube\",\"member\":\"/x\"}",
     "r:4:55: \"member\" is a name inside an archive: write it without the leading /"},
    {BODY, "\"kubernetes\":{\"input\":\"a\",\"form\":\"hyperkube\",\"member\":\".\"}",
     "r:4:55: \"member\" must name one file"},
    {BODY, "\"network\":\"wireguard\"",
     "r:4:11: \"network\" cannot be \"wireguard\"; known are: vxlan, flannel, calico"},
    {BODY, "\"network\":\"calicoo\"", "r:4:11: \"network\" cannot be \"calicoo\"; did you mean \"calico\"?"},
    {BODY, "\"agent\":\"yes\"", "r:4:9: \"agent\" must be true or false, not a string"},
    {BODY, "\"agnet\":true", "r:4:1: unknown key \"agnet\"; did you mean \"agent\"?"},
    {BODY, "\"files\":{}", "r:4:9: \"files\" must be an array, not an object"},
    {BODY, "\"files\":[1]", "r:4:10: each entry of \"files\" must be an object"},
    {BODY, "\"files\":[{}]", "r:4:10: \"path\" is missing here"},
    {BODY, "\"files\":[{\"path\":\"/x\"}]",
     "r:4:10: this file has no content: give text, from, builtin, input, symlink, directory or remove"},
    {BODY, "\"files\":[{\"path\":\"x\",\"text\":\"\"}]",
     "r:4:18: path \"x\" must be absolute: start it with /"},
    {BODY, "\"files\":[{\"path\":\"/\",\"text\":\"\"}]", "r:4:18: \"path\" must not be the root directory"},
    {BODY, "\"files\":[{\"path\":\"/a/../b\",\"text\":\"\"}]",
     "r:4:18: path \"/a/../b\" contains \"..\": write the path without it"},
    {BODY, "\"files\":[{\"path\":\"\",\"text\":\"\"}]", "r:4:18: \"path\" must not be empty"},
    {BODY, "\"files\":[{\"path\":\"/a\\nb\",\"text\":\"\"}]",
     "r:4:18: \"path\" must not hold control characters"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"from\":\"y\"}]",
     "r:4:40: \"text\" and \"from\" exclude each other: give one of them"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"remove\":true}]",
     "r:4:42: \"text\" and \"remove\" exclude each other: give one of them"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":1}]",
     "r:4:30: \"text\" must be a string: put it in double quotes"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"from\":\"\"}]", "r:4:30: \"from\" must not be empty"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"builtin\":true}]",
     "r:4:33: \"builtin\" must be the name of a file built into bake"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"input\":\"b\"}]", "r:4:31: there is no input \"b\"; known are: a"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"member\":\"m\"}]",
     "r:4:10: this file has no content: give text, from, builtin, input, symlink, directory or remove"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"tree\":\"m\"}]",
     "r:4:40: \"tree\" needs an \"input\" that contains it"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"member\":\"m\",\"tree\":\"t\"}]",
     "r:4:55: \"member\" and \"tree\" exclude each other: give one of them"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"member\":\"../m\"}]",
     "r:4:44: \"member\" is not a valid name inside an archive: \"../m\" contains \"..\""},
    {BODY, "\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"member\":\"./\"}]",
     "r:4:44: \"member\" must name one file; a folder is a \"tree\""},
    {BODY, "\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"tree\":\"/t\"}]",
     "r:4:42: \"tree\" is a name inside an archive: write it without the leading /"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"mode\":755}]",
     "r:4:40: \"mode\" must be a string of octal digits, like \"0755\""},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"mode\":\"0855\"}]",
     "r:4:40: mode \"0855\" must be 3 or 4 octal digits, like \"0755\""},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"mode\":\"77777\"}]",
     "r:4:40: mode \"77777\" must be 3 or 4 octal digits, like \"0755\""},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"mode\":\"rwx\"}]",
     "r:4:40: mode \"rwx\" must be 3 or 4 octal digits, like \"0755\""},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"mode\":\"7\"}]",
     "r:4:40: mode \"7\" must be 3 or 4 octal digits, like \"0755\""},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"uid\":-1}]",
     "r:4:39: \"uid\" must be an integer from 0 to 4294967294"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"uid\":4294967295}]",
     "r:4:39: \"uid\" must be an integer from 0 to 4294967294"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"gid\":\"root\"}]",
     "r:4:39: \"gid\" must be a number, not a string"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"gid\":1.5}]",
     "r:4:39: \"gid\" must be an integer from 0 to 4294967294"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"symlink\":\"\"}]", "r:4:33: \"symlink\" must not be empty"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"symlink\":\"y\",\"mode\":\"0777\"}]",
     "r:4:44: \"mode\" cannot be used with \"symlink\""},
    {BODY, "\"files\":[{\"path\":\"/x\",\"remove\":true,\"uid\":1}]",
     "r:4:43: \"uid\" cannot be used with \"remove\""},
    {BODY, "\"files\":[{\"path\":\"/x\",\"remove\":false}]", "r:4:32: \"remove\" must be true or left out"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"directory\":\"yes\"}]",
     "r:4:35: \"directory\" must be true or false, not a string"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"tree\":\"t\",\"mode\":\"0755\"}]",
     "r:4:53: \"mode\" cannot be used with \"tree\""},
    {BODY, "\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"tree\":\"t\",\"owner\":\"root\"}]",
     "r:4:54: \"owner\" must be \"archive\"; use \"uid\" and \"gid\" for numbers"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"tree\":\"t\",\"owner\":\"archive\",\"gid\":1}]",
     "r:4:54: \"owner\" and \"gid\" exclude each other: give one of them"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"input\":\"a\",\"owner\":\"archive\"}]",
     "r:4:43: \"owner\" needs a \"member\" or a \"tree\" of an archive"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"directory\":true,\"owner\":\"archive\"}]",
     "r:4:48: \"owner\" needs a \"member\" or a \"tree\" of an archive"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"xattrs\":{\"x\":\"y\"}}]",
     "r:4:47: attribute \"x\" must be named user.X, security.X or trusted.X"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"xattrs\":{\"user.\":\"y\"}}]",
     "r:4:51: attribute \"user.\" must be named user.X, security.X or trusted.X"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"xattrs\":{\"user.a\":1}}]",
     "r:4:52: \"user.a\" must be a string: put it in double quotes"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"xattrs\":{\"user.a\":{\"base64\":\"a\"}}}]",
     "r:4:62: \"base64\" is not base64 with padding (RFC 4648)"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"xattrs\":{\"user.a\":{\"b64\":\"a\"}}}]",
     "r:4:53: unknown key \"b64\"; known here: base64"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"xattrs\":[]}]",
     "r:4:42: \"xattrs\" must be an object, not an array"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\"},\n{\"path\":\"//x/\",\"remove\":true}]",
     "r:5:9: duplicate file \"/x\": the first is at line 4"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"\",\"md\":\"0755\"}]",
     "r:4:33: unknown key \"md\"; known here: path, text, from, builtin, input, member, tree, symlink, "
     "directory, remove, mode, owner, uid, gid, xattrs"},
    {BODY, "\"files\":[{\"path\":\"/x\",\"text\":\"${var.nope}\"}]",
     "r:4:30: unknown variable ${var.nope}: define it under \"vars\", before its first use there"},
    {BODY, "\"units\":[{}]", "r:4:10: \"name\" is missing here"},
    {BODY, "\"units\":[{\"name\":\"etcd\"}]",
     "r:4:18: \"etcd\" is not a unit name: it needs a name and a type, like \"etcd.service\""},
    {BODY, "\"units\":[{\"name\":\"a/b.service\",\"text\":\"\"}]",
     "r:4:18: \"a/b.service\" is not a unit name: it needs a name and a type, like \"etcd.service\""},
    {BODY, "\"units\":[{\"name\":\".service\",\"text\":\"\"}]",
     "r:4:18: \".service\" is not a unit name: it needs a name and a type, like \"etcd.service\""},
    {BODY, "\"units\":[{\"name\":\"a.service\"}]",
     "r:4:10: this unit has no content: give text, from, builtin, input, or dropins for one that the image "
     "already has"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"enable\":true}]",
     "r:4:39: to enable a unit that the image already has, give \"wanted_by\", like [\"multi-user.target\"]; "
     "for your own unit give text, from, builtin or input"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"text\":\"\",\"wanted_by\":[\"x.target\"]}]",
     "r:4:52: \"wanted_by\" is for units that the image already has: this one has its own [Install] section"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"dropins\":[],\"wanted_by\":[\"x.target\"]}]",
     "r:4:55: \"wanted_by\" needs \"enable\": true"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"enable\":true,\"wanted_by\":[\"x\"]}]",
     "r:4:57: \"x\" is not a unit name"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"enable\":true,\"wanted_by\":[\"x.target\",\"x.target\"]}]",
     "r:4:68: duplicate entry \"x.target\": the first is at line 4"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"text\":\"\",\"enable\":1}]",
     "r:4:49: \"enable\" must be true or false, not a number"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"builtin\":false}]",
     "r:4:40: \"builtin\" must be true, or the name of a file built into bake"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"text\":\"\",\"builtin\":true}]",
     "r:4:50: \"text\" and \"builtin\" exclude each other: give one source"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"input\":\"a\",\"tree\":\"x\"}]",
     "r:4:42: unknown key \"tree\"; known here: name, text, from, builtin, input, member, enable, wanted_by, "
     "dropins"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"text\":\"\"},{\"name\":\"a.service\",\"text\":\"\"}]",
     "r:4:49: duplicate unit \"a.service\": the first is at line 4"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"text\":\"\",\"enabled\":true}]",
     "r:4:40: unknown key \"enabled\"; did you mean \"enable\"?"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"dropins\":[{}]}]", "r:4:41: \"name\" is missing here"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"dropins\":[{\"name\":\"x\",\"text\":\"\"}]}]",
     "r:4:49: drop-in \"x\" must be a file name that ends in .conf, like \"10-memory.conf\""},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"dropins\":[{\"name\":\"x.conf\"}]}]",
     "r:4:41: this drop-in has no content: give text, from, builtin or input"},
    {BODY, "\"units\":[{\"name\":\"a.service\",\"dropins\":[{\"name\":\"x.conf\",\"builtin\":true}]}]",
     "r:4:68: \"builtin\" must be the name of a file built into bake"},
    {BODY,
     "\"units\":[{\"name\":\"a.service\",\"dropins\":[{\"name\":\"x.conf\",\"text\":\"\"},{\"name\":\"x."
     "conf\",\"text\":\"\"}]}]",
     "r:4:77: duplicate drop-in \"x.conf\": the first is at line 4"},
    {BODY, "\"manifests\":[{\"name\":\"a.yaml\"}]",
     "r:4:14: this manifest has no content: give text, from, builtin or input"},
    {BODY, "\"manifests\":[{\"name\":\"a.txt\",\"text\":\"\"}]",
     "r:4:22: manifest \"a.txt\" must be a file name that ends in .yaml, .yml or .json"},
    {BODY, "\"manifests\":[{\"name\":\".a.yaml\",\"text\":\"\"}]",
     "r:4:22: manifest \".a.yaml\" must be a file name that ends in .yaml, .yml or .json"},
    {BODY, "\"manifests\":[{\"name\":\"../a.yaml\",\"text\":\"\"}]",
     "r:4:22: manifest \"../a.yaml\" must be a file name that ends in .yaml, .yml or .json"},
    {BODY, "\"manifests\":[{\"name\":\"a.yaml\",\"text\":\"\"},{\"name\":\"a.yaml\",\"from\":\"b\"}]",
     "r:4:50: duplicate manifest \"a.yaml\": the first is at line 4"},
    {BODY, "\"manifests\":[{\"name\":\"a.yaml\",\"text\":\"\",\"enable\":true}]",
     "r:4:41: unknown key \"enable\"; known here: name, text, from, builtin, input, member"},
    {BODY, "\"image\":{\"family\":\"A\"}",
     "r:4:19: family \"A\": use up to 63 of a-z, 0-9, '-', starting with a letter and not ending with '-'"},
    {BODY, "\"image\":{\"familly\":\"a\"}", "r:4:10: unknown key \"familly\"; did you mean \"family\"?"},
    {BODY, "\"image\":{\"labels\":{\"A\":\"b\"}}",
     "r:4:24: label \"A\": a key starts with a-z and has up to 63 of a-z, 0-9, '_', '-'"},
    {BODY, "\"image\":{\"labels\":{\"bake-family\":\"b\"}}",
     "r:4:34: the label bake-family is reserved for bake"},
    {BODY, "\"image\":{\"labels\":{\"bake-package\":\"b\"}}",
     "r:4:35: the label bake-package is reserved for bake"},
    {BODY, "\"image\":{\"labels\":{\"bake-kubernetes\":\"b\"}}",
     "r:4:38: the label bake-kubernetes is reserved for bake"},
    {BODY, "\"image\":{\"labels\":{\"bake-etcd\":\"b\"}}",
     "r:4:32: the label bake-etcd is reserved for bake"},
    {BODY, "\"image\":{\"labels\":{\"a\":\"B\"}}",
     "r:4:24: label value \"B\": it has up to 63 of a-z, 0-9, '_', '-'"},
    {BODY, "\"image\":{\"labels\":{\"a\":1}}", "r:4:24: \"a\" must be a string: put it in double quotes"},
    {BODY, "\"image\":{\"licenses\":[\"x\"]}",
     "r:4:22: license \"x\" must be a URL or projects/PROJECT/global/licenses/NAME"},
    {BODY, "\"image\":{\"licenses\":\"x\"}", "r:4:21: \"licenses\" must be an array, not a string"},
    {BODY, "\"image\":{\"guest_os_features\":[\"gvnic\"]}",
     "r:4:31: feature \"gvnic\" must be upper case, like \"UEFI_COMPATIBLE\""},
    {BODY, "\"image\":{\"guest_os_features\":[\"GVNIC\",\"GVNIC\"]}",
     "r:4:39: duplicate entry \"GVNIC\": the first is at line 4"},
    {BODY, "\"image\":{\"storage_location\":\"EU\"}",
     "r:4:29: storage location \"EU\" must be like \"eu\" or \"europe-west1\""},
};

static void refuse_rows(const struct row *table, size_t count)
{
    static const struct recipe_pair builtins[] = {{"fixtures", "/f"}};
    const struct recipe_vars vars = {.builtins = builtins, .builtin_count = 1};
    for (size_t i = 0; i < count; i++) {
        cleanup_buf struct buf text = BUF_INIT(1 << 16);
        buf_printf(&text, "%s%s%s", frames[table[i].frame].before, table[i].text,
                   frames[table[i].frame].after);
        struct recipe recipe = {.name = "untouched"};
        struct err err = {0};
        int result = recipe_parse(text.data, text.len, "r", NULL, &vars, &recipe, &err);
        if (result != -1)
            print_error("accepted: %s\n", table[i].text);
        assert_int_equal(result, -1);
        assert_string_equal(err.text, table[i].message);
        assert_int_equal(err.kind, ERR_RECIPE);
        assert_string_equal(recipe.name, "untouched");
    }
}

static void every_row_is_refused_with_its_position(void **state)
{
    (void)state;
    refuse_rows(rows, sizeof rows / sizeof *rows);
    refuse_rows(head_rows, sizeof head_rows / sizeof *head_rows);
}

static int parse(const struct buf *text, const struct recipe_vars *vars, struct err *err)
{
    cleanup_recipe struct recipe recipe = {0};
    return recipe_parse(text->data, text->len, "r", NULL, vars, &recipe, err);
}

static void growth_by_variables_is_bounded(void **state)
{
    (void)state;
    cleanup_buf struct buf text = BUF_INIT(1 << 16);
    struct err err = {0};
    buf_str(&text, "{\"vars\":{\"v0\":\"0123456789\"");
    for (int i = 1; i < 40; i++)
        buf_printf(&text, ",\n\"v%d\":\"${var.v%d}${var.v%d}\"", i, i - 1, i - 1);
    buf_str(&text, "}}");
    assert_int_equal(parse(&text, NULL, &err), -1);
    assert_string_equal(err.text, "r:18:7: this text is longer than 1024 KiB");
}

static void too_many_entries_are_refused(void **state)
{
    (void)state;
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    struct err err = {0};
    buf_printf(&text, "%s\"units\":[", frames[BODY].before);
    for (int i = 0; i < RECIPE_LIST_MAX + 1; i++)
        buf_str(&text, i ? ",{}" : "{}");
    buf_str(&text, "]}");
    assert_int_equal(parse(&text, NULL, &err), -1);
    assert_string_equal(err.text, "r:4:30010: more than 10000 entries in \"units\"");
    text.len = 0;
    buf_str(&text, "{\"vars\":{");
    for (int i = 0; i < 1001; i++)
        buf_printf(&text, "%s\"v%d\":\"\"", i ? "," : "", i);
    buf_str(&text, "}}");
    assert_int_equal(parse(&text, NULL, &err), -1);
    assert_string_equal(err.text, "r:1:9: more than 1000 variables");
    for (int count = 60; count <= 61; count++) { /* of an image's 64 labels bake uses four */
        text.len = 0;
        buf_printf(&text, "%s\"image\":{\"labels\":{", frames[BODY].before);
        for (int i = 0; i < count; i++)
            buf_printf(&text, "%s\"l%d\":\"\"", i ? "," : "", i);
        buf_printf(&text, "}}%s", frames[BODY].after);
        assert_int_equal(parse(&text, NULL, &err), count == 60 ? 0 : -1);
    }
    assert_string_equal(err.text, "r:4:19: 61 labels: an image has at most 64, and bake uses four of them");
    assert_int_equal(
        recipe_parse("", (size_t)RECIPE_TEXT_MAX + 1, "r", NULL, NULL, &(struct recipe){0}, &err), -1);
    assert_string_equal(err.text, "r: a recipe has at most 4 MiB");
}

static void given_variables_must_exist_and_be_text(void **state)
{
    (void)state;
    static const struct recipe_pair wrong[] = {{"kub", "1"}}, bytes[] = {{"kube", "\xff"}};
    struct recipe_vars vars = {.vars = wrong, .var_count = 1};
    struct err err = {0};
    cleanup_buf struct buf text = BUF_INIT(1 << 16);
    buf_str(&text, "{\"vars\":{\"kube\":\"1\"},\n\"name\":\"${var.kube}\"}");
    assert_int_equal(parse(&text, &vars, &err), -1);
    assert_string_equal(err.text,
                        "--var kub: r has no variable of that name under \"vars\"; did you mean kube?");
    vars.vars = bytes;
    assert_int_equal(parse(&text, &vars, &err), -1);
    assert_string_equal(err.text, "r:2:8: the value of ${var.kube} is not UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_refused_with_its_position),
        cmocka_unit_test(growth_by_variables_is_bounded),
        cmocka_unit_test(too_many_entries_are_refused),
        cmocka_unit_test(given_variables_must_exist_and_be_text),
    };
    return cmocka_run_group_tests_name("recipe: bad", tests, NULL, NULL);
}
