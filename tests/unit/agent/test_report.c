/* The report's lines. systemctl is a script that says what the real one says: no test can have its own PID
 * 1. */
#include "helper.h"

#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "agent/boot.h"
#include "agent/os/child.h"
#include "agent/contents/contents.h"
#include "agent/config/readers.h"
#include "agent/config/render.h"
#include "agent/pki/files.h"
#include "agent/report.h"
#include "tests/support/lib/rawserver.h"

#define UNIT(name)                                                                                           \
    "{\"gid\":0,\"mode\":\"0644\",\"path\":\"/etc/systemd/system/" name "\",\"sha256\":"                     \
    "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":0,\"type\":\"file\","     \
    "\"uid\":0}"
#define LIST                                                                                                 \
    "{\"entries\":[" UNIT("bake-report.service") "," UNIT("etcd.service") "," UNIT(                          \
        "etcd.service.d/x.service") "," UNIT("kubelet.service") "," UNIT("x@.service") "],\"epoch\":1,"      \
                                                                                       "\"format\":1}"
#define LINK(folder, name)                                                                                   \
    "{\"gid\":0,\"path\":\"/etc/systemd/system/" folder "/" name "\",\"target\":\"../" name                  \
    "\",\"type\":\"symlink\",\"uid\":0}"
#define ENABLED(folder)                                                                                      \
    "{\"entries\":[" UNIT("etcd.service") "," UNIT("kubelet.service") "," LINK(                              \
        folder, "kubelet.service") "],\"epoch\":1,\"format\":1}"
#define STATE(id, active, sub, result, condition, time)                                                      \
    "Id=" id "\nActiveState=" active "\nSubState=" sub "\nResult=" result "\nConditionResult=" condition     \
    "\nConditionTimestampMonotonic=" time "\n"
#define ETCD_ACTIVE     STATE("etcd.service", "active", "running", "success", "yes", "5")
#define ETCD_FAILED     STATE("etcd.service", "failed", "failed", "exit-code", "yes", "5")
#define ETCD_RESTARTING STATE("etcd.service", "activating", "auto-restart", "exit-code", "yes", "5")
#define KUBELET_SKIPPED STATE("kubelet.service", "inactive", "dead", "success", "no", "6")
#define KUBELET_UNASKED STATE("kubelet.service", "inactive", "dead", "success", "no", "0")

struct said {
    char text[8192];
};

static struct err last;

static void hear(void *ctx, const char *line)
{
    struct said *said = ctx;
    size_t len = strlen(said->text);
    snprintf(said->text + len, sizeof said->text - len, "%s\n", line);
}

static void script(const struct place *place, const char *path, const char *says)
{
    char text[4096];
    snprintf(text, sizeof text, "#!/bin/sh\ncat <<'END'\n%sEND\n", says);
    put(place, path, text, strlen(text), 0755);
}

static void prepare(const struct place *place, const char *systemctl)
{
    put_text(place, CONTENTS_LIST, LIST);
    put_text(place, RENDER_NODE_ENV, "BAKE_NODE_NAME=a\nBAKE_NODE_IP=10.0.0.2\nBAKE_CLUSTER_NAME=prod\n");
    put_text(place, BOOT_VERDICT, "ok 3 files signed 0123456789ABCDEF\n");
    script(place, "/usr/bin/systemctl", systemctl);
}

static void ill_then_well(int conn, unsigned nth, const char *request)
{
    (void)request;
    raw_text(conn, nth == 0 ? "HTTP/1.1 503 Unavailable\r\n\r\n{\"health\":\"false\"}"
                            : "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"health\":\"true\"}");
}

static void always_ill(int conn, unsigned nth, const char *request)
{
    (void)nth;
    (void)request;
    raw_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"health\":\"false\"}");
}

/* As etcd 3.6 answers when its quota is used up. */
static void alarmed(int conn, unsigned nth, const char *request)
{
    (void)nth;
    raw_text(conn,
             strstr(request, "exclude=NOSPACE")
                 ? "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"health\":\"true\"}"
                 : "HTTP/1.1 503 Unavailable\r\n\r\n{\"health\":\"false\",\"reason\":\"ALARM NOSPACE\"}");
}

static void report(const struct place *place, raw_handler *etcd, unsigned timeout_s, struct said *said,
                   bool want_pass)
{
    struct rawserver server = {0};
    assert_int_equal(rawserver_start(&server, etcd), 0);
    struct report_options options = {timeout_s, 2, {"127.0.0.1", (uint16_t)server.port}};
    struct log log = {hear, said};
    bool pass = !want_pass;
    said->text[0] = '\0';
    assert_int_equal(report_run(&place->root, &options, &log, &pass, &last), 0);
    rawserver_stop(&server);
    if (pass != want_pass)
        fail_msg("%s", said->text);
}

