#include "unpack/unpacking.h"

#include <string.h>
#include <time.h>

#include "task/thread.h"
#include "text/hex.h"
#include "unpack/internal.h"

struct unpacking {
    struct sha256 want;
    struct reader_input input;
    struct cache *cache;
    struct progress *to;
    const struct run *run;
    struct run own; /* with our stop flag */
    volatile sig_atomic_t stop;
    pthread_t thread;
    struct cache_entry entry;
    struct sums sums;
    bool whole;
};

static int unpack_download(struct unpacking *unpacking, struct err *err)
{
    char key[SHA256_HEX];
    struct progress_state state;
    hex_encode(unpacking->want.bytes, SHA256_SIZE, key);
    /* wait for the first byte: when the artifact exists already, nothing is downloaded */
    if (progress_wait(unpacking->input.progress, 1, &unpacking->own, &state, err) < 0 ||
        cache_begin(unpacking->cache, unpack_kind, key, &unpacking->entry, &unpacking->own, err) < 0)
        return -1;
    bool found = false;
    if (unpacking->entry.found_fd >= 0)
        return sums_read(unpacking->cache, key, &unpacking->sums, &found, &unpacking->own, err);
    return unpack_to(&unpacking->input, NULL, &unpacking->own, unpacking->to, unpacking->entry.fd,
                     &unpacking->sums, err);
}

static void *run_unpack(void *arg)
{
    struct unpacking *unpacking = arg;
    struct err err = {0};
    unpacking->whole = unpack_download(unpacking, &err) == 0;
    if (!unpacking->whole && unpacking->entry.fd >= 0 && err.kind != ERR_INTERRUPTED)
        run_note(unpacking->run, "unpack", "could not unpack during the download: %s", err.text);
    return NULL;
}

int unpacking_begin(const struct sha256 *want, uint64_t size, struct progress *download, struct cache *cache,
                    const struct run *run, struct progress *to, struct unpacking **ret, struct err *err)
{
    char key[SHA256_HEX];
    int fd = -1;
    *ret = NULL;
    hex_encode(want->bytes, SHA256_SIZE, key);
    if (cache_find(cache, unpack_kind, key, &fd, NULL, run, err) < 0)
        return -1;
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    struct unpacking *made = calloc(1, sizeof *made);
    if (!made)
        return err_oom(err);
    *made = (struct unpacking){.want = *want,
                               .input = {.fd = -1, .size = size, .origin = "the base", .progress = download},
                               .cache = cache,
                               .to = to,
                               .run = run,
                               .entry = CACHE_ENTRY_EMPTY};
    made->own.stop = &made->stop;
    int why = thread_start(&made->thread, run_unpack, made);
    if (why != 0) {
        free(made);
        return err_set(err, ERR_INTERNAL, why, "start a thread");
    }
    *ret = made;
    return 0;
}

static int end_disk(struct unpacking *unpacking, const struct trusted *artifact, struct disk *ret,
                    struct err *err)
{
    struct cache_entry *entry = &unpacking->entry;
    if (!unpacking->whole || !sha256_equal(&unpacking->want, &artifact->sha256))
        return 0;
    cleanup_close int fd = steal_fd(&entry->found_fd);
    char key[SHA256_HEX];
    hex_encode(unpacking->want.bytes, SHA256_SIZE, key);
    if (fd < 0 && (sums_write(unpacking->cache, key, &unpacking->sums, unpacking->run, err) < 0 ||
                   cache_commit(entry, &artifact->sha256, &fd, err) < 0))
        return -1;
    if (disk_over(fd, ret, err) == 0) {
        fd = -1;
        disk_set_base_sums(ret, steal_ptr(unpacking->sums.items), unpacking->sums.count);
        run_note(unpacking->run, "unpack", "the base was unpacked during the download");
        return 0;
    }
    return -1;
}

int unpacking_end(struct unpacking *unpacking, const struct trusted *artifact, struct disk *ret,
                  struct err *err)
{
    if (!unpacking)
        return 0;
    int r = 0;
    __atomic_store_n(&unpacking->stop, !artifact, __ATOMIC_RELAXED);
    for (bool joined = false; !joined;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        joined = pthread_timedjoin_np(unpacking->thread, NULL, &until) == 0;
        if (!joined && r == 0 && (r = run_check(unpacking->run, err)) < 0)
            __atomic_store_n(&unpacking->stop, 1, __ATOMIC_RELAXED);
    }
    if (r == 0 && artifact)
        r = end_disk(unpacking, artifact, ret, err);
    progress_end(unpacking->to, artifact && r == 0 && ret->ops);
    cache_abort(&unpacking->entry);
    sums_free(&unpacking->sums);
    free(unpacking);
    return r;
}
