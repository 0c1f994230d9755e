/* A download in progress: a file in the cache that a later run can resume.
 *
 * In:    the bytes of one URL, in order.
 * Out:   an entry of the cache under its SHA-256 (kind "download").
 * Fails: ERR_IO, ERR_SPACE, ERR_INTERRUPTED.
 * Owns:  the URL's lock, the file DIR/partial/KEY, and its note KEY.meta with the server's validator and the
 *        total size. Bytes without a note are never resumed.
 * Never: mixes bytes of two versions: the note is removed before bytes of another version are written.
 */
#ifndef BAKE_FETCH_PARTIAL_H
#define BAKE_FETCH_PARTIAL_H

#include "base/run.h"
#include "fetch/head.h"
#include "cache/cache.h"

struct partial {
    struct cache *cache;
    char key[SHA256_HEX]; /* SHA-256 of the URL */
    int lock_fd, fd;
    uint64_t done;  /* bytes in the file, all of them in the hasher */
    uint64_t total; /* bytes of the whole; 0: not known */
    char validator[FETCH_TAG_CAP];
    struct hasher hasher;
    bool old; /* some bytes are from an earlier run */
};
#define PARTIAL_EMPTY                                                                                        \
    {                                                                                                        \
        .lock_fd = -1, .fd = -1                                                                              \
    }

must_check int partial_init(struct partial *part, struct cache *cache, const char *url, struct err *err);
/* *ret is false when another process, or another transfer of this process, holds the lock. */
must_check int partial_try_lock(struct partial *part, bool *ret, struct err *err);
/* Opens what an earlier run left and hashes it. Needs the lock. NAME is for progress. */
must_check int partial_open(struct partial *part, const char *name, const struct run *run, struct err *err);
/* Empties the file for a version with this validator ("": it cannot be resumed). */
must_check int partial_restart(struct partial *part, const char *validator, uint64_t total, struct err *err);
must_check int partial_add(struct partial *part, const void *bytes, size_t len, struct err *err);
/* The digest of the whole; nothing can be added afterwards. */
must_check int partial_digest(struct partial *part, struct sha256 *ret, struct err *err);
/* Moves the whole file into the cache. */
must_check int partial_store(struct partial *part, const struct sha256 *sha256, int *ret_fd,
                             const struct run *run, struct err *err);
/* Removes the file and its note, so that the next run starts over. */
void partial_discard(struct partial *part);
/* Leaves the file for a later run and releases the lock. */
void partial_close(struct partial *part);

/* Adds the next LEN bytes of FD from OFF to HASHER, with progress. */
must_check int fetch_hash(int fd, uint64_t off, uint64_t len, struct hasher *hasher, const char *name,
                          const struct run *run, struct err *err);

#endif
