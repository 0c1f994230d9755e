#include "pack/pack.h"

#include <fcntl.h>
#include <string.h>

#include <isa-l/crc.h>
#include <zlib.h>

#include "io/file.h"
#include "io/crc32c.h"
#include "pack/desk.h"
#include "pack/sparse.h"
#include "pack/store.h"
#include "pack/tarhead.h"
#include "pack/workers.h"

enum {
    GZIP_HEAD = 10,
    GZIP_TAIL = 8,
    /* results ahead of the archive: what a rebuild changed lies together, and is deflated while what comes before it is
     * read from the cache */
    SLOTS_MAX = 48,
    BATCH = 32 /* segments from the cache in one job */
};
static const uint64_t GIB = UINT64_C(1) << 30;
static const uint64_t DISK_MAX = UINT64_C(64) << 40;    /* the largest persistent disk of GCE */
static const uint64_t WRITEBACK = UINT64_C(16) << 20;   /* bytes after which the kernel is set to work */
static const uint64_t DROP_BEHIND = UINT64_C(64) << 20; /* bytes that the disk is given time for */
static const uint64_t RUN_MAX = UINT64_C(16) << 20;     /* bytes that are copied from the cache at once */

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
    struct desk desk;
    struct record record;
};

/* Segments that lie side by side in the cache as they will in the archive: not written yet, but copied in one go, for which
 * a file system that can shares them. */
struct pending {
    int fd;
    uint64_t from, len; /* bytes of the cache's file */
};

struct job {
    const struct disk *disk;
    const struct sparse *sparse;
    struct store *store;
    enum deflate_engine engine;
    bool verify; /* what is deflated is to be kept */
    int fd;
    struct pack_sink sink;
    const struct run *run;
    struct packed packed;
    struct unit *units;
    size_t unit_count;
    const struct stored *
        *stored; /* of each piece, where the store has it; NULL once it is known to be damaged */
    struct spare read, copied, kept;
    struct pending pending;
    struct hasher sha256;
    uint32_t crc;      /* CRC-32 of the tar so far */
    uint64_t tar_size; /* bytes of the tar so far */
    uint64_t flushed;  /* bytes of the archive that are on their way to the disk */
    uint64_t dropped;  /* and those that need not stay in memory */
};

static void spare_free(struct spare *spare)
{
    desk_free(&spare->desk);
    free(spare->out);
    *spare = (struct spare){0};
}

/* The fsync at the end is to find little left. The archive is not read here again: what has reached the disk meanwhile does not
 * take the memory of what is, and new pages are dear in virtual machines. Nothing is waited for. */
static void nudge(struct job *job, uint64_t written)
{
    if (written - job->flushed < WRITEBACK)
        return;
    sync_file_range(job->fd, (off_t)job->flushed, (off_t)(written - job->flushed), SYNC_FILE_RANGE_WRITE);
    job->flushed = written;
    if (written - job->dropped > DROP_BEHIND) {
        uint64_t end = written - DROP_BEHIND;
        posix_fadvise(job->fd, (off_t)job->dropped, (off_t)(end - job->dropped), POSIX_FADV_DONTNEED);
        job->dropped = end;
    }
}

static int copy_pending(struct job *job, struct err *err)
{
    struct pending *pending = &job->pending;
    uint64_t len = pending->len, end = job->packed.archive_size;
    pending->len = 0;
    if (len == 0)
        return 0;
    if (file_copy(pending->fd, pending->from, job->fd, end - len, len, job->run, err) < 0)
        return -1;
    nudge(job, end);
    return 0;
}

/* Puts one segment at the archive's end: from the cache's file where it is STORED, else its BYTES. */
static int place(struct job *job, const unsigned char *bytes, const struct record *record,
                 const struct stored *stored, struct err *err)
{
    struct pending *pending = &job->pending;
    int fd = stored ? store_fd(job->store, stored) : -1;
    bool goes_on = pending->len > 0 && pending->fd == fd && pending->from + pending->len == record->off;
    if ((!goes_on || pending->len >= RUN_MAX) && copy_pending(job, err) < 0)
        return -1;
    if (fd < 0) {
        if (file_pwrite(job->fd, bytes, record->packed_len, job->packed.archive_size, "the archive", err) < 0)
            return -1;
        nudge(job, job->packed.archive_size + record->packed_len);
        return 0;
    }
    if (pending->len == 0)
        *pending = (struct pending){.fd = fd, .from = record->off};
    pending->len += record->packed_len;
    return 0;
}

