#include "boot/boot.h"

#include "boot/console.h"
#include "boot/qemu.h"

enum { POLL_STEP_MS = 200, END_WAIT_MS = 5000 };
static const double linger_s = 1.0; /* output after a failure often explains it */

static int guest_ended(const struct console *console, struct guest *guest, struct err *err)
{
    int status = -1;
    if (proc_wait(&guest->proc, END_WAIT_MS, &status, err) < 0)
        return -1;
    if (status > 0)
        return err_set(err, ERR_IO, 0, "QEMU ended with status %d%s%s", status,
                       console->qemu_said[0] ? ": " : "", console->qemu_said);
    return err_set(err, ERR_TEST, 0, "the guest powered off after %.0f s without a report",
                   console_elapsed(console));
}

static int step_console(struct console *console, const struct guest *guest, const struct run *run,
                        bool *ret_end, struct err *err)
{
    if (console_step(console, guest->serial_fd, POLL_STEP_MS, ret_end, err) < 0)
        return -1;
    return run_check(run, err);
}

static int follow(struct console *console, struct guest *guest, unsigned limit_s, const struct run *run,
                  struct err *err)
{
    bool end = false;
    while (console->verdict == VERDICT_NONE && !end && console_elapsed(console) <= limit_s)
        if (step_console(console, guest, run, &end, err) < 0)
            return -1;
    if (console->verdict == VERDICT_NONE)
        console_flush(console);
    if (console->verdict == VERDICT_NONE && end)
        return guest_ended(console, guest, err);
    if (console->verdict == VERDICT_NONE)
        return err_set(err, ERR_TEST, 0,
                       "the image did not report within %u s: look at the console, or allow more time",
                       limit_s);
    const double until = console_elapsed(console) + linger_s;
    while (console->verdict != VERDICT_PASS && !end && console_elapsed(console) < until)
        if (step_console(console, guest, run, &end, err) < 0)
            return -1;
    return console_conclude(console, err);
}

static int run_guest(const struct boot_options *options, struct console *console, struct boot_result *result,
                     const struct run *run, struct err *err)
{
    cleanup_metadata_server struct metadata_server *server = NULL;
    const struct metadata_server_options told = {.instances = &options->metadata, .instance_count = 1};
    if (metadata_server_start(&told, run, &server, err) < 0)
        return -1;
    const struct qemu_spec spec = {.disk_fd = options->disk_fd,
                                   .efi = options->efi,
                                   .cpus = options->cpus,
                                   .memory_mib = options->memory_mib,
                                   .relay = options->relay,
                                   .metadata_port = metadata_server_port(server)};
    const struct console_options heard = {options->serial_fd, options->line, options->ctx};
    /* declared after the server, so it is stopped first */
    cleanup_guest struct guest guest = GUEST_EMPTY;
    console_begin(console, &heard, result);
    if (guest_start(&spec, &guest, err) < 0)
        return -1;
    return follow(console, &guest, options->timeout_s ? options->timeout_s : BOOT_TIMEOUT_S, run, err);
}

int boot_test(const struct boot_options *options, const struct run *run, struct boot_result *result,
              struct err *err)
{
    if (options->timeout_s > BOOT_TIMEOUT_MAX_S)
        return err_set(err, ERR_USAGE, 0, "a boot may take at most %d s", BOOT_TIMEOUT_MAX_S);
    cleanup_free struct console *console = calloc(1, sizeof *console);
    if (!console)
        return err_oom(err);
    const struct console_options silent = {.serial_fd = -1};
    console_begin(console, &silent, result);
    int r = run_guest(options, console, result, run, err);
    result->total_s = console_elapsed(console);
    console_keep_tail(console);
    result->passed = r == 0 && console->verdict == VERDICT_PASS;
    return r;
}

void boot_result_free(struct boot_result *result)
{
    arena_free(&result->arena);
    *result = (struct boot_result){0};
}
