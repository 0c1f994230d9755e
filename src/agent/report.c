#include "agent/report.h"

#include <stdarg.h>
#include <string.h>

#include "agent/boot.h"
#include "agent/config/readers.h"
#include "agent/config/rotation.h"
#include "agent/os/child.h"
#include "agent/contents/contents.h"
#include "agent/contents/units.h"
#include "agent/pki/ends.h"
#include "base/clock.h"
#include "node/values.h"
#include "node/x509.h"

#define PREFIX    "bake-report: "
#define HYPERKUBE "/opt/bin/hyperkube"

enum { REASONS_MAX = 4096, VERSION_MAX = 4096, HEALTH_MAX = 4096, ETCD_REQUEST_MS = 5000 };

/* A certificate with less left should have been renewed long ago. */
enum { LATE_S = X509_RENEW_DAYS / 2 * 86400 };

struct report {
    const struct root *root;
    const struct report_options *options;
    const struct log *log;
    struct buf reasons; /* separated by "; "; empty: PASS */
};

static void report_line(const struct report *report, const char *fmt, ...) print_like(2, 3);
static void report_line(const struct report *report, const char *fmt, ...)
{
    char text[REASONS_MAX + 64] = PREFIX;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text + strlen(PREFIX), sizeof text - strlen(PREFIX), fmt, ap);
    va_end(ap);
    for (char *at = text; *at; at++) /* one line without control characters */
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    log_line(report->log, text);
}

static void add_reason(struct report *report, const char *fmt, ...) print_like(2, 3);
static void add_reason(struct report *report, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    buf_printf(&report->reasons, "%s%s", report->reasons.len > 0 ? "; " : "", text);
}

static void report_node(struct report *report)
{
    char name[VALUE_NAME_CAP], ip[VALUE_IP_CAP], cluster[VALUE_NAME_CAP];
    struct err err;
    if (boot_node_value(report->root, "BAKE_NODE_NAME", name, sizeof name, &err) < 0 ||
        boot_node_value(report->root, "BAKE_NODE_IP", ip, sizeof ip, &err) < 0 ||
        boot_node_value(report->root, "BAKE_CLUSTER_NAME", cluster, sizeof cluster, &err) < 0)
        add_reason(report, "%s", err.text);
    else if (!value_name_ok(name) || !value_ip_ok(ip) || !value_name_ok(cluster))
        add_reason(report, "the node is not configured: see bake-node.service");
    else
        report_line(report, "node %s ip %s cluster %s", name, ip, cluster);
}

static void report_contents(struct report *report)
{
    cleanup_buf struct buf text = BUF_INIT(BOOT_VERDICT_MAX);
    struct err err;
    bool found = false;
    if (root_read(report->root, BOOT_VERDICT, &text, &found, &err) < 0) {
        add_reason(report, "%s", err.text);
        return;
    }
    if (!found || text.len == 0) {
        report_line(report, "contents not checked");
        add_reason(report, "the contents were not checked: see bake-node.service");
        return;
    }
    int len = (int)strcspn(text.data, "\n");
    report_line(report, "contents %.*s", len, text.data);
    if (strncmp(text.data, "ok ", 3) != 0)
        add_reason(report, "contents %.*s", len, text.data);
}

static void report_certificates(struct report *report)
{
    struct pki_end first;
    struct err err;
    struct tm tm;
    char when[32] = "";
    if (pki_find_first_end(report->root, &first, &err) < 0) {
        add_reason(report, "%s", err.text);
        return;
    }
    if (first.path[0] == '\0')
        return;
    (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&first.at, &tm));
    report_line(report, "certificates valid until %s (%s)", when, first.path);
    time_t left = first.at - time(NULL);
    if (left < LATE_S)
        add_reason(report, "%s %s %s and was not renewed: see bake-watch.service", first.path,
                   left <= 0 ? "expired on" : "expires on", when);
}

/* etcd, for one, uses copies of its certificates until it is reloaded. */
static void report_pending(struct report *report)
{
    cleanup_buf struct buf units = BUF_INIT(REASONS_MAX);
    readers_list_pending(report->root, &units);
    if (units.len > 0)
        add_reason(report, "not yet reloaded with new configuration: %s: see bake-watch.service", units.data);
}

static void report_secret(struct report *report)
{
    struct rotation rotation;
    struct err err;
    if (rotation_load(report->root, &rotation, &err) < 0)
        add_reason(report, "%s", err.text);
    else if (rotation.stage != ROTATION_NONE)
        report_line(report, "secret changing to cluster-secret-next, at \"%s\"",
                    rotation_stage_names[rotation.stage]);
}

/* Waits until all units are settled twice, a second apart: a service that crashes and is restarted looks
 * settled in between. */
static int settle(struct report *report, struct baked_units *units, struct err *err)
{
    int64_t deadline = clock_now_ms() + (int64_t)report->options->timeout_s * 1000;
    bool before = false;
    for (;;) {
        if (units_ask(report->root, units, err) < 0)
            return -1;
        bool now = units_settled(units);
        if ((now && before) || units->count == 0 || clock_now_ms() >= deadline)
            return 0;
        before = now;
        clock_sleep_ms(1000);
    }
}

