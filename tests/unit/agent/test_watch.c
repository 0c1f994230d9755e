/* A running node: how its services are notified, until each has succeeded. systemctl is a script that notes
 * its arguments and does what the test wants. */
#include "helper.h"

#include "agent/boot.h"
#include "agent/config/acquire.h"
#include "agent/config/readers.h"
#include "agent/contents/contents.h"
#include "agent/etcd/member_state.h"
#include "agent/watch.h"
#include "tests/support/lib/rawserver.h"

#define OK       "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\n\r\n"
#define INSTANCE "{\"name\":\"a\",\"networkInterfaces\":[{\"ip\":\"10.0.0.2\"}]}"
#define PROJECT                                                                                              \
    "{\"cluster-name\":\"prod\",\"cluster-secret\":\"hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo=\"}"
#define NO_FILES     "{\"entries\":[],\"epoch\":1,\"format\":1,\"name\":\"x\",\"removed\":[]}"
#define MISSING_FILE "{\"entries\":[{\"path\":\"/opt/x\",\"type\":\"directory\"}],\"epoch\":1,\"format\":1}"
#define START        "--no-block start multi-user.target\n"
#define RELOAD       "--no-pager reload etcd.service\n"

static struct err last;

static void good(int conn, unsigned nth, const char *request)
{
    (void)nth;
    raw_text(conn, OK);
    raw_text(conn, strstr(request, "/instance/") ? INSTANCE : PROJECT);
}

/* Asks for a restore, and is etcd's health, too. */
static bool has_quorum;
static void restoring(int conn, unsigned nth, const char *request)
{
    (void)nth;
    if (strstr(request, "/health")) {
        raw_text(conn, has_quorum ? "HTTP/1.1 200 OK\r\n\r\n{}" : "HTTP/1.1 503 No\r\n\r\n{}");
        return;
    }
    raw_text(conn, OK);
    raw_text(conn, strstr(request, "/instance/")
                       ? "{\"attributes\":{\"cluster-restore\":\"one=disk@a\"},\"name\":\"a\","
                         "\"networkInterfaces\":[{\"ip\":\"10.0.0.2\"}]}"
                       : PROJECT);
}

static void wrong(int conn, unsigned nth, const char *request)
{
    (void)nth;
    raw_text(conn, OK);
    raw_text(conn, strstr(request, "/instance/") ? INSTANCE : "{\"cluster-name\":\"Prod!\"}");
}

static void another_secret(int conn, unsigned nth, const char *request)
{
    (void)nth;
    raw_text(conn, OK);
    raw_text(conn, strstr(request, "/instance/")
                       ? INSTANCE
                       : "{\"cluster-name\":\"prod\","
                         "\"cluster-secret\":\"Q0mVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp4=\"}");
}

static int boot(const struct place *place, raw_handler *handler)
{
    struct rawserver server = {0};
    assert_int_equal(rawserver_start(&server, handler), 0);
    struct wire_peer peer = {"127.0.0.1", (uint16_t)server.port};
    int result = boot_run(&place->root, &peer, 5, NULL, &last);
    rawserver_stop(&server);
    return result;
}

/* One round of a new process. */
static int watch(const struct place *place, raw_handler *handler)
{
    struct rawserver server = {0};
    assert_int_equal(rawserver_start(&server, handler), 0);
    struct wire_peer peer = {"127.0.0.1", (uint16_t)server.port};
    struct metadata_watch one = {.root = &place->root, .peer = &peer, .health = peer};
    int result = watch_once(&one, &last);
    rawserver_stop(&server);
    return result;
}

/* SCRIPT sees systemctl's arguments. */
static void systemctl(const struct place *place, const char *script)
{
    char text[1024];
    int len = snprintf(text, sizeof text, "#!/bin/sh\necho \"$*\" >>%s/calls\n%s\n", place->dir, script);
    put(place, "/usr/bin/systemctl", text, (size_t)len, 0755);
    put_text(place, "/calls", "");
}

static void assert_called(const struct place *place, const char *want)
{
    cleanup_buf struct buf calls = get_file(place, "/calls");
    assert_string_equal(calls.data ? calls.data : "", want);
    put_text(place, "/calls", "");
}

static void prepare(const struct place *place)
{
    put_text(place, CONTENTS_LIST, NO_FILES);
    if (boot(place, good) < 0)
        fail_msg("%s", last.text);
}

static void renew_etcds(const struct place *place)
{
    assert_int_equal(unlink(below(place, "/etc/kubernetes/pki/etcd/server.crt")), 0);
}

static void watch_well(const struct place *place)
{
    if (watch(place, good) < 0)
        fail_msg("%s", last.text);
}

static void a_restore_is_over_while_there_is_a_quorum(void **state)
{
    struct place *place = *state;
    prepare(place);
    has_quorum = false;
    if (watch(place, restoring) < 0)
        fail_msg("%s", last.text);
    assert_int_equal(access(below(place, MEMBER_STATE_RESTORED), F_OK), -1);
    has_quorum = true;
    if (watch(place, restoring) < 0)
        fail_msg("%s", last.text);
    cleanup_buf struct buf noted = get_file(place, MEMBER_STATE_RESTORED);
    assert_string_equal(noted.data, "one\n");
}

