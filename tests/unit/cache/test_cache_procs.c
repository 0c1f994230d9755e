/* The cache under several processes, and under kill -9 at random moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cache_rig.h"

enum { KEYS = 8, KILLS = 120, WORKERS = 6, ROUNDS = 60, PIECE = 4096 };

static unsigned draw(unsigned below)
{
    unsigned n = 0;
    if (getrandom(&n, sizeof n, 0) != sizeof n)
        n = 0;
    return n % below;
}

static void nap_us(long us)
{
    struct timespec nap = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&nap, NULL);
}

/* Content that can be checked for completeness: PIECES pieces, each filled with the key's letter. */
static int make_entry(struct cache *cache, unsigned key, unsigned pieces, bool *ret_made, struct err *err)
{
    char name[8], piece[PIECE];
    snprintf(name, sizeof name, "k%u", key);
    memset(piece, (int)('a' + key), sizeof piece);
    cleanup_cache_entry struct cache_entry entry = CACHE_ENTRY_EMPTY;
    if (cache_begin(cache, "member", name, &entry, NULL, err) < 0)
        return -1;
    *ret_made = entry.found_fd < 0;
    if (!*ret_made)
        return 0;
    cleanup_hasher struct hasher hasher = {0};
    struct sha256 sha256;
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0)
        return -1;
    for (unsigned i = 0; i < pieces; i++)
        if (file_write(entry.fd, piece, sizeof piece, name, err) < 0 ||
            hasher_add(&hasher, piece, sizeof piece, err) < 0)
            return -1;
    cleanup_close int fd = -1;
    if (hasher_end(&hasher, sha256.bytes, err) < 0)
        return -1;
    return cache_commit(&entry, &sha256, &fd, err);
}

/* Makes and drops entries until it is killed. commits is shared with the parent. */
_Noreturn static void churn(const struct cache_rig *rig, bool named, atomic_uint *commits)
{
    struct cache *cache = NULL;
    struct err err = {0};
    struct cache_options options = {.dir = rig->dir};
    if (cache_open(&options, &cache, &err) < 0)
        _exit(1);
    cache->named_temps = named;
    for (;;) {
        char name[8];
        bool made = false;
        unsigned key = draw(KEYS);
        snprintf(name, sizeof name, "k%u", key);
        if (make_entry(cache, key, 1 + draw(8), &made, &err) < 0 ||
            (draw(3) == 0 && cache_drop(cache, "member", name, NULL, &err) < 0) ||
            (draw(8) == 0 && cache_trim(cache, &err) < 0)) {
            if (write(2, err.text, strlen(err.text)) < 0)
                _exit(3);
            _exit(2);
        }
        if (made)
            atomic_fetch_add(commits, 1);
    }
}

/* Every entry found must be complete: its digest is the recorded one, and every byte is the key's letter. */
static unsigned check_all(struct cache_rig *rig)
{
    unsigned found = 0;
    for (unsigned key = 0; key < KEYS; key++) {
        char name[8], piece[PIECE];
        struct err err = {0};
        struct sha256 recorded, now;
        cleanup_close int fd = -1;
        snprintf(name, sizeof name, "k%u", key);
        assert_int_equal(cache_find(rig->cache, "member", name, &fd, &recorded, NULL, &err), 0);
        if (fd < 0)
            continue;
        found++;
        off_t size = lseek(fd, 0, SEEK_END);
        assert_true(size > 0 && size % PIECE == 0);
        assert_int_equal(file_sha256(fd, 0, (uint64_t)size, NULL, &now, &err), 0);
        assert_true(sha256_equal(&now, &recorded));
        assert_int_equal(file_pread(fd, piece, sizeof piece, 0, name, &err), 0);
        for (size_t i = 0; i < sizeof piece; i++)
            assert_int_equal(piece[i], 'a' + key);
    }
    return found;
}

