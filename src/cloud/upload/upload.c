#include "cloud/upload/upload.h"

#include <stdatomic.h>
#include <string.h>

#include "task/parallel.h"

enum { ROUNDS = 4 /* of finding that something deletes parts during the push */ };

/* Shared by the threads of one step: each job has a node of its own, everything else is read-only or
 * atomic. */
struct sending {
    const struct upload *upload;
    const size_t *nodes; /* one for each job */
    atomic_ullong bytes;
    uint64_t total;
    atomic_bool missing; /* a source of a composite is gone */
};

static void set_found(struct upload_part *part, const struct object *object)
{
    part->generation = object->generation;
    snprintf(part->storage_class, sizeof part->storage_class, "%s", object->storage_class);
}

/* Parts are named by their content: an object of that name with other bytes is an error. */
static int find_part(const struct upload *upload, const struct object_list *list, struct upload_part *part,
                     struct err *err)
{
    const struct object *found = object_find(list, part->name);
    const struct object want = {.size = part->size, .crc32c = part->crc32c};
    part->generation = 0;
    if (!found)
        return 0;
    set_found(part, found);
    return storage_check(upload->storage, part->name, found, &want, false, err);
}

/* One list is cheaper than a request for each part until the bucket holds a thousand times as many. */
int upload_find_parts(const struct upload *upload, bool *ret_no_bucket, struct err *err)
{
    cleanup_object_list struct object_list list = {0};
    struct parts *parts = upload->parts;
    size_t root = parts->levels[parts->level_count - 1].first;
    if (storage_list(upload->storage, upload->part_prefix, &list, ret_no_bucket, err) < 0)
        return -1;
    for (size_t i = 0; i < root; i++)
        if (find_part(upload, &list, &parts->nodes[i], err) < 0)
            return -1;
    return 0;
}

static int send_part(void *ctx, size_t job, struct err *err)
{
    struct sending *sending = ctx;
    const struct upload *upload = sending->upload;
    struct upload_part *part = &upload->parts->nodes[sending->nodes[job]];
    const struct object_content content = {
        .fd = upload->fd, .off = part->off, .len = part->size, .crc32c = part->crc32c};
    struct object made;
    if (storage_insert(upload->storage, part->name, "application/octet-stream", &content, part->generation,
                       &made, err) < 0)
        return -1;
    set_found(part, &made);
    part->made = true;
    uint64_t done = atomic_fetch_add(&sending->bytes, part->size) + part->size;
    run_progress(upload->storage->api.run, "push", "parts", done, sending->total);
    return 0;
}

static int compose_node(void *ctx, size_t job, struct err *err)
{
    struct sending *sending = ctx;
    const struct upload *upload = sending->upload;
    struct upload_part *node = &upload->parts->nodes[sending->nodes[job]];
    struct object_source sources[COMPOSE_MAX];
    const struct object want = {.size = node->size, .crc32c = node->crc32c};
    struct object made = {0};
    bool missing = false;
    for (size_t i = 0; i < node->count; i++) {
        const struct upload_part *source = &upload->parts->nodes[node->first + i];
        sources[i] = (struct object_source){source->name, source->generation};
    }
    if (storage_compose(upload->storage, node->name, ARCHIVE_TYPE, sources, node->count, node->generation,
                        &want, &made, &missing, err) < 0)
        return -1;
    if (missing) {
        atomic_store(&sending->missing, true);
        return 0;
    }
    set_found(node, &made);
    node->made = true;
    return 0;
}

static int order(const void *a, const void *b)
{
    return strcmp((*(const struct upload_part *const *)a)->name,
                  (*(const struct upload_part *const *)b)->name);
}

/* Duplicates get the object of the part that was sent for all of them. */
static int settle_duplicates(struct parts *parts, struct err *err)
{
    size_t count = parts->levels[0].count, found = 0;
    cleanup_free const struct upload_part **list = calloc(count + 1, sizeof *list);
    if (!list)
        return err_oom(err);
    for (size_t i = 0; i < count; i++)
        if (!parts->nodes[i].duplicate)
            list[found++] = &parts->nodes[i];
    qsort(list, found, sizeof *list, order);
    for (size_t i = 0; i < count; i++) {
        struct upload_part *duplicate = &parts->nodes[i];
        const struct upload_part *key = duplicate;
        const struct upload_part **first =
            duplicate->duplicate ? bsearch(&key, list, found, sizeof *list, order) : NULL;
        if (!first)
            continue;
        duplicate->generation = (*first)->generation;
        memcpy(duplicate->storage_class, (*first)->storage_class, sizeof duplicate->storage_class);
    }
    return 0;
}

