/* Answers of etcd's gateway, recorded and invented; writes that are counted and checked. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "boot/cluster/etcd.h"
#include "boot/cluster/writer.h"

static struct err err;

static int status_of(const char *text, struct etcd_status *ret)
{
    err = (struct err){0};
    return etcd_status_parse(text, strlen(text), ret, &err);
}

static void status_is_read(void **state)
{
    (void)state;
    struct etcd_status status;
    assert_int_equal(
        status_of(
            "{\"header\":{\"cluster_id\":\"14841639068965178418\",\"member_id\":\"18446744073709551615\","
            "\"raft_term\":\"2\"},\"version\":\"3.4.23\",\"dbSize\":\"20480\",\"leader\":"
            "\"10276657743932975437\"}",
            &status),
        0);
    assert_true(status.member == UINT64_MAX);
    assert_true(status.leader == UINT64_C(10276657743932975437));
    /* without a leader the field is missing */
    assert_int_equal(status_of("{\"header\":{\"member_id\":\"7\"}}", &status), 0);
    assert_true(status.member == 7 && status.leader == 0);
}

static void strange_status_is_refused(void **state)
{
    (void)state;
    struct etcd_status status;
    static const char *const bad[] = {"",
                                      "[]",
                                      "null",
                                      "{}",
                                      "{\"header\":7}",
                                      "{\"header\":{}}",
                                      "{\"header\":{\"member_id\":7}}",
                                      "{\"header\":{\"member_id\":\"-7\"}}",
                                      "{\"header\":{\"member_id\":\"7 \"}}",
                                      "{\"header\":{\"member_id\":\"18446744073709551616\"}}",
                                      "{\"header\":{\"member_id\":\"0000000000000000000000000007\"}}",
                                      "{\"header\":{\"member_id\":\"7\"},\"leader\":[]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(status_of(bad[i], &status), -1);
        assert_int_equal(err.kind, ERR_VERIFY);
    }
}

static int list_of(const char *text, struct etcd_list *ret)
{
    err = (struct err){0};
    return etcd_list_parse(text, strlen(text), ret, &err);
}

static void members_are_read(void **state)
{
    (void)state;
    struct etcd_list list;
    assert_int_equal(list_of("{\"header\":{\"member_id\":\"1\"},\"members\":[{\"ID\":\"9372538179322589801\","
                             "\"name\":\"a\",\"peerURLs\":"
                             "[\"https://10.128.0.2:2380\"],\"clientURLs\":[\"https://10.128.0.2:2379\"]},"
                             "{\"ID\":\"12\",\"peerURLs\":[\"https://"
                             "10.128.0.3:2380\"]},{\"ID\":\"13\",\"name\":\"B\\u001b[2J\"}]}",
                             &list),
                     0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.members[0].name, "a");
    assert_true(list.members[0].id == UINT64_C(9372538179322589801));
    assert_string_equal(list.members[1].name, "");
    assert_string_equal(list.members[2].name, "?");
}

static int list_of_many(int count, struct etcd_list *ret)
{
    cleanup_buf struct buf text = BUF_INIT(4096);
    buf_str(&text, "{\"members\":[");
    for (int i = 0; i < count; i++)
        buf_str(&text, i > 0 ? ",{}" : "{}");
    buf_str(&text, "]}");
    return list_of(text.data, ret);
}

