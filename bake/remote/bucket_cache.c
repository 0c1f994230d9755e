#include "bake/remote/bucket_cache.h"

#include <string.h>

#define INPUTS_FOLDER "inputs/"

enum { URL_MAX = 400 };

static const uint64_t size_max = UINT64_C(16) << 30; /* as fetch has it, for what the lock says no size of */

int shared_check(const char *url, struct err *err)
{
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    static const char any[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/";
    bool ok = strncmp(url, "gs://", 5) == 0 && strlen(url) < URL_MAX;
    if (ok) {
        const char *bucket = url + 5;
        size_t len = strcspn(bucket, "/");
        const char *folder = bucket + len + (bucket[len] == '/');
        ok = len >= 3 && strspn(bucket, lower) == len && folder[strspn(folder, any)] == '\0' &&
             folder[0] != '/' && !strstr(folder, "//");
    }
    return ok ? 0
              : err_set(err, ERR_USAGE, 0,
                        "--shared-cache wants gs://BUCKET or gs://BUCKET/FOLDER, not \"%.250s\"", url);
}

int shared_open(struct common *common, const struct shared_options *options, struct shared *ret,
                struct err *err)
{
    *ret = (struct shared){.common = common, .options = *options};
    if (!options->url)
        return 0;
    if (shared_check(options->url, err) < 0)
        return -1;
    const char *bucket = options->url + 5;
    size_t len = strcspn(bucket, "/");
    const char *folder = bucket[len] ? bucket + len + 1 : "";
    bool slash = *folder && folder[strlen(folder) - 1] != '/';
    ret->bucket = strndup(bucket, len);
    if (!ret->bucket || asprintf(&ret->folder, "%s%s", folder, slash ? "/" : "") < 0) {
        ret->folder = NULL;
        shared_close(ret);
        return err_oom(err);
    }
    return 0;
}

void shared_close(struct shared *shared)
{
    cloud_close(&shared->cloud);
    free(shared->bucket);
    free(shared->folder);
    *shared = (struct shared){0};
}

/* What is wrong with the bucket is told once; then it is left alone. -1: interrupted. */
static int give_up(struct shared *shared, struct err *err)
{
    if (err->kind == ERR_INTERRUPTED)
        return -1;
    run_warn(&shared->common->run, "fetch", "the shared cache is not used: %s", err->text);
    shared->silent = true;
    return 0;
}

/* The session, when it is needed at all. *ret_ready is false when there is nothing to ask. */
static int get_ready(struct shared *shared, bool *ret_ready, struct err *err)
{
    *ret_ready = false;
    if (!shared->bucket || shared->silent)
        return 0;
    if (!shared->open) {
        if (cloud_open(shared->common, shared->options.cloud, &shared->cloud, err) < 0)
            return give_up(shared, err);
        /* there is another way: it is not waited for as long as a push would */
        shared->cloud.client.retry = (struct retry_policy){.attempts = 3, .deadline_s = 30};
        shared->open = true;
    }
    *ret_ready = true;
    return 0;
}

static struct storage storage_of(const struct shared *shared)
{
    return (struct storage){.api = shared->cloud.api, .bucket = shared->bucket};
}

static int object_name(const struct shared *shared, const struct sha256 *sha256, char **ret, struct err *err)
{
    char hex[SHA256_HEX];
    hex_encode(sha256->bytes, SHA256_SIZE, hex);
    return asprintf(ret, "%s" INPUTS_FOLDER "%s", shared->folder, hex) < 0 ? err_oom(err) : 0;
}

static int bring(struct shared *shared, struct cache_entry *entry, const char *name,
                 const struct sha256 *sha256, uint64_t size, struct err *err)
{
    cleanup_free char *object = NULL;
    cleanup_close int fd = -1;
    const struct storage storage = storage_of(shared);
    struct run *run = &shared->common->run;
    struct sha256 found;
    bool there = false;
    if (object_name(shared, sha256, &object, err) < 0)
        return -1;
    if (storage_download(&storage, object, size ? size : size_max, entry->fd, &there, &found, err) < 0)
        return give_up(shared, err);
    if (!there)
        return 0;
    if (!sha256_equal(&found, sha256)) {
        run_warn(run, "fetch", "%s: gs://%s/%s is not what its name says, and is not used: remove it", name,
                 shared->bucket, object);
        return 0;
    }
    run_note(run, "fetch", "%s comes from gs://%s", name, shared->bucket);
    return cache_commit(entry, sha256, &fd, err);
}

int shared_take(struct shared *shared, struct cache *cache, const char *name, const struct sha256 *sha256,
                uint64_t size, struct err *err)
{
    cleanup_cache_entry struct cache_entry entry = CACHE_ENTRY_EMPTY;
    char hex[SHA256_HEX];
    bool ready;
    if (get_ready(shared, &ready, err) < 0)
        return -1;
    if (!ready)
        return 0;
    hex_encode(sha256->bytes, SHA256_SIZE, hex);
    if (cache_begin(cache, "download", hex, &entry, &shared->common->run, err) < 0)
        return -1;
    return entry.found_fd >= 0 ? 0 : bring(shared, &entry, name, sha256, size, err);
}

int shared_give(struct shared *shared, const char *name, const struct sha256 *sha256, int fd, uint64_t size,
                struct err *err)
{
    cleanup_free char *object = NULL;
    struct object found = {0};
    bool ready;
    if (get_ready(shared, &ready, err) < 0)
        return -1;
    if (!ready)
        return 0;
    const struct storage storage = storage_of(shared);
    if (object_name(shared, sha256, &object, err) < 0)
        return -1;
    if (storage_get(&storage, object, &found, err) < 0)
        return give_up(shared, err);
    if (found.generation != 0)
        return 0;
    if (storage_upload(&storage, object, fd, size, &found, err) < 0)
        return give_up(shared, err);
    run_note(&shared->common->run, "fetch", "%s goes to gs://%s", name, shared->bucket);
    return 0;
}
