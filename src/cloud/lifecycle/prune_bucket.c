/* What nobody needs of the bucket any longer. */
#include <stdatomic.h>
#include <string.h>

#include "task/parallel.h"
#include "cloud/lifecycle/prune.h"

/* A sorted set of names. */
struct names {
    struct arena arena;
    const char **items;
    size_t count, capacity;
};

static void names_free(struct names *names)
{
    arena_free(&names->arena);
    free(names->items);
}

static int names_add(struct names *names, const char *name, struct err *err)
{
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? names->capacity * 2 : 1024;
        const char **more = reallocarray(names->items, capacity, sizeof *more);
        if (!more)
            return err_oom(err);
        names->items = more;
        names->capacity = capacity;
    }
    names->items[names->count] = arena_strdup(&names->arena, name);
    return names->items[names->count++] ? 0 : err_oom(err);
}

static int order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_sort(struct names *names)
{
    if (names->count > 0)
        qsort(names->items, names->count, sizeof *names->items, order);
}

static bool names_has(const struct names *names, const char *name)
{
    return names->count > 0 && bsearch(&name, names->items, names->count, sizeof *names->items, order);
}

struct needs {
    struct names images;   /* of the project, that bake made */
    struct names packages; /* that a living claim names */
    struct names segments;
    struct names dead;        /* packages whose image is gone */
    struct names dead_claims; /* names of objects */
    bool of_family;           /* a claim is */
};

static void needs_free(struct needs *needs)
{
    names_free(&needs->images);
    names_free(&needs->packages);
    names_free(&needs->segments);
    names_free(&needs->dead);
    names_free(&needs->dead_claims);
}

static bool old_enough(const struct prune *prune, const struct object *object)
{
    return object->created_ms < prune->now_ms && prune->now_ms - object->created_ms > prune->safety_ms;
}

/* NAME.tar.gz, NAME.manifest.json, ...: what begins with the package's name and a dot. */
static int list_package(const struct prune *prune, const char *package, struct object_list *ret,
                        struct err *err)
{
    cleanup_free char *prefix = NULL;
    if (asprintf(&prefix, "%s%s.", prune->prefix, package) < 0)
        return err_oom(err);
    return storage_list(prune->storage, prefix, ret, NULL, err);
}

/* A push that goes on with an old claim has brought something lately. */
static int is_at_rest(const struct prune *prune, const char *package, bool *ret, struct err *err)
{
    cleanup_object_list struct object_list list = {0};
    if (list_package(prune, package, &list, err) < 0)
        return -1;
    *ret = true;
    for (size_t i = 0; i < list.count; i++)
        *ret = *ret && old_enough(prune, &list.items[i]);
    return 0;
}

/* Ours, of this family or of none, old, and without an image: only then it is dead. */
static int sort_claim(const struct prune *prune, const struct object *object, struct needs *needs,
                      struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(CLAIM_MAX);
    cleanup_claim struct claim claim = {0};
    cleanup_free char *mine = NULL;
    if (asprintf(&mine, "%s" CLAIMS_FOLDER "%s/", prune->prefix, prune->images.project) < 0)
        return err_oom(err);
    if (storage_read(prune->storage, object->name, &text, err) < 0 ||
        claim_read(text.data ? text.data : "", text.len, object->name, &claim, err) < 0)
        return -1;
    bool of_project = strncmp(object->name, mine, strlen(mine)) == 0;
    bool of_family = of_project && strcmp(claim.family, prune->family) == 0;
    bool dead = (of_family || (of_project && !*claim.family)) && !names_has(&needs->images, claim.image) &&
                old_enough(prune, object);
    needs->of_family = needs->of_family || of_family;
    if (dead && is_at_rest(prune, claim.package, &dead, err) < 0)
        return -1;
    if (dead)
        return names_add(&needs->dead_claims, object->name, err) < 0
                   ? -1
                   : names_add(&needs->dead, claim.package, err);
    if (names_add(&needs->packages, claim.package, err) < 0)
        return -1;
    for (const cJSON *item = claim.segments->child; item; item = item->next)
        if (names_add(&needs->segments, item->valuestring, err) < 0)
            return -1;
    return 0;
}

static bool goes_too(const struct image_list *list, const bool *goes, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (goes[i] && strcmp(list->items[i].name, name) == 0)
            return true;
    return false;
}

/* The images after the claims: whoever claims later than that is younger than any safety. */
static int read_needs(const struct prune *prune, const struct image_list *list, const bool *goes,
                      const struct object_list *claims, struct needs *needs, struct err *err)
{
    cleanup_image_list struct image_list images = {0};
    if (images_list(&prune->images, "labels." LABEL_PACKAGE ":*", &images, err) < 0)
        return -1;
    for (size_t i = 0; i < images.count; i++)
        if (!(prune->dry && goes_too(list, goes, images.items[i].name)) &&
            names_add(&needs->images, images.items[i].name, err) < 0)
            return -1;
    names_sort(&needs->images);
    for (size_t i = 0; i < claims->count; i++)
        if (sort_claim(prune, &claims->items[i], needs, err) < 0)
            return err_wrap(err, "nothing of the bucket is removed");
    names_sort(&needs->packages);
    names_sort(&needs->segments);
    return 0;
}