static const struct baked_unit *find_unit(const struct baked_units *units, const char *name)
{
    for (size_t i = 0; i < units->count; i++)
        if (strcmp(units->all[i].name, name) == 0)
            return &units->all[i];
    return NULL;
}

static int report_units(struct report *report, struct baked_units *units)
{
    cleanup_buf struct buf list = BUF_INIT(CONTENTS_LIST_MAX);
    struct err err;
    if (contents_read(report->root, &list, &err) < 0 || units_list(list.data, list.len, units, &err) < 0 ||
        settle(report, units, &err) < 0) {
        add_reason(report, "%s", err.text);
        return -1;
    }
    for (size_t i = 0; i < units->count; i++) {
        const struct baked_unit *unit = &units->all[i];
        report_line(report, "unit %s %s", unit->name, unit_word(unit));
        if (strcmp(unit->active, "failed") == 0)
            add_reason(report, "%s failed (%s)", unit->name, unit->result);
        else if (unit->later)
            continue;
        else if (unit_dropped(unit))
            add_reason(report, "%s never started: a unit it requires failed", unit->name);
        else if (unit->queued && strcmp(unit->active, "inactive") == 0)
            add_reason(report, "%s is still queued to start", unit->name);
        else if (strcmp(unit->active, "active") != 0 && strcmp(unit->active, "inactive") != 0)
            add_reason(report, "%s is still %s (%s)", unit->name, unit->active, unit->sub);
    }
    return 0;
}

static void report_hyperkube(struct report *report)
{
    const char *argv[] = {HYPERKUBE, "kubelet", "--version", NULL};
    struct child child = {.argv = argv, .timeout_ms = report->options->hyperkube_s * 1000};
    cleanup_buf struct buf out = BUF_INIT(VERSION_MAX);
    struct err err;
    int code = 0;
    if (!child_there(report->root, HYPERKUBE))
        return;
    if (child_run(report->root, &child, &out, &code, &err) < 0) {
        add_reason(report, "%s", err.text);
        return;
    }
    if (code != 0 || out.len == 0 || strncmp(out.data, "Kubernetes v", 12) != 0)
        add_reason(report, "%s kubelet --version exited with %d and printed no version", HYPERKUBE, code);
    else
        report_line(report, "hyperkube %.*s", (int)strcspn(out.data, "\n"), out.data);
}

/* etcd 3.4 answers {"health":"true"}; 3.5 adds a reason. */
static bool healthy(const struct report *report, const char *path, struct err *err)
{
    struct agent_http_request request = {
        .peer = &report->options->etcd, .path = path, .timeout_ms = ETCD_REQUEST_MS};
    cleanup_buf struct buf body = BUF_INIT(HEALTH_MAX);
    int status = 0;
    if (agent_http_get(&request, &status, &body, err) < 0)
        return false;
    if (status == 200 && body.data && strstr(body.data, "\"health\":\"true\""))
        return true;
    (void)err_set(err, ERR_VERIFY, 0, "it answered %d %.200s", status, body.data ? body.data : "");
    return false;
}

/* An alarm stays until a human has dealt with its cause: etcd that is healthy but for one is not waited for.
 */
static const char *find_alarm(const struct report *report)
{
    static const char *const paths[] = {"/health?exclude=NOSPACE", "/health?exclude=CORRUPT"};
    struct err unused;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (healthy(report, paths[i], &unused))
            return strchr(paths[i], '=') + 1;
    return NULL;
}

static void report_etcd(struct report *report, const struct baked_units *units)
{
    const struct baked_unit *etcd = find_unit(units, "etcd.service");
    int64_t deadline = clock_now_ms() + (int64_t)report->options->timeout_s * 1000;
    struct err err;
    if (!etcd || strcmp(etcd->active, "active") != 0)
        return;
    while (!healthy(report, "/health", &err)) {
        const char *alarm = find_alarm(report);
        if (alarm && !healthy(report, "/health", &err)) { /* not well in between */
            report_line(report, "etcd alarm %s", alarm);
            add_reason(report, "etcd has raised the alarm %s", alarm);
            return;
        }
        if (clock_now_ms() >= deadline) {
            report_line(report, "etcd unhealthy");
            add_reason(report, "etcd is unhealthy: %s", err.text);
            return;
        }
        clock_sleep_ms(1000);
    }
    report_line(report, "etcd healthy");
}

int report_run(const struct root *root, const struct report_options *options, const struct log *log,
               bool *ret_pass, struct err *err)
{
    cleanup_free struct baked_units *units = calloc(1, sizeof *units);
    struct report report = {.root = root, .options = options, .log = log, .reasons = BUF_INIT(REASONS_MAX)};
    if (!units)
        return err_oom(err);
    bool known = report_units(&report, units) == 0; /* first: it waits for the units */
    report_node(&report);
    report_contents(&report);
    report_certificates(&report);
    report_pending(&report);
    report_secret(&report);
    report_hyperkube(&report);
    if (known)
        report_etcd(&report, units);
    bool pass = report.reasons.len == 0 && !report.reasons.failed;
    if (pass)
        report_line(&report, "PASS");
    else
        report_line(&report, "FAIL %s", report.reasons.data ? report.reasons.data : "for many reasons");
    buf_free(&report.reasons);
    *ret_pass = pass;
    return 0;
}