static void a_good_node_passes(void **state)
{
    struct place *place = *state;
    struct said said;
    prepare(place, KUBELET_SKIPPED "\n" ETCD_ACTIVE);
    script(place, "/opt/bin/hyperkube", "Kubernetes v1.20.2\n");
    report(place, ill_then_well, 10, &said, true);
    assert_string_equal(said.text, "bake-report: unit etcd.service active\n"
                                   "bake-report: unit kubelet.service skipped (condition)\n"
                                   "bake-report: node a ip 10.0.0.2 cluster prod\n"
                                   "bake-report: contents ok 3 files signed 0123456789ABCDEF\n"
                                   "bake-report: hyperkube Kubernetes v1.20.2\n"
                                   "bake-report: etcd healthy\n"
                                   "bake-report: PASS\n");
}

static void fails_with(const struct place *place, raw_handler *etcd, const char *line)
{
    struct said said;
    report(place, etcd, 2, &said, false);
    if (!strstr(said.text, line))
        fail_msg("\"%s\" lacks \"%s\"", said.text, line);
    const char *final = strstr(said.text, "bake-report: FAIL ");
    assert_non_null(final);
    assert_ptr_equal(strchr(final, '\n') + 1, said.text + strlen(said.text)); /* the last line */
}

static void bad_nodes_fail(void **state)
{
    struct place *place = *state;
    prepare(place, ETCD_FAILED "\n" KUBELET_UNASKED);
    fails_with(place, always_ill, "bake-report: unit kubelet.service inactive\n");
    fails_with(place, always_ill, "bake-report: FAIL etcd.service failed (exit-code)\n");
    prepare(place, ETCD_RESTARTING "\n" KUBELET_SKIPPED);
    fails_with(place, always_ill, "FAIL etcd.service is still activating (auto-restart)\n");
    prepare(place, ETCD_ACTIVE "\n" KUBELET_SKIPPED);
    fails_with(place, always_ill, "FAIL etcd is unhealthy: it answered 200 {\"health\":\"false\"}\n");
    fails_with(place, alarmed, "bake-report: etcd alarm NOSPACE\n");
    fails_with(place, alarmed, "FAIL etcd has raised the alarm NOSPACE\n");
    put_text(place, BOOT_VERDICT, "bad: /opt/x: it is missing\n");
    fails_with(place, ill_then_well, "FAIL contents bad: /opt/x: it is missing\n");
    assert_int_equal(unlink(below(place, BOOT_VERDICT)), 0);
    assert_int_equal(unlink(below(place, RENDER_NODE_ENV)), 0);
    fails_with(place, ill_then_well,
               "FAIL the node is not configured: see bake-node.service; the contents were");
    prepare(place, ETCD_ACTIVE);
    fails_with(place, ill_then_well, "FAIL systemctl does not list kubelet.service\n");
    assert_int_equal(unlink(below(place, "/usr/bin/systemctl")), 0);
    fails_with(place, ill_then_well, "FAIL run /bin/systemctl: No such file or directory\n");
    assert_int_equal(unlink(below(place, CONTENTS_LIST)), 0);
    fails_with(place, ill_then_well, "FAIL /opt/bake/contents.json is missing");
}

/* systemd shows a unit whose requirement failed like one that was never started. */
static void enabled_units_must_start(void **state)
{
    struct place *place = *state;
    struct said said;
    prepare(place, ETCD_ACTIVE "\n" KUBELET_UNASKED);
    put_text(place, CONTENTS_LIST, ENABLED("multi-user.target.wants"));
    fails_with(place, ill_then_well, "FAIL kubelet.service never started: a unit it requires failed\n");
    put_text(place, CONTENTS_LIST, ENABLED("multi-user.target.requires"));
    fails_with(place, ill_then_well, "FAIL kubelet.service never started");
    script(place, "/usr/bin/systemctl", ETCD_ACTIVE "\n" KUBELET_UNASKED "Job=0\n");
    fails_with(place, ill_then_well, "FAIL kubelet.service never started");
    script(place, "/usr/bin/systemctl", ETCD_ACTIVE "\n" KUBELET_UNASKED "After=x.bake-report.service y\n");
    fails_with(place, ill_then_well, "FAIL kubelet.service never started");
    put_text(place, CONTENTS_LIST, ENABLED("rescue.target.wants")); /* which may never be reached */
    report(place, ill_then_well, 10, &said, true);
    put_text(place, CONTENTS_LIST, ENABLED("multi-user.target.wants"));
    script(place, "/usr/bin/systemctl",
           ETCD_ACTIVE "\n" STATE("kubelet.service", "inactive", "dead", "success", "yes", "5"));
    report(place, ill_then_well, 10, &said, true); /* it ran, and is done */
}

