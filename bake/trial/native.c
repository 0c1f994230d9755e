#include "bake/trial/native.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "embedded/embedded.h"
#include "io/file.h"
#include "io/proc.h"

enum { LINE_CAP = 4096, LISTS_CAP = 4 << 20, POLL_MS = 200, DOWN_S = 60, TIMEOUT_S = 1200 };

static const char *const scripts[] = {"rig", "lib.bash", "scenario", NULL};

struct native {
    struct common *common;
    struct buf checks, figures, line;
    struct json_writer checks_json, figures_json; /* a list each */
    char first[256];                              /* the first check that failed */
    unsigned passed, failed;
};

static int write_scripts(const char *dir, struct err *err)
{
    for (const char *const *name = scripts; *name; name++) {
        const struct embedded_file *script = NULL;
        cleanup_free char *path = NULL;
        if (asprintf(&path, "%s/%s", dir, *name) < 0)
            return err_oom(err);
        if (embedded_want("trial/", *name, &script, err) < 0 ||
            file_put(path, script->start, (size_t)(script->end - script->start), 0700, err) < 0)
            return -1;
    }
    return 0;
}

/* Needed only if the scenario does not start: it removes them itself. */
static int remove_scripts(const char *dir)
{
    for (const char *const *name = scripts; *name; name++) {
        cleanup_free char *path = NULL;
        if (asprintf(&path, "%s/%s", dir, *name) >= 0)
            (void)unlink(path);
    }
    (void)rmdir(dir);
    return -1;
}

static void add_check(struct native *native, const char *name, bool passed)
{
    json_open(&native->checks_json, NULL, '{');
    json_string(&native->checks_json, "name", name);
    json_bool(&native->checks_json, "passed", passed);
    json_close(&native->checks_json, '}');
    native->passed += passed;
    if (!passed && native->failed++ == 0)
        snprintf(native->first, sizeof native->first, "%s", name);
}

/* What the scenario prints: TAP, and "# figure: NAME = VALUE UNIT (target T)". */
static void take_line(struct native *native, const char *line)
{
    static const char figure[] = "# figure: ", ok[] = "ok - ", not_ok[] = "not ok - ";
    if (strncmp(line, ok, sizeof ok - 1) == 0)
        add_check(native, line + sizeof ok - 1, true);
    else if (strncmp(line, not_ok, sizeof not_ok - 1) == 0)
        add_check(native, line + sizeof not_ok - 1, false);
    else if (strncmp(line, figure, sizeof figure - 1) == 0)
        json_string(&native->figures_json, NULL, line + sizeof figure - 1);
    if (strncmp(line, "# --- ", 6) == 0)
        ui_step(&native->common->ui, "test", "%s", line + 6);
    else
        ui_text(&native->common->ui, "%s\n", line);
}

/* Keeps control characters in a guest's output off the terminal. */
static void take_bytes(struct native *native, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '\n') {
            take_line(native, native->line.data ? native->line.data : "");
            buf_free(&native->line);
            native->line = (struct buf)BUF_INIT(LINE_CAP);
        } else if (native->line.len < LINE_CAP - 1) {
            const char shown = c < ' ' || c == 0x7f ? '?' : (char)c;
            buf_add(&native->line, &shown, 1);
        }
    }
}

/* 1 while there is more to come, 0 at the end. */
static int read_some(struct native *native, int fd, struct err *err)
{
    char chunk[4096];
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    if (poll(&waiting, 1, POLL_MS) <= 0)
        return 1;
    ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno != EINTR)
        return err_sys(err, errno, "read what the test says");
    if (n > 0)
        take_bytes(native, chunk, (size_t)n);
    return n != 0;
}

static int watch(struct native *native, struct proc *proc, int out, const struct trial_options *options,
                 int *ret_status, struct err *err)
{
    uint64_t limit_s = options->timeout_s == TRIAL_UNSET ? TIMEOUT_S : options->timeout_s;
    int64_t deadline = clock_now_ms() + (int64_t)limit_s * 1000;
    for (*ret_status = -1; *ret_status < 0;) {
        if (read_some(native, out, err) < 0 || run_check(&native->common->run, err) < 0 ||
            proc_wait(proc, 0, ret_status, err) < 0)
            return -1;
        if (clock_now_ms() > deadline)
            return err_set(err, ERR_TEST, 0, "it took more than %llu s: --timeout gives it longer",
                           (unsigned long long)limit_s);
    }
    return 0;
}

/* Once GUARD is closed, the process that has it on stdin takes everything down; its output ends when that is
 * done. */
