#include "pack/pack.h"

#include <stdlib.h>

#include "pack/archive/sparse.h"
#include "pack/archive/tarhead.h"
#include "pack/archive_writer.h"
#include "pack/segment/store.h"
#include "pack/segment/worker_scratch.h"
#include "task/workers.h"

enum {
    /* Results that may wait for the archive. A rebuild's changes lie together on the disk, so a long queue
     * lets them be deflated while the segments before them are read from the cache. */
    SLOTS_MAX = 48,
    BATCH_MAX = 32 /* cached segments in one batch */
};
static const uint64_t GIB = UINT64_C(1) << 30;
static const uint64_t DISK_MAX = UINT64_C(64) << 40; /* the largest persistent disk of GCE */

static enum deflate_engine engine_of(bool small)
{
    return small ? DEFLATE_SMALL : DEFLATE_FAST;
}

const char *pack_engine(bool small)
{
    return deflate_engine_name(engine_of(small));
}

/* A deflated segment. */
struct deflated {
    unsigned char *bytes; /* deflate_bound(PACK_SEGMENT), allocated on first use */
    struct segment_record record;
};

struct batch {
    size_t first, count; /* of the disk's segments */
    bool cached;         /* false: one segment, to be deflated */
};

/* One consumer's memory, to read cached segments and to deflate damaged ones again. */
struct consumer {
    struct deflated segment;
    struct worker_scratch scratch;
};

struct packing {
    const struct disk *disk;
    const struct sparse *sparse;
    struct store *store;
    enum deflate_engine engine;
    bool verify; /* deflated segments enter the cache, so they are verified */
    const struct run *run;
    struct archive_writer writer;
    struct batch *batches;
    size_t batch_count;
    const struct cached_segment **cached; /* one for each segment; NULL: not in the cache, or damaged there */
    struct consumer hashing, appending, keeping;
};

/* --- one segment --- */

static int alloc_deflated(struct deflated *segment, struct err *err)
{
    if (!segment->bytes)
        segment->bytes = malloc(deflate_bound(PACK_SEGMENT));
    return segment->bytes ? 0 : err_oom(err);
}

static int deflate_from_disk(const struct packing *packing, size_t index, struct worker_scratch *scratch,
                             struct deflated *ret, struct err *err)
{
    const struct disk_segment *from = &packing->sparse->segments[index];
    if (alloc_deflated(ret, err) < 0 || sparse_read(packing->disk, from, scratch->raw, err) < 0 ||
        sparse_check(from, scratch->raw, err) < 0)
        return -1;
    return worker_scratch_deflate(scratch, from, packing->verify, ret->bytes, &ret->record, err);
}

/* A damaged segment of the cache is deflated again by each consumer; deflate is deterministic, so all get the
 * same bytes. */
static int deflate_again(const struct packing *packing, size_t index, struct consumer *own, struct err *err)
{
    if (!own->scratch.raw && worker_scratch_init(&own->scratch, packing->engine, err) < 0)
        return -1;
    return deflate_from_disk(packing, index, &own->scratch, &own->segment, err);
}

static bool read_cached(const struct packing *packing, size_t index, struct deflated *ret)
{
    const struct cached_segment *cached = packing->cached[index];
    if (!cached || !store_read(packing->store, cached, ret->bytes))
        return false;
    ret->record = cached->record;
    return true;
}

/* --- batches: workers deflate; three consumers hash, append and keep, each behind the one before --- */

static int deflate_batch(void *ctx, size_t index, void *slot, void *own, struct err *err)
{
    const struct packing *packing = ctx;
    const struct batch *batch = &packing->batches[index];
    return batch->cached ? 0 : deflate_from_disk(packing, batch->first, own, slot, err);
}

/* Also detects damaged cached segments before they are copied into the archive. */
static int hash_batch(void *ctx, size_t index, void *slot, struct err *err)
{
    struct packing *packing = ctx;
    const struct batch *batch = &packing->batches[index];
    const struct deflated *fresh = slot;
    struct consumer *own = &packing->hashing;
    if (!batch->cached)
        return archive_writer_hash(&packing->writer, fresh->bytes, &fresh->record, err);
    if (alloc_deflated(&own->segment, err) < 0)
        return -1;
    for (size_t i = batch->first; i < batch->first + batch->count; i++) {
        if (!read_cached(packing, i, &own->segment)) {
            packing->cached[i] = NULL;
            if (deflate_again(packing, i, own, err) < 0)
                return -1;
        }
        if (archive_writer_hash(&packing->writer, own->segment.bytes, &own->segment.record, err) < 0)
            return -1;
    }
    return 0;
}

