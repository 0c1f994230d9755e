#include "disk/mapping.h"

#include <fcntl.h>
#include <string.h>

#include <isa-l/mem_routines.h>

#include "cache/cache.h"
#include "io/crc32c.h"

enum { STEP = 64 << 10 };

/* The first extent that ends after AT. */
static size_t extent_from(const struct mapping *map, uint64_t at)
{
    size_t low = 0, high = map->extent_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->extents[middle].off + map->extents[middle].len > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static int read_base(const struct mapping *map, unsigned char *bytes, size_t len, uint64_t off,
                     struct err *err)
{
    uint64_t there = off < map->base_size ? map->base_size - off : 0;
    size_t part = there < len ? (size_t)there : len;
    memset(bytes + part, 0, len - part);
    return part == 0 ? 0 : file_pread(map->base, bytes, part, off, "the base", err);
}

/* Reads without the overlay. */
static int read_below(const struct mapping *map, unsigned char *bytes, size_t len, uint64_t off,
                      struct err *err)
{
    for (size_t i = extent_from(map, off); len > 0;) {
        const struct extent *extent = i < map->extent_count ? &map->extents[i] : NULL;
        bool inside = extent && extent->off <= off;
        uint64_t end = inside ? extent->off + extent->len : extent ? extent->off : UINT64_MAX;
        size_t step = end - off < len ? (size_t)(end - off) : len;
        int r = inside ? file_pread(extent->source.fd, bytes, step, off - extent->off + extent->source.from,
                                    "an embedded file", err)
                       : read_base(map, bytes, step, off, err);
        if (r < 0)
            return -1;
        i += inside;
        bytes += step;
        off += step;
        len -= step;
    }
    return 0;
}

static int mapping_read(const struct disk *disk, void *bytes, size_t len, uint64_t off, struct err *err)
{
    const struct mapping *map = disk->map;
    if (read_below(map, bytes, len, off, err) < 0)
        return -1;
    for (uint64_t at = off; at < off + len;) {
        const struct range *range = ranges_from(&map->written, at);
        if (!range || range->off >= off + len)
            break;
        uint64_t from = range->off > at ? range->off : at,
                 end = range->end < off + len ? range->end : off + len;
        overlay_read(&map->overlay, (unsigned char *)bytes + (from - off), (size_t)(end - from), from);
        at = end;
    }
    return 0;
}

static int write_unit(struct mapping *map, const unsigned char *unit, uint64_t off, struct err *err)
{
    if (!overlay_write(&map->overlay, unit, OVERLAY_UNIT, off))
        return map->overlay.count == OVERLAY_MAX
                   ? err_set(err, ERR_SPACE, 0,
                             "more than %d MiB were written to the disk, not counting the content of files",
                             OVERLAY_MAX / ((1 << 20) / OVERLAY_UNIT))
                   : err_oom(err);
    return ranges_add(&map->written, off, OVERLAY_UNIT) ? 0 : err_oom(err);
}

/* Writes [off, off + len), which lies within the STRETCH bytes of whole units at START. */
static int write_units(struct disk *disk, const unsigned char *bytes, size_t len, uint64_t off,
                       uint64_t start, size_t stretch, struct err *err)
{
    unsigned char now[STEP], new[STEP];
    size_t there = disk->size - start < stretch ? (size_t)(disk->size - start) : stretch;
    memset(now, 0, stretch);
    if (mapping_read(disk, now, there, start, err) < 0)
        return -1;
    memcpy(new, now, stretch);
    memcpy(new + (off - start), bytes, len);
    for (size_t at = 0; at < stretch; at += OVERLAY_UNIT)
        if (memcmp(now + at, new + at, OVERLAY_UNIT) != 0 &&
            write_unit(disk->map, new + at, start + at, err) < 0)
            return -1;
    return 0;
}

static int mapping_write(struct disk *disk, const void *bytes, size_t len, uint64_t off, struct err *err)
{
    const unsigned char *from = bytes;
    while (len > 0) {
        uint64_t start = off - off % OVERLAY_UNIT;
        size_t capacity = STEP - (size_t)(off - start), step = len < capacity ? len : capacity;
        size_t stretch = ((size_t)(off - start) + step + OVERLAY_UNIT - 1) / OVERLAY_UNIT * OVERLAY_UNIT;
        if (write_units(disk, from, step, off, start, stretch, err) < 0)
            return -1;
        from += step;
        off += step;
        len -= step;
    }
    return 0;
}

static void mapping_close(struct disk *disk)
{
    struct mapping *map = disk->map;
    for (size_t i = 0; i < map->file_count; i++)
        close(map->files[i].fd);
    cleanup_close_fn(&map->base);
    overlay_free(&map->overlay);
    ranges_free(&map->written);
    free(map->extents);
    free(map->files);
    free(map->sums);
    free(map);
}

static const struct disk_ops mapping_ops = {mapping_read, mapping_write, mapping_close};

int disk_over(int base, struct disk *ret, struct err *err)
{
    struct stat st;
    if (fstat(base, &st) < 0)
        return err_sys(err, errno, "stat the base");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_LAYOUT, 0, "the base is not a regular file");
    struct mapping *map = calloc(1, sizeof *map);
    if (!map)
        return err_oom(err);
    map->base = base;
    map->base_size = (uint64_t)st.st_size;
    *ret = (struct disk){.ops = &mapping_ops, .size = map->base_size, .fd = -1, .map = map};
    return 0;
}

