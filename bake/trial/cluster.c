/* bake test --nodes 3: a cluster of guests of one package that loses one of them and gets it back. */
#include <limits.h>
#include <string.h>

#include "boot/cluster/cluster.h"
#include "metadata_server/instances.h"
#include "boot/cluster/network.h"
#include "boot/qemu.h"
#include "bake/trial/trial.h"
#include "bake/trial/keys.h"

enum { FIRST_ADDRESS = 2 };

static const char *const names[CLUSTER_GUESTS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};

struct guests {
    struct arena arena;
    const char *names[CLUSTER_GUESTS_MAX + 1]; /* NULL-terminated */
    struct trial_attributes attributes[CLUSTER_GUESTS_MAX], common;
    struct metadata_server_instance values[CLUSTER_GUESTS_MAX];
    char secret[TRIAL_SECRET_TEXT];
    char nodes[CLUSTER_GUESTS_MAX * 24]; /* "a=10.128.0.2," each */
    size_t count;
};

static void guests_free(struct guests **guests)
{
    if (!*guests)
        return;
    for (size_t i = 0; i < (*guests)->count; i++)
        trial_attributes_free(&(*guests)->attributes[i]);
    trial_attributes_free(&(*guests)->common);
    arena_free(&(*guests)->arena);
    free(*guests);
}
#define cleanup_guests cleanup(guests_free)

static int set_values(struct guests *guests, size_t i, struct err *err)
{
    const char *name = guests->names[i];
    char *hostname = arena_printf(&guests->arena, "%s.c.bake-test.internal", name);
    char *ip = arena_printf(&guests->arena, NETWORK_SUBNET "%zu", FIRST_ADDRESS + i);
    const char *mac = ip ? instances_mac(ip, &guests->arena) : NULL;
    if (!hostname || !mac)
        return err_oom(err);
    guests->values[i] = (struct metadata_server_instance){.name = name,
                                                          .hostname = hostname,
                                                          .id = i + 1,
                                                          .zone = "local-a",
                                                          .machine_type = "e2-small",
                                                          .ip = ip,
                                                          .gateway = NETWORK_GATEWAY,
                                                          .netmask = NETWORK_NETMASK,
                                                          .mac = mac,
                                                          .attributes = guests->attributes[i].list,
                                                          .attribute_count = guests->attributes[i].count,
                                                          .project_id = "bake-test",
                                                          .project_number = 1};
    return 0;
}

static int make_guests(const struct trial_options *options, struct guests *guests, struct err *err)
{
    size_t len = 0;
    for (; guests->count < options->nodes; guests->count++) {
        guests->names[guests->count] = names[guests->count];
        len += (size_t)snprintf(guests->nodes + len, sizeof guests->nodes - len, "%s%s=" NETWORK_SUBNET "%zu",
                                len > 0 ? "," : "", names[guests->count], FIRST_ADDRESS + guests->count);
    }
    trial_secret(guests->secret);
    if (trial_attributes_make(options, guests->names, NULL, guests->nodes, guests->secret, &guests->common,
                              err) < 0)
        return -1;
    for (size_t i = 0; i < guests->count; i++)
        if (trial_attributes_make(options, guests->names, guests->names[i], guests->nodes, guests->secret,
                                  &guests->attributes[i], err) < 0 ||
            set_values(guests, i, err) < 0)
            return -1;
    return 0;
}

/* --- reporting --- */

struct listener {
    struct common *common;
    const char *serial;
};

static void on_line(void *ctx, const char *name, const char *line)
{
    const struct listener *listener = ctx;
    run_note(&listener->common->run, "serial", "%s: %s", name, line);
}

static void on_step(void *ctx, const char *text)
{
    const struct listener *listener = ctx;
    ui_step(&listener->common->ui, "test", "%s", text);
}

/* FILE.a, and FILE.a.2 for its replacement. */
static int on_serial(void *ctx, const char *name, unsigned boot, int *ret_fd, struct err *err)
{
    const struct listener *listener = ctx;
    char path[PATH_MAX], times[16] = "";
    if (!listener->serial)
        return 0;
    if (boot > 1)
        snprintf(times, sizeof times, ".%u", boot);
    if (snprintf(path, sizeof path, "%s.%s%s", listener->serial, name, times) >= (int)sizeof path)
        return err_set(err, ERR_USAGE, 0, "--serial: the path is too long");
    return trial_open_serial(path, ret_fd, err);
}

static void report_guest_json(struct json_writer *to, const struct cluster_guest_result *guest, bool failed)
{
    json_open(to, NULL, '{');
    json_string(to, "name", guest->name);
    json_bool(to, "replacement", guest->replacement);
    json_string(to, "result", guest->boot.passed ? "pass" : "fail");
    json_open(to, "seconds", '{');
    trial_add_seconds(to, "started", guest->started_s);
    trial_add_boot_seconds(to, &guest->boot);
    json_close(to, '}');
    json_strings(to, "report", guest->boot.reports, guest->boot.report_count);
    if (failed)
        json_strings(to, "console", guest->boot.tail, guest->boot.tail_count);
    json_close(to, '}');
}

