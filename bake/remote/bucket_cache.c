#include "bake/remote/bucket_cache.h"

#include <string.h>

#include "text/hex.h"

#define INPUTS_FOLDER "inputs/"

enum { URL_MAX = 400 };

static const uint64_t size_max = UINT64_C(16)
                                 << 30; /* as in fetch, for inputs whose size the lock does not say */

int bucket_cache_check(const char *url, struct err *err)
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
                        "--shared-cache needs gs://BUCKET or gs://BUCKET/FOLDER, not \"%.250s\"", url);
}

int bucket_cache_open(struct common *common, const struct bucket_cache_options *options,
                      struct bucket_cache *ret, struct err *err)
{
    *ret = (struct bucket_cache){.common = common, .options = *options};
    if (!options->url)
        return 0;
    if (bucket_cache_check(options->url, err) < 0)
        return -1;
    const char *bucket = options->url + 5;
    size_t len = strcspn(bucket, "/");
    const char *folder = bucket[len] ? bucket + len + 1 : "";
    bool slash = *folder && folder[strlen(folder) - 1] != '/';
    ret->bucket = strndup(bucket, len);
    if (!ret->bucket || asprintf(&ret->folder, "%s%s", folder, slash ? "/" : "") < 0) {
        ret->folder = NULL;
        bucket_cache_close(ret);
        return err_oom(err);
    }
    return 0;
}

void bucket_cache_close(struct bucket_cache *remote)
{
    session_close(&remote->session);
    free(remote->bucket);
    free(remote->folder);
    *remote = (struct bucket_cache){0};
}

/* Warns once about what is wrong with the bucket, and leaves it alone from then on. -1: interrupted. */
static int give_up(struct bucket_cache *remote, struct err *err)
{
    if (err->kind == ERR_INTERRUPTED)
        return -1;
    run_warn(&remote->common->run, "fetch", "the shared cache is not used: %s", err->text);
    remote->silent = true;
    return 0;
}

/* Opens the session on first use. *ret_ready: false if there is no shared cache to use. */
static int get_ready(struct bucket_cache *remote, bool *ret_ready, struct err *err)
{
    *ret_ready = false;
    if (!remote->bucket || remote->silent)
        return 0;
    if (!remote->open) {
        if (session_open(remote->common, remote->options.session, &remote->session, err) < 0)
            return give_up(remote, err);
        /* the input can be fetched elsewhere: do not wait as long as a push does */
        remote->session.client.retry = (struct retry_policy){.attempts = 3, .deadline_s = 30};
        remote->open = true;
    }
    *ret_ready = true;
    return 0;
}

static struct storage storage_of(const struct bucket_cache *remote)
{
    return (struct storage){.api = remote->session.api, .bucket = remote->bucket};
}

static int object_name(const struct bucket_cache *remote, const struct sha256 *sha256, char **ret,
                       struct err *err)
{
    char hex[SHA256_HEX];
    hex_encode(sha256->bytes, SHA256_SIZE, hex);
    return asprintf(ret, "%s" INPUTS_FOLDER "%s", remote->folder, hex) < 0 ? err_oom(err) : 0;
}

static int bring(struct bucket_cache *remote, struct cache_entry *entry, const char *name,
                 const struct sha256 *sha256, uint64_t size, struct err *err)
{
    cleanup_free char *object = NULL;
    cleanup_close int fd = -1;
    const struct storage storage = storage_of(remote);
    struct run *run = &remote->common->run;
    struct sha256 found;
    bool there = false;
    if (object_name(remote, sha256, &object, err) < 0)
        return -1;
    if (storage_download(&storage, object, size ? size : size_max, entry->fd, &there, &found, err) < 0)
        return give_up(remote, err);
    if (!there)
        return 0;
    if (!sha256_equal(&found, sha256)) {
        run_warn(run, "fetch", "%s: gs://%s/%s is not what its name says, and is not used: remove it", name,
                 remote->bucket, object);
        return 0;
    }
    run_note(run, "fetch", "%s comes from gs://%s", name, remote->bucket);
    return cache_commit(entry, sha256, &fd, err);
}

int bucket_cache_take(struct bucket_cache *remote, struct cache *cache, const char *name,
                      const struct sha256 *sha256, uint64_t size, struct err *err)
{
    cleanup_cache_entry struct cache_entry entry = CACHE_ENTRY_EMPTY;
    char hex[SHA256_HEX];
    bool ready;
    if (get_ready(remote, &ready, err) < 0)
        return -1;
    if (!ready)
        return 0;
    hex_encode(sha256->bytes, SHA256_SIZE, hex);
    if (cache_begin(cache, "download", hex, &entry, &remote->common->run, err) < 0)
        return -1;
    return entry.found_fd >= 0 ? 0 : bring(remote, &entry, name, sha256, size, err);
}

int bucket_cache_give(struct bucket_cache *remote, const char *name, const struct sha256 *sha256, int fd,
                      uint64_t size, struct err *err)
{
    cleanup_free char *object = NULL;
    struct object found = {0};
    bool ready;
    if (get_ready(remote, &ready, err) < 0)
        return -1;
    if (!ready)
        return 0;
    const struct storage storage = storage_of(remote);
    if (object_name(remote, sha256, &object, err) < 0)
        return -1;
    if (storage_get(&storage, object, &found, err) < 0)
        return give_up(remote, err);
    if (found.generation != 0)
        return 0;
    if (storage_upload(&storage, object, fd, size, &found, err) < 0)
        return give_up(remote, err);
    run_note(&remote->common->run, "fetch", "%s goes to gs://%s", name, remote->bucket);
    return 0;
}
