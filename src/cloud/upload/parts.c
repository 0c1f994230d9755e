#include "cloud/upload/parts.h"

#include <string.h>

#include "io/crc32c.h"
#include "io/file.h"
#include "text/hex.h"

enum { CHUNK = 1 << 20 };

void parts_free(struct parts *parts)
{
    arena_free(&parts->arena);
    *parts = (struct parts){0};
}

struct upload_part *parts_root(const struct parts *parts)
{
    return &parts->nodes[parts->levels[parts->level_count - 1].first];
}

static bool same_part(const struct segment *a, const struct segment *b)
{
    return a->raw_len > 0 && b->raw_len > 0 && a->raw_off / PART_RAW == b->raw_off / PART_RAW;
}

/* Hashes and names one part. */
static int read_leaf(int fd, struct upload_part *part, const char *prefix, struct arena *arena,
                     unsigned char *chunk, struct hasher *sha1, const struct run *run, struct err *err)
{
    cleanup_hasher struct hasher hasher = {0};
    struct sha256 sha256;
    char hex[SHA256_HEX];
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0)
        return -1;
    for (uint64_t at = 0; at < part->size;) {
        size_t step = part->size - at < CHUNK ? (size_t)(part->size - at) : (size_t)CHUNK;
        if (run_check(run, err) < 0 || file_pread(fd, chunk, step, part->off + at, "the archive", err) < 0 ||
            hasher_add(&hasher, chunk, step, err) < 0 || hasher_add(sha1, chunk, step, err) < 0)
            return -1;
        part->crc32c = crc32c_add(part->crc32c, chunk, step);
        at += step;
    }
    if (hasher_end(&hasher, sha256.bytes, err) < 0)
        return -1;
    hex_encode(sha256.bytes, SHA256_SIZE, hex);
    part->name = arena_printf(arena, "%s%s", prefix, hex);
    return part->name ? 0 : err_oom(err);
}

/* One node for each run of segments that belong together. */
static size_t group_segments(const struct packed *packed, struct upload_part *nodes)
{
    size_t count = 0;
    for (size_t i = 0; i < packed->segment_count; i++) {
        const struct segment *segment = &packed->segments[i];
        if (segment->packed_len == 0)
            continue;
        if (count > 0 && i > 0 && same_part(&packed->segments[i - 1], segment))
            nodes[count - 1].size += segment->packed_len;
        else
            nodes[count++] = (struct upload_part){.off = segment->packed_off, .size = segment->packed_len};
    }
    return count;
}

struct named_part {
    const char *name;
    size_t index;
};

