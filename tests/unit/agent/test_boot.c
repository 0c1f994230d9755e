/* boot from end to end below a root: a metadata server that is late, wrong or away, and death at any
 * moment. */
#include "helper.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "agent/config/acquire.h"
#include "agent/boot.h"
#include "agent/contents/contents.h"
#include "agent/config/render.h"
#include "agent/etcd/member_state.h"
#include "agent/watch.h"
#include "node/pki.h"
#include "tests/support/lib/rawserver.h"

#define OK           "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\n\r\n"
#define INSTANCE     "{\"name\":\"a\",\"networkInterfaces\":[{\"ip\":\"10.0.0.2\"}]}"
#define SECRET       "\"cluster-secret\":\"hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo=\""
#define OTHER_SECRET "\"cluster-secret\":\"iVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo=\""
#define NO_FILES     "{\"entries\":[],\"epoch\":1,\"format\":1,\"name\":\"x\",\"removed\":[]}"

static struct err last;

static void answer(int conn, const char *request, const char *project)
{
    raw_text(conn, OK);
    raw_text(conn, strstr(request, "/instance/") ? INSTANCE : project);
}

static void good(int conn, unsigned nth, const char *request)
{
    (void)nth;
    answer(conn, request, "{\"cluster-name\":\"prod\"," SECRET "}");
}

/* Not there yet, then up but not ready in every way it has, then somebody else, then good. */
static void late(int conn, unsigned nth, const char *request)
{
    if (nth == 0)
        return;
    static const char *const not_ready[] = {"503 Service Unavailable", "500 Internal Server Error",
                                            "429 Too Many Requests"};
    if (nth <= 3) {
        raw_text(conn, "HTTP/1.1 ");
        raw_text(conn, not_ready[nth - 1]);
        raw_text(conn, "\r\nMetadata-Flavor: Google\r\n\r\n");
    } else if (nth == 4) {
        raw_text(conn, "HTTP/1.1 200 OK\r\n\r\n{}");
    } else {
        good(conn, nth, request);
    }
}

static void never_ready(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, "HTTP/1.1 503 Service Unavailable\r\nMetadata-Flavor: Google\r\n\r\n");
}

static void hostile(int conn, unsigned nth, const char *request)
{
    (void)nth;
    answer(conn, request, "{\"cluster-name\":\"prod\\nETCD_LISTEN_CLIENT_URLS=http://0.0.0.0:2379\"}");
}

static void no_secret(int conn, unsigned nth, const char *request)
{
    (void)nth;
    answer(conn, request, "{\"cluster-name\":\"prod\"}");
}

static void no_attributes(int conn, unsigned nth, const char *request)
{
    (void)nth;
    if (strstr(request, "/project/"))
        raw_text(conn, "HTTP/1.1 404 Not Found\r\nMetadata-Flavor: Google\r\n\r\n");
    else
        raw_text(conn, OK "{\"name\":\"a\",\"networkInterfaces\":[{\"ip\":\"10.0.0.2\"}],"
                          "\"attributes\":{\"cluster-name\":\"own\"," SECRET "}}");
}

static int boot(const struct place *place, raw_handler *handler, unsigned limit_s)
{
    struct rawserver server = {0};
    assert_int_equal(rawserver_start(&server, handler), 0);
    struct wire_peer peer = {"127.0.0.1", (uint16_t)server.port};
    int result = boot_run(&place->root, &peer, limit_s, NULL, &last);
    rawserver_stop(&server);
    return result;
}

static void assert_value(const struct place *place, const char *name, const char *want)
{
    char value[64] = "?";
    assert_int_equal(boot_node_value(&place->root, name, value, sizeof value, &last), 0);
    assert_string_equal(value, want);
}

