#include "nginx.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "io/file.h"
#include "io/proc.h"

static void close_file(FILE *const *f)
{
    if (*f)
        fclose(*f);
}
#define cleanup_file cleanup(close_file)

enum { PATH_ROOM = 256, START_MS = 20000 };

static int run(const char *const *argv, char *out, size_t out_cap)
{
    struct err err = {0};
    struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .timeout_ms = START_MS, .max_output = 8192};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, NULL, &result, &err) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
        return -1;
    }
    if (result.status != 0) {
        fprintf(stderr, "%s: exit %d\n%s\n", argv[0], result.status, result.err.data ? result.err.data : "");
        return -1;
    }
    if (out)
        snprintf(out, out_cap, "%s", result.out.data ? result.out.data : "");
    return 0;
}

static int make_certificate(const char *dir)
{
    char key[PATH_ROOM], cert[PATH_ROOM];
    snprintf(key, sizeof key, "%s/tls.key", dir);
    snprintf(cert, sizeof cert, "%s/tls.crt", dir);
    const char *const argv[] = {"openssl",
                                "req",
                                "-x509",
                                "-newkey",
                                "ec",
                                "-pkeyopt",
                                "ec_paramgen_curve:P-256",
                                "-nodes",
                                "-keyout",
                                key,
                                "-out",
                                cert,
                                "-days",
                                "30",
                                "-subj",
                                "/CN=127.0.0.1",
                                "-addext",
                                "subjectAltName=IP:127.0.0.1,DNS:bake.test",
                                NULL};
    return run(argv, NULL, 0);
}

int nginx_start(struct nginx *nginx, const char *snippet, bool tls)
{
    struct err err = {0};
    char file[PATH_ROOM], parent[16], out[128];
    *nginx = (struct nginx){0};
    snprintf(nginx->dir, sizeof nginx->dir, "/tmp/bake-test-nginx.XXXXXX");
    if (!mkdtemp(nginx->dir))
        return -1;
    snprintf(file, sizeof file, "%s/snippet", nginx->dir);
    if (file_put(file, snippet ? snippet : "", snippet ? strlen(snippet) : 0, 0600, &err) < 0 ||
        (tls && make_certificate(nginx->dir) < 0))
        return -1;
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    const char *const argv[] = {"tests/support/nginx/start", nginx->dir, file, parent, NULL};
    if (run(argv, out, sizeof out) < 0)
        return -1;
    int pid = 0;
    if (sscanf(out, "%u %u %d", &nginx->port, &nginx->tls_port, &pid) != 3)
        return -1;
    nginx->pid = pid;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void nap_ms(long ms)
{
    struct timespec nap = {.tv_nsec = ms * 1000000};
    nanosleep(&nap, NULL);
}

void nginx_stop(struct nginx *nginx)
{
    if (nginx->pid > 0) {
        kill(nginx->pid, SIGTERM);
        for (int i = 0; i < 200 && kill(nginx->pid, 0) == 0; i++)
            nap_ms(10);
    }
    if (nginx->dir[0])
        nftw(nginx->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    *nginx = (struct nginx){0};
}

int nginx_put(const struct nginx *nginx, const char *name, const void *bytes, size_t len)
{
    struct err err = {0};
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/www/%s", nginx->dir, name);
    return file_put(path, bytes, len, 0644, &err);
}

static int worker_of(pid_t master)
{
    char path[PATH_ROOM], children[128] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)master, (int)master);
    cleanup_file FILE *f = fopen(path, "re");
    int pid = 0;
    if (!f || !fgets(children, sizeof children, f) || sscanf(children, "%d", &pid) != 1)
        return 0;
    return pid;
}

int nginx_cut(const struct nginx *nginx)
{
    int old = worker_of(nginx->pid);
    if (old <= 0 || kill(old, SIGKILL) < 0)
        return -1;
    for (int i = 0; i < 200; i++) {
        int now = worker_of(nginx->pid);
        if (now > 0 && now != old)
            return 0;
        nap_ms(10);
    }
    return -1;
}

static int64_t sent_now(const struct nginx *nginx, const char *uri, unsigned nth, int *ret_status)
{
    char path[PATH_ROOM], line[1024], method[16], got[512];
    snprintf(path, sizeof path, "%s/access.log", nginx->dir);
    cleanup_file FILE *f = fopen(path, "re");
    int64_t bytes = -1;
    while (f && fgets(line, sizeof line, f)) {
        int status = 0;
        if (sscanf(line, "%15s %511s %d %" SCNd64, method, got, &status, &bytes) != 4 ||
            strcmp(got, uri) != 0)
            continue;
        if (nth-- > 0)
            continue;
        if (ret_status)
            *ret_status = status;
        return bytes;
    }
    return -1;
}

int64_t nginx_sent(const struct nginx *nginx, const char *uri, unsigned nth, int *ret_status)
{
    int64_t bytes = -1;
    for (int i = 0; i < 200 && bytes < 0; i++) {
        bytes = sent_now(nginx, uri, nth, ret_status);
        if (bytes < 0)
            nap_ms(10);
    }
    return bytes;
}

static unsigned requests_now(const struct nginx *nginx, const char *uri)
{
    unsigned n = 0;
    while (sent_now(nginx, uri, n, NULL) >= 0)
        n++;
    return n;
}

unsigned nginx_requests(const struct nginx *nginx, const char *uri, unsigned at_least)
{
    for (int i = 0; i < 200 && requests_now(nginx, uri) < at_least; i++)
        nap_ms(10);
    nap_ms(20);
    return requests_now(nginx, uri);
}