/* Appends one segment to the archive: the only place that writes. STORED: where the cache has it, or NULL. */
static int append(struct job *job, const unsigned char *bytes, const struct record *record,
                  const struct stored *stored, uint64_t raw_off, uint64_t raw_len, struct err *err)
{
    struct packed *packed = &job->packed;
    if (place(job, bytes, record, stored, err) < 0)
        return -1;
    packed->segments[packed->segment_count++] = (struct segment){.raw_off = raw_off,
                                                                 .raw_len = raw_len,
                                                                 .packed_off = packed->archive_size,
                                                                 .packed_len = record->packed_len,
                                                                 .packed_sha256 = record->sha256,
                                                                 .packed_crc32c = record->crc32c};
    packed->archive_crc32c = crc32c_join(packed->archive_crc32c, record->crc32c, record->packed_len);
    packed->archive_size += record->packed_len;
    job->crc = (uint32_t)crc32_combine(job->crc, record->crc, (z_off_t)record->raw_len);
    job->tar_size += record->raw_len;
    return 0;
}

static int deflate_segment(const struct job *job, size_t piece, struct desk *desk, unsigned char *out,
                           struct record *ret, struct err *err)
{
    const struct piece *from = &job->sparse->pieces[piece];
    return sparse_read(job->disk, from, desk->raw, err) < 0
               ? -1
               : desk_deflate(desk, from, job->verify, out, ret, err);
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
        (!spare->desk.raw && desk_init(&spare->desk, job->engine, err) < 0))
        return -1;
    return deflate_segment(job, piece, &spare->desk, spare->out, &spare->record, err);
}

/* Bytes of the archive, in order. */
static int next_bytes(struct job *job, const unsigned char *bytes, const struct record *record,
                      struct err *err)
{
    if (job->sink.take)
        job->sink.take(job->sink.ctx, bytes, record->packed_len, &record->sha256, record->crc32c);
    return hasher_add(&job->sha256, bytes, record->packed_len, err);
}

