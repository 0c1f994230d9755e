#include "pack/pack.h"

#include <stdlib.h>

#include "pack/output.h"
#include "pack/archive/sparse.h"
#include "pack/segment/store.h"
#include "pack/archive/tarhead.h"
#include "pack/workers.h"

enum {
    /* results ahead of the archive: what a rebuild changed lies together, and is deflated while what comes before it is
     * read from the cache */
    SLOTS_MAX = 48,
    BATCH = 32 /* segments from the cache in one job */
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

void packed_free(struct packed *packed)
{
    free(packed->segments);
    *packed = (struct packed){0};
}

/* One segment that has to be deflated, or some that the store has. */
struct unit {
    size_t first, count; /* pieces */
    bool fresh;
};

/* What a worker makes of a segment. */
struct slot {
    unsigned char *out; /* deflate_bound(PACK_SEGMENT), once it was needed */
    struct record record;
};

/* Memory of a taker, for what the store has, and for what it had. */
struct spare {
    unsigned char *out;
    struct worker_scratch scratch;
    struct record record;
};

struct job {
    const struct disk *disk;
    const struct sparse *sparse;
    struct store *store;
    enum deflate_engine engine;
    bool verify; /* what is deflated is to be kept */
    const struct run *run;
    struct output output;
    struct unit *units;
    size_t unit_count;
    /* of each piece, where the store has it; NULL once it is known to be damaged */
    const struct stored **stored;
    struct spare read, copied, kept;
};

static void spare_free(struct spare *spare)
{
    worker_scratch_free(&spare->scratch);
    free(spare->out);
    *spare = (struct spare){0};
}

static int deflate_segment(const struct job *job, size_t piece, struct worker_scratch *scratch,
                           unsigned char *out, struct record *ret, struct err *err)
{
    const struct piece *from = &job->sparse->pieces[piece];
    return sparse_read(job->disk, from, scratch->raw, err) < 0 || sparse_check(from, scratch->raw, err) < 0
               ? -1
               : worker_scratch_deflate(scratch, from, job->verify, out, ret, err);
}

static int make_room(unsigned char **out, struct err *err)
{
    if (!*out)
        *out = malloc(deflate_bound(PACK_SEGMENT));
    return *out ? 0 : err_oom(err);
}

static int pack_unit(void *ctx, size_t index, void *memory, void *own, struct err *err)
{
    const struct job *job = ctx;
    const struct unit *unit = &job->units[index];
    struct slot *slot = memory;
    if (!unit->fresh)
        return 0;
    return make_room(&slot->out, err) < 0
               ? -1
               : deflate_segment(job, unit->first, own, slot->out, &slot->record, err);
}

/* What the store has damaged is deflated again, by each taker for itself: it comes to the same. */
static int remake(const struct job *job, size_t piece, struct spare *spare, struct err *err)
{
    if (make_room(&spare->out, err) < 0 ||
        (!spare->scratch.raw && worker_scratch_init(&spare->scratch, job->engine, err) < 0))
        return -1;
    return deflate_segment(job, piece, &spare->scratch, spare->out, &spare->record, err);
}

/* The archive's digest; and every segment of the store is looked at before it is copied. */
static int take_sha256(void *ctx, size_t index, void *memory, struct err *err)
{
    struct job *job = ctx;
    const struct unit *unit = &job->units[index];
    const struct slot *slot = memory;
    struct spare *spare = &job->read;
    if (unit->fresh)
        return output_hash(&job->output, slot->out, &slot->record, err);
    if (make_room(&spare->out, err) < 0)
        return -1;
    for (size_t i = unit->first; i < unit->first + unit->count; i++) {
        const struct stored *stored = job->stored[i];
        if (store_read(job->store, stored, spare->out)) {
            spare->record = stored->record;
        } else {
            job->stored[i] = NULL;
            if (remake(job, i, spare, err) < 0)
                return -1;
        }
        if (output_hash(&job->output, spare->out, &spare->record, err) < 0)
            return -1;
    }
    return 0;
}

static int take_archive(void *ctx, size_t index, void *memory, struct err *err)
{
    struct job *job = ctx;
    const struct unit *unit = &job->units[index];
    const struct slot *slot = memory;
    struct spare *spare = &job->copied;
    for (size_t i = unit->first; i < unit->first + unit->count; i++) {
        const struct stored *stored = job->stored[i];
        uint64_t off = (uint64_t)job->sparse->pieces[i].segment * PACK_SEGMENT;
        if (!unit->fresh && !stored && remake(job, i, spare, err) < 0)
            return -1;
        const struct record *record = unit->fresh ? &slot->record : stored ? &stored->record : &spare->record;
        int from = stored ? store_fd(job->store, stored) : -1;
        if (output_append(&job->output, unit->fresh ? slot->out : spare->out, record, from, off, PACK_SEGMENT,
                          err) < 0)
            return -1;
    }
    run_progress(job->run, "pack", PACK_MEMBER, unit->first + unit->count, job->sparse->count);
    return 0;
}

static int take_store(void *ctx, size_t index, void *memory, struct err *err)
{
    struct job *job = ctx;
    const struct unit *unit = &job->units[index];
    const struct slot *slot = memory;
    struct spare *spare = &job->kept;
    if (unit->fresh)
        return store_add(job->store, &slot->record, slot->out, err);
    for (size_t i = unit->first; job->store->whole && i < unit->first + unit->count; i++) {
        const struct stored *stored = job->stored[i];
        if (make_room(&spare->out, err) < 0)
            return -1;
        if (stored && store_read(job->store, stored, spare->out) &&
            store_add(job->store, &stored->record, spare->out, err) < 0)
            return -1;
    }
    return 0;
}

static int list_units(struct job *job, struct err *err)
{
    size_t count = job->sparse->count;
    job->units = calloc(count + 1, sizeof *job->units);
    job->stored = calloc(count + 1, sizeof *job->stored);
    if (!job->units || !job->stored)
        return err_oom(err);
    for (size_t i = 0; i < count; i++) {
        struct unit *last = job->unit_count > 0 ? &job->units[job->unit_count - 1] : NULL;
        job->stored[i] = store_find(job->store, &job->sparse->pieces[i]);
        if (job->stored[i] && last && !last->fresh && last->count < BATCH)
            last->count++;
        else
            job->units[job->unit_count++] = (struct unit){.first = i, .count = 1, .fresh = !job->stored[i]};
    }
    return 0;
}

static int append_data(struct job *job, unsigned threads, struct err *err)
{
    struct slot slots[SLOTS_MAX] = {0};
    struct worker_scratch scratches[PACK_THREADS_MAX] = {0};
    void *slot_list[SLOTS_MAX], *scratch_list[PACK_THREADS_MAX];
    int r = list_units(job, err);
    for (size_t i = 0; i < threads && r == 0; i++) {
        scratch_list[i] = &scratches[i];
        r = worker_scratch_init(&scratches[i], job->engine, err);
    }
    for (size_t i = 0; i < SLOTS_MAX; i++)
        slot_list[i] = &slots[i];
    const struct workers workers = {.threads = threads,
                                    .jobs = job->unit_count,
                                    .slots = slot_list,
                                    .slot_count = SLOTS_MAX,
                                    .own = scratch_list,
                                    .ctx = job,
                                    .work = pack_unit,
                                    .take = {take_sha256, take_archive, take_store},
                                    .run = job->run};
    if (r == 0)
        r = workers_run(&workers, err);
    for (size_t i = 0; i < threads; i++)
        worker_scratch_free(&scratches[i]);
    for (size_t i = 0; i < SLOTS_MAX; i++)
        free(slots[i].out);
    return r;
}

static int check_disk(const struct disk *disk, const struct pack_options *options, struct err *err)
{
    if (disk->size == 0 || disk->size % GIB != 0 || disk->size > DISK_MAX)
        return err_set(err, ERR_LAYOUT, 0,
                       "a disk of %llu bytes cannot be packed: GCE takes whole GiB, from 1 to 65536",
                       (unsigned long long)disk->size);
    if (options->epoch < 0)
        return err_set(err, ERR_USAGE, 0, "the time %lld lies before 1970", (long long)options->epoch);
    return 0;
}

/* A library whose bytes are not the reference's: nothing of it may get into the cache, which a later run with another one would
 * use. */
static int check_engine(struct pack_options *options, const struct run *run, struct err *err)
{
    bool reference = false;
    if (deflate_is_reference(engine_of(options->small), &reference, err) < 0)
        return -1;
    if (reference)
        return 0;
    options->cache = NULL;
    run_warn(run, "pack",
             "the library on this machine deflates in another way than the reference (%s on x86-64 with "
             "SSE4.2): the image is right, but its bytes differ from those made elsewhere",
             pack_engine(options->small));
    return 0;
}

static void job_free(struct job *job)
{
    output_free(&job->output);
    spare_free(&job->read);
    spare_free(&job->copied);
    spare_free(&job->kept);
    free(job->units);
    free(job->stored);
}

/* Nothing is kept of a disk that is not what it should be: later bakes would take it for known. */
static int finish(struct job *job, const struct pack_approval *approve, struct packed *ret, struct err *err)
{
    struct packed *packed = &job->output.packed;
    if (hasher_end(&job->output.sha256, packed->archive_sha256.bytes, err) < 0 ||
        disk_check_files(job->disk, err) < 0 || (approve->fn && approve->fn(approve->ctx, err) < 0) ||
        store_commit(job->store, err) < 0)
        return -1;
    *ret = *packed;
    *packed = (struct packed){0};
    return 0;
}

/* Looks at the disk, and makes the store ready. */
static int survey(const struct disk *disk, unsigned threads, struct store *store, const struct run *run,
                  struct sparse *ret, struct sha256 *ret_tree, struct err *err)
{
    const struct sparse_memory memory = {.known = store_known, .learn = store_learn, .ctx = store};
    cleanup_sparse struct sparse sparse = {0};
    if (sparse_scan(disk, threads, &memory, run, &sparse, err) < 0 ||
        sparse_tree(&sparse, ret_tree, err) < 0 || store_begin(store, &sparse, ret_tree, err) < 0)
        return -1;
    *ret = sparse;
    sparse.pieces = NULL;
    return 0;
}

int pack_disk(const struct disk *disk, const struct pack_options *asked, int out_fd, const struct run *run,
              struct packed *ret, struct err *err)
{
    struct pack_options options = *asked;
    if (check_disk(disk, &options, err) < 0 || check_engine(&options, run, err) < 0)
        return -1;
    unsigned threads = workers_threads(options.threads, PACK_THREADS_MAX);
    cleanup_sparse struct sparse sparse = {0};
    cleanup_store struct store store = {.writing = CACHE_ENTRY_EMPTY};
    cleanup(job_free) struct job job = {
        .disk = disk, .sparse = &sparse, .store = &store, .engine = engine_of(options.small), .run = run};
    struct packed *packed = &job.output.packed;
    packed->disk_size = disk->size;
    if (store_init(&store, disk, &options, run, err) < 0 ||
        survey(disk, threads, &store, run, &sparse, &packed->disk_tree, err) < 0)
        return -1;
    job.verify = store.open; /* now: it may be given up on another thread */
    if (output_begin(&job.output, out_fd, sparse.count, &options.sink, run, err) < 0 ||
        output_head(&job.output, &sparse, options.epoch, job.engine, err) < 0 ||
        append_data(&job, threads, err) < 0 || output_end(&job.output, job.engine, err) < 0)
        return -1;
    return finish(&job, &options.approve, ret, err);
}