static void killed_at_any_moment(struct cache_rig *rig, bool named)
{
    struct err err = {0};
    unsigned found = 0;
    atomic_uint *commits =
        mmap(NULL, sizeof *commits, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(commits != MAP_FAILED);
    for (int i = 0; i < KILLS; i++) {
        pid_t pids[2];
        unsigned before = atomic_load(commits);
        for (int p = 0; p < 2; p++) {
            pids[p] = fork();
            if (pids[p] == 0)
                churn(rig, named, commits);
            assert_true(pids[p] > 0);
        }
        /* Every second time the moment is counted from a commit: on a busy machine a moment of the clock
         * alone may find none of them at work yet. */
        for (int wait = 0; i % 2 == 0 && atomic_load(commits) == before && wait < 30000; wait++)
            nap_us(1000);
        nap_us(500 + draw(12000));
        for (int p = 0; p < 2; p++) {
            int status = 0;
            kill(pids[p], SIGKILL);
            assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        }
        found += check_all(rig);
    }
    munmap(commits, sizeof *commits);
    assert_true(found > KILLS / 4); /* else nothing was ever committed and the test shows nothing */
    assert_int_equal(cache_trim(rig->cache, &err), 0);
    /* only complete entries are left: content and note */
    int files = rig_files(rig, "member");
    assert_int_equal(files, 2 * (int)check_all(rig));
    assert_int_equal(rig_files(rig, "partial"), 0);
}

static void survives_kill_9(void **state)
{
    killed_at_any_moment(*state, false);
}

static void survives_kill_9_with_named_files(void **state)
{
    killed_at_any_moment(*state, true);
}

static void several_processes_make_one_content(void **state)
{
    struct cache_rig *rig = *state;
    for (int round = 0; round < 10; round++) {
        struct err err = {0};
        pid_t pids[WORKERS];
        for (unsigned w = 0; w < WORKERS; w++) {
            pids[w] = fork();
            if (pids[w] == 0) {
                bool made = false;
                /* each would write a different length, which shows that only one did */
                if (make_entry(rig->cache, 0, w + 1, &made, &err) < 0)
                    _exit(100);
                _exit(made ? 1 : 0);
            }
        }
        int makers = 0;
        for (unsigned w = 0; w < WORKERS; w++) {
            int status = 0;
            assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
            makers += WEXITSTATUS(status);
        }
        assert_int_equal(makers, 1);
        assert_int_equal(check_all(rig), 1);
        assert_int_equal(cache_drop(rig->cache, "member", "k0", NULL, &err), 0);
    }
}

/* A counter that is read and written without care: it comes out right only when the lock excludes, though
 * each holder removes the lock's file. */
static void a_lock_excludes_though_its_file_is_removed(void **state)
{
    struct cache_rig *rig = *state;
    char path[128];
    struct err err = {0};
    snprintf(path, sizeof path, "%s/counter", rig->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    unsigned count = 0;
    assert_int_equal(file_pwrite(fd, &count, sizeof count, 0, "counter", &err), 0);
    pid_t pids[WORKERS];
    for (unsigned w = 0; w < WORKERS; w++) {
        pids[w] = fork();
        if (pids[w] != 0)
            continue;
        for (unsigned i = 0; i < ROUNDS; i++) {
            int lock = -1;
            if (cache_lock(rig->cache, "x", "k", &lock, NULL, &err) < 0 ||
                file_pread(fd, &count, sizeof count, 0, "counter", &err) < 0)
                _exit(1);
            nap_us(20);
            count++;
            if (file_pwrite(fd, &count, sizeof count, 0, "counter", &err) < 0)
                _exit(1);
            cache_unlock(rig->cache, "x", "k", &lock);
        }
        _exit(0);
    }
    for (unsigned w = 0; w < WORKERS; w++) {
        int status = 0;
        assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(file_pread(fd, &count, sizeof count, 0, "counter", &err), 0);
    assert_int_equal(count, WORKERS * ROUNDS);
    close(fd);
}

static volatile sig_atomic_t stop;
static unsigned notes;

static void on_alarm(int signum)
{
    stop = signum;
}

static void count_notes(void *ctx, const struct event *event)
{
    (void)ctx;
    notes += event->kind == EVENT_NOTE && strstr(event->what, "waiting for another run") != NULL;
}

static void waiting_is_told_and_can_be_stopped(void **state)
{
    struct cache_rig *rig = *state;
    struct err err = {0};
    struct cache_entry mine = CACHE_ENTRY_EMPTY, other = CACHE_ENTRY_EMPTY;
    assert_int_equal(cache_begin(rig->cache, "base", "k", &mine, NULL, &err), 0);
    struct run run = {.stop = &stop, .on_event = count_notes};
    struct itimerval timer = {.it_value = {.tv_usec = 600000}};
    signal(SIGALRM, on_alarm);
    stop = 0;
    notes = 0;
    assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
    int64_t before = clock_now_ms();
    assert_int_equal(cache_begin(rig->cache, "base", "k", &other, &run, &err), -1);
    int64_t ms = clock_now_ms() - before;
    assert_int_equal(err.kind, ERR_INTERRUPTED);
    assert_int_equal(notes, 1);
    assert_true(ms >= 590); /* not before the signal; that it ended at all is what the signal did */
    cache_abort(&mine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(survives_kill_9, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(survives_kill_9_with_named_files, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(several_processes_make_one_content, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(a_lock_excludes_though_its_file_is_removed, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(waiting_is_told_and_can_be_stopped, rig_up, rig_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