static void queued_units_are_waited_for(void **state)
{
    struct place *place = *state;
    struct said said;
    prepare(place, ETCD_ACTIVE "\n" KUBELET_UNASKED "Job=70\n");
    put_text(place, CONTENTS_LIST, ENABLED("multi-user.target.wants"));
    fails_with(place, ill_then_well, "FAIL kubelet.service is still queued to start\n");
    static const char *const after[] = {"After=basic.target bake-report.service x.service\n",
                                        "After=multi-user.target\n", "After=kubelet.service\n"};
    for (size_t i = 0; i < 3; i++) { /* it waits for the report, or for the cluster: not waited for */
        char text[2048];
        snprintf(text, sizeof text, "%s\n%sJob=70\n%s", ETCD_ACTIVE, KUBELET_UNASKED, after[i]);
        script(place, "/usr/bin/systemctl", text);
        int64_t start = clock_now_ms();
        report(place, ill_then_well, 60, &said, true);
        assert_in_range(clock_now_ms() - start, 0, 30000);
    }
}

/* What dies and is started again is at rest in between. */
static void rest_is_looked_at_twice(void **state)
{
    struct place *place = *state;
    static const char text[] = "#!/bin/sh\necho >>\"$0.n\"\ncase $(wc -l <\"$0.n\") in\n"
                               "1) cat <<'END'\n" ETCD_ACTIVE "\n" KUBELET_SKIPPED "END\n;;\n"
                               "2) cat <<'END'\n" ETCD_RESTARTING "\n" KUBELET_SKIPPED "END\n;;\n"
                               "*) cat <<'END'\n" ETCD_FAILED "\n" KUBELET_SKIPPED "END\n;;\nesac\n";
    struct said said;
    prepare(place, "");
    put(place, "/usr/bin/systemctl", text, sizeof text - 1, 0755);
    report(place, ill_then_well, 60, &said, false);
    assert_non_null(strstr(said.text, "FAIL etcd.service failed (exit-code)\n"));
}

static void a_unit_is_no_option(void **state)
{
    struct place *place = *state;
    prepare(place, ETCD_ACTIVE);
    put_text(place, CONTENTS_LIST, "{\"entries\":[" UNIT("--root=x.service") "],\"epoch\":1,\"format\":1}");
    fails_with(place, ill_then_well, "systemctl would read this name as an option");
}

static void a_hyperkube_that_misbehaves_fails(void **state)
{
    struct place *place = *state;
    prepare(place, ETCD_ACTIVE "\n" KUBELET_SKIPPED);
    script(place, "/opt/bin/hyperkube", "hello\n");
    fails_with(place, ill_then_well,
               "FAIL /opt/bin/hyperkube kubelet --version exited with 0 and printed no version\n");
    const char *late = "#!/bin/sh\necho Kubernetes v1.20.2; exit 3";
    put(place, "/opt/bin/hyperkube", late, strlen(late), 0755);
    fails_with(place, ill_then_well,
               "FAIL /opt/bin/hyperkube kubelet --version exited with 3 and printed no version");
    put(place, "/opt/bin/hyperkube", "#!/bin/sh\nsleep 60 & sleep 60", 29, 0755);
    fails_with(place, ill_then_well, "FAIL /opt/bin/hyperkube takes too long\n");
    put(place, "/opt/bin/hyperkube", "#!/bin/sh\nexec yes", 18, 0755);
    fails_with(place, ill_then_well, "FAIL /opt/bin/hyperkube says more than 4096 bytes\n");
    put(place, "/opt/bin/hyperkube", "#!/bin/sh\nkill -9 $$", 20, 0755);
    fails_with(place, ill_then_well, "FAIL /opt/bin/hyperkube was killed by signal 9\n");
}