void disk_set_base_sums(struct disk *disk, uint32_t *sums, size_t count)
{
    free(disk->map->sums);
    disk->map->sums = sums;
    disk->map->sum_count = count;
}

int disk_check_base(const struct disk *disk, uint64_t off, unsigned char *scratch, struct err *err)
{
    const struct mapping *map = disk->map;
    if (!map || !map->sums || off >= map->base_size)
        return 0;
    if (read_base(map, scratch, DISK_SUM, off, err) < 0)
        return -1;
    uint32_t sum = 0, want = off / DISK_SUM < map->sum_count ? map->sums[off / DISK_SUM] : 0;
    for (size_t at = 0; at < DISK_SUM; at += DISK_SUM_BLOCK)
        if (isal_zero_detect(scratch + at, DISK_SUM_BLOCK) != 0)
            sum = crc32c_add(sum, scratch + at, DISK_SUM_BLOCK);
    if (sum == want)
        return 0;
    err_set(err, ERR_VERIFY, 0,
            "the unpacked base in the cache is damaged, in the MiB at byte %llu of the disk: --recheck "
            "recreates it",
            (unsigned long long)off);
    err->errnum = CACHE_ROT;
    return -1;
}

/* Finds FD's file among the mapped files or adds it. */
static int add_file(struct mapping *map, int fd, const struct mapped_file **ret, struct err *err)
{
    struct mapped_file file = {.fd = -1};
    if (file_identify(fd, &file.identity, err) < 0)
        return -1;
    for (size_t i = map->file_count; i-- > 0;)
        if (file_identity_equal(&map->files[i].identity, &file.identity)) {
            *ret = &map->files[i];
            return 0;
        }
    if (map->file_count == map->file_capacity) {
        size_t capacity = map->file_capacity ? map->file_capacity * 2 : 16;
        struct mapped_file *more = reallocarray(map->files, capacity, sizeof *more);
        if (!more)
            return err_oom(err);
        map->files = more;
        map->file_capacity = capacity;
    }
    file.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (file.fd < 0)
        return err_sys(err, errno, "duplicate a descriptor");
    map->files[map->file_count] = file;
    *ret = &map->files[map->file_count++];
    return 0;
}

/* Inserts NEW and cuts away the parts of older extents that it covers. */
static int insert_extent(struct mapping *map, const struct extent *new, struct err *err)
{
    if (map->extent_capacity < map->extent_count + 2) { /* NEW may split an extent in two */
        size_t capacity = map->extent_capacity ? map->extent_capacity * 2 : 64;
        struct extent *more = reallocarray(map->extents, capacity, sizeof *more);
        if (!more)
            return err_oom(err);
        map->extents = more;
        map->extent_capacity = capacity;
    }
    uint64_t end = new->off + new->len;
    size_t first = extent_from(map, new->off), last = first, count = 0;
    struct extent between[3];
    while (last < map->extent_count && map->extents[last].off < end)
        last++;
    if (first < last && map->extents[first].off < new->off) {
        between[count] = map->extents[first];
        between[count++].len = new->off - map->extents[first].off;
    }
    between[count++] = *new;
    if (first < last) {
        struct extent rest = map->extents[last - 1];
        uint64_t rest_end = rest.off + rest.len;
        if (rest_end > end) {
            rest.source.from += end - rest.off;
            rest.off = end;
            rest.len = rest_end - end;
            between[count++] = rest;
        }
    }
    memmove(map->extents + first + count, map->extents + last,
            (map->extent_count - last) * sizeof *map->extents);
    memcpy(map->extents + first, between, count * sizeof *between);
    map->extent_count = map->extent_count - (last - first) + count;
    return 0;
}

int disk_map_extent(struct disk *disk, uint64_t off, uint64_t len, const struct extent_source *source,
                    struct err *err)
{
    struct mapping *map = disk->map;
    struct extent extent = {.off = off, .len = len, .source = *source};
    const struct mapped_file *file = NULL;
    if (!map || off % OVERLAY_UNIT != 0 || len % OVERLAY_UNIT != 0 || len == 0 || off > disk->size ||
        len > disk->size - off || source->from > INT64_MAX - len ||
        (source->named && source->content_from > source->from))
        return err_set(err, ERR_INTERNAL, 0, "a file cannot be mapped at bytes %llu to %llu of the disk",
                       (unsigned long long)off, (unsigned long long)off + len);
    if (add_file(map, source->fd, &file, err) < 0)
        return -1;
    if (source->from + len > file->identity.size)
        return err_set(err, ERR_VERIFY, 0, "an embedded file became shorter");
    extent.source.fd = file->fd;
    if (insert_extent(map, &extent, err) < 0)
        return -1;
    overlay_drop(&map->overlay, len, off);
    return 0;
}