static void too_many_members_are_refused(void **state)
{
    (void)state;
    struct etcd_list list;
    assert_int_equal(list_of_many(ETCD_LIST_MAX, &list), 0);
    assert_int_equal(list.count, ETCD_LIST_MAX);
    assert_int_equal(list_of_many(ETCD_LIST_MAX + 1, &list), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    assert_int_equal(list_of("{\"members\":[7]}", &list), -1);
    assert_int_equal(list_of("{}", &list), -1);
}

static int note(void *ctx, const char *key, const char *value, struct err *e)
{
    (void)e;
    buf_printf(ctx, "%s=%s;", key, value);
    return 0;
}

static void keys_are_read(void **state)
{
    (void)state;
    cleanup_buf struct buf seen = BUF_INIT(4096);
    static const char text[] =
        "{\"header\":{},\"kvs\":[{\"key\":\"L2Jha2UtdGVzdC8wMDAwMDA=\",\"create_revision\":\"2\",\"value\":"
        "\"MA==\"},{\"key\":\"YQ==\"}],\"count\":\"2\"}";
    assert_int_equal(etcd_range_parse(text, sizeof text - 1, note, &seen, &err), 0);
    assert_string_equal(seen.data, "/bake-test/000000=0;a=;");
    static const char none[] = "{\"header\":{}}";
    assert_int_equal(etcd_range_parse(none, sizeof none - 1, note, &seen, &err), 0);
    static const char odd[] = "{\"kvs\":[{\"key\":\"L2Jh a2U\"}]}";
    assert_int_equal(etcd_range_parse(odd, sizeof odd - 1, note, &seen, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
}

static void long_key_is_refused(void **state)
{
    (void)state;
    cleanup_buf struct buf seen = BUF_INIT(4096), text = BUF_INIT(8192);
    buf_str(&text, "{\"kvs\":[{\"key\":\"");
    for (int i = 0; i < 1024 / 3 + 1; i++)
        buf_str(&text, "YWFh");
    buf_str(&text, "\"}]}");
    assert_int_equal(etcd_range_parse(text.data, text.len, note, &seen, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
}

/* --- the writer --- */

static void nobody_there_is_no_acknowledgement(void **state)
{
    (void)state;
    cleanup_writer struct etcd_writer writer = {0};
    struct etcd_client *client = NULL;
    bool done = true;
    /* the certificates are parsed before anything is sent: these fail */
    const struct etcd_keys keys = {"x", "x", "x"};
    assert_int_equal(writer_init(&writer, &err), 0);
    assert_int_equal(etcd_client_new(&keys, NULL, NULL, &client, &err), 0);
    assert_int_equal(writer_write(&writer, client, "127.0.0.1", 2000, &done, &err), 0);
    assert_int_equal(err.kind, ERR_NETWORK);
    assert_false(done);
    assert_int_equal(writer.attempted, 1);
    assert_int_equal(writer.acknowledged, 0);
    etcd_client_free(client);
}

static int enough(void *ctx, struct err *e)
{
    ++*(int *)ctx;
    return err_set(e, ERR_INTERRUPTED, SIGTERM, "enough");
}

static void idle_ends_a_question(void **state)
{
    (void)state;
    struct etcd_client *client = NULL;
    struct etcd_status status;
    int calls = 0;
    const struct etcd_keys keys = {"x", "x", "x"};
    assert_int_equal(etcd_client_new(&keys, enough, &calls, &client, &err), 0);
    assert_int_equal(etcd_get_status(client, "127.0.0.1", 60000, &status, &err), -1);
    assert_int_equal(err.kind, ERR_INTERRUPTED);
    assert_int_equal(calls, 1);
    etcd_client_free(client);
}

static struct etcd_writer three_of_four(void)
{
    struct etcd_writer writer;
    assert_int_equal(writer_init(&writer, &err), 0);
    writer.attempted = 4;
    writer.acknowledged = 3;
    memcpy(writer.notes, "\1\1\0\1", 4);
    return writer;
}

static void lost_writes_are_found(void **state)
{
    (void)state;
    cleanup_writer struct etcd_writer writer = three_of_four();
    assert_int_equal(writer_check_key(&writer, "/bake-test/000000", "0", &err), 0);
    assert_int_equal(writer_conclude(&writer, &err), -1);
    assert_int_equal(err.kind, ERR_TEST);
    assert_string_equal(err.text, "2 of 3 acknowledged writes are lost, the first is /bake-test/000001");
    assert_int_equal(writer_check_key(&writer, "/bake-test/000001", "1", &err), 0);
    assert_int_equal(writer_check_key(&writer, "/bake-test/000003", "3", &err), 0);
    assert_int_equal(writer_conclude(&writer, &err), 0);
    /* each member is checked from the start */
    writer_begin_check(&writer);
    assert_int_equal(writer_conclude(&writer, &err), -1);
}

static void unacknowledged_write_may_be_there(void **state)
{
    (void)state;
    cleanup_writer struct etcd_writer writer = three_of_four();
    for (int i = 0; i < 4; i++) {
        char key[32], value[8];
        snprintf(key, sizeof key, "/bake-test/%06d", i);
        snprintf(value, sizeof value, "%d", i);
        assert_int_equal(writer_check_key(&writer, key, value, &err), 0);
    }
    assert_int_equal(writer_conclude(&writer, &err), 0);
}

static void foreign_keys_are_no_writes(void **state)
{
    (void)state;
    cleanup_writer struct etcd_writer writer = three_of_four();
    static const char *const bad[][2] = {{"/bake-test/000004", "4"},
                                         {"/bake-test/000001", "2"},
                                         {"/bake-test/1", "1"},
                                         {"/bake-test/", ""},
                                         {"", ""},
                                         {"/bake-test/-00001", "1"},
                                         {"/other/000001", "1"},
                                         {"/bake-test/000001x", "1"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(writer_check_key(&writer, bad[i][0], bad[i][1], &err), -1);
        assert_int_equal(err.kind, ERR_TEST);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_is_read),
        cmocka_unit_test(strange_status_is_refused),
        cmocka_unit_test(members_are_read),
        cmocka_unit_test(too_many_members_are_refused),
        cmocka_unit_test(keys_are_read),
        cmocka_unit_test(long_key_is_refused),
        cmocka_unit_test(nobody_there_is_no_acknowledgement),
        cmocka_unit_test(idle_ends_a_question),
        cmocka_unit_test(lost_writes_are_found),
        cmocka_unit_test(unacknowledged_write_may_be_there),
        cmocka_unit_test(foreign_keys_are_no_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
