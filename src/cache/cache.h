/* The content-addressed cache, shared by concurrent runs.
 *
 * In:    a kind ("download", "base", "member", "segment", ...) and a key of [0-9a-z._-], usually a SHA-256 in
 *        hex.
 * Out:   descriptors of complete, read-only files.
 * Fails: ERR_IO, ERR_SPACE. A cache directory that other users can access (owner, mode 0700) is refused; the
 *        message says how to fix it.
 * Owns:  nothing outside its directory: DIR/KIND/KEY, DIR/KIND/KEY.meta, DIR/KIND/KEY.lock, and DIR/partial.
 * Never: returns an incomplete entry, even after a process was killed: an entry gets its name by link or
 *        rename after fsync, and counts only once its meta file is written. A later run removes what a killed
 *        process left, once its lock is free.
 *
 * An entry is in use while a descriptor that the cache returned for it is open: the descriptor holds a shared
 * flock(2), which trimming in any process respects. Linking an entry elsewhere or changing its mode or owner
 * changes ctime, so that the next use hashes the content again. All functions may be called from several
 * threads.
 *
 * An entry is verified when it enters. Its meta file records its SHA-256 and the file's identity at that time
 * (size, inode, mtime, ctime); later uses compare the identity. If it differs (a cache restored from a copy
 * has other inodes), the content is hashed again, and a changed or truncated entry is dropped and made again.
 * With recheck set, the content is hashed on every use.
 */
#ifndef BAKE_CACHE_CACHE_H
#define BAKE_CACHE_CACHE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/run.h"

/* Content may rot on the disk without a change of the file's identity. Code that detects this fails with
 * ERR_VERIFY and this errnum; a run with recheck set makes the entry again. */
enum { CACHE_ROT = EBADMSG };

struct cache;

struct cache_options {
    const char *dir;    /* absolute; made with 0700 when missing */
    uint64_t max_bytes; /* 0: no bound. Allocated bytes, as du counts them: content, meta files, folders. */
    bool at_most_half;  /* caps the bound at half of the file system */
    /* Entries used since this time are kept regardless of the bound, so that one job never loses what it
     * needs. Zero: only open entries are kept. */
    struct timespec keep_since;
    bool recheck;
};

/* The front end supplies the default directory, $XDG_CACHE_HOME/bake or else $HOME/.cache/bake. */
must_check int cache_open(const struct cache_options *options, struct cache **ret, struct err *err);
void cache_close(struct cache *cache);

/* Looks up an entry and marks it used. *ret_fd is -1 when it does not exist, which is not an error.
 * *ret_sha256 is the SHA-256 it entered with; RET_SHA256 may be NULL. */
must_check int cache_find(struct cache *cache, const char *kind, const char *key, int *ret_fd,
                          struct sha256 *ret_sha256, const struct run *run, struct err *err);

/* One entry under construction. cache_begin() waits for the key's lock and then looks again: if another run
 * has made the entry by then, entry->found_fd is >= 0 and there is nothing to write. */
struct cache_entry {
    struct cache *cache;
    char *kind, *key;
    int fd;       /* write the content here; -1 when found */
    int found_fd; /* the finished entry, else -1 */
    struct sha256 found_sha256;
    int lock_fd;
    char *temp; /* NULL when the file is unnamed */
};
#define CACHE_ENTRY_EMPTY                                                                                    \
    {                                                                                                        \
        .fd = -1, .found_fd = -1, .lock_fd = -1                                                              \
    }
must_check int cache_begin(struct cache *cache, const char *kind, const char *key, struct cache_entry *entry,
                           const struct run *run, struct err *err);
/* Makes the content permanent: read-only mode, fsync, name, meta file. SHA256 is the digest that the writer
 * verified. *ret_fd is a read-only descriptor, owned by the caller. */
must_check int cache_commit(struct cache_entry *entry, const struct sha256 *sha256, int *ret_fd,
                            struct err *err);
/* The same without fsync: after a power cut the entry may read as zeros. For content with its own checksums
 * that are verified on each use. */
must_check int cache_commit_unsynced(struct cache_entry *entry, const struct sha256 *sha256, int *ret_fd,
                                     struct err *err);
void cache_abort(struct cache_entry *entry);
#define cleanup_cache_entry cleanup(cache_abort)

/* cache_begin() that makes the entry again even if it exists: the commit replaces it, found_fd stays -1. */
must_check int cache_begin_anew(struct cache *cache, const char *kind, const char *key,
                                struct cache_entry *entry, const struct run *run, struct err *err);
/* Between begin and commit: replaces entry->fd with FD, open for reading and writing. PATH is its name,
 * relative to the cache directory and used by no other process. On success the entry owns both. */
must_check int cache_adopt(struct cache_entry *entry, int fd, const char *path, struct err *err);

/* A lock of KIND/KEY for work that is not one entry, such as a download that may be resumed. *ret_fd is -1
 * when another process holds it (not an error). The kernel releases it when the process ends. */
must_check int cache_try_lock(struct cache *cache, const char *kind, const char *key, int *ret_fd,
                              struct err *err);
void cache_unlock(struct cache *cache, const char *kind, const char *key, int *fd);

/* Removes an entry (not an error when it does not exist). Its open descriptors stay valid. */
must_check int cache_drop(struct cache *cache, const char *kind, const char *key, const struct run *run,
                          struct err *err);

/* Calls FN for each key of KIND that begins with PREFIX, in no particular order, until it fails. Another
 * process may be making or removing the entry. */
must_check int cache_each(struct cache *cache, const char *kind, const char *prefix,
                          int (*fn)(void *ctx, const char *key, struct err *err), void *ctx, struct err *err);

/* Drops least recently used entries until the bound holds, except those in use or used since keep_since.
 * cache_close() also calls it. */
must_check int cache_trim(struct cache *cache, struct err *err);

/* The directory's path, for scratch files that must be on the same file system. */
const char *cache_dir(const struct cache *cache);

/* The directory's descriptor, borrowed. */
int cache_dir_fd(const struct cache *cache);

/* True with recheck set. */
bool cache_rechecks(const struct cache *cache);

/* DIR/partial: downloads that a later run may resume: KEY, KEY.meta, locked with cache_try_lock(). They count
 * towards the bound like entries, and are removed after a week. */
#define CACHE_PARTIAL "partial"

#endif
