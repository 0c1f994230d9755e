/* A file URL is opened directly. The file may be changed by others later, and that is nobody's fault: the
 * artifact keeps the descriptor, its digest says what the content was when it was hashed, and verify looks at
 * the descriptor's own bytes again before anything trusts them. What is remembered here only saves hashing a
 * file again whose identity (device, inode, size, mtime, ctime) has not changed since. */
#include "fetch/local.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "fetch/index.h"
#include "fetch/partial.h"
#include "io/file.h"

enum { RACY_S = 2 };
static const uint64_t default_max = (uint64_t)16 << 30;

int fetch_check_size(const struct fetch_request *req, const char *where, uint64_t size, struct err *err)
{
    uint64_t max = req->max_size ? req->max_size : default_max;
    if (req->want_size && size != req->want_size)
        return err_set(err, ERR_VERIFY, 0,
                       "%s has %" PRIu64 " bytes, but the lock says %" PRIu64
                       ": the file was replaced or is damaged; take the new one with --update if it is right",
                       where, size, req->want_size);
    if (size > max)
        return err_set(err, ERR_VERIFY, 0,
                       "%s has %" PRIu64 " bytes, more than the %" PRIu64 " that are allowed", where, size,
                       max);
    return 0;
}

int fetch_check_digest(const struct fetch_request *req, const char *where, const struct sha256 *sha256,
                       struct err *err)
{
    char want[SHA256_HEX], got[SHA256_HEX];
    if (!req->want || sha256_equal(req->want, sha256))
        return 0;
    hex_encode(req->want->bytes, SHA256_SIZE, want);
    hex_encode(sha256->bytes, SHA256_SIZE, got);
    return err_set(
        err, ERR_VERIFY, 0,
        "%s has sha256 %s, but the lock says %s: the file was replaced or is damaged; take the new "
        "one with --update if it is right",
        where, got, want);
}

static int key_of(const char *path, const struct stat *st, char out[static SHA256_HEX], struct err *err)
{
    struct sha256 sha256;
    cleanup_buf struct buf text = BUF_INIT(64 << 10);
    buf_printf(&text, "%s\n%ju %ju %jd %jd.%09ld %jd.%09ld", path, (uintmax_t)st->st_dev,
               (uintmax_t)st->st_ino, (intmax_t)st->st_size, (intmax_t)st->st_mtim.tv_sec,
               st->st_mtim.tv_nsec, (intmax_t)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
    if (buf_check(&text, path, err) < 0 || sha256_of(text.data, text.len, &sha256, err) < 0)
        return -1;
    hex_encode(sha256.bytes, SHA256_SIZE, out);
    return 0;
}

static int hash_now(int fd, const char *path, const char *name, const char key[static SHA256_HEX],
                    const struct stat *before, const struct run *run, struct sha256 *ret, struct err *err)
{
    struct stat after;
    char key_after[SHA256_HEX];
    struct sha256 made = {0};
    cleanup_hasher struct hasher hasher = {0};
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0 ||
        fetch_hash(fd, 0, (uint64_t)before->st_size, &hasher, name, run, err) < 0 ||
        hasher_end(&hasher, made.bytes, err) < 0)
        return -1;
    if (fstat(fd, &after) < 0)
        return err_sys(err, errno, "stat %s", path);
    if (key_of(path, &after, key_after, err) < 0)
        return -1;
    if (strcmp(key, key_after) != 0)
        return err_set(err, ERR_IO, 0, "%s was changed while it was read: run again when it is complete",
                       path);
    *ret = made;
    return 0;
}

/* The digest, by reading the file or from what an earlier run remembered. */
static int digest(struct cache *cache, int fd, const char *path, const char *name, const struct stat *st,
                  const struct run *run, struct sha256 *ret, struct err *err)
{
    struct fetch_index index = {0};
    char key[SHA256_HEX];
    bool known = false;
    if (key_of(path, st, key, err) < 0 ||
        (!cache_rechecks(cache) && fetch_index_read(cache, "file", key, &known, &index, run, err) < 0))
        return -1;
    if (!known) {
        if (hash_now(fd, path, name, key, st, run, &index.sha256, err) < 0)
            return -1;
        /* a file that was touched just now may change again within one tick of its clock: hash it next time
         * too */
        struct err ignored;
        if (st->st_ctim.tv_sec < time(NULL) - RACY_S &&
            fetch_index_write(cache, "file", key, &index, run, &ignored) < 0)
            run_note(run, "fetch", "the digest of %s is not remembered: %s", path, ignored.text);
    }
    *ret = index.sha256;
    return 0;
}

int fetch_local(struct cache *cache, const struct fetch_request *req, const char *path, const char *origin,
                const struct run *run, struct artifact *ret, struct err *err)
{
    cleanup_artifact struct artifact made = ARTIFACT_EMPTY;
    struct stat st;
    if (file_open(path, &made.fd, &made.size, err) < 0)
        return -1;
    if (fstat(made.fd, &st) < 0)
        return err_sys(err, errno, "stat %s", path);
    made.size = (uint64_t)st.st_size;
    if (fetch_check_size(req, path, made.size, err) < 0 ||
        digest(cache, made.fd, path, req->name, &st, run, &made.sha256, err) < 0 ||
        fetch_check_digest(req, path, &made.sha256, err) < 0)
        return -1;
    if (!(made.origin = strdup(origin)))
        return err_oom(err);
    run_progress(run, "fetch", req->name, made.size, made.size);
    *ret = made;
    made = (struct artifact)ARTIFACT_EMPTY;
    return 0;
}
