/* What a status says: the answers of etcd and of the API server, the node's own facts, and the page. */
#include "helper.h"

#include <sys/socket.h>
#include <time.h>
#include <utime.h>

#include "agent/backup/snapshot.h"
#include "agent/boot.h"
#include "agent/config/acquire.h"
#include "agent/contents/contents.h"
#include "agent/status/page.h"
#include "agent/status/write.h"
#include "node/json_pull.h"

static struct err last;

#define ETCD(leader, more)                                                                                   \
    "{\"header\":{\"member_id\":\"11\"},\"version\":\"3.6.1\",\"dbSize\":\"2097152\",\"leader\":\"" leader   \
    "\",\"dbSizeInUse\":\"1048576\"" more "}"

static int parse_status(const char *text, struct cluster_row *row)
{
    *row = (struct cluster_row){.name = "a", .id = "11"};
    return cluster_parse_status(text, strlen(text), row, &last);
}

static void what_etcd_says_of_a_member(void **state)
{
    (void)state;
    struct cluster_row row;
    assert_int_equal(parse_status(ETCD("11", ",\"errors\":[\"x\"]"), &row), 0);
    assert_true(row.answers && row.leads && !row.learns);
    assert_string_equal(row.version, "3.6.1");
    assert_int_equal(row.bytes, 2097152);
    assert_int_equal(row.used_bytes, 1048576);
    assert_int_equal(parse_status(ETCD("12", ",\"isLearner\":true"), &row), 0);
    assert_true(row.answers && !row.leads && row.learns);
    static const char *const bad[] = {
        "", "{}", "[]", "{\"version\":3}", "{\"version\":\"3.6.1\",\"leader\":{}}", "{\"version\":\"3.6.1\"",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse_status(bad[i], &row), -1);
        assert_int_equal(last.kind, ERR_VERIFY);
        assert_false(row.answers);
    }
    /* nothing that could confuse a terminal */
    assert_int_equal(parse_status("{\"version\":\"3\\u001b[2J\"}", &row), 0);
    assert_string_equal(row.version, "?");
}

static void alarms_are_named(void **state)
{
    (void)state;
    static const char text[] =
        "{\"alarms\":[{\"memberID\":\"11\",\"alarm\":\"NOSPACE\"},{\"alarm\":\"CORRUPT\"}]}";
    cleanup_free struct cluster_state *cluster = calloc(1, sizeof *cluster);
    assert_non_null(cluster);
    assert_int_equal(cluster_parse_alarms(text, strlen(text), cluster, &last), 0);
    assert_int_equal(cluster->alarm_count, 2);
    assert_string_equal(cluster->alarms[0].id, "11");
    assert_string_equal(cluster->alarms[0].what, "NOSPACE");
    cleanup_buf struct buf many = BUF_INIT(1 << 16);
    buf_str(&many, "{\"alarms\":[{\"alarm\":\"X\"}");
    for (int i = 0; i < 100; i++)
        buf_str(&many, ",{\"alarm\":\"X\"}");
    buf_str(&many, "]}");
    assert_int_equal(cluster_parse_alarms(many.data, many.len, cluster, &last), 0);
    assert_int_equal(cluster->alarm_count, CLUSTER_ALARMS);
    assert_int_equal(cluster_parse_alarms("{\"alarms\":[7]}", 14, cluster, &last), -1);
}

#define NODE(name, spec, ready)                                                                              \
    "{\"metadata\":{\"name\":\"" name "\",\"labels\":{\"name\":\"z\"}},\"spec\":{" spec                      \
    "},\"status\":{\"conditions\":[{\"type\":\"MemoryPressure\",\"status\":\"False\"},{\"type\":\"Ready\","  \
    "\"status\":\"" ready "\"}],\"nodeInfo\":{\"kubeletVersion\":\"v1.36.3\"}}}"

static struct cluster_state *make_cluster(void)
{
    struct cluster_state *cluster = calloc(1, sizeof *cluster);
    assert_non_null(cluster);
    cluster->count = 3;
    cluster->has_members = true;
    cluster->rows[0] = (struct cluster_row){.name = "a", .ip = "10.0.0.2", .id = "11", .listed = true};
    cluster->rows[1] = (struct cluster_row){.name = "b", .ip = "10.0.1.2", .id = "12", .listed = true};
    cluster->rows[2] = (struct cluster_row){.name = "c", .ip = "10.0.2.2", .id = "13", .listed = true};
    return cluster;
}

