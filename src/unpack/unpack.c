#include "unpack/unpack.h"

#include <string.h>
#include <strings.h>

#include <isa-l/mem_routines.h>

#include "base/path.h"
#include "io/file.h"
#include "unpack/bundle.h"
#include "unpack/reader.h"

/* Data is kept in whole blocks of this size; blocks of zeros are not kept. */
enum { BLOCK = 4096, RATIO = 2000, SECTOR = 512 };
static const uint64_t SIZE_MAX_DEFAULT = UINT64_C(64) << 30;
static const uint64_t RATIO_FREE = UINT64_C(64) << 20; /* less data than this is no bomb */
static const uint64_t DISK_MIN = UINT64_C(1) << 20;
static const char kind[] = "base";

/* The disk being read: one block is gathered, then kept with its extent or dropped. */
struct gather {
    struct bundle_writer *writer;
    uint64_t at;         /* bytes of the disk seen so far */
    uint64_t start, len; /* the extent that grows */
    uint64_t data;       /* bytes kept */
    uint64_t data_max;
    unsigned char block[BLOCK];
    const char *name;
};

static void end_extent(struct gather *gather)
{
    if (gather->len == 0)
        return;
    bundle_put_number(gather->writer, gather->start);
    bundle_put_number(gather->writer, gather->len);
    gather->len = 0;
}

static int keep(struct gather *gather, const unsigned char *bytes, size_t len, uint64_t off, struct err *err)
{
    if (isal_zero_detect((void *)(uintptr_t)bytes, len) == 0)
        return 0;
    if (gather->len == 0 || off != gather->start + gather->len) {
        end_extent(gather);
        gather->start = off;
    }
    gather->len += len;
    gather->data += len;
    if (gather->data > gather->data_max)
        return err_set(err, ERR_VERIFY, 0,
                       "%s: it unpacks to more than %llu bytes of data, too much for an archive of its size: "
                       "it looks like a decompression bomb",
                       gather->name, (unsigned long long)gather->data_max);
    return bundle_add(gather->writer, bytes, len, err);
}

/* The block that was begun is over: LEN bytes of it are there, the rest is a hole or the disk's end. */
static int end_block(struct gather *gather, struct err *err)
{
    size_t len = (size_t)(gather->at % BLOCK);
    if (len == 0)
        return 0;
    return keep(gather, gather->block, len, gather->at - len, err);
}