static int append_segment(struct packing *packing, size_t index, const struct deflated *fresh,
                          struct err *err)
{
    uint64_t off = (uint64_t)packing->sparse->segments[index].number * PACK_SEGMENT;
    const struct cached_segment *cached = packing->cached[index];
    if (cached)
        return archive_writer_append(&packing->writer, NULL, &cached->record,
                                     store_fd(packing->store, cached), off, PACK_SEGMENT, err);
    return archive_writer_append(&packing->writer, fresh->bytes, &fresh->record, -1, off, PACK_SEGMENT, err);
}

static int append_batch(void *ctx, size_t index, void *slot, struct err *err)
{
    struct packing *packing = ctx;
    const struct batch *batch = &packing->batches[index];
    struct consumer *own = &packing->appending;
    const struct deflated *fresh = batch->cached ? &own->segment : slot;
    for (size_t i = batch->first; i < batch->first + batch->count; i++) {
        bool damaged = batch->cached && !packing->cached[i];
        if ((damaged && deflate_again(packing, i, own, err) < 0) ||
            append_segment(packing, i, fresh, err) < 0)
            return -1;
    }
    run_progress(packing->run, "pack", PACK_MEMBER, batch->first + batch->count, packing->sparse->count);
    return 0;
}

static int keep_batch(void *ctx, size_t index, void *slot, struct err *err)
{
    struct packing *packing = ctx;
    const struct batch *batch = &packing->batches[index];
    const struct deflated *fresh = slot;
    struct deflated *copy = &packing->keeping.segment;
    if (!batch->cached)
        return store_add(packing->store, &fresh->record, fresh->bytes, err);
    for (size_t i = batch->first; packing->store->whole && i < batch->first + batch->count; i++) {
        if (alloc_deflated(copy, err) < 0)
            return -1;
        if (read_cached(packing, i, copy) && store_add(packing->store, &copy->record, copy->bytes, err) < 0)
            return -1;
    }
    return 0;
}

static int list_batches(struct packing *packing, struct err *err)
{
    size_t count = packing->sparse->count;
    packing->batches = calloc(count + 1, sizeof *packing->batches);
    packing->cached = calloc(count + 1, sizeof *packing->cached);
    if (!packing->batches || !packing->cached)
        return err_oom(err);
    for (size_t i = 0; i < count; i++) {
        struct batch *last = packing->batch_count > 0 ? &packing->batches[packing->batch_count - 1] : NULL;
        const struct cached_segment *cached = store_find(packing->store, &packing->sparse->segments[i]);
        packing->cached[i] = cached;
        if (cached && last && last->cached && last->count < BATCH_MAX)
            last->count++;
        else
            packing->batches[packing->batch_count++] =
                (struct batch){.first = i, .count = 1, .cached = cached};
    }
    return 0;
}

static int append_data(struct packing *packing, unsigned threads, struct err *err)
{
    struct deflated slots[SLOTS_MAX] = {0};
    struct worker_scratch scratches[PACK_THREADS_MAX] = {0};
    void *slot_list[SLOTS_MAX], *scratch_list[PACK_THREADS_MAX];
    int r = list_batches(packing, err);
    for (size_t i = 0; i < threads && r == 0; i++) {
        scratch_list[i] = &scratches[i];
        r = worker_scratch_init(&scratches[i], packing->engine, err);
    }
    for (size_t i = 0; i < SLOTS_MAX; i++)
        slot_list[i] = &slots[i];
    const struct workers workers = {.threads = threads,
                                    .jobs = packing->batch_count,
                                    .slots = slot_list,
                                    .slot_count = SLOTS_MAX,
                                    .own = scratch_list,
                                    .ctx = packing,
                                    .work = deflate_batch,
                                    .consume = {hash_batch, append_batch, keep_batch},
                                    .run = packing->run};
    if (r == 0)
        r = workers_run(&workers, err);
    for (size_t i = 0; i < threads; i++)
        worker_scratch_free(&scratches[i]);
    for (size_t i = 0; i < SLOTS_MAX; i++)
        free(slots[i].bytes);
    return r;
}

