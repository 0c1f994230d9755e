/* bake test of one guest: boots the disk and waits for the image's own report. */
#include <limits.h>
#include <string.h>

#include "bake/trial/trial.h"
#include "boot/qemu.h"

#define INSTANCE "bake-test"

static void note_line(void *ctx, double seconds, const char *line)
{
    const struct run *run = ctx;
    (void)seconds; /* a note carries the time itself */
    run_note(run, "serial", "%s", line);
}

static void report_json(struct ui *ui, const struct trial_options *options, const struct boot_result *result)
{
    struct ui_line line;
    ui_line_open(&line, ui, "test");
    json_string(&line.json, "result", result->passed ? "pass" : "fail");
    json_string(&line.json, "package", options->package.package);
    json_string(&line.json, "firmware", options->efi ? "efi" : "bios");
    json_open(&line.json, "seconds", '{');
    trial_add_boot_seconds(&line.json, result);
    trial_add_seconds(&line.json, "total", result->total_s);
    json_close(&line.json, '}');
    json_strings(&line.json, "report", result->reports, result->report_count);
    if (!result->passed)
        json_strings(&line.json, "console", result->tail, result->tail_count);
    ui_line_print(&line);
}

static void report(struct ui *ui, const struct trial_options *options, const struct boot_result *result)
{
    /* with -v the lines went by just now */
    if (!result->passed && !ui->verbose && result->tail_count > 0) {
        ui_text(ui, "The last lines of the guest's console:\n");
        for (size_t i = 0; i < result->tail_count; i++)
            ui_text(ui, "  | %s\n", result->tail[i]);
    }
    for (size_t i = 0; i < result->report_count; i++)
        ui_text(ui, "%s\n", result->reports[i]);
    if (result->passed)
        ui_step(ui, "test", "passed (%s): loader %.1f s, kernel %.1f s, first unit %.1f s, report %.1f s",
                options->efi ? "EFI" : "BIOS", result->console_s, result->kernel_s, result->unit_s,
                result->report_s);
    report_json(ui, options, result);
}

int trial_guest(struct common *common, const struct trial_options *options, int disk_fd, struct err *err)
{
    static const char *const guests[] = {INSTANCE, NULL};
    cleanup_trial_attributes struct trial_attributes attributes = {0};
    cleanup_boot_result struct boot_result result = {0};
    char secret[TRIAL_SECRET_TEXT], relay[PATH_MAX];
    trial_secret(secret);
    if (trial_attributes_make(options, guests, INSTANCE, INSTANCE "=" GUEST_IP, secret, &attributes, err) < 0)
        return -1;
    ssize_t n = readlink("/proc/self/exe", relay, sizeof relay - 1);
    if (n < 0)
        return err_sys(err, errno, "the path of this program");
    relay[n] = '\0';
    cleanup_close int serial = -1;
    if (options->serial && trial_open_serial(options->serial, &serial, err) < 0)
        return -1;
    unsigned timeout_s = options->timeout_s == TRIAL_UNSET ? BOOT_TIMEOUT_S : (unsigned)options->timeout_s;
    const struct boot_options boot_options = {
        .disk_fd = disk_fd,
        .efi = options->efi,
        .cpus = options->cpus == TRIAL_UNSET ? 0 : (unsigned)options->cpus,
        .memory_mib = (unsigned)(options->memory >> 20),
        .timeout_s = timeout_s,
        .relay = relay,
        .metadata = {.name = INSTANCE,
                     .hostname = INSTANCE ".c.bake-test.internal",
                     .id = 1,
                     .zone = "local-a",
                     .machine_type = "e2-small",
                     .ip = GUEST_IP,
                     .gateway = GUEST_GATEWAY,
                     .netmask = GUEST_NETMASK,
                     .mac = GUEST_MAC,
                     .attributes = attributes.list,
                     .attribute_count = attributes.count,
                     .project_id = "bake-test",
                     .project_number = 1},
        .serial_fd = serial,
        .line = note_line,
        .ctx = &common->run,
    };
    ui_step(&common->ui, "boot", "%s, software emulation, at most %u s", options->efi ? "EFI" : "BIOS",
            timeout_s);
    int r = boot_test(&boot_options, &common->run, &result, err);
    if (r == 0 || err->kind == ERR_TEST)
        report(&common->ui, options, &result);
    return r;
}
