/* Downloads that are cut, killed, interrupted, or meant by two at once: a real nginx, and real processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fetch_rig.h"
#include "tests/support/lib/nginx.h"
#include "tests/support/lib/rawserver.h"

enum { SIZE = 3 << 20 };
static struct nginx server;
static unsigned char content[SIZE];
/* limit_rate lets the kernel's socket buffers fill at first; sendfile_max_chunk keeps the pieces small */
static const char snippet[] = "sendfile_max_chunk 32k;\n"
                              "location /slow/ { alias @DIR@/www/; limit_rate 1500k; }\n";

static int serve(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = raw_byte(i);
    return nginx_start(&server, snippet, false);
}

static int unserve(void **state)
{
    (void)state;
    nginx_stop(&server);
    return 0;
}

/* Each test has a file of its own, so that the log's lines are its own too. */
static struct fetch_request request_for(const char *name)
{
    static char url[256];
    assert_int_equal(nginx_put(&server, name, content, SIZE), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/slow/%s", server.port, name);
    return (struct fetch_request){.name = name, .url = url};
}

static const char *uri_of(const char *name)
{
    static char uri[64];
    snprintf(uri, sizeof uri, "/slow/%s", name);
    return uri;
}

static void nap_ms(long ms)
{
    struct timespec nap = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&nap, NULL);
}

static pid_t fetch_in_child(struct fetch_rig *rig, const struct fetch_request *req)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct artifact artifact = ARTIFACT_EMPTY;
    struct err err = {0};
    rig->cache = NULL; /* everything of its own */
    rig->fetcher = NULL;
    rig_open(rig);
    int fetched = rig_fetch(rig, req, &artifact, &err);
    _exit(fetched == 0 && artifact.size == SIZE ? 0 : 1);
}

/* kill -9 once some bytes have arrived. Returns the size of the partial file. */
static uint64_t kill_midway(struct fetch_rig *rig, const struct fetch_request *req)
{
    int status = 0;
    pid_t pid = fetch_in_child(rig, req);
    for (int i = 0; i < 1000 && rig_partial(rig) < SIZE / 4; i++)
        nap_ms(5);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    uint64_t here = rig_partial(rig);
    assert_true(here >= SIZE / 4 && here < SIZE);
    return here;
}

static int64_t sent(const char *name, unsigned nth, int *ret_status)
{
    return nginx_sent(&server, uri_of(name), nth, ret_status);
}

static void a_killed_download_is_gone_on_with(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    int status = 0;
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = request_for("killed");
    uint64_t here = kill_midway(rig, &req);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, content, SIZE);
    artifact_free(&artifact);
    /* the server sent the missing bytes, and not one more */
    assert_int_equal(sent("killed", 1, &status), SIZE - here);
    assert_int_equal(status, 206);
    assert_int_equal(nginx_requests(&server, uri_of("killed"), 2), 2);
    assert_int_equal(rig_files(rig, "partial"), 0);
}

/* At any moment, again and again: the bytes only ever grow towards the right ones. */
static void killed_at_random_moments_it_ends_whole(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = request_for("random");
    unsigned killed = 0;
    for (unsigned i = 0; i < 40; i++) {
        int status = 0;
        pid_t pid = fetch_in_child(rig, &req);
        nap_ms(2 + (i * 37) % 90);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        killed += WIFSIGNALED(status);
        assert_true(rig_partial(rig) <= SIZE);
    }
    assert_true(killed > 10);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, content, SIZE);
    artifact_free(&artifact);
    assert_int_equal(cache_trim(rig->cache, &err), 0);
    assert_int_equal(rig_files(rig, "partial"), 0);
    assert_int_equal(rig_files(rig, "download"), 2);
}

static void a_changed_file_is_fetched_anew(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    int status = 0;
    static unsigned char other[SIZE + 7];
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = request_for("changed");
    kill_midway(rig, &req);
    memset(other, 'o', sizeof other);
    assert_int_equal(nginx_put(&server, "changed", other, sizeof other), 0);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, other, sizeof other);
    artifact_free(&artifact);
    assert_int_equal(sent("changed", 1, &status), sizeof other);
    assert_int_equal(status, 200);
}