/* --- the disk --- */

static int check_disk(const struct disk *disk, const struct pack_options *options, struct err *err)
{
    if (disk->size == 0 || disk->size % GIB != 0 || disk->size > DISK_MAX)
        return err_set(
            err, ERR_LAYOUT, 0,
            "cannot pack a disk of %llu bytes: GCE requires a whole number of GiB, from 1 to 65536",
            (unsigned long long)disk->size);
    if (options->epoch < 0)
        return err_set(err, ERR_USAGE, 0, "the time %lld is before 1970", (long long)options->epoch);
    return 0;
}

/* Later runs share the cache and may use another library, so only reference output may enter it. */
static int check_engine(struct pack_options *options, const struct run *run, struct err *err)
{
    bool reference = false;
    if (deflate_is_reference(engine_of(options->small), &reference, err) < 0)
        return -1;
    if (reference)
        return 0;
    options->cache = NULL;
    run_warn(run, "pack",
             "this machine's deflate library does not produce the reference output (%s on x86-64 with "
             "SSE4.2): the image is correct, but not byte-identical to one made elsewhere",
             pack_engine(options->small));
    return 0;
}

static void consumer_free(struct consumer *consumer)
{
    worker_scratch_free(&consumer->scratch);
    free(consumer->segment.bytes);
}

static void packing_free(struct packing *packing)
{
    archive_writer_free(&packing->writer);
    consumer_free(&packing->hashing);
    consumer_free(&packing->appending);
    consumer_free(&packing->keeping);
    free(packing->batches);
    free(packing->cached);
}

/* Finds the disk's segments, and prepares the store for those that are missing from it. */
static int survey(const struct disk *disk, unsigned threads, struct store *store, const struct run *run,
                  struct sparse *ret, struct sha256 *ret_tree, struct err *err)
{
    const struct sparse_cache cache = {.known = store_known, .learn = store_learn, .ctx = store};
    cleanup_sparse struct sparse sparse = {0};
    if (sparse_scan(disk, threads, &cache, run, &sparse, err) < 0 ||
        sparse_tree(&sparse, ret_tree, err) < 0 || store_begin(store, &sparse, ret_tree, err) < 0)
        return -1;
    *ret = sparse;
    sparse.segments = NULL;
    return 0;
}

/* The store commits last, so that segments of a disk that fails verification never reach later bakes. */
static int finish(struct packing *packing, const struct pack_approval *approve, struct packed *ret,
                  struct err *err)
{
    struct packed *packed = &packing->writer.packed;
    if (hasher_end(&packing->writer.sha256, packed->archive_sha256.bytes, err) < 0 ||
        disk_check_files(packing->disk, err) < 0 || (approve->fn && approve->fn(approve->ctx, err) < 0) ||
        store_commit(packing->store, err) < 0)
        return -1;
    *ret = *packed;
    *packed = (struct packed){0};
    return 0;
}

int pack_disk(const struct disk *disk, const struct pack_options *asked, int out_fd, const struct run *run,
              struct packed *ret, struct err *err)
{
    struct pack_options options = *asked;
    if (check_disk(disk, &options, err) < 0 || check_engine(&options, run, err) < 0)
        return -1;
    unsigned threads = workers_threads(options.threads, PACK_THREADS_MAX);
    enum deflate_engine engine = engine_of(options.small);
    cleanup_sparse struct sparse sparse = {0};
    cleanup_store struct store store = {.writing = CACHE_ENTRY_EMPTY};
    cleanup(packing_free) struct packing packing = {
        .disk = disk, .sparse = &sparse, .store = &store, .engine = engine, .run = run};
    struct archive_writer *writer = &packing.writer;
    writer->packed.disk_size = disk->size;
    if (store_init(&store, options.cache, disk, options.base, engine, run, err) < 0 ||
        survey(disk, threads, &store, run, &sparse, &writer->packed.disk_tree, err) < 0)
        return -1;
    packing.verify = store.open; /* copied here: another thread may close the store after an error */
    if (archive_writer_begin(writer, out_fd, sparse.count, &options.sink, run, err) < 0 ||
        archive_writer_head(writer, &sparse, options.epoch, engine, err) < 0 ||
        append_data(&packing, threads, err) < 0 || archive_writer_end(writer, engine, err) < 0)
        return -1;
    return finish(&packing, &options.approve, ret, err);
}