static void which_nodes_are_ready(void **state)
{
    (void)state;
    static const char text[] = "{\"items\":[" NODE("a", "", "True") "," NODE("b", "", "Unknown") "," NODE(
        "c", "\"unschedulable\":true", "True") "," NODE("stranger", "", "False") "]}";
    cleanup_free struct cluster_state *cluster = make_cluster();
    assert_int_equal(cluster_parse_nodes(text, strlen(text), cluster, &last), 0);
    assert_true(cluster->rows[0].ready && !cluster->rows[0].closed);
    assert_true(cluster->rows[1].has_node && !cluster->rows[1].ready);
    assert_true(cluster->rows[2].ready && cluster->rows[2].closed);
    assert_string_equal(cluster->rows[1].kubelet, "v1.36.3");
    assert_int_equal(cluster_parse_nodes("{\"items\":{}}", 12, cluster, &last), -1);
    assert_int_equal(cluster_parse_nodes("{\"items\":[{\"metadata\":[]}]}", 27, cluster, &last), -1);
}

/* --- the node's own facts --- */

#define LIST                                                                                                 \
    "{\"entries\":[{\"gid\":0,\"mode\":\"0644\",\"path\":\"/etc/systemd/system/x.service\",\"sha256\":"      \
    "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":0,\"type\":\"file\","     \
    "\"uid\":0}],\"epoch\":1,\"format\":1}"
#define SYSTEMCTL(state)                                                                                     \
    "#!/bin/sh\nprintf 'Id=x.service\\nActiveState=" state "\\nSubState=x\\nResult=exit-code\\n"             \
    "ConditionResult=yes\\nConditionTimestampMonotonic=5\\n'\n"

static const struct own_sources sources = {BOOT_VERDICT, {"127.0.0.1", 1}};

static void prepare(const struct place *place, const char *systemctl)
{
    struct node_metadata m = {.name = "a",
                              .id = "7",
                              .hostname = "a.c.p.internal",
                              .zone = "z",
                              .ip = "10.0.0.2",
                              .cluster_name = "prod",
                              .pod_cidr = "10.244.0.0/16",
                              .service_cidr = "10.96.0.0/16",
                              .domain = "cluster.local",
                              .nodes = {{"a", "10.0.0.2"}},
                              .node_count = 1};
    put_text(place, CONTENTS_LIST, LIST);
    put_text(place, BOOT_VERDICT, "ok 3 files signed 0123456789ABCDEF\n");
    put(place, "/usr/bin/systemctl", systemctl, strlen(systemctl), 0755);
    if (acquire_save(&place->root, &m, &last) < 0)
        fail_msg("%s", last.text);
}

static void put_snapshot(const struct place *place, const char *name, size_t bytes, time_t at)
{
    char path[256];
    static const char zeros[100];
    snprintf(path, sizeof path, SNAPSHOT_FOLDER "/%s", name);
    put(place, path, zeros, bytes, 0600);
    assert_int_equal(utime(below(place, path), &(struct utimbuf){at, at}), 0);
}

static void own_facts(void **state)
{
    struct place *place = *state;
    cleanup_free struct own_facts *facts = calloc(1, sizeof *facts);
    cleanup_buf struct buf problems = BUF_INIT(4096);
    assert_non_null(facts);
    prepare(place, SYSTEMCTL("active"));
    put_snapshot(place, "older.db", 10, 1000);
    put_snapshot(place, "newer.db", 20, 2000);
    put_snapshot(place, "half.db.part", 30, 3000);
    assert_int_equal(own_facts_read(&place->root, &sources, facts, &problems, &last), 0);
    assert_int_equal(problems.len, 0);
    assert_true(facts->configured && own_contents_ok(facts) && !facts->runs_etcd);
    assert_string_equal(facts->snapshots.newest, "newer.db");
    assert_int_equal(facts->snapshots.count, 2);
    assert_int_equal(facts->snapshots.bytes, 20);
    assert_int_equal(facts->snapshots.at, 2000);
    assert_string_equal(facts->disks[0].path, "/");
    assert_true(facts->disks[0].bytes >= facts->disks[0].free_bytes && facts->disks[0].bytes > 0);
    assert_int_equal(facts->units.count, 1);
    put(place, "/usr/bin/systemctl", SYSTEMCTL("failed"), strlen(SYSTEMCTL("failed")), 0755);
    put_text(place, BOOT_VERDICT, "bad: /opt/x: it is missing\n");
    assert_int_equal(own_facts_read(&place->root, &sources, facts, &problems, &last), 0);
    assert_string_equal(problems.data,
                        "contents: bad: /opt/x: it is missing\nx.service failed (exit-code)\n");
}

