/* A file URL is opened directly. Others may change the file later, so the artifact holds the descriptor, and
 * its digest is valid only for the identity (device, inode, size, mtime, ctime) that it was computed for. The
 * cache keeps the digest under that identity: an unchanged file, as nearly all that a nightly run reads are,
 * is not hashed again. */
#include "fetch/local.h"

#include <inttypes.h>
#include <string.h>

#include "fetch/index.h"
#include "fetch/partial.h"
#include "io/file.h"
#include "text/hex.h"

static const uint64_t default_max = (uint64_t)16 << 30;

int fetch_check_size(const struct fetch_request *req, const char *where, uint64_t size, struct err *err)
{
    uint64_t max = req->max_size ? req->max_size : default_max;
    if (req->want_size && size != req->want_size)
        return err_set(err, ERR_VERIFY, 0,
                       "%s has %" PRIu64 " bytes, but the lock says %" PRIu64
                       ": the file was replaced or is damaged; if the new one is right, accept it with "
                       "--update",
                       where, size, req->want_size);
    if (size > max)
        return err_set(err, ERR_VERIFY, 0,
                       "%s has %" PRIu64 " bytes, more than the %" PRIu64 " that are allowed", where, size,
                       max);
    return 0;
}

static const struct {
    const char *who, *advice;
} pins[] = {
    [FETCH_PIN_LOCK] =
        {"the lock", "the file was replaced or is damaged; if the new one is right, accept it with --update"},
    [FETCH_PIN_RECIPE] = {"the recipe", "the file was replaced or is damaged, or the recipe's \"sha256\" is "
                                        "wrong: compare it with the publisher's"},
    [FETCH_PIN_PUBLISHER] = {"its publisher",
                             "the file was changed or damaged in transit: try again, or use another network"},
};

int fetch_check_digest(const struct fetch_request *req, const char *where, const struct sha256 *sha256,
                       struct err *err)
{
    char want[SHA256_HEX], got[SHA256_HEX];
    if (!req->want || sha256_equal(req->want, sha256))
        return 0;
    hex_encode(req->want->bytes, SHA256_SIZE, want);
    hex_encode(sha256->bytes, SHA256_SIZE, got);
    return err_set(err, ERR_VERIFY, 0, "%s has sha256 %s, but %s says %s: %s", where, got,
                   pins[req->want_from].who, want, pins[req->want_from].advice);
}

static int key_of(const struct file_identity *identity, char out[static SHA256_HEX], struct err *err)
{
    const uint64_t numbers[] = {identity->device,
                                identity->inode,
                                identity->size,
                                (uint64_t)identity->mtime.tv_sec,
                                (uint64_t)identity->mtime.tv_nsec,
                                (uint64_t)identity->ctime.tv_sec,
                                (uint64_t)identity->ctime.tv_nsec};
    struct sha256 sha256;
    if (sha256_of(numbers, sizeof numbers, &sha256, err) < 0)
        return -1;
    hex_encode(sha256.bytes, SHA256_SIZE, out);
    return 0;
}

static int hash_now(const struct artifact *artifact, const char *path, const char *name,
                    const struct run *run, struct sha256 *ret, struct err *err)
{
    struct file_identity after;
    struct sha256 made = {0};
    cleanup_hasher struct hasher hasher = {0};
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0 ||
        fetch_hash(artifact->fd, 0, artifact->size, &hasher, name, run, err) < 0 ||
        hasher_end(&hasher, made.bytes, err) < 0 || file_identify(artifact->fd, &after, err) < 0)
        return -1;
    if (!file_identity_equal(&after, &artifact->identity))
        return err_set(err, ERR_IO, 0, "%s changed while it was read: run again when it is complete", path);
    *ret = made;
    return 0;
}

/* The digest: from an earlier run, or by reading the file. */
static int digest(struct cache *cache, const struct artifact *artifact, const char *path, const char *name,
                  const struct run *run, struct sha256 *ret, struct err *err)
{
    struct fetch_index index = {0};
    char key[SHA256_HEX];
    bool known = false;
    if (key_of(&artifact->identity, key, err) < 0 ||
        (!cache_rechecks(cache) && fetch_index_read(cache, "file", key, &known, &index, run, err) < 0))
        return -1;
    if (!known) {
        struct err ignored = {0};
        if (hash_now(artifact, path, name, run, &index.sha256, err) < 0)
            return -1;
        if (fetch_index_write(cache, "file", key, &index, run, &ignored) < 0)
            run_note(run, "fetch", "cannot remember the digest of %s: %s", path, ignored.text);
    }
    *ret = index.sha256;
    return 0;
}

int fetch_local(struct cache *cache, const struct fetch_request *req, const char *path, const char *origin,
                const struct run *run, struct artifact *ret, struct err *err)
{
    cleanup_artifact struct artifact made = ARTIFACT_EMPTY;
    if (file_open(path, &made.fd, &made.size, err) < 0)
        return strchr(origin, '%') && err->errnum == ENOENT
                   ? err_wrap(err, "%.200s (in a URL, %%XX is an escape: write %%25 for a plain %%)", origin)
                   : -1;
    if (file_identify(made.fd, &made.identity, err) < 0)
        return -1;
    made.size = made.identity.size;
    if (file_check_end(made.fd, made.size, path, err) < 0 ||
        fetch_check_size(req, path, made.size, err) < 0 ||
        digest(cache, &made, path, req->name, run, &made.sha256, err) < 0 ||
        fetch_check_digest(req, path, &made.sha256, err) < 0)
        return -1;
    if (!(made.origin = strdup(origin)))
        return err_oom(err);
    run_progress(run, "fetch", req->name, made.size, made.size);
    *ret = made;
    made = (struct artifact)ARTIFACT_EMPTY;
    return 0;
}