static void lost_bytes_are_found_out(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    struct sha256 want;
    char path[512];
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = request_for("lost");
    kill_midway(rig, &req);
    /* what a power cut does to a file whose size was written before its data */
    snprintf(path, sizeof path, "%s/partial", rig->dir);
    DIR *dir = opendir(path);
    for (struct dirent *e; (e = readdir(dir));) {
        if (strlen(e->d_name) != 64)
            continue;
        cleanup_close int fd = openat(dirfd(dir), e->d_name, O_WRONLY);
        assert_int_equal(pwrite(fd, (char[4096]){0}, 4096, 8192), 4096);
    }
    closedir(dir);
    assert_int_equal(sha256_of(content, SIZE, &want, &err), 0);
    req.want = &want;
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, content, SIZE);
    artifact_free(&artifact);
    assert_non_null(strstr(rig->notes, "does not match after resuming"));
}

static void a_damaged_note_means_a_new_start(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    int status = 0;
    char path[512];
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = request_for("note");
    kill_midway(rig, &req);
    snprintf(path, sizeof path, "%s/partial", rig->dir);
    DIR *dir = opendir(path);
    unsigned damaged = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        if (!strstr(e->d_name, ".meta"))
            continue;
        cleanup_close int fd = openat(dirfd(dir), e->d_name, O_WRONLY | O_TRUNC);
        damaged += fd >= 0;
    }
    assert_int_equal(damaged, 1);
    closedir(dir);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, content, SIZE);
    artifact_free(&artifact);
    assert_int_equal(sent("note", 1, &status), SIZE);
    assert_int_equal(status, 200);
}

static void a_cut_connection_is_taken_up_again(void **state)
{
    struct fetch_rig *rig = *state;
    struct artifact artifact = ARTIFACT_EMPTY;
    struct err err = {0};
    struct fetch_request req = request_for("cut");
    pid_t pid = fork();
    if (pid == 0) { /* cuts while the parent fetches */
        for (int i = 0; i < 1000 && rig_partial(rig) < SIZE / 4; i++)
            nap_ms(5);
        _exit(nginx_cut(&server) < 0);
    }
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    rig_expect(&artifact, content, SIZE);
    artifact_free(&artifact);
    assert_true(rig->warnings >= 1);
    /* the killed worker wrote no line: what is in the log is the rest */
    int64_t rest = sent("cut", 0, &status);
    assert_int_equal(status, 206);
    assert_true(rest > 0 && rest <= SIZE - SIZE / 4);
}