/* The archive's digest; and every segment of the store is looked at before it is copied. */
static int take_sha256(void *ctx, size_t index, void *memory, struct err *err)
{
    struct job *job = ctx;
    const struct unit *unit = &job->units[index];
    const struct slot *slot = memory;
    struct spare *spare = &job->read;
    if (unit->fresh)
        return next_bytes(job, slot->out, &slot->record, err);
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
        if (next_bytes(job, spare->out, &spare->record, err) < 0)
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
        if (append(job, unit->fresh ? slot->out : spare->out, record, stored, off, PACK_SEGMENT, err) < 0)
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

/* The first and the last segment: PREFIX, RAW deflated, and, at the end, gzip's trailer. */
static int append_frame(struct job *job, const void *prefix, size_t prefix_len, const void *raw,
                        size_t raw_len, bool last, struct err *err)
{
    size_t room = deflate_bound(raw_len), len = 0;
    cleanup_free unsigned char *out = malloc(prefix_len + room + GZIP_TAIL);
    cleanup_deflater struct deflater deflater = {0};
    if (!out)
        return err_oom(err);
    if (prefix_len > 0)
        memcpy(out, prefix, prefix_len);
    if (deflater_init(&deflater, job->engine, err) < 0 ||
        deflate_piece(&deflater, raw, raw_len, last, out + prefix_len, room, &len, err) < 0)
        return -1;
    len += prefix_len;
    if (!last)
        len = deflate_fill(out, len);
    struct record record = {.raw_len = (uint32_t)raw_len,
                            .crc = crc32_gzip_refl(0, (unsigned char *)(uintptr_t)raw, raw_len)};
    if (last) { /* CRC-32, then the size modulo 2^32, little-endian */
        uint32_t crc = (uint32_t)crc32_combine(job->crc, record.crc, (z_off_t)raw_len);
        uint32_t size = (uint32_t)(job->tar_size + raw_len);
        for (unsigned i = 0; i < GZIP_TAIL; i++)
            out[len++] = (unsigned char)((i < 4 ? crc : size) >> (8 * (i % 4)));
    }
    record.packed_len = (uint32_t)len;
    record.crc32c = crc32c_add(0, out, len);
    if (sha256_of(out, len, &record.sha256, err) < 0 || next_bytes(job, out, &record, err) < 0)
        return -1;
    return append(job, out, &record, NULL, last ? job->packed.disk_size : 0, 0, err);
}

static int append_head(struct job *job, int64_t epoch, struct err *err)
{
    static const unsigned char gzip[GZIP_HEAD] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    cleanup_buf struct buf head = BUF_INIT(TAR_HEAD_MAX);
    if (tar_head(job->sparse, epoch, &head, err) < 0)
        return -1;
    return append_frame(job, gzip, sizeof gzip, head.data, head.len, false, err);
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
    struct desk desks[PACK_THREADS_MAX] = {0};
    void *slot_list[SLOTS_MAX], *desk_list[PACK_THREADS_MAX];
    int r = list_units(job, err);
    for (size_t i = 0; i < threads && r == 0; i++) {
        desk_list[i] = &desks[i];
        r = desk_init(&desks[i], job->engine, err);
    }
    for (size_t i = 0; i < SLOTS_MAX; i++)
        slot_list[i] = &slots[i];
    const struct workers workers = {.threads = threads,
                                    .jobs = job->unit_count,
                                    .slots = slot_list,
                                    .slot_count = SLOTS_MAX,
                                    .own = desk_list,
                                    .ctx = job,
                                    .work = pack_unit,
                                    .take = {take_sha256, take_archive, take_store},
                                    .run = job->run};
    if (r == 0)
        r = workers_run(&workers, err);
    for (size_t i = 0; i < threads; i++)
        desk_free(&desks[i]);
    for (size_t i = 0; i < SLOTS_MAX; i++)
        free(slots[i].out);
    return r;
}

static int append_end(struct job *job, struct err *err)
{
    static const unsigned char zeros[TAR_RECORD + 2 * TAR_BLOCK] = {0};
    return append_frame(job, NULL, 0, zeros, tar_end_size(job->tar_size), true, err);
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
    hasher_free(&job->sha256);
    packed_free(&job->packed);
    spare_free(&job->read);
    spare_free(&job->copied);
    spare_free(&job->kept);
    free(job->units);
    free(job->stored);
}

static int finish(struct job *job, struct packed *ret, struct err *err)
{
    struct packed *packed = &job->packed;
    if (hasher_end(&job->sha256, packed->archive_sha256.bytes, err) < 0 ||
        disk_check_grafts(job->disk, err) < 0 || store_commit(job->store, err) < 0)
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
    cleanup(job_free) struct job job = {.disk = disk,
                                        .sparse = &sparse,
                                        .store = &store,
                                        .engine = engine_of(options.small),
                                        .fd = out_fd,
                                        .sink = options.sink,
                                        .run = run,
                                        .packed = {.disk_size = disk->size}};
    if (store_init(&store, disk, &options, run, err) < 0 ||
        survey(disk, threads, &store, run, &sparse, &job.packed.disk_tree, err) < 0)
        return -1;
    job.verify = store.open; /* now: it may be given up on another thread */
    job.packed.segments = calloc(sparse.count + 2, sizeof *job.packed.segments);
    if (!job.packed.segments)
        return err_oom(err);
    if (hasher_init(&job.sha256, DIGEST_SHA256, err) < 0 || append_head(&job, options.epoch, err) < 0 ||
        append_data(&job, threads, err) < 0 || append_end(&job, err) < 0)
        return -1;
    return finish(&job, ret, err);
}
