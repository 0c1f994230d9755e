#include "cloud/lifecycle/prune_bucket.h"

#include <stdatomic.h>
#include <string.h>

#include "cloud/push/claim.h"
#include "cloud/push/names.h"
#include "cloud/storage/url.h"
#include "task/parallel.h"

void bucket_survey_free(struct bucket_survey *survey)
{
    object_list_free(&survey->segments);
    object_list_free(&survey->claims);
    name_set_free(&survey->packages);
    name_set_free(&survey->needed);
    name_set_free(&survey->dead_packages);
    name_set_free(&survey->dead_claims);
}

static bool old_enough(const struct prune *prune, const struct object *object)
{
    return object->created_ms < prune->now_ms && prune->now_ms - object->created_ms > prune->safety_ms;
}

static int list_folder(const struct prune *prune, const char *folder, struct object_list *ret,
                       struct err *err)
{
    cleanup_free char *prefix = NULL;
    if (asprintf(&prefix, "%s%s", prune->prefix, folder) < 0)
        return err_oom(err);
    return storage_list(prune->storage, prefix, ret, NULL, err);
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

/* --- the survey --- */

/* A push that resumes with an old claim has stored something recently. */
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

static int read_claim(const struct prune *prune, const struct object *object, struct claim *ret,
                      struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(CLAIM_MAX);
    if (storage_read(prune->storage, object->name, &text, err) < 0)
        return -1;
    return claim_read(text.data ? text.data : "", text.len, object->name, ret, err);
}

/* A claim is dead when it is this project's, of this family or of none, old, without an image, and its
 * package's objects are old too. */
static int is_dead(const struct prune *prune, const struct object *object, const struct claim *claim,
                   const struct name_set *images, struct bucket_survey *survey, bool *ret, struct err *err)
{
    cleanup_free char *mine = NULL;
    if (asprintf(&mine, "%s" CLAIMS_FOLDER "%s/", prune->prefix, prune->images.project) < 0)
        return err_oom(err);
    bool of_project = strncmp(object->name, mine, strlen(mine)) == 0;
    bool of_family = of_project && strcmp(claim->family, prune->family) == 0;
    survey->of_family = survey->of_family || of_family;
    *ret = (of_family || (of_project && !*claim->family)) && !name_set_has(images, claim->image) &&
           old_enough(prune, object);
    return *ret ? is_at_rest(prune, claim->package, ret, err) : 0;
}

static int sort_claim(const struct prune *prune, const struct object *object, const struct name_set *images,
                      struct bucket_survey *survey, struct err *err)
{
    cleanup_claim struct claim claim = {0};
    bool dead = false;
    if (read_claim(prune, object, &claim, err) < 0 ||
        is_dead(prune, object, &claim, images, survey, &dead, err) < 0)
        return -1;
    if (dead)
        return name_set_add(&survey->dead_claims, object->name, err) < 0
                   ? -1
                   : name_set_add(&survey->dead_packages, claim.package, err);
    if (name_set_add(&survey->packages, claim.package, err) < 0)
        return -1;
    for (const cJSON *item = claim.segments->child; item; item = item->next)
        if (name_set_add(&survey->needed, item->valuestring, err) < 0)
            return -1;
    return 0;
}

static bool is_doomed(const struct image_list *list, const bool *doomed, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (doomed[i] && strcmp(list->items[i].name, name) == 0)
            return true;
    return false;
}

/* All images of the project that bake made, without those that a dry run would have deleted. */
static int read_images(const struct prune *prune, const struct image_list *list, const bool *doomed,
                       struct name_set *ret, struct err *err)
{
    cleanup_image_list struct image_list images = {0};
    if (images_list(&prune->images, "labels." LABEL_PACKAGE ":*", &images, err) < 0)
        return -1;
    for (size_t i = 0; i < images.count; i++)
        if (!(prune->dry && is_doomed(list, doomed, images.items[i].name)) &&
            name_set_add(ret, images.items[i].name, err) < 0)
            return -1;
    name_set_sort(ret);
    return 0;
}

int prune_bucket_survey(const struct prune *prune, const struct image_list *images, const bool *doomed,
                        struct bucket_survey *ret, struct err *err)
{
    cleanup_bucket_survey struct bucket_survey made = {0};
    cleanup(name_set_free) struct name_set living = {0};
    /* Segments before claims: a segment listed here that a push claims from now on shows in its claim. Claims
     * before images: an object whose claim comes later is younger than any safety age. */
    if (list_folder(prune, SEGMENTS_FOLDER, &made.segments, err) < 0 ||
        list_folder(prune, CLAIMS_FOLDER, &made.claims, err) < 0 ||
        read_images(prune, images, doomed, &living, err) < 0)
        return -1;
    for (size_t i = 0; i < made.claims.count; i++)
        if (sort_claim(prune, &made.claims.items[i], &living, &made, err) < 0)
            return err_wrap(err, "nothing in the bucket is deleted");
    name_set_sort(&made.packages);
    name_set_sort(&made.needed);
    *ret = made;
    made = (struct bucket_survey){0};
    return 0;
}

/* --- the sweep --- */

/* Shared by the threads that delete: all but the sums is read-only. */
struct deletion {
    const struct prune *prune;
    const struct object *const *objects;
    atomic_ullong count, bytes, retained;
};

static int report_deletion(const struct prune *prune, const struct object *object, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    char detail[64];
    snprintf(detail, sizeof detail, "%llu bytes", (unsigned long long)object->size);
    if (storage_url_object(prune->storage, object->name, &url, err) < 0)
        return -1;
    dry_run_report(prune->dry, "DELETE", url.data, detail);
    return 0;
}

static int delete_one(void *ctx, size_t job, struct err *err)
{
    struct deletion *deletion = ctx;
    const struct prune *prune = deletion->prune;
    const struct object *object = deletion->objects[job];
    bool kept = false;
    int r = prune->dry
                ? report_deletion(prune, object, err)
                : storage_delete_unless_kept(prune->storage, object->name, object->generation, &kept, err);
    if (r < 0)
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

static int delete_segments(const struct prune *prune, const struct bucket_survey *survey,
                           struct prune_result *result, struct err *err)
{
    const struct object_list *segments = &survey->segments;
    cleanup_free const struct object **objects = calloc(segments->count + 1, sizeof *objects);
    size_t count = 0;
    if (!objects)
        return err_oom(err);
    for (size_t i = 0; i < segments->count; i++)
        if (old_enough(prune, &segments->items[i]) && !name_set_has(&survey->needed, segments->items[i].name))
            objects[count++] = &segments->items[i];
    return delete_all(prune, objects, count, result, err);
}

static int delete_claims(const struct prune *prune, const struct bucket_survey *survey,
                         struct prune_result *result, struct err *err)
{
    cleanup_free const struct object **objects = calloc(survey->claims.count + 1, sizeof *objects);
    size_t count = 0;
    if (!objects)
        return err_oom(err);
    for (size_t i = 0; i < survey->dead_claims.count; i++) {
        const struct object *found = object_find(&survey->claims, survey->dead_claims.items[i]);
        if (found)
            objects[count++] = found;
    }
    return delete_all(prune, objects, count, result, err);
}

int prune_bucket_sweep(const struct prune *prune, const struct bucket_survey *survey,
                       struct prune_result *result, struct err *err)
{
    for (size_t i = 0; i < survey->dead_packages.count; i++)
        if (!name_set_has(&survey->packages, survey->dead_packages.items[i]) &&
            delete_package(prune, survey->dead_packages.items[i], result, err) < 0)
            return -1;
    if (delete_segments(prune, survey, result, err) < 0)
        return -1;
    /* Claims last: a prune that is killed, or may not delete everything, leaves those whose objects may still
     * exist. */
    return result->retained > 0 ? 0 : delete_claims(prune, survey, result, err);
}
