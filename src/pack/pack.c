#include "pack/pack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <isa-l/crc.h>
#include <zlib.h>

#include "io/file.h"
#include "pack/deflate.h"
#include "pack/diskhash.h"
#include "pack/sparse.h"
#include "pack/tarhead.h"
#include "pack/workers.h"

enum { GZIP_HEAD = 10, GZIP_TAIL = 8, SLOTS_MAX = 2 * PACK_THREADS_MAX };
static const uint64_t GIB = UINT64_C(1) << 30;
static const uint64_t DISK_MAX = UINT64_C(64) << 40; /* the largest persistent disk of GCE */

#define ENGINE "zlib " ZLIB_VERSION " level 1"

const char *pack_engine(void)
{
    return ENGINE;
}

void packed_free(struct packed *packed)
{
    free(packed->segments);
    *packed = (struct packed){0};
}

/* What a worker makes of one segment. */
struct slot {
    struct deflater deflater;
    unsigned char *raw, *out;
    size_t raw_len, out_len;
    uint32_t crc; /* CRC-32 of raw */
    struct sha256 sha256;
};

struct job {
    const struct disk *disk;
    const struct sparse *sparse;
    const size_t *data; /* the segments of the disk that hold data */
    size_t data_count;
    int fd;
    const struct run *run;
    struct packed packed;
    struct hasher sha256, sha1;
    uint32_t crc32c, crc; /* crc32c inverted, as ISA-L wants it; crc of the tar so far */
    uint64_t tar_size;    /* bytes of the tar so far */
};

static void slot_free(struct slot *slot)
{
    deflater_free(&slot->deflater);
    free(slot->raw);
    free(slot->out);
    *slot = (struct slot){0};
}

static int slot_init(struct slot *slot, struct err *err)
{
    slot->raw = malloc(PACK_SEGMENT);
    slot->out = malloc(deflate_bound(PACK_SEGMENT));
    if (!slot->raw || !slot->out)
        return err_oom(err);
    return deflater_init(&slot->deflater, err);
}

/* Appends one segment to the archive: the only place that writes. */
static int append(struct job *job, const unsigned char *bytes, size_t len, const struct sha256 *sha256,
                  uint64_t raw_off, uint64_t raw_len, struct err *err)
{
    if (file_write(job->fd, bytes, len, "the archive", err) < 0 ||
        hasher_add(&job->sha256, bytes, len, err) < 0 || hasher_add(&job->sha1, bytes, len, err) < 0)
        return -1;
    job->crc32c = crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)len, job->crc32c);
    struct packed *packed = &job->packed;
    packed->segments[packed->segment_count++] = (struct segment){.raw_off = raw_off,
                                                                 .raw_len = raw_len,
                                                                 .packed_off = packed->archive_size,
                                                                 .packed_len = len,
                                                                 .packed_sha256 = *sha256};
    packed->archive_size += len;
    return 0;
}

static void count_tar(struct job *job, uint32_t crc, size_t len)
{
    job->crc = (uint32_t)crc32_combine(job->crc, crc, (z_off_t)len);
    job->tar_size += len;
}

static int pack_segment(void *ctx, size_t index, void *memory, struct err *err)
{
    struct job *job = ctx;
    struct slot *slot = memory;
    if (sparse_read(job->sparse, job->disk, job->data[index], slot->raw, &slot->raw_len, err) < 0)
        return -1;
    slot->crc = crc32_gzip_refl(0, slot->raw, slot->raw_len);
    if (deflate_piece(&slot->deflater, slot->raw, slot->raw_len, false, slot->out,
                      deflate_bound(PACK_SEGMENT), &slot->out_len, err) < 0)
        return -1;
    return sha256_of(slot->out, slot->out_len, &slot->sha256, err);
}