static void before_the_first_boot(void **state)
{
    struct place *place = *state;
    cleanup_free struct own_facts *facts = calloc(1, sizeof *facts);
    cleanup_buf struct buf problems = BUF_INIT(4096), page = BUF_INIT(PAGE_MAX);
    assert_non_null(facts);
    assert_int_equal(own_facts_read(&place->root, &sources, facts, &problems, &last), 0);
    assert_false(facts->configured);
    assert_non_null(strstr(problems.data, "the node is not configured"));
    status_write_metrics(facts, &page);
    assert_non_null(strstr(page.data, "\nbake_contents_ok 0\n"));
    assert_null(strstr(page.data, "bake_node_info"));
}

/* --- text, JSON, page --- */

static void fill(struct status *status)
{
    cleanup_free struct cluster_state *cluster = make_cluster();
    struct cluster_row *a = &cluster->rows[0];
    a->answers = a->leads = a->serves = a->has_node = a->ready = true;
    snprintf(a->version, sizeof a->version, "3.6.1");
    snprintf(a->kubelet, sizeof a->kubelet, "v1.36.3");
    a->bytes = 3 << 20;
    cluster->rows[1].has_node = true;
    *status = (struct status){.cluster = *cluster, .problems = BUF_INIT(4096)};
    snprintf(status->own.metadata.name, VALUE_NAME_CAP, "a");
    snprintf(status->own.metadata.cluster_name, VALUE_NAME_CAP, "prod");
    status->own.configured = true;
    snprintf(status->own.contents, OWN_CONTENTS_CAP, "ok 3 files signed");
    snprintf(status->own.first_end.path, PATH_CAP, "/etc/kubernetes/pki/x.crt");
    status->own.first_end.at = 1800000000;
    status->own.units.count = 1;
    snprintf(status->own.units.all[0].name, NAME_CAP, "x\"\\y.service");
    snprintf(status->own.units.all[0].active, UNIT_WORD, "active");
}

static void for_people(void **state)
{
    (void)state;
    cleanup_free struct status *status = calloc(1, sizeof *status);
    cleanup_buf struct buf text = BUF_INIT(STATUS_TEXT_MAX);
    assert_non_null(status);
    fill(status);
    status_write_text(status, &text);
    assert_non_null(strstr(text.data, "cluster prod, seen from a (bake-agent "));
    assert_non_null(strstr(
        text.data,
        "a                10.0.0.2        leader    3.6.1    3.0 MiB    Ready          v1.36.3   ready\n"));
    assert_non_null(
        strstr(text.data, "b                10.0.1.2        no answer -        -          NotReady "));
    assert_non_null(strstr(text.data, "valid until 2027-01-15T08:00:00Z (/etc/kubernetes/pki/x.crt)"));
    assert_non_null(strstr(text.data, "\nno problems\n"));
    assert_non_null(strstr(text.data, "c                10.0.2.2        no answer "));
    status->cluster.rows[2].id[0] = '\0';
    status_write_text(status, &text);
    assert_non_null(strstr(text.data, "c                10.0.2.2        no member "));
    buf_str(&status->problems, "b: \033[2J\nc is not Ready\n");
    status_write_text(status, &text);
    assert_non_null(strstr(text.data, "\nproblems\n  b: ?[2J\n  c is not Ready\n"));
    buf_free(&status->problems);
}

