#include "bake/ui/ui.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

enum { REDRAW_MS = 100, PLAIN_MS = 5000, BAR = 24, DEFAULT_COLUMNS = 80, JSON_LINE_MAX = 320 << 20 };

void ui_init(struct ui *ui)
{
    const char *term = getenv("TERM");
    *ui = (struct ui){.started_ms = clock_now_ms()};
    ui->tty = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    pthread_mutex_init(&ui->lock, NULL);
}

const char *ui_bytes(uint64_t bytes, char out[static 16])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    snprintf(out, 16, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

static unsigned columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
        return DEFAULT_COLUMNS;
    return size.ws_col;
}

/* Names come out of archives and disks that others made: what would move the cursor or change colours is
 * shown as '?'. */
static const char *clean(const char *text, char *out, size_t cap)
{
    size_t at = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p && at + 1 < cap; p++) {
        bool control = *p < 0x20 || *p == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0);
        out[at++] = control ? '?' : (char)*p;
    }
    out[at] = '\0';
    return out;
}

static void close_line(struct ui *ui)
{
    if (ui->line_open)
        fputs("\r\033[K", stderr);
    ui->line_open = false;
}

static void bar_line(struct ui *ui, const struct event *event)
{
    char done[16], total[16], line[256], bar[BAR + 1];
    unsigned width = columns();
    ui_bytes(event->done, done);
    if (event->total > 0) {
        uint64_t part = event->done > event->total ? event->total : event->done;
        unsigned filled = (unsigned)((double)part / (double)event->total * BAR);
        for (unsigned i = 0; i < BAR; i++)
            bar[i] = i < filled ? '#' : '.';
        bar[BAR] = '\0';
        snprintf(line, sizeof line, "%-7s [%s] %3u%% %s of %s  %.60s", event->stage, bar,
                 (unsigned)((double)part / (double)event->total * 100), done, ui_bytes(event->total, total),
                 event->what);
    } else {
        snprintf(line, sizeof line, "%-7s %s%s%.60s", event->stage, event->done > 0 ? done : "",
                 event->done > 0 ? "  " : "", event->what);
    }
    if (strlen(line) >= width)
        line[width - 1] = '\0';
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    ui->line_open = true;
}

static void plain_line(struct ui *ui, const struct event *event, int64_t now)
{
    char done[16], total[16];
    fprintf(stderr, "%7.1f s  %-7s %s: %s%s%s\n", (double)(now - ui->started_ms) / 1000, event->stage,
            event->what, ui_bytes(event->done, done), event->total ? " of " : "",
            event->total ? ui_bytes(event->total, total) : "");
}

static void progress(struct ui *ui, const struct event *event)
{
    if (ui->quiet)
        return;
    int64_t now = clock_now_ms();
    bool other = ui->stage != event->stage || strncmp(ui->what, event->what, 60) != 0;
    if (other) {
        ui->stage = event->stage;
        snprintf(ui->what, sizeof ui->what, "%.60s", event->what);
        if (!ui->tty)
            ui->shown_ms = now;
    }
    /* what is over within a second needs no bar; a plain log wants a line now and then, not a film */
    if (now - ui->shown_ms < (ui->tty ? REDRAW_MS : PLAIN_MS))
        return;
    ui->shown_ms = now;
    if (ui->tty)
        bar_line(ui, event);
    else
        plain_line(ui, event, now);
}

static void show_event(void *ctx, const struct event *event)
{
    struct ui *ui = ctx;
    char what[ERR_TEXT_MAX];
    struct event shown = *event;
    shown.what = clean(event->what ? event->what : "", what, sizeof what);
    event = &shown;
    pthread_mutex_lock(&ui->lock);
    switch (event->kind) {
    case EVENT_PROGRESS:
        progress(ui, event);
        break;
    case EVENT_NOTE:
        if (ui->verbose) {
            close_line(ui);
            fprintf(stderr, "%7.1f s  %-7s %s\n", (double)(clock_now_ms() - ui->started_ms) / 1000,
                    event->stage, event->what);
        }
        break;
    case EVENT_WARN:
        close_line(ui);
        fprintf(stderr, "bake: warning: %s: %s\n", event->stage, event->what);
        break;
    }
    pthread_mutex_unlock(&ui->lock);
}

struct run ui_run(struct ui *ui, const volatile sig_atomic_t *stop)
{
    return (struct run){.stop = stop, .on_event = show_event, .ctx = ui};
}

void ui_step(struct ui *ui, const char *stage, const char *fmt, ...)
{
    char made[512], text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(made, sizeof made, fmt, ap);
    va_end(ap);
    clean(made, text, sizeof text);
    pthread_mutex_lock(&ui->lock);
    int64_t ms = clock_now_ms() - ui->started_ms;
    if (!ui->quiet) {
        close_line(ui);
        fprintf(stderr, "%7.1f s  %-7s %s\n", (double)ms / 1000, stage, text);
    }
    if (ui->json) {
        struct ui_line line;
        ui_line_open(&line, ui, "step");
        json_string(&line.json, "stage", stage);
        json_string(&line.json, "text", text);
        json_seconds(&line.json, "seconds", (uint64_t)ms);
        ui_line_print(&line);
    }
    pthread_mutex_unlock(&ui->lock);
}

void ui_text(struct ui *ui, const char *fmt, ...)
{
    if (ui->json)
        return;
    close_line(ui);
    fflush(stderr);
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
}

void ui_line_open(struct ui_line *line, struct ui *ui, const char *event)
{
    *line = (struct ui_line){.ui = ui, .text = BUF_INIT(JSON_LINE_MAX)};
    line->json = (struct json_writer){.buf = &line->text, .lossy = true};
    json_open(&line->json, NULL, '{');
    json_string(&line->json, "event", event);
}

void ui_line_print(struct ui_line *line)
{
    struct err err;
    json_close(&line->json, '}');
    if (line->ui->json && json_write_end(&line->json, "a line", &err) < 0) {
        line->ui->lost = true;
    } else if (line->ui->json) {
        puts(line->text.data);
        fflush(stdout);
    }
    buf_free(&line->text);
}

void ui_error(struct ui *ui, const char *command, const struct err *err)
{
    pthread_mutex_lock(&ui->lock);
    close_line(ui);
    char text[ERR_TEXT_MAX];
    fprintf(stderr, "bake: %s%s%s\n", command ? command : "", command ? ": " : "",
            clean(err->text, text, sizeof text));
    if (ui->json) {
        struct ui_line line;
        ui_line_open(&line, ui, "error");
        json_string(&line.json, "kind", err_kind_name(err->kind));
        json_uint(&line.json, "exit", (uint64_t)err_exit_code(err));
        json_string(&line.json, "message", err->text);
        ui_line_print(&line);
    }
    pthread_mutex_unlock(&ui->lock);
}

int ui_finish(struct ui *ui, struct err *err)
{
    close_line(ui);
    if (ui->lost)
        return err_set(err, ERR_INTERNAL, 0, "a line of JSON could not be made: out of memory");
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return err_sys(err, errno ? errno : EIO, "write the result to standard output");
}
