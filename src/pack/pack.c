#include "pack/pack.h"

#include <fcntl.h>
#include <string.h>

#include <isa-l/crc.h>
#include <zlib.h>

#include "io/file.h"
#include "io/crc32c.h"
#include "pack/deflate.h"
#include "pack/sparse.h"
#include "pack/store.h"
#include "pack/tarhead.h"
#include "pack/workers.h"

enum { GZIP_HEAD = 10, GZIP_TAIL = 8, SLOTS_MAX = 2 * PACK_THREADS_MAX };
static const uint64_t GIB = UINT64_C(1) << 30;
static const uint64_t DISK_MAX = UINT64_C(64) << 40;  /* the largest persistent disk of GCE */
static const uint64_t WRITEBACK = UINT64_C(16) << 20; /* bytes after which the kernel is set to work */

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

/* What a worker makes of one segment. */
struct slot {
    struct deflater deflater;
    unsigned char *raw, *out, *scratch;
    struct record record;
    bool fresh; /* deflated now, not found */
};

struct job {
    const struct disk *disk;
    const struct sparse *sparse;
    struct store *store;
    enum deflate_engine engine;
    bool verify; /* inflate what was deflated, and compare */
    int fd;
    const struct run *run;
    struct packed packed;
    struct hasher sha256, sha1;
    uint32_t crc;      /* CRC-32 of the tar so far */
    uint64_t tar_size; /* bytes of the tar so far */
    uint64_t flushed;  /* bytes of the archive that are on their way to the disk */
};

static void slot_free(struct slot *slot)
{
    deflater_free(&slot->deflater);
    free(slot->raw);
    free(slot->out);
    free(slot->scratch);
    *slot = (struct slot){0};
}

static int slot_init(struct slot *slot, enum deflate_engine engine, struct err *err)
{
    slot->raw = malloc(PACK_SEGMENT);
    slot->out = malloc(deflate_bound(PACK_SEGMENT));
    slot->scratch = malloc(PACK_SEGMENT + 1);
    if (!slot->raw || !slot->out || !slot->scratch)
        return err_oom(err);
    return deflater_init(&slot->deflater, engine, err);
}

/* Appends one segment to the archive: the only place that writes. */
static int append(struct job *job, const unsigned char *bytes, const struct record *record, uint64_t raw_off,
                  uint64_t raw_len, struct err *err)
{
    struct packed *packed = &job->packed;
    if (file_write(job->fd, bytes, record->packed_len, "the archive", err) < 0)
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
    if (packed->archive_size - job->flushed >=
        WRITEBACK) { /* so that the fsync at the end finds little left */
        sync_file_range(job->fd, (off_t)job->flushed, (off_t)(packed->archive_size - job->flushed),
                        SYNC_FILE_RANGE_WRITE);
        job->flushed = packed->archive_size;
    }
    return 0;
}

static int sum_packed(struct record *record, const unsigned char *packed, size_t len, struct err *err)
{
    record->packed_len = (uint32_t)len;
    record->crc32c = crc32c_add(0, packed, len);
    return sha256_of(packed, len, &record->sha256, err);
}

static int deflate_segment(struct job *job, const struct piece *piece, struct slot *slot, struct err *err)
{
    size_t len = piece_len(piece), out_len = 0;
    slot->fresh = true;
    slot->record = (struct record){.raw = piece->sha256, .raw_len = (uint32_t)len};
    if (sparse_read(job->disk, piece, slot->raw, err) < 0)
        return -1;
    slot->record.crc = crc32_gzip_refl(0, slot->raw, len);
    if (deflate_piece(&slot->deflater, slot->raw, len, false, slot->out, deflate_bound(PACK_SEGMENT),
                      &out_len, err) < 0)
        return -1;
    if (job->verify && deflate_verify(slot->out, out_len, slot->raw, len, slot->scratch, err) < 0)
        return err_wrap(err, "disk.raw at byte %llu", (unsigned long long)piece->segment * PACK_SEGMENT);
    return sum_packed(&slot->record, slot->out, out_len, err);
}

static int pack_segment(void *ctx, size_t index, void *memory, struct err *err)
{
    struct job *job = ctx;
    struct slot *slot = memory;
    const struct piece *piece = &job->sparse->pieces[index];
    const struct stored *stored = store_find(job->store, piece);
    if (!stored || !store_read(job->store, stored, slot->out))
        return deflate_segment(job, piece, slot, err);
    slot->fresh = false;
    slot->record = stored->record;
    return 0;
}

