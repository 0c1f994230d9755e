#include "unpack/unpack.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>

#include <isa-l/mem_routines.h>

#include "base/path.h"
#include "io/crc32c.h"
#include "io/file.h"
#include "unpack/unpack_internal.h"

/* Blocks of zeros are not written: they become holes. */
enum {
    BLOCK = 4096,
    RATIO = 2000,
    SECTOR = 512,
    FLUSH = 32 << 20 /* bytes between two nudges to the disk */
};
static const uint64_t SIZE_MAX_DEFAULT = UINT64_C(64) << 30;
static const uint64_t RATIO_FREE = UINT64_C(64) << 20; /* less data than this is no bomb */
static const uint64_t DISK_MIN = UINT64_C(1) << 20;
const char unpack_kind[] = "disk";

/* The disk being read: runs of blocks that hold data are written where they belong. */
struct gather {
    int fd;
    uint64_t at;   /* bytes of the disk seen so far */
    uint64_t data; /* bytes kept */
    uint64_t data_max, flushed;
    struct progress *progress;
    struct sums *sums;
    unsigned char block[BLOCK];
    const char *name;
};

/* The kernel begins to write at once, so that the sync at the end finds little to do. */
static void nudge(struct gather *gather)
{
    if (gather->data - gather->flushed < FLUSH)
        return;
    sync_file_range(gather->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    gather->flushed = gather->data;
}

/* LEN bytes at OFF, a multiple of BLOCK, none of their blocks of zeros alone; the last may end before its block does. */
static int add_sums(struct sums *sums, const unsigned char *bytes, size_t len, uint64_t off, struct err *err)
{
    static const unsigned char none[BLOCK] = {0};
    size_t needed = (size_t)((off + len + DISK_SUM - 1) / DISK_SUM);
    if (needed > sums->count) {
        uint32_t *more = reallocarray(sums->items, needed, sizeof *more);
        if (!more)
            return err_oom(err);
        memset(more + sums->count, 0, (needed - sums->count) * sizeof *more);
        *sums = (struct sums){more, needed};
    }
    while (len > 0) {
        uint32_t *sum = &sums->items[off / DISK_SUM];
        size_t room = DISK_SUM - (size_t)(off % DISK_SUM), step = len < room ? len : room;
        *sum = crc32c_add(*sum, bytes, step);
        if (step % BLOCK != 0)
            *sum = crc32c_add(*sum, none, BLOCK - step % BLOCK);
        bytes += step;
        off += step;
        len -= step;
    }
    return 0;
}

static int keep(struct gather *gather, const unsigned char *bytes, size_t len, uint64_t off, struct err *err)
{
    gather->data += len;
    if (gather->data > gather->data_max)
        return err_set(err, ERR_VERIFY, 0,
                       "%s: it unpacks to more than %llu bytes of data, too much for an archive of its size: "
                       "it looks like a decompression bomb",
                       gather->name, (unsigned long long)gather->data_max);
    nudge(gather);
    if (add_sums(gather->sums, bytes, len, off, err) < 0)
        return -1;
    return file_pwrite(gather->fd, bytes, len, off, "the cache", err);
}

static bool zeros(const unsigned char *bytes, size_t len)
{
    return isal_zero_detect((void *)(uintptr_t)bytes, len) == 0;
}

static int keep_block(struct gather *gather, size_t len, uint64_t off, struct err *err)
{
    return zeros(gather->block, len) ? 0 : keep(gather, gather->block, len, off, err);
}

/* Whole blocks, from where they are: one write for each run that holds data. */
static int keep_blocks(struct gather *gather, const unsigned char *bytes, size_t count, uint64_t off,
                       struct err *err)
{
    for (size_t i = 0; i < count;) {
        size_t from = i;
        while (i < count && !zeros(bytes + i * BLOCK, BLOCK))
            i++;
        if (i > from && keep(gather, bytes + from * BLOCK, (i - from) * BLOCK, off + from * BLOCK, err) < 0)
            return -1;
        i += i < count;
    }
    return 0;
}

/* The block that was begun is over: LEN bytes of it are there, the rest is a hole or the disk's end. */
static int end_block(struct gather *gather, struct err *err)
{
    size_t len = (size_t)(gather->at % BLOCK);
    if (len == 0)
        return 0;
    return keep_block(gather, len, gather->at - len, err);
}

static int add_hole(struct gather *gather, uint64_t to, struct err *err)
{
    size_t used = (size_t)(gather->at % BLOCK);
    if (used != 0) {
        size_t room = BLOCK - used;
        size_t step = to - gather->at < room ? (size_t)(to - gather->at) : room;
        memset(gather->block + used, 0, step);
        gather->at += step;
        if (used + step == BLOCK && keep_block(gather, BLOCK, gather->at - BLOCK, err) < 0)
            return -1;
    }
    uint64_t whole = (to - gather->at) / BLOCK * BLOCK;
    gather->at += whole;
    size_t rest = (size_t)(to - gather->at);
    memset(gather->block + gather->at % BLOCK, 0, rest);
    gather->at = to;
    return 0;
}

static int add_data(struct gather *gather, const unsigned char *bytes, size_t len, struct err *err)
{
    while (len > 0) {
        size_t used = (size_t)(gather->at % BLOCK), step = BLOCK - used;
        if (used == 0 && len >= BLOCK) { /* straight from where they are */
            step = len / BLOCK * BLOCK;
            if (keep_blocks(gather, bytes, step / BLOCK, gather->at, err) < 0)
                return -1;
        } else {
            step = step < len ? step : len;
            memcpy(gather->block + used, bytes, step);
            if (used + step == BLOCK && keep_block(gather, BLOCK, gather->at - used, err) < 0)
                return -1;
        }
        gather->at += step;
        bytes += step;
        len -= step;
    }
    return 0;
}

/* All data of the current entry, or of a bare stream; SIZE is the least it must come to. */
static int gather_all(struct gather *gather, struct reader *reader, uint64_t size, struct err *err)
{
    const unsigned char *bytes = NULL;
    size_t len = 0;
    uint64_t off = 0;
    for (;;) {
        if (reader_data(reader, &bytes, &len, &off, err) < 0)
            return -1;
        uint64_t to = len == 0 && size > off ? size : off;
        progress_advance(gather->progress, gather->fd, gather->at - gather->at % BLOCK);
        if (to > gather->at && add_hole(gather, to, err) < 0)
            return -1;
        if (len == 0)
            return end_block(gather, err);
        if (add_data(gather, bytes, len, err) < 0)
            return -1;
    }
}

static bool disk_name_ok(const char *name)
{
    while (name[0] == '.' && name[1] == '/')
        name += 2;
    const char *dot = strrchr(name, '.');
    return path_name_ok(name) && dot && (strcasecmp(dot, ".raw") == 0 || strcasecmp(dot, ".bin") == 0);
}

static int check_entry(const struct entry *entry, bool have, uint64_t max, const char *name, struct err *err)
{
    const char *why = NULL;
    if (entry->type != ENTRY_FILE)
        why = entry->type == ENTRY_DIR ? "a folder" : "a link, device or other special file";
    else if (!disk_name_ok(entry->name))
        why = "not named disk.raw, *.raw or *.bin at the top";
    else if (have)
        why = "a second file";
    if (why)
        return err_set(err, ERR_VERIFY, 0,
                       "%s: \"%.200s\" in it is %s; the archive of a base holds one file, disk.raw", name,
                       entry->name, why);
    if (entry->size > max)
        return err_set(err, ERR_VERIFY, 0, "%s: the disk in it has %llu bytes, more than the %llu allowed",
                       name, (unsigned long long)entry->size, (unsigned long long)max);
    return 0;
}

static int gather_archive(struct gather *gather, struct reader *reader, uint64_t max, struct err *err)
{
    struct entry entry;
    bool have = false;
    int r;
    while ((r = reader_next(reader, &entry, err)) > 0) {
        if (entry.type == ENTRY_DIR && (strcmp(entry.name, "./") == 0 || strcmp(entry.name, ".") == 0))
            continue; /* "tar -cf x.tar.gz ." leaves it; it names nothing */
        if (check_entry(&entry, have, max, gather->name, err) < 0 ||
            gather_all(gather, reader, entry.size, err) < 0)
            return -1;
        have = true;
    }
    if (r == 0 && !have)
        return err_set(err, ERR_VERIFY, 0, "%s: there is no disk.raw in it", gather->name);
    return r;
}

/* Bytes that are no archive: at least they must look like a disk. */
static int gather_bare(struct gather *gather, struct reader *reader, struct err *err)
{
    const unsigned char *bytes = NULL;
    size_t len = 0;
    uint64_t off = 0;
    char words[READER_WORDS];
    reader_words(reader, words);
    if (reader_data(reader, &bytes, &len, &off, err) < 0)
        return -1;
    if (len < SECTOR || bytes[SECTOR - 2] != 0x55 || bytes[SECTOR - 1] != 0xaa)
        return err_set(
            err, ERR_VERIFY, 0,
            "%s: neither a disk (there is no partition table in it) nor a tar archive, plain or by gzip, "
            "xz, bzip2, zstd or lz4%s",
            gather->name, words);
    if (add_data(gather, bytes, len, err) < 0)
        return -1;
    return gather_all(gather, reader, 0, err);
}

int unpack_to(const struct reader_input *input, const struct unpack_limits *limits, const struct run *run,
              struct progress *progress, int fd, struct sums *sums, struct err *err)
{
    static const struct unpack_limits none = {0};
    limits = limits ? limits : &none;
    uint64_t max = limits->max_size ? limits->max_size : SIZE_MAX_DEFAULT;
    uint64_t ratio = limits->max_ratio ? limits->max_ratio : RATIO;
    uint64_t data_max = input->size > UINT64_MAX / ratio ? UINT64_MAX : input->size * ratio;
    if (data_max < RATIO_FREE)
        data_max = RATIO_FREE;
    cleanup_free struct gather *gather = calloc(1, sizeof *gather);
    if (!gather)
        return err_oom(err);
    gather->fd = fd;
    gather->progress = progress;
    gather->sums = sums;
    gather->data_max = data_max;
    gather->name = input->origin ? input->origin : "the base";
    /* the tar around the disk: its header, its map of holes, its end */
    uint64_t stream_max = max > UINT64_MAX / 2 ? max : max + max / 16 + (1 << 20);
    cleanup_reader struct reader *reader = NULL;
    if (reader_open(input, stream_max, run, &reader, err) < 0)
        return -1;
    if (reader_kind(reader) == READER_ZIP || reader_kind(reader) == READER_DEB)
        return err_set(err, ERR_VERIFY, 0, "%s: a base comes as a tar archive or as a bare disk",
                       gather->name);
    int r = reader_kind(reader) == READER_BARE ? gather_bare(gather, reader, err)
                                               : gather_archive(gather, reader, max, err);
    if (r < 0)
        return -1;
    if (gather->at < DISK_MIN || gather->at % SECTOR != 0 || gather->at > max)
        return err_set(err, ERR_VERIFY, 0, "%s: a disk of %llu bytes, which none can have", gather->name,
                       (unsigned long long)gather->at);
    if (ftruncate(fd, (off_t)gather->at) < 0)
        return err_sys(err, errno, "give the disk its size");
    progress_advance(progress, fd, gather->at);
    return 0;
}

/* What the cache compares when the entry's identity is in doubt is the digest of what it was unpacked from, which no disk has:
 * such a disk is unpacked again. Hashing a disk with its holes takes longer. */
static int cached(const struct trusted *artifact, struct cache *cache, const struct unpack_limits *limits,
                  const struct run *run, struct progress *progress, int *ret_fd, struct sums *sums,
                  struct err *err)
{
    char key[SHA256_HEX];
    bool vouched = false;
    hex_encode(artifact->sha256.bytes, SHA256_SIZE, key);
    if (sums_find(cache, key, sums, &vouched, run, err) < 0)
        return -1;
    /* a disk that nothing vouches for is as good as none */
    if ((cache_rechecks(cache) || !vouched) && cache_drop(cache, unpack_kind, key, run, err) < 0)
        return -1;
    if (cache_find(cache, unpack_kind, key, ret_fd, NULL, run, err) < 0)
        return -1;
    if (*ret_fd >= 0)
        return 0;
    sums_free(sums);
    cleanup_cache_entry struct cache_entry entry = CACHE_ENTRY_EMPTY;
    if (cache_begin(cache, unpack_kind, key, &entry, run, err) < 0)
        return -1;
    if (entry.found_fd >= 0) {
        *ret_fd = steal_fd(&entry.found_fd);
        return sums_find(cache, key, sums, &vouched, run, err);
    }
    const struct reader_input input = reader_input_of(artifact);
    if (unpack_to(&input, limits, run, progress, entry.fd, sums, err) < 0 ||
        sums_keep(cache, key, sums, run, err) < 0)
        return -1;
    return cache_commit(&entry, &artifact->sha256, ret_fd, err);
}

int unpack_base(const struct trusted *artifact, struct cache *cache, const struct unpack_limits *limits,
                const struct run *run, struct progress *progress, struct disk *ret, struct err *err)
{
    cleanup_close int fd = -1;
    cleanup(sums_free) struct sums sums = {0};
    uint64_t max = limits && limits->max_size ? limits->max_size : SIZE_MAX_DEFAULT;
    struct disk made = DISK_EMPTY;
    int r = cached(artifact, cache, limits, run, progress, &fd, &sums, err);
    progress_end(progress, r == 0);
    if (r < 0 || disk_over(fd, &made, err) < 0)
        return -1;
    fd = -1;
    disk_vouch(&made, steal_ptr(sums.items), sums.count);
    uint64_t size = made.size;
    if (size > max) { /* it was unpacked under other limits */
        disk_close(&made);
        return err_set(err, ERR_VERIFY, 0, "%s: a disk of %llu bytes, more than the %llu allowed",
                       artifact->origin ? artifact->origin : "the base", (unsigned long long)size,
                       (unsigned long long)max);
    }
    *ret = made;
    return 0;
}

int unpack_disk(const struct trusted *artifact, struct cache *cache, const struct unpack_limits *limits,
                const struct run *run, struct disk *ret, struct err *err)
{
    cleanup_disk struct disk base = DISK_EMPTY;
    cleanup_close int to = -1;
    if (unpack_base(artifact, cache, limits, run, NULL, &base, err) < 0 ||
        file_scratch(cache_dir(cache), &to, err) < 0)
        return -1;
    int from = disk_view_fd(&base);
    if (ioctl(to, FICLONE, from) < 0 && file_copy(from, 0, to, 0, base.size, run, err) < 0)
        return err_wrap(err, "copy the base");
    if (ftruncate(to, (off_t)base.size) < 0)
        return err_sys(err, errno, "give the disk its size");
    if (disk_from_fd(to, ret, err) < 0)
        return -1;
    to = -1;
    return 0;
}
