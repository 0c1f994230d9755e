#include "cloud/upload.h"

#include <stdatomic.h>
#include <string.h>

#include "cloud/parallel.h"

enum { ROUNDS = 4 /* of finding out that somebody removes parts under our feet */ };

struct sending {
    const struct upload *upload;
    const size_t *nodes; /* what the jobs are about */
    atomic_ullong bytes, made;
    uint64_t total;
    atomic_bool missing; /* a source of a composite is gone */
};

/* PART is there when the list has it with the right bytes; another object under that name is an error: parts are named by
 * their content. */
static int look_up(const struct upload *upload, const struct object_list *list, struct part *part,
                   struct err *err)
{
    const struct object *found = object_find(list, part->name);
    const struct object want = {.size = part->size, .crc32c = part->crc32c};
    part->generation = 0;
    if (!found)
        return 0;
    part->generation = found->generation;
    return storage_judge(upload->storage, part->name, found, &want, false, err);
}

/* One list is cheaper than a question for each part until the bucket holds a thousand times as many as this archive has. */
int upload_look(const struct upload *upload, bool *ret_no_bucket, struct err *err)
{
    cleanup_object_list struct object_list list = {0};
    struct parts *parts = upload->parts;
    size_t root = parts->levels[parts->level_count - 1].first;
    if (storage_list(upload->storage, upload->part_prefix, &list, ret_no_bucket, err) < 0)
        return -1;
    for (size_t i = 0; i < root; i++)
        if (look_up(upload, &list, &parts->nodes[i], err) < 0)
            return -1;
    return 0;
}

static int send_part(void *ctx, size_t job, struct err *err)
{
    struct sending *sending = ctx;
    const struct upload *upload = sending->upload;
    struct part *part = &upload->parts->nodes[sending->nodes[job]];
    const struct content content = {
        .fd = upload->fd, .off = part->off, .len = part->size, .crc32c = part->crc32c};
    struct object made;
    if (storage_insert(upload->storage, part->name, "application/octet-stream", &content, &made, err) < 0)
        return -1;
    part->generation = made.generation;
    uint64_t done = atomic_fetch_add(&sending->bytes, part->size) + part->size;
    run_progress(upload->storage->api.run, "push", "parts", done, sending->total);
    return 0;
}

struct by_name {
    const char *name;
    uint64_t generation;
};

static int order(const void *a, const void *b)
{
    return strcmp(((const struct by_name *)a)->name, ((const struct by_name *)b)->name);
}

/* Twins have the generation of the part that was sent for all of them. */
static int settle_twins(struct parts *parts, struct err *err)
{
    size_t count = parts->levels[0].count, found = 0;
    cleanup_free struct by_name *list = calloc(count + 1, sizeof *list);
    if (!list)
        return err_oom(err);
    for (size_t i = 0; i < count; i++)
        if (!parts->nodes[i].again)
            list[found++] = (struct by_name){parts->nodes[i].name, parts->nodes[i].generation};
    qsort(list, found, sizeof *list, order);
    for (size_t i = 0; i < count; i++) {
        const struct by_name key = {parts->nodes[i].name, 0};
        const struct by_name *first =
            parts->nodes[i].again ? bsearch(&key, list, found, sizeof *list, order) : NULL;
        if (first)
            parts->nodes[i].generation = first->generation;
    }
    return 0;
}

static int send_missing(const struct upload *upload, struct upload_counts *counts, struct err *err)
{
    struct parts *parts = upload->parts;
    const struct run *run = upload->storage->api.run;
    cleanup_free size_t *nodes = calloc(parts->levels[0].count + 1, sizeof *nodes);
    struct sending sending = {.upload = upload, .nodes = nodes};
    size_t missing = 0;
    if (!nodes)
        return err_oom(err);
    counts->parts = 0;
    for (size_t i = 0; i < parts->levels[0].count; i++) {
        const struct part *part = &parts->nodes[i];
        counts->parts += !part->again;
        if (part->again || part->generation != 0)
            continue;
        nodes[missing++] = i;
        sending.total += part->size;
    }
    counts->bytes = parts_root(parts)->size;
    run_note(run, "push", "%zu of %llu parts are to be sent, %llu of %llu bytes", missing,
             (unsigned long long)counts->parts, (unsigned long long)sending.total,
             (unsigned long long)counts->bytes);
    int r = parallel_run(upload->threads, missing, send_part, &sending, run, err);
    counts->bytes_sent += atomic_load(&sending.bytes);
    for (size_t i = 0; i < missing; i++)
        counts->parts_sent += parts->nodes[nodes[i]].generation != 0;
    return r < 0 ? -1 : settle_twins(parts, err);
}