static void for_programs(void **state)
{
    (void)state;
    cleanup_free struct status *status = calloc(1, sizeof *status);
    cleanup_buf struct buf text = BUF_INIT(STATUS_TEXT_MAX);
    assert_non_null(status);
    fill(status);
    buf_str(&status->problems, "b: \033 \"x\" \xff\n");
    status_write_json(status, &text);
    buf_free(&status->problems);
    assert_int_equal(text.data[text.len - 1], '\n');
    assert_non_null(strstr(text.data, "\"name\":\"x\\\"\\\\y.service\",\"state\":\"active\""));
    assert_non_null(strstr(text.data, "\"problems\":[\"b: \\u001b \\\"x\\\" ?\"]}"));
    assert_non_null(strstr(
        text.data, "{\"name\":\"b\",\"address\":\"10.0.1.2\",\"listed\":true,\"etcd\":{\"member\":true,"
                   "\"answers\":false},\"kubernetes\":{\"node\":true,\"ready\":false,"));
    struct json_pull j = JSON_PULL_INIT(text.data, text.len);
    json_pull_skip(&j);
    assert_int_equal(json_pull_end(&j, "the status", &last), 0);
}

static void for_prometheus(void **state)
{
    (void)state;
    cleanup_free struct status *status = calloc(1, sizeof *status);
    cleanup_buf struct buf text = BUF_INIT(PAGE_MAX);
    assert_non_null(status);
    fill(status);
    status_write_metrics(&status->own, &text);
    assert_non_null(strstr(text.data, "bake_node_info{node=\"a\",cluster=\"prod\"} 1\n"));
    assert_non_null(strstr(text.data, "bake_certificates_end_timestamp_seconds 1800000000\n"));
    assert_non_null(strstr(text.data, "bake_unit_active{unit=\"x\\\"\\\\y.service\"} 1\n"));
    assert_non_null(strstr(text.data, "bake_unit_failed{unit=\"x\\\"\\\\y.service\"} 0\n"));
    assert_int_equal(text.data[text.len - 1], '\n');
}

/* --- the page's clients --- */

/* Sends REQUEST to page_answer() and gives the status of the reply, 0 for none. */
static int ask(const char *request, size_t len, bool hang_up)
{
    int ends[2], status = 0;
    char reply[512] = "";
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    assert_int_equal(send(ends[0], request, len, 0), len);
    if (hang_up)
        assert_int_equal(shutdown(ends[0], SHUT_WR), 0);
    int result = page_answer(ends[1], "x 1\n", 4, &last);
    if (recv(ends[0], reply, sizeof reply - 1, 0) > 0)
        assert_int_equal(sscanf(reply, "HTTP/1.1 %d", &status), 1);
    assert_int_equal(result, status ? 0 : -1);
    if (status == 200)
        assert_non_null(strstr(reply, "Content-Length: 4\r\nConnection: close\r\n\r\nx 1\n"));
    else
        assert_null(strstr(reply, "x 1"));
    close(ends[0]);
    close(ends[1]);
    return status;
}

static int ask_text(const char *request)
{
    return ask(request, strlen(request), false);
}

static void clients_of_the_page(void **state)
{
    (void)state;
    char long_request[2 * PAGE_REQUEST_MAX];
    memset(long_request, 'a', sizeof long_request);
    memcpy(long_request, "GET /metrics HTTP/1.1\r\nX: ", 26);
    assert_int_equal(ask_text("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    assert_int_equal(ask_text("GET /metrics?a=b HTTP/1.0\r\n\r\n"), 200);
    assert_int_equal(ask_text("GET / HTTP/1.1\r\n\r\n"), 404);
    assert_int_equal(ask_text("GET /metrics/../etc/shadow HTTP/1.1\r\n\r\n"), 404);
    assert_int_equal(ask_text("GET  /metrics HTTP/1.1\r\n\r\n"), 404);
    assert_int_equal(ask_text("POST /metrics HTTP/1.1\r\n\r\nx"), 405);
    assert_int_equal(ask_text("\r\n\r\n"), 405);
    assert_int_equal(ask("\0\0\r\n\r\n", 6, false), 405);
    assert_int_equal(ask(long_request, sizeof long_request, false), 431);
    assert_int_equal(ask("GET /metrics", 12, true), 0);
    assert_says(last, "hung up");
    assert_int_equal(ask("GET /metrics HTTP/1.1\r\n", 23, false), 0); /* never says more */
    assert_int_equal(last.kind, ERR_NETWORK);
}

#define ROOTED(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_etcd_says_of_a_member),
        cmocka_unit_test(alarms_are_named),
        cmocka_unit_test(which_nodes_are_ready),
        ROOTED(own_facts),
        ROOTED(before_the_first_boot),
        cmocka_unit_test(for_people),
        cmocka_unit_test(for_programs),
        cmocka_unit_test(for_prometheus),
        cmocka_unit_test(clients_of_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