static int take_segment(void *ctx, size_t index, void *memory, struct err *err)
{
    struct job *job = ctx;
    const struct slot *slot = memory;
    count_tar(job, slot->crc, slot->raw_len);
    run_progress(job->run, "pack", PACK_MEMBER, index + 1, job->data_count);
    return append(job, slot->out, slot->out_len, &slot->sha256, (uint64_t)job->data[index] * PACK_SEGMENT,
                  PACK_SEGMENT, err);
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
    if (deflater_init(&deflater, err) < 0 ||
        deflate_piece(&deflater, raw, raw_len, last, out + prefix_len, room, &len, err) < 0)
        return -1;
    len += prefix_len;
    count_tar(job, crc32_gzip_refl(0, (unsigned char *)(uintptr_t)raw, raw_len), raw_len);
    if (last)
        for (unsigned i = 0; i < GZIP_TAIL; i++) /* CRC-32, then the size modulo 2^32, little-endian */
            out[len++] = (unsigned char)((i < 4 ? job->crc : (uint32_t)job->tar_size) >> (8 * (i % 4)));
    struct sha256 sha256;
    if (sha256_of(out, len, &sha256, err) < 0)
        return -1;
    return append(job, out, len, &sha256, last ? job->packed.disk_size : 0, 0, err);
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
        r = slot_init(&slots[i], err);
    }
    const struct workers workers = {.threads = threads,
                                    .jobs = job->data_count,
                                    .slots = pointers,
                                    .slot_count = count,
                                    .ctx = job,
                                    .work = pack_segment,
                                    .take = take_segment,
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

static int check_disk(const struct disk *disk, const struct pack_options *options, const struct run *run,
                      struct err *err)
{
    if (disk->size == 0 || disk->size % GIB != 0 || disk->size > DISK_MAX)
        return err_set(err, ERR_LAYOUT, 0,
                       "a disk of %llu bytes cannot be packed: GCE takes whole GiB, from 1 to 65536",
                       (unsigned long long)disk->size);
    if (options->epoch < 0)
        return err_set(err, ERR_USAGE, 0, "the time %lld lies before 1970", (long long)options->epoch);
    bool reference = false;
    if (deflate_is_reference(&reference, err) < 0)
        return -1;
    if (!reference)
        run_warn(
            run, "pack",
            "zlib on this machine deflates in another way than the reference (" ENGINE
            " on x86-64 with SSE4.2): the image is right, but its bytes differ from those made elsewhere");
    return 0;
}

static void job_free(struct job *job)
{
    hasher_free(&job->sha256);
    hasher_free(&job->sha1);
    packed_free(&job->packed);
}

/* Which segments hold data; room for their descriptions and the two frames'. */
static int list_segments(struct job *job, size_t **ret_data, struct err *err)
{
    const struct sparse *sparse = job->sparse;
    size_t *data = calloc(sparse->segment_count + 1, sizeof *data);
    job->packed.segments = calloc(sparse->segment_count + 2, sizeof *job->packed.segments);
    *ret_data = data;
    if (!data || !job->packed.segments)
        return err_oom(err);
    for (size_t i = 0; i < sparse->segment_count; i++)
        if (sparse->masks[i] != 0)
            data[job->data_count++] = i;
    job->data = data;
    return 0;
}

static int finish(struct job *job, struct diskhash *diskhash, struct packed *ret, struct err *err)
{
    struct packed *packed = &job->packed;
    if (hasher_end(&job->sha256, packed->archive_sha256.bytes, err) < 0 ||
        hasher_end(&job->sha1, packed->archive_sha1, err) < 0 ||
        diskhash_end(diskhash, &packed->disk_sha256, err) < 0)
        return -1;
    packed->archive_crc32c = ~job->crc32c;
    *ret = *packed;
    *packed = (struct packed){0};
    return 0;
}

int pack_disk(const struct disk *disk, const struct pack_options *options, int out_fd, const struct run *run,
              struct packed *ret, struct err *err)
{
    if (check_disk(disk, options, run, err) < 0)
        return -1;
    unsigned threads = workers_threads(options->threads, PACK_THREADS_MAX);
    cleanup_sparse struct sparse sparse = {0};
    if (sparse_scan(disk, threads, run, &sparse, err) < 0)
        return -1;
    cleanup(job_free) struct job job = {.disk = disk,
                                        .sparse = &sparse,
                                        .fd = out_fd,
                                        .run = run,
                                        .packed = {.disk_size = disk->size},
                                        .crc32c = UINT32_MAX};
    cleanup_free size_t *data = NULL;
    cleanup_diskhash struct diskhash diskhash = {0};
    if (list_segments(&job, &data, err) < 0 || hasher_init(&job.sha256, DIGEST_SHA256, err) < 0 ||
        hasher_init(&job.sha1, DIGEST_SHA1, err) < 0 ||
        diskhash_start(&diskhash, disk, &sparse, run, err) < 0)
        return -1;
    if (append_head(&job, options->epoch, err) < 0 || append_data(&job, threads, err) < 0 ||
        append_end(&job, err) < 0)
        return -1;
    return finish(&job, &diskhash, ret, err);
}