struct deletion {
    const struct prune *prune;
    const struct object *const *objects;
    atomic_ullong count, bytes, retained;
};

static int delete_one(void *ctx, size_t job, struct err *err)
{
    struct deletion *deletion = ctx;
    const struct object *object = deletion->objects[job];
    const struct storage *storage = deletion->prune->storage;
    cleanup_buf struct buf url = BUF_INIT(HTTP_URL_MAX);
    char detail[64];
    bool kept = false;
    storage_url(storage, storage->api.endpoints->storage, object->name, &url);
    snprintf(detail, sizeof detail, "%llu bytes", (unsigned long long)object->size);
    if (buf_check(&url, "a URL", err) < 0)
        return -1;
    if (!prune_dry(deletion->prune, url.data, detail) &&
        storage_delete_unless_kept(storage, object->name, object->generation, &kept, err) < 0)
        return -1;
    if (kept) {
        atomic_fetch_add(&deletion->retained, 1);
        return 0;
    }
    atomic_fetch_add(&deletion->count, 1);
    atomic_fetch_add(&deletion->bytes, object->size);
    return 0;
}

static int delete_all(const struct prune *prune, const struct object *const *objects, size_t count,
                      struct prune_result *result, struct err *err)
{
    struct deletion deletion = {.prune = prune, .objects = objects};
    int r = parallel_run(prune->dry ? 1 : prune->threads, count, delete_one, &deletion,
                         prune->storage->api.run, err);
    result->objects += atomic_load(&deletion.count);
    result->bytes += atomic_load(&deletion.bytes);
    result->retained += atomic_load(&deletion.retained);
    return r;
}

static int delete_package(const struct prune *prune, const char *package, struct prune_result *result,
                          struct err *err)
{
    cleanup_object_list struct object_list list = {0};
    if (list_package(prune, package, &list, err) < 0)
        return -1;
    cleanup_free const struct object **objects = calloc(list.count + 1, sizeof *objects);
    if (!objects)
        return err_oom(err);
    for (size_t i = 0; i < list.count; i++)
        objects[i] = &list.items[i];
    result->packages++;
    return delete_all(prune, objects, list.count, result, err);
}

static int delete_segments(const struct prune *prune, const struct object_list *segments,
                           const struct needs *needs, struct prune_result *result, struct err *err)
{
    cleanup_free const struct object **objects = calloc(segments->count + 1, sizeof *objects);
    size_t count = 0;
    if (!objects)
        return err_oom(err);
    for (size_t i = 0; i < segments->count; i++)
        if (old_enough(prune, &segments->items[i]) && !names_has(&needs->segments, segments->items[i].name))
            objects[count++] = &segments->items[i];
    return delete_all(prune, objects, count, result, err);
}

/* Claims go last: a prune that dies, or may not delete all, leaves those whose objects may still be there. */
static int delete_claims(const struct prune *prune, const struct object_list *claims,
                         const struct needs *needs, struct prune_result *result, struct err *err)
{
    cleanup_free const struct object **objects = calloc(claims->count + 1, sizeof *objects);
    size_t count = 0;
    if (!objects)
        return err_oom(err);
    for (size_t i = 0; i < needs->dead_claims.count; i++) {
        const struct object *found = object_find(claims, needs->dead_claims.items[i]);
        if (found)
            objects[count++] = found;
    }
    return delete_all(prune, objects, count, result, err);
}

int prune_bucket(const struct prune *prune, const struct image_list *images, const bool *goes, bool known,
                 struct prune_result *result, struct err *err)
{
    cleanup_object_list struct object_list segments = {0}, claims = {0};
    cleanup(needs_free) struct needs needs = {0};
    cleanup_free char *segment_prefix = NULL, *claim_prefix = NULL;
    if (asprintf(&segment_prefix, "%s" SEGMENTS_FOLDER, prune->prefix) < 0)
        segment_prefix = NULL;
    if (asprintf(&claim_prefix, "%s" CLAIMS_FOLDER, prune->prefix) < 0)
        claim_prefix = NULL;
    if (!segment_prefix || !claim_prefix)
        return err_oom(err);
    /* the segments before the claims: what is listed here and claimed by a push that begins now shows in its claim */
    if (storage_list(prune->storage, segment_prefix, &segments, NULL, err) < 0 ||
        storage_list(prune->storage, claim_prefix, &claims, NULL, err) < 0 ||
        read_needs(prune, images, goes, &claims, &needs, err) < 0)
        return -1;
    if (!known && !needs.of_family)
        return prune_unknown(prune, images->count, err);
    for (size_t i = 0; i < needs.dead.count; i++)
        if (!names_has(&needs.packages, needs.dead.items[i]) &&
            delete_package(prune, needs.dead.items[i], result, err) < 0)
            return -1;
    if (delete_segments(prune, &segments, &needs, result, err) < 0)
        return -1;
    return result->retained > 0 ? 0 : delete_claims(prune, &claims, &needs, result, err);
}