static int take_down(struct native *native, struct proc *proc, int *guard, int out, struct err *err)
{
    int64_t deadline = clock_now_ms() + DOWN_S * INT64_C(1000);
    proc_kill(proc);
    cleanup_close_fn(guard);
    *guard = -1;
    struct err ignored = {0};
    int more = 1;
    while (more > 0 && clock_now_ms() < deadline)
        more = read_some(native, out, &ignored);
    return more == 0 ? 0
                     : err_set(err, ERR_IO, 0, "containers are not taken down after %d s: \"rig down\" in %s",
                               DOWN_S, "tests/cluster does it");
}

static void report(struct native *native, const struct trial_options *options, bool passed)
{
    struct ui_line line;
    ui_line_open(&line, &native->common->ui, "test");
    json_string(&line.json, "result", passed ? "pass" : "fail");
    json_string(&line.json, "package", options->package.package);
    json_string(&line.json, "firmware", "none");
    json_close(&native->checks_json, ']');
    json_part(&line.json, "checks", &native->checks_json);
    json_close(&native->figures_json, ']');
    json_part(&line.json, "figures", &native->figures_json);
    ui_line_print(&line);
}

static void native_free(struct native *native)
{
    buf_free(&native->checks);
    buf_free(&native->figures);
    buf_free(&native->line);
}

static int start(const char *dir, int disk_fd, int guard_read, struct proc *proc, int *ret_out,
                 struct err *err)
{
    char self[PATH_MAX], program[PATH_MAX + 8], script[PATH_MAX + 16], image[64], nodes[PATH_MAX + 16];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return err_sys(err, errno, "the path of this program");
    self[n] = '\0';
    snprintf(program, sizeof program, "BAKE=%s", self);
    snprintf(script, sizeof script, "%s/scenario", dir);
    snprintf(image, sizeof image, "/proc/%d/fd/%d", (int)getpid(), disk_fd);
    snprintf(nodes, sizeof nodes, "%s/nodes", dir);
    const char *const argv[] = {"bash",    script, "--image", image, "--dir",  nodes,
                                "--guard", dir,    "form",    "use", "leader", NULL};
    const char *const env[] = {program, "HOME=/root", "LC_ALL=C", NULL};
    const struct proc_spec spec = {.argv = argv, .package = "bash", .env = env, .stdin_fd = guard_read};
    return proc_start(&spec, proc, ret_out, err);
}

int trial_native(struct common *common, const struct trial_options *options, int disk_fd, struct err *err)
{
    char dir[PATH_MAX];
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%.3000s/bake-native.XXXXXX", tmp && tmp[0] == '/' ? tmp : "/var/tmp");
    if (!mkdtemp(dir))
        return err_sys(err, errno, "make %s", dir);
    int ends[2];
    if (write_scripts(dir, err) < 0)
        return remove_scripts(dir);
    if (pipe2(ends, O_CLOEXEC) < 0) {
        (void)err_sys(err, errno, "pipe");
        return remove_scripts(dir);
    }
    cleanup_close int guard_read = ends[0];
    cleanup_close int guard = ends[1];
    cleanup(native_free) struct native native = {.common = common,
                                                 .checks = BUF_INIT(LISTS_CAP),
                                                 .figures = BUF_INIT(LISTS_CAP),
                                                 .line = BUF_INIT(LINE_CAP)};
    native.checks_json = (struct json_writer){.buf = &native.checks, .lossy = true};
    native.figures_json = (struct json_writer){.buf = &native.figures, .lossy = true};
    json_open(&native.checks_json, NULL, '[');
    json_open(&native.figures_json, NULL, '[');
    cleanup_close int out = -1;
    cleanup_proc struct proc proc = {0};
    int status = -1;
    if (start(dir, disk_fd, guard_read, &proc, &out, err) < 0)
        return remove_scripts(dir);
    int r = watch(&native, &proc, out, options, &status, err);
    struct err down = {0};
    if (take_down(&native, &proc, &guard, out, &down) < 0 && r == 0) {
        *err = down;
        r = -1;
    }
    if (r == 0 || err->kind == ERR_TEST)
        report(&native, options, r == 0 && status == 0);
    if (r < 0)
        return -1;
    if (status != 0)
        return native.failed > 0 ? err_set(err, ERR_TEST, 0, "%u of %u checks failed, the first: %s",
                                           native.failed, native.passed + native.failed, native.first)
                                 : err_set(err, ERR_TEST, 0, "the test ended with status %d", status);
    ui_step(&common->ui, "test", "passed: %u checks", native.passed);
    ui_text(&common->ui, "PASS\n");
    return 0;
}