static int compose_node(void *ctx, size_t job, struct err *err)
{
    struct sending *sending = ctx;
    const struct upload *upload = sending->upload;
    struct part *node = &upload->parts->nodes[sending->nodes[job]];
    struct object_source sources[COMPOSE_MAX];
    const struct object want = {.size = node->size, .crc32c = node->crc32c};
    struct object made = {0};
    bool missing = false;
    if (node->generation != 0)
        return 0;
    for (size_t i = 0; i < node->count; i++) {
        const struct part *source = &upload->parts->nodes[node->first + i];
        sources[i] = (struct object_source){source->name, source->generation};
    }
    if (storage_compose(upload->storage, node->name, ARCHIVE_TYPE, sources, node->count, &want, &made,
                        &missing, err) < 0)
        return -1;
    if (missing) {
        atomic_store(&sending->missing, true);
        return 0;
    }
    node->generation = made.generation;
    atomic_fetch_add(&sending->made, 1);
    return 0;
}

/* Level by level. *ret_missing: somebody has removed what was there when we looked. */
static int compose_all(const struct upload *upload, struct upload_counts *counts, bool *ret_missing,
                       struct err *err)
{
    const struct parts *parts = upload->parts;
    cleanup_free size_t *nodes = calloc(parts->levels[0].count + 1, sizeof *nodes);
    if (!nodes)
        return err_oom(err);
    *ret_missing = false;
    for (size_t level = 1; level < parts->level_count && !*ret_missing; level++) {
        struct sending sending = {.upload = upload, .nodes = nodes};
        for (size_t i = 0; i < parts->levels[level].count; i++)
            nodes[i] = parts->levels[level].first + i;
        if (parallel_run(upload->threads, parts->levels[level].count, compose_node, &sending,
                         upload->storage->api.run, err) < 0)
            return -1;
        counts->composed += atomic_load(&sending.made);
        *ret_missing = atomic_load(&sending.missing);
    }
    return 0;
}

static int delete_node(void *ctx, size_t job, struct err *err)
{
    struct sending *sending = ctx;
    struct part *node = &sending->upload->parts->nodes[sending->nodes[job]];
    if (node->generation == 0)
        return 0;
    return storage_delete(sending->upload->storage, node->name, node->generation, err);
}

/* The inner nodes lie between the leaves and the root. */
static int delete_inner(const struct upload *upload, struct err *err)
{
    const struct parts *parts = upload->parts;
    size_t first = parts->levels[0].count, end = parts->levels[parts->level_count - 1].first;
    cleanup_free size_t *nodes = calloc(end - first + 1, sizeof *nodes);
    struct sending sending = {.upload = upload, .nodes = nodes};
    if (!nodes)
        return err_oom(err);
    for (size_t i = first; i < end; i++)
        nodes[i - first] = i;
    if (parallel_run(upload->threads, end - first, delete_node, &sending, upload->storage->api.run, err) < 0)
        return err_wrap(err, "left in the bucket: composites under gs://%s/%scomposite-",
                        upload->storage->bucket, upload->part_prefix);
    return 0;
}

int upload_composed(const struct upload *upload, struct upload_counts *counts, struct err *err)
{
    bool missing = true;
    for (unsigned round = 0; missing; round++) {
        if (round == ROUNDS)
            return err_set(err, ERR_REMOTE, 0,
                           "somebody keeps removing parts under gs://%s/%s: run the same command again later",
                           upload->storage->bucket, upload->part_prefix);
        if (upload_look(upload, NULL, err) < 0 || send_missing(upload, counts, err) < 0 ||
            compose_all(upload, counts, &missing, err) < 0)
            return -1;
    }
    return delete_inner(upload, err);
}

int upload_sweep(const struct upload *upload, struct err *err)
{
    const struct parts *parts = upload->parts;
    cleanup_object_list struct object_list list = {0};
    cleanup_free char *prefix = NULL;
    if (parts->level_count < 3) /* no inner nodes */
        return 0;
    if (asprintf(&prefix, "%scomposite-", upload->part_prefix) < 0)
        return err_oom(err);
    if (storage_list(upload->storage, prefix, &list, NULL, err) < 0)
        return -1;
    for (size_t i = parts->levels[0].count; i < parts->levels[parts->level_count - 1].first; i++) {
        const struct object *found = object_find(&list, parts->nodes[i].name);
        parts->nodes[i].generation = found ? found->generation : 0;
    }
    return delete_inner(upload, err);
}
