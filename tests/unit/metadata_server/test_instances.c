#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "metadata_server/instances.h"

static struct err err;

static int parse(const char *text, struct arena *arena, const struct metadata_server_instance **ret,
                 size_t *ret_count)
{
    err = (struct err){0};
    return instances_parse(text, strlen(text), "file", arena, ret, ret_count, &err);
}

#define PROJECT "\"project\":{\"id\":\"p\",\"number\":7}"
#define ONE     "{\"name\":\"a\",\"ip\":\"10.128.0.2\",\"zone\":\"z-a\",\"id\":1}"

static void instances_are_read(void **state)
{
    (void)state;
    static const char text[] = "{\"project\":{\"id\":\"p\",\"number\":7,\"attributes\":{\"k\":\"v\"}},"
                               "\"instances\":[{\"name\":\"a\",\"ip\":\"10.128.0.2\",\"zone\":\"z-a\","
                               "\"id\":9007199254740992,\"attributes\":{\"x\":\"1\",\"y\":\"\"}},"
                               "{\"name\":\"b\",\"ip\":\"10.128.1.255\",\"zone\":\"z-b\",\"id\":2}]}";
    cleanup_arena struct arena arena = {0};
    const struct metadata_server_instance *all = NULL;
    size_t count = 0;
    if (parse(text, &arena, &all, &count) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(count, 2);
    assert_string_equal(all[0].name, "a");
    assert_string_equal(all[0].hostname, "a.c.p.internal");
    assert_true(all[0].id == UINT64_C(9007199254740992));
    assert_int_equal(all[0].attribute_count, 2);
    assert_string_equal(all[0].attributes[0].value, "1");
    assert_string_equal(all[1].mac, "42:01:0a:80:01:ff");
    assert_string_equal(all[1].gateway, "10.128.1.1");
    assert_string_equal(all[1].zone, "z-b");
    assert_int_equal(all[1].attribute_count, 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(all[i].project_number, 7);
        assert_int_equal(all[i].project_attribute_count, 1);
        assert_string_equal(all[i].project_attributes[0].key, "k");
    }
}

static void what_it_must_not_be(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "file:1:"},
        {"[]", "object"},
        {"{" PROJECT "}", "instances"},
        {"{\"instances\":[" ONE "]}", "project"},
        {"{" PROJECT ",\"instances\":[]}", "0 instances"},
        {"{" PROJECT ",\"instances\":[" ONE "],\"instance\":1}", "instance"},
        {"{" PROJECT ",\"instances\":[1]}", "must be an object"},
        {"{" PROJECT ",\"instances\":[" ONE "]} x", "file:1:"},
        {"{" PROJECT ",\"instances\":[{\"name\":\"a\",\"ip\":\"10.128.0\",\"zone\":\"z\",\"id\":1}]}",
         "not an IPv4"},
        {"{" PROJECT ",\"instances\":[{\"name\":\"a\",\"ip\":\"10.1.0.2\",\"zone\":\"z\",\"id\":-1}]}", "id"},
        {"{" PROJECT ",\"instances\":[{\"name\":\"a\",\"ip\":\"10.1.0.2\",\"zone\":\"z\"}]}", "id"},
        {"{" PROJECT ",\"instances\":[{\"name\":1,\"ip\":\"10.1.0.2\",\"zone\":\"z\",\"id\":1}]}", "name"},
        {"{" PROJECT ",\"instances\":[{\"name\":\"a\",\"ip\":\"10.1.0.2\",\"zone\":\"z\",\"id\":1,"
         "\"attributes\":{\"k\":1}}]}",
         "\"k\" must be a string"},
        {"{\"project\":{\"id\":\"p\",\"number\":\"7\"},\"instances\":[" ONE "]}", "number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cleanup_arena struct arena arena = {0};
        const struct metadata_server_instance *all = NULL;
        size_t count = 0;
        assert_int_equal(parse(bad[i].text, &arena, &all, &count), -1);
        assert_int_equal(err.kind, ERR_RECIPE);
        if (!strstr(err.text, bad[i].why))
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i].text, err.text, bad[i].why);
        assert_null(all);
    }
}

static void counts_have_limits(void **state)
{
    (void)state;
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    cleanup_arena struct arena arena = {0};
    const struct metadata_server_instance *all = NULL;
    size_t count = 0;
    buf_str(&text, "{" PROJECT ",\"instances\":[" ONE);
    for (int i = 0; i < METADATA_INSTANCES_MAX; i++)
        buf_str(&text, "," ONE);
    buf_str(&text, "]}");
    assert_int_equal(parse(text.data, &arena, &all, &count), -1);
    assert_non_null(strstr(err.text, "65 instances"));
    cleanup_buf struct buf many = BUF_INIT(1 << 20);
    buf_str(&many, "{\"project\":{\"id\":\"p\",\"number\":7,\"attributes\":{\"k\":\"v\"");
    for (int i = 0; i < METADATA_ATTRIBUTES_MAX; i++)
        buf_printf(&many, ",\"k%d\":\"v\"", i);
    buf_str(&many, "}},\"instances\":[" ONE "]}");
    assert_int_equal(parse(many.data, &arena, &all, &count), -1);
    assert_non_null(strstr(err.text, "1025 attributes"));
}

/* Wherever the file is truncated or damaged, the message contains no value. */
static void messages_hold_no_values(void **state)
{
    (void)state;
    static const char text[] =
        "{" PROJECT ",\"instances\":[{\"name\":\"a\",\"ip\":\"10.1.0.2\",\"zone\":\"z\","
        "\"id\":1,\"attributes\":{\"cluster-secret\":\"hush\"}}]}";
    for (size_t cut = 0; cut + 1 < sizeof text; cut++)
        for (int spoil = 0; spoil < 2; spoil++) {
            cleanup_arena struct arena arena = {0};
            const struct metadata_server_instance *all = NULL;
            size_t count = 0;
            char changed[sizeof text];
            memcpy(changed, text, sizeof text);
            changed[cut] = (char)(spoil ? '#' : 0);
            if (parse(changed, &arena, &all, &count) < 0 && strstr(err.text, "hush"))
                fail_msg("byte %zu: %s", cut, err.text);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_are_read),
        cmocka_unit_test(what_it_must_not_be),
        cmocka_unit_test(counts_have_limits),
        cmocka_unit_test(messages_hold_no_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
