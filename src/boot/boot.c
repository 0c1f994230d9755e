#include "boot/boot.h"

#include <poll.h>
#include <string.h>
#include <time.h>

#include "boot/qemu.h"
#include "boot/serial.h"
#include "io/file.h"

enum { POLL_STEP_MS = 200, END_WAIT_MS = 5000 };
static const double linger_s = 1.0; /* what comes after a failure often explains it */

static const char mark[] = "bake-report: ";

enum verdict { VERDICT_NONE, VERDICT_PASS, VERDICT_FAIL, VERDICT_PANIC };

/* Large, so on the heap: one a test. */
struct watch {
    const struct boot_options *options;
    struct boot_result *result;
    double started;
    enum verdict verdict;
    char why[ERR_TEXT_MAX / 2]; /* after FAIL, or the panic's line */
    char qemu_said[ERR_TEXT_MAX / 2];
    bool out_of_memory;
    char ring[BOOT_TAIL_LINES][SERIAL_CLEAN_MAX];
    size_t lines;
    struct serial serial;
};

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static double elapsed(const struct watch *watch)
{
    return now() - watch->started;
}

static void note_time(double *at, bool seen, double seconds)
{
    if (seen && *at < 0)
        *at = seconds;
}

static bool is_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    return strncmp(text, word, len) == 0 && (text[len] == 0 || text[len] == ' ');
}

static void judge(struct watch *watch, const char *line, double seconds)
{
    struct boot_result *result = watch->result;
    const char *said = strstr(line, mark);
    if (!said) {
        if (strstr(line, "Kernel panic - not syncing")) {
            watch->verdict = VERDICT_PANIC;
            snprintf(watch->why, sizeof watch->why, "%.*s", (int)sizeof watch->why - 1, line);
        }
        return;
    }
    said += sizeof mark - 1;
    if (is_word(said, "PASS"))
        watch->verdict = VERDICT_PASS;
    else if (is_word(said, "FAIL"))
        watch->verdict = VERDICT_FAIL;
    if (watch->verdict != VERDICT_NONE)
        note_time(&result->report_s, true, seconds);
    if (watch->verdict == VERDICT_FAIL)
        snprintf(watch->why, sizeof watch->why, "%.*s", (int)sizeof watch->why - 1, said[4] ? said + 5 : "");
    /* the verdict always finds room */
    if (result->report_count + (watch->verdict == VERDICT_NONE) < BOOT_REPORTS_MAX) {
        const char *copy = arena_strdup(&result->arena, said);
        watch->out_of_memory = watch->out_of_memory || !copy;
        if (copy)
            result->reports[result->report_count++] = copy;
    }
}

static void take_line(void *ctx, const char *line)
{
    struct watch *watch = ctx;
    struct boot_result *result = watch->result;
    double seconds = elapsed(watch);
    if (watch->options->line)
        watch->options->line(watch->options->ctx, seconds, line);
    memcpy(watch->ring[watch->lines++ % BOOT_TAIL_LINES], line, strlen(line) + 1);
    if (strncmp(line, "qemu-system-", 12) == 0) {
        snprintf(watch->qemu_said, sizeof watch->qemu_said, "%.*s", (int)sizeof watch->qemu_said - 1, line);
        return;
    }
    if (watch->verdict != VERDICT_NONE)
        return;
    note_time(&result->console_s, true, seconds);
    note_time(&result->kernel_s, strstr(line, "Linux version ") != NULL, seconds);
    note_time(&result->unit_s, strstr(line, "systemd[1]: ") || strstr(line, "[  OK  ] "), seconds);
    judge(watch, line, seconds);
}

/* Reads what is there; *ret_end at end of file. */
static int read_console(struct watch *watch, int fd, bool *ret_end, struct err *err)
{
    char chunk[8192];
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR)
        return 0;
    if (n < 0)
        return err_sys(err, errno, "read the guest's console");
    *ret_end = n == 0;
    if (n > 0 && watch->options->serial_fd >= 0 &&
        file_write(watch->options->serial_fd, chunk, (size_t)n, "the serial log", err) < 0)
        return -1;
    if (n > 0)
        serial_feed(&watch->serial, chunk, (size_t)n);
    return 0;
}

static int guest_ended(struct watch *watch, struct guest *guest, struct err *err)
{
    int status = -1;
    if (proc_wait(&guest->proc, END_WAIT_MS, &status, err) < 0)
        return -1;
    if (status > 0)
        return err_set(err, ERR_IO, 0, "QEMU ended with status %d%s%s", status,
                       watch->qemu_said[0] ? ": " : "", watch->qemu_said);
    return err_set(err, ERR_TEST, 0, "the guest went off after %.0f s without a report", elapsed(watch));
}

