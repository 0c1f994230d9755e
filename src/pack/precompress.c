#include "pack/precompress.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "io/file.h"
#include "task/thread.h"
#include "pack/segment/worker_scratch.h"
#include "pack/archive/sparse.h"
#include "pack/segment/store.h"
#include "task/workers.h"

struct precompress {
    struct cache *cache;
    struct sha256 base;
    enum deflate_engine engine;
    struct progress *progress;
    const struct run *run;
    struct run own; /* with this object's stop flag */
    volatile sig_atomic_t stop;
    pthread_t thread;
    struct worker_scratch scratch;
    unsigned char *out; /* deflate_bound(PACK_SEGMENT) */
    struct store store;
};

/* Bytes past the file's current end read as zeros. */
static int read_segment(int fd, uint32_t segment, unsigned char *bytes, struct err *err)
{
    for (size_t done = 0; done < PACK_SEGMENT;) {
        ssize_t n = pread(fd, bytes + done, PACK_SEGMENT - done, (off_t)segment * PACK_SEGMENT + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read the base");
        if (n == 0) {
            memset(bytes + done, 0, PACK_SEGMENT - done);
            break;
        }
        done += (size_t)n;
    }
    return 0;
}

/* Moves the data blocks together, as sparse_read() returns them. */
static void join_blocks(unsigned char *bytes, unsigned mask)
{
    size_t len = 0;
    for (unsigned i = 0; mask >> i != 0; i++) {
        if (!(mask >> i & 1))
            continue;
        memmove(bytes + len, bytes + (size_t)i * PACK_BLOCK, PACK_BLOCK);
        len += PACK_BLOCK;
    }
}

static int add_segment(struct precompress *precompress, int fd, uint32_t number, struct err *err)
{
    struct disk_segment segment = {.number = number};
    struct segment_record record;
    struct worker_scratch *scratch = &precompress->scratch;
    if (read_segment(fd, number, scratch->raw, err) < 0 || sparse_examine(scratch->raw, &segment, err) < 0 ||
        store_learn(&precompress->store, &segment, err) < 0)
        return -1;
    if (segment.mask == 0 || store_find(&precompress->store, &segment))
        return 0;
    join_blocks(scratch->raw, segment.mask);
    return worker_scratch_deflate(scratch, &segment, true, precompress->out, &record, err) < 0
               ? -1
               : store_add(&precompress->store, &record, precompress->out, err);
}

/* Waits for the next segment after AT that may hold data. *ret_found is false at the end. */
static int next_segment(struct precompress *precompress, uint64_t at, uint32_t *ret, bool *ret_found,
                        struct err *err)
{
    struct progress_state state;
    *ret_found = false;
    for (;;) {
        if (progress_wait(precompress->progress, at + PACK_SEGMENT, &precompress->own, &state, err) < 0)
            return -1;
        off_t data = state.fd < 0 ? -1 : lseek(state.fd, (off_t)at, SEEK_DATA);
        uint64_t segment = data < 0 ? UINT64_MAX : (uint64_t)data / PACK_SEGMENT;
        uint64_t whole = state.ready / PACK_SEGMENT;
        if (segment < whole) {
            *ret = (uint32_t)segment;
            *ret_found = true;
            return 0;
        }
        if (state.over) /* pack_disk() handles a partial last segment */
            return 0;
        at = whole * PACK_SEGMENT > at ? whole * PACK_SEGMENT : at;
    }
}

static int deflate_along(struct precompress *precompress, struct err *err)
{
    struct progress_state state;
    uint32_t segment = 0;
    bool found = true;
    cleanup_disk struct disk view = DISK_EMPTY; /* only for disk_origin() */
    cleanup_close int fd = -1;
    if (progress_wait(precompress->progress, 1, &precompress->own, &state, err) < 0)
        return -1;
    fd = state.fd < 0 ? -1 : fcntl(state.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (disk_over(fd, &view, err) < 0)
        return -1;
    fd = -1;
    if (store_init(&precompress->store, precompress->cache, &view, &precompress->base, precompress->engine,
                   &precompress->own, err) < 0 ||
        store_begin_precompress(&precompress->store, err) < 0)
        return -1;
    for (uint64_t at = 0; found && precompress->store.open; at = ((uint64_t)segment + 1) * PACK_SEGMENT) {
        struct err why = {0};
        bool stopped = run_check(&precompress->own, &why) < 0 ||
                       next_segment(precompress, at, &segment, &found, &why) < 0;
        if (stopped && why.kind != ERR_INTERRUPTED) {
            *err = why;
            return -1;
        }
        found = found && !stopped;
        if (found && add_segment(precompress, state.fd, segment, err) < 0)
            return -1;
    }
    /* commit only a complete base: waiting fails for an abandoned one, and the segments of one that is still
     * being unpacked are dropped */
    if (progress_wait(precompress->progress, 0, NULL, &state, err) < 0)
        return -1;
    return state.over ? store_commit(&precompress->store, err) : 0;
}

static void *run_precompress(void *arg)
{
    struct precompress *precompress = arg;
    struct err err = {0};
    if (deflate_along(precompress, &err) < 0 && err.kind != ERR_INTERRUPTED)
        run_note(precompress->run, "pack", "cannot deflate the base in advance: %s", err.text);
    store_free(&precompress->store);
    return NULL;
}

static void precompress_free(struct precompress *precompress)
{
    worker_scratch_free(&precompress->scratch);
    free(precompress->out);
    free(precompress);
}

int precompress_begin(const struct pack_options *options, struct progress *progress, const struct run *run,
                      struct precompress **ret, struct err *err)
{
    enum deflate_engine engine = options->small ? DEFLATE_SMALL : DEFLATE_FAST;
    bool reference = false;
    *ret = NULL;
    /* with one thread or processor this saves no time */
    if (!options->cache || !options->base || workers_threads(options->threads, PACK_THREADS_MAX) < 2)
        return 0;
    if (deflate_is_reference(engine, &reference, err) < 0)
        return -1;
    if (!reference) /* its bytes may not enter the cache */
        return 0;
    struct precompress *precompress = calloc(1, sizeof *precompress);
    if (!precompress)
        return err_oom(err);
    precompress->cache = options->cache;
    precompress->engine = engine;
    precompress->base = *options->base;
    precompress->progress = progress;
    precompress->run = run;
    precompress->own = (struct run){
        .stop = &precompress->stop, .on_event = run ? run->on_event : NULL, .ctx = run ? run->ctx : NULL};
    precompress->store = (struct store){.writing = CACHE_ENTRY_EMPTY};
    precompress->out = malloc(deflate_bound(PACK_SEGMENT));
    int r = precompress->out ? worker_scratch_init(&precompress->scratch, engine, err) : err_oom(err);
    if (r < 0 || thread_start(&precompress->thread, run_precompress, precompress) != 0) {
        precompress_free(precompress); /* without the thread, packing deflates everything */
        return r;
    }
    *ret = precompress;
    return 0;
}

void precompress_end(struct precompress *precompress)
{
    if (!precompress)
        return;
    __atomic_store_n(&precompress->stop, 1, __ATOMIC_RELAXED);
    pthread_join(precompress->thread, NULL);
    precompress_free(precompress);
}