static int by_name(const void *a, const void *b)
{
    const struct named_part *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* The same bytes at two places of the disk are sent once. */
static int mark_duplicates(struct upload_part *nodes, size_t count, struct err *err)
{
    cleanup_free struct named_part *list = calloc(count + 1, sizeof *list);
    if (!list)
        return err_oom(err);
    for (size_t i = 0; i < count; i++)
        list[i] = (struct named_part){nodes[i].name, i};
    qsort(list, count, sizeof *list, by_name);
    for (size_t i = 1; i < count; i++)
        nodes[list[i].index].duplicate = strcmp(list[i - 1].name, list[i].name) == 0;
    return 0;
}

static int read_leaves(const struct packed *packed, int fd, const char *prefix, const struct run *run,
                       struct parts *parts, struct err *err)
{
    cleanup_free unsigned char *chunk = malloc(CHUNK);
    cleanup_hasher struct hasher sha1 = {0};
    uint32_t crc = 0;
    size_t count = parts->levels[0].count;
    if (!chunk)
        return err_oom(err);
    if (hasher_init(&sha1, DIGEST_SHA1, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct upload_part *part = &parts->nodes[i];
        if (part->size > PART_MAX)
            return err_set(err, ERR_VERIFY, 0, "a segment of %llu bytes is larger than a part may be",
                           (unsigned long long)part->size);
        if (read_leaf(fd, part, prefix, &parts->arena, chunk, &sha1, run, err) < 0)
            return -1;
        crc = crc32c_join(crc, part->crc32c, part->size);
        run_progress(run, "push", "reading the archive", part->off + part->size, packed->archive_size);
    }
    if (crc != packed->archive_crc32c)
        return err_set(err, ERR_VERIFY, 0,
                       "the archive's CRC-32C differs from the manifest's: the file was changed");
    if (hasher_end(&sha1, parts->archive_sha1, err) < 0)
        return -1;
    return mark_duplicates(parts->nodes, count, err);
}

/* An inner node's name follows from its sources', so that a push finds those of a killed one. */
static int name_node(struct parts *parts, struct upload_part *node, const char *prefix, struct err *err)
{
    cleanup_hasher struct hasher hasher = {0};
    struct sha256 sha256;
    char hex[SHA256_HEX];
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0)
        return -1;
    for (size_t i = 0; i < node->count; i++) {
        const char *name = parts->nodes[node->first + i].name;
        if (hasher_add(&hasher, name, strlen(name) + 1, err) < 0)
            return -1;
    }
    if (hasher_end(&hasher, sha256.bytes, err) < 0)
        return -1;
    hex_encode(sha256.bytes, SHA256_SIZE, hex);
    node->name = arena_printf(&parts->arena, "%scomposite-%s", prefix, hex);
    return node->name ? 0 : err_oom(err);
}

static void sum_sources(const struct parts *parts, struct upload_part *node)
{
    node->off = parts->nodes[node->first].off;
    for (size_t i = 0; i < node->count; i++) {
        const struct upload_part *source = &parts->nodes[node->first + i];
        node->crc32c = crc32c_join(node->crc32c, source->crc32c, source->size);
        node->size += source->size;
    }
}

static int add_levels(struct parts *parts, const char *prefix, const char *name, struct err *err)
{
    do {
        const struct part_level below = parts->levels[parts->level_count - 1];
        struct part_level level = {below.first + below.count, (below.count + COMPOSE_MAX - 1) / COMPOSE_MAX};
        if (parts->level_count == PART_LEVELS_MAX)
            return err_set(err, ERR_INTERNAL, 0, "more than %d levels of parts", PART_LEVELS_MAX);
        for (size_t i = 0; i < level.count; i++) {
            struct upload_part *node = &parts->nodes[level.first + i];
            size_t left = below.count - i * COMPOSE_MAX;
            node->first = below.first + i * COMPOSE_MAX;
            node->count = left < COMPOSE_MAX ? left : COMPOSE_MAX;
            sum_sources(parts, node);
            if (level.count > 1 && name_node(parts, node, prefix, err) < 0)
                return -1;
        }
        parts->levels[parts->level_count++] = level;
    } while (parts->levels[parts->level_count - 1].count > 1);
    parts_root(parts)->name = arena_strdup(&parts->arena, name);
    return parts_root(parts)->name ? 0 : err_oom(err);
}

int parts_make(const struct packed *packed, int fd, const char *prefix, const char *name,
               const struct run *run, struct parts *ret, struct err *err)
{
    cleanup_parts struct parts made = {.arena = {.max = 256 << 20}};
    if (packed->segment_count == 0 || packed->segment_count > PARTS_MAX)
        return err_set(err, ERR_VERIFY, 0, "a package with %zu segments", packed->segment_count);
    /* all inner levels together have fewer nodes than the leaves; one more is the root */
    made.nodes = arena_array(&made.arena, 2 * packed->segment_count + 2, sizeof *made.nodes);
    if (!made.nodes)
        return err_oom(err);
    made.levels[0] = (struct part_level){0, group_segments(packed, made.nodes)};
    made.level_count = 1;
    if (read_leaves(packed, fd, prefix, run, &made, err) < 0 || add_levels(&made, prefix, name, err) < 0)
        return -1;
    *ret = made;
    made = (struct parts){0};
    return 0;
}