static int take_archive(void *ctx, size_t index, void *memory, struct err *err)
{
    struct job *job = ctx;
    const struct slot *slot = memory;
    run_progress(job->run, "pack", PACK_MEMBER, index + 1, job->sparse->count);
    return append(job, slot->out, &slot->record, (uint64_t)job->sparse->pieces[index].segment * PACK_SEGMENT,
                  PACK_SEGMENT, err);
}

static int take_sha256(void *ctx, size_t index, void *memory, struct err *err)
{
    (void)index;
    struct job *job = ctx;
    const struct slot *slot = memory;
    return hasher_add(&job->sha256, slot->out, slot->record.packed_len, err);
}

static int take_sha1(void *ctx, size_t index, void *memory, struct err *err)
{
    (void)index;
    struct job *job = ctx;
    const struct slot *slot = memory;
    if (hasher_add(&job->sha1, slot->out, slot->record.packed_len, err) < 0)
        return -1;
    return store_add(job->store, &slot->record, slot->out, slot->fresh, err);
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
    struct record record = {.raw_len = (uint32_t)raw_len,
                            .crc = crc32_gzip_refl(0, (unsigned char *)(uintptr_t)raw, raw_len)};
    if (last) { /* CRC-32, then the size modulo 2^32, little-endian */
        uint32_t crc = (uint32_t)crc32_combine(job->crc, record.crc, (z_off_t)raw_len);
        uint32_t size = (uint32_t)(job->tar_size + raw_len);
        for (unsigned i = 0; i < GZIP_TAIL; i++)
            out[len++] = (unsigned char)((i < 4 ? crc : size) >> (8 * (i % 4)));
    }
    if (sum_packed(&record, out, len, err) < 0 || hasher_add(&job->sha256, out, len, err) < 0 ||
        hasher_add(&job->sha1, out, len, err) < 0)
        return -1;
    return append(job, out, &record, last ? job->packed.disk_size : 0, 0, err);
}

static int append_head(struct job *job, int64_t epoch, struct err *err)
{
    static const unsigned char gzip[GZIP_HEAD] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    cleanup_buf struct buf head = BUF_INIT(TAR_HEAD_MAX);
    if (tar_head(job->sparse, epoch, &head, err) < 0)
        return -1;
    return append_frame(job, gzip, sizeof gzip, head.data, head.len, false, err);
}

static int append_data(struct job *job, unsigned threads, struct err *err)
{
    struct slot slots[SLOTS_MAX] = {0};
    void *pointers[SLOTS_MAX];
    size_t count = 2 * (size_t)threads;
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        pointers[i] = &slots[i];
        r = slot_init(&slots[i], job->engine, err);
    }
    const struct workers workers = {.threads = threads,
                                    .jobs = job->sparse->count,
                                    .slots = pointers,
                                    .slot_count = count,
                                    .ctx = job,
                                    .work = pack_segment,
                                    .take = {take_archive, take_sha256, take_sha1},
                                    .run = job->run};
    if (r == 0)
        r = workers_run(&workers, err);
    for (size_t i = 0; i < count; i++)
        slot_free(&slots[i]);
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
    hasher_free(&job->sha1);
    packed_free(&job->packed);
}

static int finish(struct job *job, struct packed *ret, struct err *err)
{
    struct packed *packed = &job->packed;
    if (hasher_end(&job->sha256, packed->archive_sha256.bytes, err) < 0 ||
        hasher_end(&job->sha1, packed->archive_sha1, err) < 0 || disk_check_grafts(job->disk, err) < 0 ||
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
    cleanup(job_free) struct job job = {.disk = disk,
                                        .sparse = &sparse,
                                        .store = &store,
                                        .engine = engine_of(options.small),
                                        .fd = out_fd,
                                        .run = run,
                                        .packed = {.disk_size = disk->size}};
    if (store_init(&store, disk, &options, run, err) < 0 ||
        survey(disk, threads, &store, run, &sparse, &job.packed.disk_tree, err) < 0)
        return -1;
    job.verify = store.open && job.engine != DEFLATE_SMALL; /* the other engine has compared it already */
    job.packed.segments = calloc(sparse.count + 2, sizeof *job.packed.segments);
    if (!job.packed.segments)
        return err_oom(err);
    if (hasher_init(&job.sha256, DIGEST_SHA256, err) < 0 || hasher_init(&job.sha1, DIGEST_SHA1, err) < 0 ||
        append_head(&job, options.epoch, err) < 0 || append_data(&job, threads, err) < 0 ||
        append_end(&job, err) < 0)
        return -1;
    return finish(&job, ret, err);
}