static void two_processes_download_once(void **state)
{
    struct fetch_rig *rig = *state;
    struct fetch_request req = request_for("twice");
    struct sha256 want;
    struct err err = {0};
    assert_int_equal(sha256_of(content, SIZE, &want, &err), 0);
    req.want = &want;
    pid_t pids[3];
    for (int i = 0; i < 3; i++)
        pids[i] = fetch_in_child(rig, &req);
    for (int i = 0; i < 3; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(sent("twice", 0, NULL), SIZE);
    nap_ms(100);
    assert_int_equal(nginx_requests(&server, uri_of("twice"), 1), 1);
}

/* Reads along, and says of what it read whether it was the content, in order, to its end. */
struct reader {
    struct progress *progress;
    uint64_t ready;
    bool wrong, whole;
};

static void *read_along(void *ctx)
{
    struct reader *reader = ctx;
    static unsigned char bytes[SIZE];
    struct err err = {0};
    struct progress_state state = {0};
    while (!state.over && progress_wait(reader->progress, reader->ready + 1, NULL, &state, &err) == 0) {
        if (state.fd < 0 || file_pread(state.fd, bytes, (size_t)state.ready, 0, "x", &err) < 0) {
            reader->wrong = state.ready > 0;
            break;
        }
        reader->wrong = reader->wrong || memcmp(bytes, content, (size_t)state.ready) != 0;
        reader->ready = state.ready;
    }
    reader->whole = err.kind == ERR_NONE;
    return NULL;
}

static struct reader fetched_along(struct fetch_rig *rig, struct fetch_request *req)
{
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY;
    struct reader reader = {0};
    pthread_t thread;
    assert_int_equal(progress_new(&reader.progress, &err), 0);
    req->progress = reader.progress;
    assert_int_equal(pthread_create(&thread, NULL, read_along, &reader), 0);
    assert_int_equal(rig_fetch(rig, req, &artifact, &err), 0);
    rig_expect(&artifact, content, SIZE);
    artifact_free(&artifact);
    pthread_join(thread, NULL);
    progress_free(reader.progress);
    return reader;
}

static void somebody_reads_along(void **state)
{
    struct fetch_rig *rig = *state;
    struct fetch_request req = request_for("along");
    struct reader reader = fetched_along(rig, &req);
    assert_true(reader.whole && !reader.wrong);
    assert_int_equal(reader.ready, SIZE);
    /* with bytes of an earlier run */
    req = request_for("along-killed");
    uint64_t here = kill_midway(rig, &req);
    reader = fetched_along(rig, &req);
    assert_true(reader.whole && !reader.wrong && here > 0);
    assert_int_equal(reader.ready, SIZE);
    /* the cache has it: there is nothing to read along */
    struct sha256 want;
    struct err err = {0};
    assert_int_equal(sha256_of(content, SIZE, &want, &err), 0);
    req.want = &want;
    reader = fetched_along(rig, &req);
    assert_true(!reader.whole && !reader.wrong);
    assert_int_equal(reader.ready, 0);
}

/* What was read of a version that is no more does not count. */
static void who_read_another_version_is_told(void **state)
{
    struct fetch_rig *rig = *state;
    struct fetch_request req = request_for("along-other");
    char path[512];
    kill_midway(rig, &req);
    snprintf(path, sizeof path, "touch -d 2001-01-01 %s/www/along-other", server.dir);
    assert_int_equal(system(path), 0); /* another validator */
    struct reader reader = fetched_along(rig, &req);
    assert_false(reader.whole);
}

static struct fetch_rig *alarmed;
static long alarm_ms;

static void on_alarm(int signum)
{
    alarmed->stop = signum;
    alarm_ms = clock_now_ms();
}

static void stops_at_once(struct fetch_rig *rig, const struct fetch_request *req, unsigned after_ms)
{
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY;
    struct itimerval timer = {.it_value = {.tv_usec = after_ms * 1000}};
    alarmed = rig;
    rig->stop = 0;
    signal(SIGALRM, on_alarm);
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
    assert_int_equal(rig_fetch(rig, req, &artifact, &err), -1);
    long late = clock_now_ms() - alarm_ms;
    assert_int_equal(err.kind, ERR_INTERRUPTED);
    assert_int_equal(err.errnum, SIGALRM);
    if (late > 200)
        fail_msg("stopped %ld ms after the signal", late);
    rig->stop = 0;
}

static void an_interrupted_run_stops_within_200_ms(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = request_for("interrupted");
    stops_at_once(rig, &req, 500);
    uint64_t here = rig_partial(rig);
    assert_true(here > 0);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, content, SIZE);
    artifact_free(&artifact);
    /* before a retry */
    struct fetch_options patient = {.backoff_ms = 20000};
    fetcher_free(rig->fetcher);
    assert_int_equal(fetcher_new(&patient, &rig->fetcher, &err), 0);
    struct fetch_request nobody = {.name = "x", .url = "http://127.0.0.1:1/x"};
    stops_at_once(rig, &nobody, 300);
    /* while a name is looked up or a host does not answer: 192.0.2.0/24 is reserved (RFC 5737) */
    struct fetch_request silent = {.name = "x", .url = "http://192.0.2.1/x"};
    stops_at_once(rig, &silent, 300);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(a_killed_download_is_gone_on_with), WITH_RIG(killed_at_random_moments_it_ends_whole),
        WITH_RIG(a_changed_file_is_fetched_anew),    WITH_RIG(lost_bytes_are_found_out),
        WITH_RIG(a_damaged_note_means_a_new_start),  WITH_RIG(a_cut_connection_is_taken_up_again),
        WITH_RIG(two_processes_download_once),       WITH_RIG(somebody_reads_along),
        WITH_RIG(who_read_another_version_is_told),  WITH_RIG(an_interrupted_run_stops_within_200_ms),
    };
    return cmocka_run_group_tests(tests, serve, unserve);
}
