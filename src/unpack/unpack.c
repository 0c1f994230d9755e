#include "unpack/unpack.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>

#include "io/file.h"
#include "text/hex.h"
#include "text/path.h"
#include "unpack/disk_writer.h"
#include "unpack/internal.h"

enum { RATIO = 2000, SECTOR = 512 };
static const uint64_t SIZE_MAX_DEFAULT = UINT64_C(64) << 30;
static const uint64_t RATIO_FREE = UINT64_C(64) << 20; /* data up to this size may have any ratio */
static const uint64_t DISK_MIN = UINT64_C(1) << 20;
const char unpack_kind[] = "disk";

/* Copies all data of the current entry, or of a bare stream. The disk gets at least SIZE bytes. */
static int copy_data(struct disk_writer *writer, struct reader *reader, uint64_t size, struct err *err)
{
    const unsigned char *bytes = NULL;
    size_t len = 0;
    uint64_t off = 0;
    for (;;) {
        if (reader_data(reader, &bytes, &len, &off, err) < 0)
            return -1;
        uint64_t to = len == 0 && size > off ? size : off;
        progress_advance(writer->progress, writer->fd, writer->at - writer->at % DISK_SUM_BLOCK);
        if (to > writer->at && disk_writer_hole(writer, to, err) < 0)
            return -1;
        if (len == 0)
            return disk_writer_end(writer, err);
        if (disk_writer_add(writer, bytes, len, err) < 0)
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

static int check_entry(const struct reader_entry *entry, bool have, uint64_t max, const char *name,
                       struct err *err)
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
                       "%s: its entry \"%.200s\" is %s; the archive of a base holds one file, disk.raw", name,
                       entry->name, why);
    if (entry->size > max)
        return err_set(err, ERR_VERIFY, 0, "%s: its disk has %llu bytes, more than the %llu allowed", name,
                       (unsigned long long)entry->size, (unsigned long long)max);
    return 0;
}

static int copy_archive(struct disk_writer *writer, struct reader *reader, uint64_t max, struct err *err)
{
    struct reader_entry entry;
    bool have = false;
    int r;
    while ((r = reader_next(reader, &entry, err)) > 0) {
        if (entry.type == ENTRY_DIR && (strcmp(entry.name, "./") == 0 || strcmp(entry.name, ".") == 0))
            continue; /* "tar -cf x.tar.gz ." adds it */
        if (check_entry(&entry, have, max, writer->name, err) < 0 ||
            copy_data(writer, reader, entry.size, err) < 0)
            return -1;
        have = true;
    }
    if (r == 0 && !have)
        return err_set(err, ERR_VERIFY, 0, "%s: it has no disk.raw", writer->name);
    return r;
}

/* Bytes that are not an archive must at least look like a disk. */
static int copy_bare(struct disk_writer *writer, struct reader *reader, struct err *err)
{
    const unsigned char *bytes = NULL;
    size_t len = 0;
    uint64_t off = 0;
    char words[READER_WORDS];
    reader_words(reader, words);
    if (reader_data(reader, &bytes, &len, &off, err) < 0)
        return -1;
    if (len < SECTOR || bytes[SECTOR - 2] != 0x55 || bytes[SECTOR - 1] != 0xaa)
        return err_set(err, ERR_VERIFY, 0,
                       "%s: neither a disk (it has no partition table) nor a tar archive, plain or "
                       "compressed with gzip, xz, bzip2, zstd or lz4%s",
                       writer->name, words);
    if (disk_writer_add(writer, bytes, len, err) < 0)
        return -1;
    return copy_data(writer, reader, 0, err);
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
    cleanup_free struct disk_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return err_oom(err);
    writer->fd = fd;
    writer->progress = progress;
    writer->sums = sums;
    writer->data_max = data_max;
    writer->name = input->origin ? input->origin : "the base";
    /* leave room for the tar around the disk: header, map of holes, end */
    uint64_t stream_max = max > UINT64_MAX / 2 ? max : max + max / 16 + (1 << 20);
    cleanup_reader struct reader *reader = NULL;
    if (reader_open(input, stream_max, run, &reader, err) < 0)
        return -1;
    if (reader_kind(reader) == READER_ZIP || reader_kind(reader) == READER_DEB)
        return err_set(err, ERR_VERIFY, 0, "%s: a base must be a tar archive or a bare disk", writer->name);
    int r = reader_kind(reader) == READER_BARE ? copy_bare(writer, reader, err)
                                               : copy_archive(writer, reader, max, err);
    if (r < 0)
        return -1;
    if (writer->at < DISK_MIN || writer->at % SECTOR != 0 || writer->at > max)
        return err_set(err, ERR_VERIFY, 0, "%s: a disk cannot have %llu bytes", writer->name,
                       (unsigned long long)writer->at);
    if (ftruncate(fd, (off_t)writer->at) < 0)
        return err_sys(err, errno, "set the disk's size");
    progress_advance(progress, fd, writer->at);
    return 0;
}

/* Finds the entry in the cache, or unpacks the disk into it. When an entry's identity has changed, the cache
 * checks its content against the recorded digest. Here that is the artifact's, which never matches a disk, so
 * the disk is unpacked again. That is faster than hashing a disk with its holes. */
static int find_or_unpack(const struct trusted *artifact, struct cache *cache,
                          const struct unpack_limits *limits, const struct run *run,
                          struct progress *progress, int *ret_fd, struct sums *sums, struct err *err)
{
    char key[SHA256_HEX];
    bool have_sums = false;
    hex_encode(artifact->sha256.bytes, SHA256_SIZE, key);
    if (sums_read(cache, key, sums, &have_sums, run, err) < 0)
        return -1;
    /* a disk without sums cannot be checked: unpack it again */
    if ((cache_rechecks(cache) || !have_sums) && cache_drop(cache, unpack_kind, key, run, err) < 0)
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
        return sums_read(cache, key, sums, &have_sums, run, err);
    }
    const struct reader_input input = reader_input_of(artifact);
    if (unpack_to(&input, limits, run, progress, entry.fd, sums, err) < 0 ||
        sums_write(cache, key, sums, run, err) < 0)
        return -1;
    return cache_commit(&entry, &artifact->sha256, ret_fd, err);
}

int unpack_base(const struct trusted *artifact, struct cache *cache, const struct unpack_limits *limits,
                const struct run *run, struct progress *progress, struct disk *ret, struct err *err)
{
    cleanup_close int fd = -1;
    cleanup_sums struct sums sums = {0};
    uint64_t max = limits && limits->max_size ? limits->max_size : SIZE_MAX_DEFAULT;
    struct disk made = DISK_EMPTY;
    int r = find_or_unpack(artifact, cache, limits, run, progress, &fd, &sums, err);
    progress_end(progress, r == 0);
    if (r < 0 || disk_over(fd, &made, err) < 0)
        return -1;
    fd = -1;
    disk_set_base_sums(&made, steal_ptr(sums.items), sums.count);
    uint64_t size = made.size;
    if (size > max) { /* unpacked under other limits */
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
        return err_sys(err, errno, "set the disk's size");
    if (disk_from_fd(to, ret, err) < 0)
        return -1;
    to = -1;
    return 0;
}
