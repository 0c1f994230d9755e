/* pack_check(): reads the archive back with code that did not write it: zlib's decoder and the tar reader
 * below. Each segment gets a fresh decoder, which proves that it refers to nothing before it. Each ends at a
 * block boundary on a whole byte, so their concatenation decodes to the same bytes. */
#include "pack/pack.h"

#include <string.h>
#include <sys/stat.h>

#include <zlib.h>

#include "io/crc32c.h"
#include "io/file.h"
#include "pack/archive/sparse.h"
#include "pack/archive/tarhead.h"
#include "pack/segment/deflate.h"
#include "task/workers.h"
#include "text/bytes.h"

enum {
    GZIP_HEAD = 10,
    GZIP_TAIL = 8,
    PACKED_MAX = 2 * PACK_SEGMENT,
    HEADER_ENTRIES = 386,
    HEADER_EXTENDED = 482,
    HEADER_REALSIZE = 483,
    EXTENSION_EXTENDED = 504,
    ENTRY = 24,
    CHECK_AHEAD = 16 /* segments in flight */
};

static int check_failed(struct err *err, uint64_t off, const char *what)
{
    return err_set(err, ERR_VERIFY, 0, "the archive fails verification at byte %llu: %s",
                   (unsigned long long)off, what);
}

/* Decodes one segment's deflate data. With LAST the stream must end; *ret_used is the number of bytes
 * consumed. */
// NOLINTNEXTLINE(readability-non-const-parameter) ; zlib writes there
static int decode(const unsigned char *in, size_t in_len, bool last, unsigned char *out, size_t capacity,
                  size_t *ret_used, size_t *ret_len, uint64_t off, struct err *err)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in,
                  .avail_in = (uInt)in_len,
                  .next_out = out,
                  .avail_out = (uInt)capacity};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return err_oom(err);
    int r = Z_OK;
    while (r == Z_OK && z.avail_in > 0)
        r = inflate(&z, Z_BLOCK);
    int at_end = z.data_type; /* unused bits; 64 in the last block; 128 between blocks */
    *ret_used = in_len - z.avail_in;
    *ret_len = capacity - z.avail_out;
    inflateEnd(&z);
    if (r != (last ? Z_STREAM_END : Z_OK))
        return check_failed(err, off, "a segment does not decode");
    if (!last && at_end != 128)
        return check_failed(err, off, "a segment does not end between two blocks on a whole byte");
    return 0;
}