static void a_late_server_is_waited_for(void **state)
{
    struct place *place = *state;
    put_text(place, CONTENTS_LIST, NO_FILES);
    if (boot(place, late, 20) < 0)
        fail_msg("%s", last.text);
    assert_value(place, "BAKE_NODE_NAME", "a");
    assert_value(place, "BAKE_NODE_IP", "10.0.0.2");
    assert_value(place, "BAKE_CLUSTER_NAME", "prod");
    assert_value(place, "BAKE_CLUSTER_NODES", "a=10.0.0.2");
    assert_value(place, "BAKE_NODE", "");
    cleanup_buf struct buf verdict = get_file(place, BOOT_VERDICT);
    assert_string_equal(verdict.data, "ok 0 files unsigned\n");
    static const char *const files[] = {RENDER_NODE_ENV, RENDER_ETCD_ENV, ACQUIRE_COPY, BOOT_VERDICT};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct stat st;
        assert_int_equal(stat(below(place, files[i]), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
}

static void the_last_good_metadata_serves(void **state)
{
    struct place *place = *state;
    put_text(place, CONTENTS_LIST, NO_FILES);
    assert_int_equal(boot(place, never_ready, 1), -1);
    assert_says(last, "no copy from an earlier boot");
    assert_says(last, "answered 503");
    assert_false(there(place, RENDER_NODE_ENV));
    assert_int_equal(boot(place, good, 5), 0);
    assert_int_equal(unlink(below(place, RENDER_NODE_ENV)), 0); /* /run is new at each boot */
    assert_int_equal(boot(place, never_ready, 1), 0);
    assert_value(place, "BAKE_CLUSTER_NAME", "prod");
    put_text(place, ACQUIRE_COPY, "{\"name\":\"a");
    assert_int_equal(boot(place, never_ready, 1), -1);
    assert_says(last, "is unusable: /var/lib/bake/metadata.json: ");
}

/* As on a full disk: the existing files are good enough to boot from. */
static void a_copy_that_cannot_be_kept_is_no_fault(void **state)
{
    struct place *place = *state;
    put_text(place, CONTENTS_LIST, NO_FILES);
    put_text(place, ACQUIRE_COPY "/in-the-way", "");
    if (boot(place, good, 5) < 0)
        fail_msg("%s", last.text);
    assert_value(place, "BAKE_CLUSTER_NAME", "prod");
    assert_true(there(place, ACQUIRE_COPY "/in-the-way"));
}

static void hostile_metadata_changes_nothing(void **state)
{
    struct place *place = *state;
    put_text(place, CONTENTS_LIST, NO_FILES);
    int64_t start = clock_now_ms();
    assert_int_equal(boot(place, hostile, 60), -1);
    assert_says(last, "metadata: cluster-name is ");
    assert_in_range(clock_now_ms() - start, 0, 5000); /* asking again would not help */
    assert_false(there(place, RENDER_NODE_ENV));
    assert_false(there(place, RENDER_ETCD_ENV));
    assert_false(there(place, ACQUIRE_COPY));
}

static void a_node_without_the_secret_stays_out(void **state)
{
    struct place *place = *state;
    put_text(place, CONTENTS_LIST, NO_FILES);
    assert_int_equal(boot(place, no_secret, 60), -1);
    assert_says(last, "cluster-secret is missing: it must be 32 random bytes in base64");
    assert_false(there(place, RENDER_NODE_ENV));
}

static void a_project_without_attributes_is_no_fault(void **state)
{
    struct place *place = *state;
    put_text(place, CONTENTS_LIST, NO_FILES);
    if (boot(place, no_attributes, 5) < 0)
        fail_msg("%s", last.text);
    assert_value(place, "BAKE_CLUSTER_NAME", "own");
}

/* The same answers with another secret, another name of the cluster, and as a witness. */
static void other_secret(int conn, unsigned nth, const char *request)
{
    (void)nth;
    answer(conn, request, "{\"cluster-name\":\"prod\"," OTHER_SECRET "}");
}

static void other_secret_of_a_witness(int conn, unsigned nth, const char *request)
{
    (void)nth;
    answer(conn, request, "{\"cluster-name\":\"prod\",\"cluster-role\":\"witness\"," OTHER_SECRET "}");
}

static void other_name(int conn, unsigned nth, const char *request)
{
    (void)nth;
    answer(conn, request, "{\"cluster-name\":\"other\"," SECRET "}");
}

/* One number for all that lies below /etc and /var. */
static unsigned long long sum_of_files(const struct place *place)
{
    char command[512];
    unsigned long long sum = 0;
    snprintf(command, sizeof command, "cd '%s' && find etc var -type f | sort | xargs sha256sum | sha256sum",
             place->dir);
    FILE *stream = popen(command, "r");
    assert_non_null(stream);
    assert_int_equal(fscanf(stream, "%16llx", &sum), 1);
    assert_int_equal(pclose(stream), 0);
    return sum;
}

static int watch(const struct place *place, raw_handler *handler)
{
    struct rawserver server = {0};
    assert_int_equal(rawserver_start(&server, handler), 0);
    struct wire_peer peer = {"127.0.0.1", (uint16_t)server.port};
    struct metadata_watch watch = {.root = &place->root, .peer = &peer};
    int result = watch_once(&watch, &last);
    rawserver_stop(&server);
    return result;
}

static void refuses_other_keys(const struct place *place)
{
    static raw_handler *const others[] = {other_secret, other_secret_of_a_witness, other_name};
    unsigned long long before = sum_of_files(place);
    for (size_t i = 0; i < 2 * sizeof others / sizeof *others; i++) {
        raw_handler *handler = others[i / 2];
        last = (struct err){0};
        assert_int_equal(i % 2 ? watch(place, handler) : boot(place, handler, 5), -1);
        assert_int_equal(last.kind, ERR_VERIFY);
        assert_says(last, "cluster-secret or cluster-name changed");
        assert_says(last, "replace this node with an empty disk");
        assert_true(sum_of_files(place) == before);
    }
}

static void a_node_with_data_keeps_its_secret(void **state)
{
    struct place *place = *state;
    put_text(place, CONTENTS_LIST, NO_FILES);
    assert_int_equal(boot(place, good, 5), 0);
    put_text(place, MEMBER_STATE_DATA "/member/wal/0-0.wal", "x");
    refuses_other_keys(place);
    /* the copy of the metadata is lost, and a key is damaged: repaired by the right secret only */
    assert_int_equal(unlink(below(place, ACQUIRE_COPY)), 0);
    put_text(place, "/etc/kubernetes/pki/apiserver/ca.crt", "damaged");
    refuses_other_keys(place);
    assert_int_equal(boot(place, good, 5), 0);
    assert_int_equal(boot(place, never_ready, 1), 0);
    assert_int_equal(watch(place, good), 0);
    /* data that is lost, on a disk that took part, is its cluster's all the same */
    assert_int_equal(unlink(below(place, MEMBER_STATE_DATA "/member/wal/0-0.wal")), 0);
    put_text(place, MEMBER_STATE_JOINED, "joined\n");
    refuses_other_keys(place);
}

static void a_disk_without_data_takes_any_secret(void **state)
{
    struct place *place = *state;
    put_text(place, CONTENTS_LIST, NO_FILES);
    assert_int_equal(boot(place, good, 5), 0);
    cleanup_buf struct buf old = get_file(place, PKI_PEER_KEY);
    assert_int_equal(watch(place, other_secret), -1); /* not while it runs */
    if (boot(place, other_secret, 5) < 0)
        fail_msg("%s", last.text);
    cleanup_buf struct buf new = get_file(place, PKI_PEER_KEY);
    assert_string_not_equal(old.data, new.data);
    assert_int_equal(watch(place, other_secret), 0);
}

static void bad_contents_come_first(void **state)
{
    struct place *place = *state;
    put_text(place, CONTENTS_LIST,
             "{\"entries\":[{\"path\":\"/opt/x\",\"type\":\"directory\"}],\"epoch\":1,\"format\":1}");
    assert_int_equal(boot(place, good, 5), -1);
    assert_says(last, "the image's contents are bad: /opt/x: it is missing");
    assert_false(there(place, RENDER_NODE_ENV));
    cleanup_buf struct buf verdict = get_file(place, BOOT_VERDICT);
    assert_string_equal(verdict.data, "bad: /opt/x: it is missing\n");
}

#define CLUSTER                                                                                              \
    {                                                                                                        \
        .name = "a", .ip = "10.0.0.2", .cluster_name = "one", .pod_cidr = "10.244.0.0/16",                   \
        .service_cidr = "10.96.0.0/16", .domain = "cluster.local", .nodes = {{"a", "10.0.0.2"}},             \
        .node_count = 1                                                                                      \
    }

/* Writes one of two clusters for ever, until it is killed. */
static _Noreturn void render_for_ever(const struct place *place)
{
    struct node_metadata clusters[2] = {CLUSTER};
    unsigned changed;
    struct err err;
    clusters[1] = clusters[0];
    memset(clusters[1].cluster_name, 'z', sizeof clusters[1].cluster_name - 1);
    for (unsigned i = 0;; i++)
        if (render_all(&place->root, &clusters[i % 2], "vxlan", "k", &changed, &err) < 0)
            _exit(1);
}

static void kill_leaves_old_or_new(void **state)
{
    struct place *place = *state;
    struct node_metadata m = CLUSTER;
    unsigned changed;
    cleanup_buf struct buf one = BUF_INIT(4096);
    cleanup_buf struct buf two = BUF_INIT(4096);
    render_node(&m, &one);
    /* so that there is an old one, however short the first runs are */
    assert_int_equal(render_all(&place->root, &m, "vxlan", "k", &changed, &last), 0);
    memset(m.cluster_name, 'z', sizeof m.cluster_name - 1);
    render_node(&m, &two);
    for (unsigned i = 0; i < 100; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            render_for_ever(place);
        usleep(500 + i * 797);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        cleanup_buf struct buf now = get_file(place, RENDER_NODE_ENV);
        if (strcmp(now.data, one.data) != 0 && strcmp(now.data, two.data) != 0)
            fail_msg("half a file: %s", now.data);
    }
    if (render_all(&place->root, &m, "vxlan", "k", &changed, &last) < 0) /* leftover files do no harm */
        fail_msg("%s", last.text);
    assert_false(there(place, "/run/bake/.node.env.new"));
}

static void a_hostname_is_checked_too(void **state)
{
    struct place *place = *state;
    assert_int_equal(boot_hostname(&place->root, &last), -1);
    put_text(place, RENDER_NODE_ENV, "BAKE_NODE_NAME=a b\n");
    assert_int_equal(boot_hostname(&place->root, &last), -1);
    assert_says(last, "names no node");
}

int main(void)
{
#define ROOTED(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        ROOTED(a_late_server_is_waited_for),
        ROOTED(the_last_good_metadata_serves),
        ROOTED(a_copy_that_cannot_be_kept_is_no_fault),
        ROOTED(hostile_metadata_changes_nothing),
        ROOTED(a_node_without_the_secret_stays_out),
        ROOTED(a_project_without_attributes_is_no_fault),
        ROOTED(a_node_with_data_keeps_its_secret),
        ROOTED(a_disk_without_data_takes_any_secret),
        ROOTED(bad_contents_come_first),
        ROOTED(kill_leaves_old_or_new),
        ROOTED(a_hostname_is_checked_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