static int conclude(const struct watch *watch, struct err *err)
{
    if (watch->out_of_memory)
        return err_oom(err);
    if (watch->verdict == VERDICT_FAIL)
        return err_set(err, ERR_TEST, 0, "the image reported a failure after %.0f s: %s",
                       watch->result->report_s, watch->why[0] ? watch->why : "no reason given");
    if (watch->verdict == VERDICT_PANIC)
        return err_set(err, ERR_TEST, 0, "the image's kernel gave up: %s", watch->why);
    return 0;
}

/* One step of reading; *ret_end at end of file. */
static int step(struct watch *watch, struct guest *guest, const struct run *run, bool *ret_end,
                struct err *err)
{
    struct pollfd fds = {.fd = guest->serial_fd, .events = POLLIN};
    int n = poll(&fds, 1, POLL_STEP_MS);
    if (n < 0 && errno != EINTR)
        return err_sys(err, errno, "poll");
    if (n > 0 && read_console(watch, guest->serial_fd, ret_end, err) < 0)
        return -1;
    if (*ret_end)
        serial_flush(&watch->serial);
    return run_check(run, err);
}

static int follow(struct watch *watch, struct guest *guest, const struct run *run, struct err *err)
{
    unsigned limit = watch->options->timeout_s ? watch->options->timeout_s : BOOT_TIMEOUT_S;
    bool end = false;
    while (watch->verdict == VERDICT_NONE && !end && elapsed(watch) <= limit)
        if (step(watch, guest, run, &end, err) < 0)
            return -1;
    if (watch->verdict == VERDICT_NONE)
        serial_flush(&watch->serial);
    if (watch->verdict == VERDICT_NONE && end)
        return guest_ended(watch, guest, err);
    if (watch->verdict == VERDICT_NONE)
        return err_set(err, ERR_TEST, 0,
                       "the image did not report within %u s: look at the console, or allow more time",
                       limit);
    const double until = elapsed(watch) + linger_s;
    while (watch->verdict != VERDICT_PASS && !end && elapsed(watch) < until)
        if (step(watch, guest, run, &end, err) < 0)
            return -1;
    return conclude(watch, err);
}

static void keep_tail(struct watch *watch)
{
    struct boot_result *result = watch->result;
    size_t count = watch->lines < BOOT_TAIL_LINES ? watch->lines : BOOT_TAIL_LINES;
    serial_flush(&watch->serial);
    for (size_t i = watch->lines - count; i < watch->lines; i++) {
        const char *copy = arena_strdup(&result->arena, watch->ring[i % BOOT_TAIL_LINES]);
        if (copy)
            result->tail[result->tail_count++] = copy;
    }
}

static int run_guest(struct watch *watch, const struct run *run, struct err *err)
{
    const struct boot_options *options = watch->options;
    cleanup_metadata struct metadata *server = NULL;
    const struct metadata_options told = {.instances = &options->metadata, .instance_count = 1};
    if (metadata_start(&told, run, &server, err) < 0)
        return -1;
    const struct qemu_spec spec = {.disk_fd = options->disk_fd,
                                   .efi = options->efi,
                                   .cpus = options->cpus,
                                   .memory_mib = options->memory_mib,
                                   .relay = options->relay,
                                   .metadata_port = metadata_port(server)};
    /* declared after the server, so stopped before it */
    cleanup_guest struct guest guest = GUEST_EMPTY;
    watch->started = now();
    if (guest_start(&spec, &guest, err) < 0)
        return -1;
    return follow(watch, &guest, run, err);
}

int boot_test(const struct boot_options *options, const struct run *run, struct boot_result *result,
              struct err *err)
{
    if (options->timeout_s > BOOT_TIMEOUT_MAX_S)
        return err_set(err, ERR_USAGE, 0, "a boot may take at most %d s", BOOT_TIMEOUT_MAX_S);
    cleanup_free struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return err_oom(err);
    *result = (struct boot_result){.console_s = -1, .kernel_s = -1, .unit_s = -1, .report_s = -1};
    watch->options = options;
    watch->result = result;
    watch->started = now();
    watch->serial.take = take_line;
    watch->serial.ctx = watch;
    int r = run_guest(watch, run, err);
    result->total_s = elapsed(watch);
    keep_tail(watch);
    result->passed = r == 0 && watch->verdict == VERDICT_PASS;
    return r;
}

void boot_result_free(struct boot_result *result)
{
    arena_free(&result->arena);
    *result = (struct boot_result){0};
}