/* Reads a tar number: octal ended by NUL or space, or base-256. */
static bool read_number(const unsigned char *field, size_t width, uint64_t *ret)
{
    uint64_t value = 0;
    if (field[0] == 0x80) {
        for (size_t i = 1; i < width; i++) {
            if (value >> 55 != 0)
                return false;
            value = value << 8 | field[i];
        }
        *ret = value;
        return true;
    }
    size_t i = 0;
    for (; i < width && field[i] >= '0' && field[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(field[i] - '0');
    *ret = value;
    return i > 0 && i < width && (field[i] == '\0' || field[i] == ' ');
}

static bool checksum_ok(const unsigned char *header)
{
    uint64_t sum = 0, stored = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : header[i];
    return read_number(header + 148, 8, &stored) && stored == sum;
}

/* Marks one extent in the map, which holds up to CAPACITY segments. Extents ascend. */
static bool mark_extent(struct sparse *sparse, size_t capacity, const unsigned char *entry, uint64_t *end)
{
    uint64_t off = 0, len = 0;
    if (!read_number(entry, 12, &off) || !read_number(entry + 12, 12, &len) || off < *end ||
        off > sparse->size || len > sparse->size - off || off % PACK_BLOCK != 0 || len % PACK_BLOCK != 0)
        return false;
    for (uint64_t block = off / PACK_BLOCK; block < (off + len) / PACK_BLOCK; block++) {
        struct disk_segment *last = sparse->count ? &sparse->segments[sparse->count - 1] : NULL;
        if (!last || last->number != block / 16) {
            if (sparse->count == capacity)
                return false;
            last = &sparse->segments[sparse->count++];
            *last = (struct disk_segment){.number = (uint32_t)(block / 16)};
        }
        last->mask = (uint16_t)(last->mask | 1U << (block % 16));
    }
    sparse->data_size += len;
    *end = off + len;
    return true;
}

static bool mark_extents(struct sparse *sparse, size_t capacity, const unsigned char *head, size_t len)
{
    const unsigned char *entries = head + HEADER_ENTRIES;
    size_t count = 4, at = TAR_BLOCK;
    bool more = head[HEADER_EXTENDED] != 0;
    uint64_t end = 0;
    for (;;) {
        for (size_t i = 0; i < count && entries[i * ENTRY] != 0; i++)
            if (!mark_extent(sparse, capacity, entries + i * ENTRY, &end))
                return false;
        if (!more)
            return at == len && end == sparse->size;
        if (len - at < TAR_BLOCK)
            return false;
        entries = head + at;
        count = 21;
        more = head[at + EXTENSION_EXTENDED] != 0;
        at += TAR_BLOCK;
    }
}

/* The tar header must describe exactly the disk's blocks. */
static int check_head(const unsigned char *head, size_t len, const struct sparse *scanned, struct err *err)
{
    cleanup_sparse struct sparse sparse = {.size = scanned->size};
    sparse.segments = calloc(scanned->count + 1, sizeof *sparse.segments);
    if (!sparse.segments)
        return err_oom(err);
    uint64_t size = 0, real = 0;
    if (len < TAR_BLOCK || !checksum_ok(head) || memcmp(head, PACK_MEMBER, sizeof PACK_MEMBER) != 0 ||
        head[156] != 'S' || memcmp(head + 257, "ustar  ", 8) != 0)
        return check_failed(err, 0, "it has no oldgnu sparse header for " PACK_MEMBER);
    if (!read_number(head + 124, 12, &size) || !read_number(head + HEADER_REALSIZE, 12, &real) ||
        real != scanned->size || size != scanned->data_size)
        return check_failed(err, 0, "the sizes in the tar header are wrong");
    bool same = mark_extents(&sparse, scanned->count, head, len) && sparse.data_size == size &&
                sparse.count == scanned->count;
    for (size_t i = 0; same && i < sparse.count; i++)
        same = sparse.segments[i].number == scanned->segments[i].number &&
               sparse.segments[i].mask == scanned->segments[i].mask;
    if (!same)
        return check_failed(err, 0, "the sparse map in the tar header does not match the disk");
    return 0;
}

/* A thread's own memory. */
struct workspace {
    unsigned char packed[PACKED_MAX], disk[PACK_SEGMENT], raw[PACK_SEGMENT + 1];
};

/* What check_segment() passes to combine(). */
struct decoded {
    size_t len;
    uint32_t crc;
};

struct readback {
    int fd;
    const struct packed *packed;
    const struct disk *disk;
    const struct sparse *sparse;
    uint32_t crc;
    uint64_t tar_size;
    const struct run *run;
};

/* Reads a segment and checks its digest. */
static int load_segment(const struct readback *check, size_t index, unsigned char *out, struct err *err)
{
    const struct segment *segment = &check->packed->segments[index];
    struct sha256 sha256;
    if (file_pread(check->fd, out, (size_t)segment->packed_len, segment->packed_off, "the archive", err) <
            0 ||
        sha256_of(out, (size_t)segment->packed_len, &sha256, err) < 0)
        return -1;
    if (!sha256_equal(&sha256, &segment->packed_sha256))
        return check_failed(err, segment->packed_off, "a segment's digest is wrong");
    if (crc32c_add(0, out, (size_t)segment->packed_len) != segment->packed_crc32c)
        return check_failed(err, segment->packed_off, "a segment's CRC-32C is wrong");
    return 0;
}

static int check_segment(void *ctx, size_t job, void *memory, void *own, struct err *err)
{
    const struct readback *check = ctx;
    struct decoded *content = memory;
    struct workspace *workspace = own;
    const struct segment *packed = &check->packed->segments[job + 1];
    const struct disk_segment *segment = &check->sparse->segments[job];
    uint64_t off = packed->packed_off;
    size_t used = 0, wanted = segment_data_len(segment);
    if (load_segment(check, job + 1, workspace->packed, err) < 0 ||
        decode(workspace->packed, (size_t)packed->packed_len, false, workspace->raw, sizeof workspace->raw,
               &used, &content->len, off, err) < 0 ||
        sparse_read(check->disk, segment, workspace->disk, err) < 0)
        return -1;
    if (content->len != wanted || memcmp(workspace->raw, workspace->disk, wanted) != 0)
        return check_failed(err, off, "a segment's content differs from the disk");
    content->crc = (uint32_t)crc32(0, workspace->raw, (uInt)content->len);
    return 0;
}

static int combine(void *ctx, size_t job, void *memory, struct err *err)
{
    (void)err;
    struct readback *check = ctx;
    const struct decoded *content = memory;
    check->crc = (uint32_t)crc32_combine(check->crc, content->crc, (z_off_t)content->len);
    check->tar_size += content->len;
    run_progress(check->run, "check", PACK_MEMBER, job + 1, check->packed->segment_count - 2);
    return 0;
}

/* Segments must be consecutive and, between the two frames, match the disk's segments one to one. */
static int check_list(const struct packed *packed, const struct sparse *sparse, uint64_t size,
                      struct err *err)
{
    uint64_t at = 0;
    for (size_t i = 0; i < packed->segment_count; i++) {
        const struct segment *segment = &packed->segments[i];
        if (segment->packed_off != at || segment->packed_len < 2 * GZIP_TAIL - 3)
            return check_failed(err, at, "the list of segments has a gap");
        if (segment->packed_len > size - at || (i > 0 && segment->packed_len > PACKED_MAX))
            return check_failed(err, at, "a segment extends past the end of the file");
        at += segment->packed_len;
        if (i + 1 < packed->segment_count && at % DEFLATE_ALIGN != 0)
            return check_failed(err, at, "a segment does not fill whole blocks");
        if (i == 0 || i + 1 == packed->segment_count)
            continue;
        if (i > sparse->count || segment->raw_len != PACK_SEGMENT ||
            segment->raw_off != (uint64_t)sparse->segments[i - 1].number * PACK_SEGMENT)
            return check_failed(err, at, "a part of the disk is missing or duplicated");
    }
    if (at != size || at != packed->archive_size || packed->segment_count != sparse->count + 2)
        return check_failed(err, at, "its size is wrong, or a part of the disk is missing");
    return 0;
}

static int check_first(struct readback *check, struct err *err)
{
    static const unsigned char gzip[GZIP_HEAD] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    size_t packed_len = (size_t)check->packed->segments[0].packed_len, used = 0, len = 0;
    if (packed_len > TAR_HEAD_MAX + (TAR_HEAD_MAX >> 4) + DEFLATE_FILL_MAX)
        return check_failed(err, 0, "the first segment is too large");
    cleanup_free unsigned char *packed = malloc(packed_len);
    cleanup_free unsigned char *head = malloc(TAR_HEAD_MAX + 1);
    if (!packed || !head)
        return err_oom(err);
    if (load_segment(check, 0, packed, err) < 0)
        return -1;
    if (memcmp(packed, gzip, sizeof gzip) != 0)
        return check_failed(err, 0, "the gzip header is wrong");
    if (decode(packed + GZIP_HEAD, packed_len - GZIP_HEAD, false, head, TAR_HEAD_MAX + 1, &used, &len,
               GZIP_HEAD, err) < 0 ||
        check_head(head, len, check->sparse, err) < 0)
        return -1;
    check->crc = (uint32_t)crc32(0, head, (uInt)len);
    check->tar_size = len;
    return 0;
}

static int check_last(struct readback *check, struct err *err)
{
    const struct segment *last = &check->packed->segments[check->packed->segment_count - 1];
    cleanup_free unsigned char *packed = malloc((size_t)last->packed_len);
    unsigned char zeros[TAR_RECORD + 2 * TAR_BLOCK + 1];
    if (!packed)
        return err_oom(err);
    size_t used = 0, len = 0;
    if (load_segment(check, check->packed->segment_count - 1, packed, err) < 0 ||
        decode(packed, (size_t)last->packed_len, true, zeros, sizeof zeros, &used, &len, last->packed_off,
               err) < 0)
        return -1;
    for (size_t i = 0; i < len; i++)
        if (zeros[i] != 0)
            return check_failed(err, last->packed_off, "the end of the tar is not all zeros");
    check->crc = (uint32_t)crc32_combine(check->crc, crc32(0, zeros, (uInt)len), (z_off_t)len);
    check->tar_size += len;
    const unsigned char *tail = packed + used;
    if (len < 2UL * TAR_BLOCK || check->tar_size % TAR_RECORD != 0 || last->packed_len - used != GZIP_TAIL)
        return check_failed(err, last->packed_off, "the archive does not end as it should");
    if (le32_read(tail) != check->crc || le32_read(tail + 4) != (uint32_t)check->tar_size)
        return check_failed(err, last->packed_off + used, "gzip's CRC-32 or size is wrong");
    return 0;
}

static int check_data(struct readback *check, unsigned threads, struct err *err)
{
    cleanup_free struct workspace *workspaces = calloc(threads, sizeof *workspaces);
    struct decoded contents[CHECK_AHEAD];
    void *slots[CHECK_AHEAD], *own[PACK_THREADS_MAX];
    if (!workspaces)
        return err_oom(err);
    for (size_t i = 0; i < CHECK_AHEAD; i++)
        slots[i] = &contents[i];
    for (unsigned i = 0; i < threads; i++)
        own[i] = &workspaces[i];
    const struct workers workers = {.threads = threads,
                                    .jobs = check->packed->segment_count - 2,
                                    .slots = slots,
                                    .slot_count = CHECK_AHEAD,
                                    .own = own,
                                    .ctx = check,
                                    .work = check_segment,
                                    .consume = {combine},
                                    .run = check->run};
    return workers_run(&workers, err);
}

int pack_check(int fd, const struct packed *packed, const struct disk *disk, const struct run *run,
               struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "stat the archive");
    if (packed->segment_count < 2 || packed->disk_size != disk->size || disk->size % PACK_SEGMENT != 0)
        return check_failed(err, 0, "it was made from a disk of another size");
    unsigned threads = workers_threads(0, PACK_THREADS_MAX);
    cleanup_sparse struct sparse sparse = {0};
    struct sha256 tree;
    if (sparse_scan(disk, threads, NULL, run, &sparse, err) < 0 || sparse_tree(&sparse, &tree, err) < 0)
        return -1;
    if (!sha256_equal(&tree, &packed->disk_tree))
        return check_failed(err, 0, "it was made from another disk");
    struct readback check = {.fd = fd, .packed = packed, .disk = disk, .sparse = &sparse, .run = run};
    if (check_list(packed, &sparse, (uint64_t)st.st_size, err) < 0 || check_first(&check, err) < 0 ||
        check_data(&check, threads, err) < 0)
        return -1;
    return check_last(&check, err);
}