/* Gone, or dead and not yet reaped by whoever inherited it. */
static bool dead_soon(pid_t pid)
{
    for (unsigned i = 0; i < 300; i++) {
        char path[64], text[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        FILE *file = fopen(path, "re");
        if (!file)
            return true;
        size_t len = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        if (len > 0 && strstr(text, ") Z "))
            return true;
        usleep(10000);
    }
    return false;
}

static void children_leave_nobody_behind(void **state)
{
    struct place *place = *state;
    cleanup_buf struct buf out = BUF_INIT(4096);
    const char *const argv[] = {"/bin/parent", NULL};
    struct child child = {.argv = argv, .timeout_ms = 20000};
    const char *text = "#!/bin/sh\nsleep 60 >/dev/null & echo $!";
    int code = 0;
    put(place, argv[0], text, strlen(text), 0755);
    if (child_run(&place->root, &child, &out, &code, &last) < 0)
        fail_msg("%s", last.text);
    pid_t left = (pid_t)strtol(out.data, NULL, 10);
    assert_true(left > 1);
    if (!dead_soon(left)) {
        kill(left, SIGKILL);
        fail_msg("process %d was left behind", (int)left);
    }
}

/* A program gets no descriptor and no variable of the agent's, and its output cannot forge a line. */
static void children_are_kept_apart(void **state)
{
    struct place *place = *state;
    struct said said;
    cleanup_buf struct buf out = BUF_INIT(4096);
    const char *const argv[] = {"/bin/probe", "a b;c", NULL};
    struct child child = {.argv = argv, .timeout_ms = 5000};
    int code = 0;
    const char *text = "#!/bin/sh\necho \"$1\"; env | sort; ls /proc/self/fd | wc -l; exit 3";
    put(place, argv[0], text, strlen(text), 0755);
    assert_int_equal(setenv("SECRET", "hush", 1), 0);
    if (child_run(&place->root, &child, &out, &code, &last) < 0)
        fail_msg("%s", last.text);
    assert_int_equal(code, 3);
    assert_int_equal(strncmp(out.data, "a b;c\n", 6), 0);
    assert_null(strstr(out.data, "hush"));
    assert_non_null(strstr(out.data, "\n4\n")); /* three, and the one ls reads the folder by */
    prepare(place, ETCD_ACTIVE "\n" KUBELET_SKIPPED);
    put_text(place, BOOT_VERDICT, "bad: x\033[2J\rbake-report: PASS\n");
    report(place, ill_then_well, 2, &said, false);
    assert_null(strchr(said.text, '\033'));
    assert_null(strchr(said.text, '\r'));
}

static const struct node_metadata one_node = {.name = "a",
                                              .ip = "10.0.0.2",
                                              .cluster_name = "prod",
                                              .pod_cidr = "10.244.0.0/16",
                                              .service_cidr = "10.96.0.0/16",
                                              .domain = "cluster.local",
                                              .nodes = {{"a", "10.0.0.2"}},
                                              .node_count = 1};

static void issue_before(const struct place *place, unsigned days)
{
    struct cluster_secret secret = {.bytes = "not random at all", .set = true};
    const char *const argv[] = {"rm", "-rf", below(place, PKI_DIR), NULL};
    unsigned changed;
    assert_int_equal(run(argv), 0);
    if (pki_files_write(&place->root, &one_node, &secret, false, time(NULL) - (time_t)days * 86400, &changed,
                        &last) < 0)
        fail_msg("%s", last.text);
}

/* They last 90 days, and are renewed when 30 are left: 15 are too few. */
static void certificates_end_in_time(void **state)
{
    struct place *place = *state;
    struct said said;
    char day[64];
    prepare(place, ETCD_ACTIVE "\n" KUBELET_SKIPPED);
    for (unsigned days = 0; days < 75; days += 74) {
        struct tm tm;
        time_t at = time(NULL) + (time_t)(90 - days) * 86400;
        issue_before(place, days);
        report(place, ill_then_well, 10, &said, true);
        (void)strftime(day, sizeof day, "certificates valid until %Y-%m-%dT", gmtime_r(&at, &tm));
        if (!strstr(said.text, day) || !strstr(said.text, "Z (" PKI_DIR "/"))
            fail_msg("\"%s\" lacks \"%s\"", said.text, day);
    }
    issue_before(place, 76);
    fails_with(place, ill_then_well, "FAIL " PKI_DIR "/apiserver/tls.crt expires on ");
    issue_before(place, 91);
    fails_with(place, ill_then_well, "FAIL " PKI_DIR "/apiserver/tls.crt expired on ");
    issue_before(place, 0);
    put_text(place, PKI_DIR "/etcd/server.crt", "nonsense");
    fails_with(place, ill_then_well, "FAIL " PKI_DIR "/etcd/server.crt is not a certificate\n");
}

static void a_pending_reload_is_reported(void **state)
{
    struct place *place = *state;
    struct said said;
    prepare(place, ETCD_ACTIVE "\n" KUBELET_SKIPPED);
    put_text(place, READERS_PENDING, "1\n");
    fails_with(place, ill_then_well, "FAIL not yet reloaded with new configuration: etcd.service: see");
    put_text(place, READERS_PENDING, "all\n"); /* watch is at it */
    report(place, ill_then_well, 10, &said, true);
}

int main(void)
{
#define ROOTED(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        ROOTED(a_good_node_passes),
        ROOTED(bad_nodes_fail),
        ROOTED(enabled_units_must_start),
        ROOTED(queued_units_are_waited_for),
        ROOTED(rest_is_looked_at_twice),
        ROOTED(a_unit_is_no_option),
        ROOTED(a_hyperkube_that_misbehaves_fails),
        ROOTED(children_leave_nobody_behind),
        ROOTED(children_are_kept_apart),
        ROOTED(certificates_end_in_time),
        ROOTED(a_pending_reload_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