/* Makes COUNT nodes of a level: sends them, or composes them from the level below. */
static int make_nodes(const struct upload *upload, size_t level, const size_t *nodes, size_t count,
                      struct upload_counts *counts, bool *ret_missing, struct err *err)
{
    struct parts *parts = upload->parts;
    const struct run *run = upload->storage->api.run;
    struct sending sending = {.upload = upload, .nodes = nodes};
    for (size_t i = 0; i < count; i++)
        sending.total += parts->nodes[nodes[i]].size;
    if (level == 0)
        run_note(run, "push", "sending %zu of %llu parts, %llu of %llu bytes", count,
                 (unsigned long long)counts->parts, (unsigned long long)sending.total,
                 (unsigned long long)counts->bytes);
    int r = parallel_run(upload->threads, count, level == 0 ? send_part : compose_node, &sending, run, err);
    counts->bytes_sent += atomic_load(&sending.bytes);
    for (size_t i = 0; i < count; i++)
        *(level == 0 ? &counts->parts_sent : &counts->composed) += parts->nodes[nodes[i]].made;
    *ret_missing = atomic_load(&sending.missing);
    return r < 0 || level > 0 ? r : settle_duplicates(parts, err);
}

/* The nodes of a level that must be made again so that all have one storage class. The class of new objects
 * is known from one that this run made; otherwise one is made to find out. */
static size_t select_other_class(const struct parts *parts, struct part_level level, size_t *nodes)
{
    const char *some = "", *fresh = NULL;
    size_t count = 0, end = level.first + level.count;
    bool mixed = false;
    for (size_t i = level.first; i < end; i++) {
        const struct upload_part *node = &parts->nodes[i];
        mixed = mixed || !object_same_class(some, node->storage_class);
        some = *some ? some : node->storage_class;
        fresh = node->made ? node->storage_class : fresh;
    }
    for (size_t i = level.first; mixed && i < end && (fresh || count == 0); i++)
        if (!parts->nodes[i].duplicate &&
            !object_same_class(fresh ? fresh : "STANDARD", parts->nodes[i].storage_class))
            nodes[count++] = i;
    return count;
}

/* *RET_MISSING: something that was found before has been deleted. *RET_MIXED as in upload.h. */
static int make_level(const struct upload *upload, size_t level, struct upload_counts *counts,
                      bool *ret_missing, bool *ret_mixed, struct err *err)
{
    const struct parts *parts = upload->parts;
    const struct part_level *nodes = &parts->levels[level];
    cleanup_free size_t *list = calloc(nodes->count + 1, sizeof *list);
    size_t count = 0;
    if (!list)
        return err_oom(err);
    for (size_t i = nodes->first; i < nodes->first + nodes->count; i++)
        if (!parts->nodes[i].duplicate && parts->nodes[i].generation == 0)
            list[count++] = i;
    if (make_nodes(upload, level, list, count, counts, ret_missing, err) < 0)
        return -1;
    for (unsigned round = 0; !*ret_missing && (count = select_other_class(parts, *nodes, list)) > 0;
         round++) {
        run_note(upload->storage->api.run, "push", "%zu have another storage class: making them again",
                 count);
        bool failed = make_nodes(upload, level, list, count, counts, ret_missing, err) < 0;
        if (failed && err->kind != ERR_REMOTE)
            return -1;
        if (failed || round == ROUNDS) {
            run_warn(upload->storage->api.run, "push",
                     "parts in the bucket have several storage classes, which cannot be composed, and cannot "
                     "be replaced: the archive is sent as a whole%s%s",
                     failed ? ": " : "", failed ? err->text : "");
            *ret_mixed = true;
            return 0;
        }
    }
    return 0;
}

static int delete_node(void *ctx, size_t job, struct err *err)
{
    struct sending *sending = ctx;
    struct upload_part *node = &sending->upload->parts->nodes[sending->nodes[job]];
    if (node->generation == 0)
        return 0;
    return storage_delete(sending->upload->storage, node->name, node->generation, err);
}

/* The inner nodes lie between the leaves and the root. The archive no longer needs them: failing to delete
 * them, because of a retention policy, a hold or a missing role, is a warning, not an error. */
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
    if (parallel_run(upload->threads, end - first, delete_node, &sending, upload->storage->api.run, err) == 0)
        return 0;
    if (err->kind == ERR_INTERRUPTED)
        return -1;
    run_warn(upload->storage->api.run, "push",
             "left in the bucket: composites under gs://%s/%scomposite-: %s", upload->storage->bucket,
             upload->part_prefix, err->text);
    return 0;
}

int upload_composed(const struct upload *upload, struct upload_counts *counts, bool *ret_mixed,
                    struct err *err)
{
    const struct parts *parts = upload->parts;
    bool missing = true;
    *ret_mixed = false;
    counts->bytes = parts_root(parts)->size;
    counts->parts = 0;
    for (size_t i = 0; i < parts->levels[0].count; i++)
        counts->parts += !parts->nodes[i].duplicate;
    for (unsigned round = 0; missing; round++) {
        if (round == ROUNDS)
            return err_set(
                err, ERR_REMOTE, 0,
                "something keeps deleting parts under gs://%s/%s: run the same command again later",
                upload->storage->bucket, upload->part_prefix);
        if (upload_find_parts(upload, NULL, err) < 0)
            return -1;
        missing = false;
        for (size_t level = 0; level < parts->level_count && !missing && !*ret_mixed; level++)
            if (make_level(upload, level, counts, &missing, ret_mixed, err) < 0)
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