static void a_failed_reload_is_tried_until_it_worked(void **state)
{
    struct place *place = *state;
    prepare(place);
    systemctl(place, "echo no bus >&2; exit 1");
    watch_well(place);
    assert_called(place, "");
    renew_etcds(place);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(watch(place, good), -1);
        assert_says(last, "reload etcd.service: /usr/bin/systemctl ended with 1: no bus");
        assert_called(place, RELOAD "is-active etcd.service\n");
    }
    cleanup_buf struct buf units = BUF_INIT(256);
    readers_list_pending(&place->root, &units);
    assert_string_equal(units.data, "etcd.service");
    systemctl(place, "exit 0");
    assert_int_equal(watch(place, wrong), -1); /* the server's mistake does not delay it */
    assert_called(place, RELOAD);
    watch_well(place);
    assert_called(place, "");
    assert_false(there(place, READERS_PENDING));
}

static void a_process_that_was_killed_leaves_nobody_out(void **state)
{
    struct place *place = *state;
    unsigned pending = 0;
    prepare(place);
    systemctl(place, "exit 0");
    assert_int_equal(readers_begin(&place->root, &pending, &last), 0);
    assert_int_equal(pending, 0);
    cleanup_buf struct buf units = BUF_INIT(256);
    readers_list_pending(&place->root, &units);
    assert_int_equal(units.len, 0);
    watch_well(place);
    assert_called(place, RELOAD "--no-block try-restart kubelet.service\n"
                                "--no-block try-restart kube-proxy.service\n"
                                "--no-pager restart bake-network.service\n"
                                "--no-block try-restart bake-roster.service\n"
                                "--no-block try-restart bake-addons.service\n");
    watch_well(place);
    assert_called(place, "");
}

/* It takes its keys when it starts. */
static void a_stopped_etcd_has_nothing_to_reload(void **state)
{
    struct place *place = *state;
    prepare(place);
    systemctl(place, "[ $1 != is-active ] || echo activating; exit 3");
    renew_etcds(place);
    assert_int_equal(watch(place, good), -1);
    systemctl(place, "[ $1 != is-active ] || echo inactive; exit 3");
    watch_well(place);
    assert_called(place, RELOAD "is-active etcd.service\n");
    watch_well(place);
    assert_called(place, "");
}

static void assert_started_again(const struct place *place)
{
    assert_int_equal(watch(place, good), -1);
    assert_says(last, "not a node yet: the metadata is good, starting again");
    assert_called(place, START);
}

/* What requires bake-node.service has failed with it, so everything is started. */
static void a_failed_boot_is_repeated_with_good_metadata(void **state)
{
    struct place *place = *state;
    put_text(place, CONTENTS_LIST, NO_FILES);
    systemctl(place, "exit 0");
    assert_int_equal(boot(place, wrong), -1);
    assert_int_equal(watch(place, wrong), -1);
    assert_says(last, "not a node yet: metadata: cluster-name is ");
    assert_called(place, "");
    assert_started_again(place);
    assert_false(there(place, ACQUIRE_COPY)); /* the node's files are boot's to write */
    assert_int_equal(boot(place, good), 0);
    watch_well(place);
    assert_called(place, "");
    assert_int_equal(boot(place, wrong), -1); /* as at the next boot */
    assert_started_again(place);
}

/* Nothing that watch could wait for makes it good. */
static void a_refused_boot_is_not_repeated(void **state)
{
    struct place *place = *state;
    systemctl(place, "exit 0");
    put_text(place, CONTENTS_LIST, MISSING_FILE);
    assert_int_equal(boot(place, good), -1);
    assert_int_equal(watch(place, good), -1);
    assert_says(last, "not a node yet: the image's contents are bad");
    assert_called(place, "");
    put_text(place, CONTENTS_LIST, NO_FILES);
    assert_int_equal(boot(place, good), 0);
    assert_int_equal(member_state_mark_joined(&place->root, "test", &last), 0);
    assert_int_equal(boot(place, another_secret), -1);
    assert_int_equal(watch(place, another_secret), -1);
    assert_says(last, "not a node yet: metadata: cluster-secret or cluster-name changed");
    assert_called(place, "");
    assert_started_again(place); /* the old value is back */
}

/* Flatcar's setup-oem.service does this, at a time of its own. */
static void a_replaced_hosts_file_gets_its_lines_again(void **state)
{
    struct place *place = *state;
    static const char theirs[] = "127.0.0.1 localhost\n169.254.169.254 metadata.google.internal metadata\n";
    struct stat st;
    prepare(place);
    systemctl(place, "exit 0");
    put_text(place, "/usr/share/gce/hosts", theirs);
    assert_int_equal(unlink(below(place, "/etc/hosts")), 0);
    assert_int_equal(symlink("/usr/share/gce/hosts", below(place, "/etc/hosts")), 0);
    watch_well(place);
    assert_int_equal(lstat(below(place, "/etc/hosts"), &st), 0);
    assert_true(S_ISREG(st.st_mode));
    cleanup_buf struct buf hosts = get_file(place, "/etc/hosts"),
                           oem = get_file(place, "/usr/share/gce/hosts");
    assert_string_equal(oem.data, theirs);
    assert_memory_equal(hosts.data, theirs, sizeof theirs - 1);
    assert_string_equal(hosts.data + sizeof theirs - 1,
                        "# bake: begin\n127.0.0.1 api.bake.internal\n10.0.0.2 a\n# bake: end\n");
    assert_called(place, "");
}

int main(void)
{
#define ROOTED(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        ROOTED(a_restore_is_over_while_there_is_a_quorum),
        ROOTED(a_failed_reload_is_tried_until_it_worked),
        ROOTED(a_process_that_was_killed_leaves_nobody_out),
        ROOTED(a_stopped_etcd_has_nothing_to_reload),
        ROOTED(a_failed_boot_is_repeated_with_good_metadata),
        ROOTED(a_refused_boot_is_not_repeated),
        ROOTED(a_replaced_hosts_file_gets_its_lines_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