static void report_json(struct ui *ui, const struct trial_options *options,
                        const struct cluster_result *result)
{
    struct ui_line line;
    ui_line_open(&line, ui, "test");
    json_string(&line.json, "result", result->passed ? "pass" : "fail");
    json_string(&line.json, "package", options->package.package);
    json_string(&line.json, "firmware", options->efi ? "efi" : "bios");
    json_uint(&line.json, "nodes", options->nodes);
    if (result->killed[0])
        json_string(&line.json, "killed", result->killed);
    else
        json_null(&line.json, "killed");
    json_open(&line.json, "seconds", '{');
    trial_add_seconds(&line.json, "quorum", result->quorum_s);
    trial_add_seconds(&line.json, "formed", result->formed_s);
    trial_add_seconds(&line.json, "write_after_kill", result->write_s);
    trial_add_seconds(&line.json, "replacement_joined", result->joined_s);
    trial_add_seconds(&line.json, "total", result->total_s);
    json_close(&line.json, '}');
    json_open(&line.json, "writes", '{');
    json_uint(&line.json, "attempted", result->attempted);
    json_uint(&line.json, "acknowledged", result->acknowledged);
    json_close(&line.json, '}');
    json_open(&line.json, "guests", '[');
    for (size_t i = 0; i < result->guest_count; i++)
        report_guest_json(&line.json, &result->guests[i], !result->passed);
    json_close(&line.json, ']');
    ui_line_print(&line);
}

static void report_guest(struct ui *ui, const struct cluster_guest_result *guest, bool failed)
{
    const char *which = guest->replacement ? " (replacement)" : "";
    if (failed && !guest->boot.passed && !ui->verbose && guest->boot.tail_count > 0) {
        ui_text(ui, "The last lines of the console of %s%s:\n", guest->name, which);
        for (size_t i = 0; i < guest->boot.tail_count; i++)
            ui_text(ui, "  | %s\n", guest->boot.tail[i]);
    }
    for (size_t i = 0; i < guest->boot.report_count; i++)
        ui_text(ui, "%s%s: %s\n", guest->name, which, guest->boot.reports[i]);
}

static void report(struct ui *ui, const struct trial_options *options, const struct cluster_result *result)
{
    for (size_t i = 0; i < result->guest_count; i++)
        report_guest(ui, &result->guests[i], !result->passed);
    ui_text(ui, "%s\n", result->passed ? "PASS" : "FAIL");
    if (result->passed)
        ui_step(
            ui, "test",
            "passed (%s, %llu nodes): quorum %.1f s, write after the kill %.1f s, replacement joined %.1f s, "
            "total %.1f s",
            options->efi ? "EFI" : "BIOS", (unsigned long long)options->nodes, result->quorum_s,
            result->write_s, result->joined_s, result->total_s);
    report_json(ui, options, result);
}

int trial_cluster(struct common *common, const struct trial_options *options, int disk_fd, struct err *err)
{
    cleanup_guests struct guests *guests = calloc(1, sizeof *guests);
    cleanup_trial_keys struct trial_keys keys = {0};
    cleanup_cluster_result struct cluster_result result = {0};
    struct listener listener = {common, options->serial};
    if (!guests)
        return err_oom(err);
    if (make_guests(options, guests, err) < 0 ||
        trial_keys_make(trial_attribute(&guests->common, "cluster-name"),
                        trial_attribute(&guests->common, "cluster-secret"), &keys, err) < 0 ||
        network_enter(err) < 0)
        return -1;
    const struct cluster_test_options test = {
        .disk_fd = disk_fd,
        .efi = options->efi,
        .cpus = options->cpus == TRIAL_UNSET ? 0 : (unsigned)options->cpus,
        .memory_mib = (unsigned)(options->memory >> 20),
        .timeout_s = options->timeout_s == TRIAL_UNSET ? CLUSTER_TIMEOUT_S : (unsigned)options->timeout_s,
        .guests = guests->values,
        .count = guests->count,
        .keys = {keys.authority.data, keys.cert.data, keys.key.data},
        .line = on_line,
        .step = on_step,
        .serial = on_serial,
        .ctx = &listener};
    ui_step(&common->ui, "boot", "%zu guests, %s, software emulation, at most %u s", test.count,
            options->efi ? "EFI" : "BIOS", test.timeout_s);
    int r = cluster_test(&test, &common->run, &result, err);
    if (r == 0 || err->kind == ERR_TEST)
        report(&common->ui, options, &result);
    return r;
}
