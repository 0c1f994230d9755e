/* The content-addressed cache that concurrent runs share.
 *
 * In:    a kind ("download", "base", "member", "segment", ...) and a key (64 hex digits as a rule: a SHA-256;
 *        [0-9a-z._-]).
 * Out:   descriptors of complete, read-only files.
 * Fails: ERR_IO, ERR_SPACE; a cache directory that is not the user's alone (owner, mode 0700) is refused with
 *        what to do.
 * Owns:  nothing outside its directory: DIR/KIND/KEY, DIR/KIND/KEY.meta, DIR/KIND/KEY.lock, and DIR/partial.
 * Never: gives out an entry that was not committed whole, whenever a process was killed: an entry takes its
 *        name by link or rename after fsync, and is one only once its note is written. What a killed process
 *        left is swept by a later run once nobody holds its lock.
 *
 * An entry is in use while a descriptor of it that the cache gave out is open: such a descriptor holds a
 * shared flock(2), so that trimming in any process sees it. Entries must not be linked elsewhere or given
 * another mode or owner: that changes ctime, and the next use hashes the content again. All functions may be
 * called from several threads.
 *
 * An entry is verified when it enters. Its meta file records its SHA-256 and the identity of the file then
 * (size, inode, mtime, ctime); later uses compare that identity. Where it differs (a cache restored from a
 * copy has other inodes) the content is hashed again, and a changed or truncated entry is dropped and made
 * again. With recheck set the content is hashed again on every use.
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

/* What entered whole may rot on the disk below it, which no identity tells. Whoever reads of an entry that it is no longer what
 * entered fails with ERR_VERIFY and this errnum: with recheck set the entry is made anew. */
enum { CACHE_ROT = EBADMSG };

struct cache;

struct cache_options {
    const char *dir;    /* absolute; made with 0700 when missing */
    uint64_t max_bytes; /* 0: no bound. Counted as du counts: content, notes, folders. */
    bool at_most_half;  /* a bound above half of the file system becomes half of it */
    /* Entries that were used since then stay, whatever the bound: one piece of work never loses what it needs. Zero: only
     * entries that are open stay. */
    struct timespec keep_since;
    bool recheck;
};

/* Library default: $XDG_CACHE_HOME/bake, else $HOME/.cache/bake is worked out by the front end and given
 * here. */
must_check int cache_open(const struct cache_options *options, struct cache **ret, struct err *err);
void cache_close(struct cache *cache);

/* Looks an entry up. *ret_fd is -1 when there is none, which is not an error. Marks it used. The SHA-256 it
 * entered with is stored to *ret_sha256 when that is not NULL. */
must_check int cache_find(struct cache *cache, const char *kind, const char *key, int *ret_fd,
                          struct sha256 *ret_sha256, const struct run *run, struct err *err);

/* One entry under construction. cache_begin() takes the key's lock first (waiting for whoever holds it), and
 * looks again: when somebody else has made the entry meanwhile, entry->found_fd is >= 0 and there is nothing
 * to write. */
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
/* Makes the content permanent: fsync, read-only, name, meta. SHA256 is what the writer verified. *ret_fd is a
 * read-only descriptor, owned by the caller. */
must_check int cache_commit(struct cache_entry *entry, const struct sha256 *sha256, int *ret_fd,
                            struct err *err);
/* The same without fsync, for content that each use verifies by sums of its own: after a power cut the entry may
 * read as zeros. */
must_check int cache_commit_unsynced(struct cache_entry *entry, const struct sha256 *sha256, int *ret_fd,
                                     struct err *err);
void cache_abort(struct cache_entry *entry);
#define cleanup_cache_entry cleanup(cache_abort)

/* The same, but makes the entry anew even when there is one: the commit replaces it. found_fd stays -1. */
must_check int cache_begin_anew(struct cache *cache, const char *kind, const char *key,
                                struct cache_entry *entry, const struct run *run, struct err *err);
/* Between begin and commit: takes FD, open for reading and writing, and its name PATH (relative to the cache
 * directory, not in use by anybody else) as the content, instead of what entry->fd was. On success the entry
 * owns both. */
must_check int cache_adopt(struct cache_entry *entry, int fd, const char *path, struct err *err);

/* A lock of KIND/KEY for work that is not one entry, such as a download that may be resumed. *ret_fd is -1
 * when somebody else holds it (not an error). It goes with the process, however that ends. */
must_check int cache_try_lock(struct cache *cache, const char *kind, const char *key, int *ret_fd,
                              struct err *err);
void cache_unlock(struct cache *cache, const char *kind, const char *key, int *fd);

/* Removes an entry (not an error when there is none). Descriptors of it stay good. */
must_check int cache_drop(struct cache *cache, const char *kind, const char *key, const struct run *run,
                          struct err *err);

/* Calls FN for the key of each entry of KIND that begins with PREFIX, in no order, until it fails. An entry may be
 * gone, or unfinished, when it is looked up. */
must_check int cache_each(struct cache *cache, const char *kind, const char *prefix,
                          int (*fn)(void *ctx, const char *key, struct err *err), void *ctx, struct err *err);

/* Drops least recently used entries until the bound holds, but none that is in use or was used since keep_since.
 * Called by cache_close() too. */
must_check int cache_trim(struct cache *cache, struct err *err);

/* The directory, for scratch files that must lie on the same file system. */
const char *cache_dir(const struct cache *cache);

/* The same folder as a descriptor, borrowed. */
int cache_dir_fd(const struct cache *cache);

/* True when content is to be hashed again on every use. */
bool cache_rechecks(const struct cache *cache);

/* DIR/partial: downloads that a later run may go on with: KEY, KEY.meta, locked with cache_try_lock(). They
 * count against the bound like entries, and go after a week. */
#define CACHE_PARTIAL "partial"

#endif