static int add_hole(struct gather *gather, uint64_t to, struct err *err)
{
    size_t used = (size_t)(gather->at % BLOCK);
    if (used != 0) {
        size_t room = BLOCK - used;
        size_t step = to - gather->at < room ? (size_t)(to - gather->at) : room;
        memset(gather->block + used, 0, step);
        gather->at += step;
        if (used + step == BLOCK && keep(gather, gather->block, BLOCK, gather->at - BLOCK, err) < 0)
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
        if (used == 0 && len >= BLOCK) { /* straight from where it is */
            if (keep(gather, bytes, BLOCK, gather->at, err) < 0)
                return -1;
            step = BLOCK;
        } else {
            step = step < len ? step : len;
            memcpy(gather->block + used, bytes, step);
            if (used + step == BLOCK && keep(gather, gather->block, BLOCK, gather->at - used, err) < 0)
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
    if (reader_data(reader, &bytes, &len, &off, err) < 0)
        return -1;
    if (len < SECTOR || bytes[SECTOR - 2] != 0x55 || bytes[SECTOR - 1] != 0xaa)
        return err_set(
            err, ERR_VERIFY, 0,
            "%s: neither a disk (there is no partition table in it) nor a tar archive, plain or by gzip, "
            "xz, bzip2 or zstd",
            gather->name);
    if (add_data(gather, bytes, len, err) < 0)
        return -1;
    return gather_all(gather, reader, 0, err);
}

static int unpack_to(const struct trusted *artifact, const struct unpack_limits *limits,
                     const struct run *run, struct bundle_writer *writer, struct err *err)
{
    static const struct unpack_limits none = {0};
    limits = limits ? limits : &none;
    uint64_t max = limits->max_size ? limits->max_size : SIZE_MAX_DEFAULT;
    uint64_t ratio = limits->max_ratio ? limits->max_ratio : RATIO;
    uint64_t data_max = artifact->size > UINT64_MAX / ratio ? UINT64_MAX : artifact->size * ratio;
    if (data_max < RATIO_FREE)
        data_max = RATIO_FREE;
    cleanup_free struct gather *gather = calloc(1, sizeof *gather);
    if (!gather)
        return err_oom(err);
    gather->writer = writer;
    gather->data_max = data_max;
    gather->name = artifact->origin ? artifact->origin : "the base";
    /* the tar around the disk: its header, its map of holes, its end */
    uint64_t stream_max = max > UINT64_MAX / 2 ? max : max + max / 16 + (1 << 20);
    cleanup_reader struct reader *reader = NULL;
    if (reader_open(artifact, stream_max, run, &reader, err) < 0)
        return -1;
    if (reader_kind(reader) == READER_ZIP || reader_kind(reader) == READER_DEB)
        return err_set(err, ERR_VERIFY, 0, "%s: a base comes as a tar archive or as a bare disk",
                       gather->name);
    int r = reader_kind(reader) == READER_BARE ? gather_bare(gather, reader, err)
                                               : gather_archive(gather, reader, max, err);
    if (r < 0)
        return -1;
    end_extent(gather);
    if (gather->at < DISK_MIN || gather->at % SECTOR != 0 || gather->at > max)
        return err_set(err, ERR_VERIFY, 0, "%s: a disk of %llu bytes, which none can have", gather->name,
                       (unsigned long long)gather->at);
    bundle_put_number(writer, gather->at); /* the size stands last: only now is it known */
    return 0;
}

/* Joins the extents to a sparse file; the kernel shares blocks where the file system can. */
static int restore(int from, int to, const struct run *run, struct err *err)
{
    cleanup_bundle_index struct bundle_index index = {0};
    if (bundle_read(from, &index, err) < 0)
        return -1;
    uint64_t at = 0, end = 0;
    while (!index.failed && index.buf.len - index.used >= 16) {
        uint64_t off = bundle_get_number(&index), len = bundle_get_number(&index);
        if (off < end || len > index.content - at || off > INT64_MAX - len) {
            index.failed = true;
            break;
        }
        if (file_copy(from, at, to, off, len, run, err) < 0)
            return err_wrap(err, "copy the base");
        at += len;
        end = off + len;
        run_progress(run, "copy", "disk.raw", at, index.content);
    }
    uint64_t size = bundle_get_number(&index);
    if (size < end || size > INT64_MAX)
        index.failed = true;
    if (bundle_read_end(&index, err) < 0)
        return -1;
    if (ftruncate(to, (off_t)size) < 0)
        return err_sys(err, errno, "give the disk its size");
    return 0;
}

static int cached(const struct trusted *artifact, struct cache *cache, const struct unpack_limits *limits,
                  const struct run *run, int *ret_fd, struct err *err)
{
    char key[SHA256_HEX];
    hex_encode(artifact->sha256.bytes, SHA256_SIZE, key);
    if (cache_find(cache, kind, key, ret_fd, NULL, run, err) < 0)
        return -1;
    if (*ret_fd >= 0)
        return 0;
    cleanup_cache_entry struct cache_entry entry = CACHE_ENTRY_EMPTY;
    if (cache_begin(cache, kind, key, &entry, run, err) < 0)
        return -1;
    if (entry.found_fd >= 0) {
        *ret_fd = steal_fd(&entry.found_fd);
        return 0;
    }
    cleanup_bundle_writer struct bundle_writer writer = {0};
    struct sha256 sha256;
    if (bundle_begin(&writer, entry.fd, err) < 0 || unpack_to(artifact, limits, run, &writer, err) < 0 ||
        bundle_end(&writer, &sha256, err) < 0)
        return -1;
    return cache_commit(&entry, &sha256, ret_fd, err);
}

int unpack_disk(const struct trusted *artifact, struct cache *cache, const struct unpack_limits *limits,
                const struct run *run, struct disk *ret, struct err *err)
{
    cleanup_close int from = -1;
    cleanup_close int to = -1;
    uint64_t max = limits && limits->max_size ? limits->max_size : SIZE_MAX_DEFAULT;
    if (cached(artifact, cache, limits, run, &from, err) < 0 ||
        file_scratch(cache_dir(cache), &to, err) < 0 || restore(from, to, run, err) < 0)
        return -1;
    struct disk made = DISK_EMPTY;
    if (disk_from_fd(to, &made, err) < 0)
        return -1;
    if (made.size > max) /* it was unpacked under other limits */
        return err_set(err, ERR_VERIFY, 0, "%s: a disk of %llu bytes, more than the %llu allowed",
                       artifact->origin ? artifact->origin : "the base", (unsigned long long)made.size,
                       (unsigned long long)max);
    to = -1;
    *ret = made;
    return 0;
}