static int file_changed_error(struct err *err)
{
    return err_set(err, ERR_VERIFY, 0,
                   "an embedded file changed while it was read: run again when it is complete");
}

int disk_watch(struct disk *disk, int fd, const struct file_identity *identity, struct err *err)
{
    const struct mapped_file *file = NULL;
    if (add_file(disk->map, fd, &file, err) < 0)
        return -1;
    return file_identity_equal(&file->identity, identity) ? 0 : file_changed_error(err);
}

int disk_check_files(const struct disk *disk, struct err *err)
{
    const struct mapping *map = disk->map;
    for (size_t i = 0; map && i < map->file_count; i++) {
        struct file_identity now;
        if (file_identify(map->files[i].fd, &now, err) < 0)
            return -1;
        if (!file_identity_equal(&now, &map->files[i].identity))
            return file_changed_error(err);
    }
    return 0;
}

static void nearer(struct range *best, bool *found, uint64_t at, uint64_t off, uint64_t end)
{
    if (off < at)
        off = at;
    if (!*found || off < best->off || (off == best->off && end > best->end))
        *best = (struct range){off, end};
    *found = true;
}

bool disk_next_change(const struct disk *disk, uint64_t at, uint64_t *ret_off, uint64_t *ret_end)
{
    const struct mapping *map = disk->map;
    struct range best = {0};
    bool found = false;
    if (!map) {
        *ret_off = at;
        *ret_end = disk->size;
        return at < disk->size;
    }
    const struct range *written = ranges_from(&map->written, at);
    size_t i = extent_from(map, at);
    if (written)
        nearer(&best, &found, at, written->off, written->end);
    if (i < map->extent_count)
        nearer(&best, &found, at, map->extents[i].off, map->extents[i].off + map->extents[i].len);
    *ret_off = best.off;
    *ret_end = best.end;
    return found;
}

/* Hashes the origin of LEN bytes: offset FROM in the base or in EXTENT's content. */
static int add_origin(struct hasher *hasher, const struct extent *extent, uint64_t from, uint64_t len,
                      struct err *err)
{
    static const struct sha256 base = {0};
    const uint64_t numbers[] = {from, len};
    return hasher_add(hasher, extent ? extent->source.content.bytes : base.bytes, SHA256_SIZE, err) < 0 ||
                   hasher_add(hasher, numbers, sizeof numbers, err) < 0
               ? -1
               : 0;
}

bool disk_origin(const struct disk *disk, uint64_t off, uint64_t len, struct sha256 *ret)
{
    const struct mapping *map = disk->map;
    cleanup_hasher struct hasher hasher = {0};
    struct err ignored = {0};
    const struct range *written = map ? ranges_from(&map->written, off) : NULL;
    if (!map || (written && written->off < off + len) || hasher_init(&hasher, DIGEST_SHA256, &ignored) < 0)
        return false;
    for (size_t i = extent_from(map, off); len > 0;) {
        const struct extent *next = i < map->extent_count ? &map->extents[i] : NULL;
        const struct extent *extent = next && next->off <= off ? next : NULL;
        uint64_t end = extent ? extent->off + extent->len : next ? next->off : UINT64_MAX;
        uint64_t step = end - off < len ? end - off : len, from = off;
        if (extent) {
            const struct extent_source *source = &extent->source;
            if (!source->named)
                return false;
            from = off - extent->off + source->from - source->content_from;
            i++;
        }
        if (add_origin(&hasher, extent, from, step, &ignored) < 0)
            return false;
        off += step;
        len -= step;
    }
    return hasher_end(&hasher, ret->bytes, &ignored) == 0;
}

/* The file's next data, or all of its rest when the file system does not report holes. */
static bool next_in_file(int fd, uint64_t size, uint64_t at, struct range *ret)
{
    if (at >= size)
        return false;
    off_t data = lseek(fd, (off_t)at, SEEK_DATA);
    if (data < 0 && errno == ENXIO)
        return false;
    off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
    *ret = hole <= data ? (struct range){at, size}
                        : (struct range){(uint64_t)data, (uint64_t)hole < size ? (uint64_t)hole : size};
    return ret->off < size;
}

bool disk_next_data(const struct disk *disk, uint64_t at, uint64_t *ret_off, uint64_t *ret_end)
{
    struct range best = {0}, base = {0};
    bool found = false;
    if (disk->map) {
        found = disk_next_change(disk, at, &best.off, &best.end);
        if (next_in_file(disk->map->base, disk->map->base_size, at, &base))
            nearer(&best, &found, at, base.off, base.end);
    } else if (disk->fd >= 0) {
        found = next_in_file(disk->fd, disk->size, at, &best);
    } else {
        best = (struct range){at, disk->size};
        found = at < disk->size;
    }
    *ret_off = best.off;
    *ret_end = best.end;
    return found;
}

int disk_view_fd(const struct disk *disk)
{
    const struct mapping *map = disk->map;
    if (!map)
        return disk->fd;
    return map->written.count == 0 && map->extent_count == 0 && disk->size == map->base_size ? map->base : -1;
}
