#include "boot/console.h"

#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "io/file.h"

static const char mark[] = "bake-report: ";

double console_now(void)
{
    return (double)clock_now_ns() / 1e9;
}

double console_elapsed(const struct console *console)
{
    return console_now() - console->started;
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

static void read_report(struct console *console, const char *line, double seconds)
{
    struct boot_result *result = console->result;
    const char *said = strstr(line, mark);
    if (!said) {
        if (strstr(line, "Kernel panic - not syncing")) {
            console->verdict = VERDICT_PANIC;
            snprintf(console->why, sizeof console->why, "%.*s", (int)sizeof console->why - 1, line);
        }
        return;
    }
    said += sizeof mark - 1;
    if (is_word(said, "PASS"))
        console->verdict = VERDICT_PASS;
    else if (is_word(said, "FAIL"))
        console->verdict = VERDICT_FAIL;
    if (console->verdict != VERDICT_NONE)
        note_time(&result->report_s, true, seconds);
    if (console->verdict == VERDICT_FAIL)
        snprintf(console->why, sizeof console->why, "%.*s", (int)sizeof console->why - 1,
                 said[4] ? said + 5 : "");
    /* one place is reserved for the verdict */
    if (result->report_count + (console->verdict == VERDICT_NONE) < BOOT_REPORTS_MAX) {
        const char *copy = arena_strdup(&result->arena, said);
        console->out_of_memory = console->out_of_memory || !copy;
        if (copy)
            result->reports[result->report_count++] = copy;
    }
}

static void take_line(void *ctx, const char *line)
{
    struct console *console = ctx;
    struct boot_result *result = console->result;
    double seconds = console_elapsed(console);
    if (console->options.line)
        console->options.line(console->options.ctx, seconds, line);
    memcpy(console->ring[console->lines++ % BOOT_TAIL_LINES], line, strlen(line) + 1);
    if (strncmp(line, "qemu-system-", 12) == 0) {
        snprintf(console->qemu_said, sizeof console->qemu_said, "%.*s", (int)sizeof console->qemu_said - 1,
                 line);
        return;
    }
    if (console->verdict != VERDICT_NONE)
        return;
    note_time(&result->console_s, true, seconds);
    note_time(&result->kernel_s, strstr(line, "Linux version ") != NULL, seconds);
    note_time(&result->unit_s, strstr(line, "systemd[1]: ") || strstr(line, "[  OK  ] "), seconds);
    read_report(console, line, seconds);
}

void console_begin(struct console *console, const struct console_options *options, struct boot_result *result)
{
    *result = (struct boot_result){.console_s = -1, .kernel_s = -1, .unit_s = -1, .report_s = -1};
    *console = (struct console){.options = *options, .result = result, .started = console_now()};
    console->serial.take = take_line;
    console->serial.ctx = console;
}

void console_flush(struct console *console)
{
    serial_flush(&console->serial);
}

static int take_bytes(struct console *console, int fd, bool *ret_end, struct err *err)
{
    char chunk[8192];
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR)
        return 0;
    if (n < 0)
        return err_sys(err, errno, "read the guest's console");
    *ret_end = n == 0;
    if (n == 0)
        console_flush(console);
    if (n > 0 && console->options.serial_fd >= 0 &&
        file_write(console->options.serial_fd, chunk, (size_t)n, "the serial log", err) < 0)
        return -1;
    if (n > 0)
        serial_feed(&console->serial, chunk, (size_t)n);
    return 0;
}

int console_step(struct console *console, int fd, int timeout_ms, bool *ret_end, struct err *err)
{
    struct pollfd fds = {.fd = fd, .events = POLLIN};
    int n = poll(&fds, 1, timeout_ms);
    if (n < 0 && errno != EINTR)
        return err_sys(err, errno, "poll");
    return n > 0 ? take_bytes(console, fd, ret_end, err) : 0;
}

int console_conclude(const struct console *console, struct err *err)
{
    if (console->out_of_memory)
        return err_oom(err);
    if (console->verdict == VERDICT_FAIL)
        return err_set(err, ERR_TEST, 0, "the image reported a failure after %.0f s: %s",
                       console->result->report_s, console->why[0] ? console->why : "no reason given");
    if (console->verdict == VERDICT_PANIC)
        return err_set(err, ERR_TEST, 0, "the image's kernel panicked: %s", console->why);
    return 0;
}

void console_keep_tail(struct console *console)
{
    struct boot_result *result = console->result;
    size_t count = console->lines < BOOT_TAIL_LINES ? console->lines : BOOT_TAIL_LINES;
    serial_flush(&console->serial);
    for (size_t i = console->lines - count; i < console->lines; i++) {
        const char *copy = arena_strdup(&result->arena, console->ring[i % BOOT_TAIL_LINES]);
        if (copy)
            result->tail[result->tail_count++] = copy;
    }
}
