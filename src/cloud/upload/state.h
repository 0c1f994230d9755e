/* What a push must remember when its process dies: a small note in the user's cache, mode 0600.
 *
 * In:    the cache, and a text that names the push (project, bucket, package).
 * Out:   the URI of a resumable upload, and how many imports of this package failed.
 * Fails: ERR_IO, ERR_SPACE; a damaged note reads as an empty one.
 * Owns:  the push's lock on this machine until state_close(); waits for another process that has it.
 * Never: shows the session's URI: whoever has it may write the object.
 */
#ifndef BAKE_CLOUD_UPLOAD_STATE_H
#define BAKE_CLOUD_UPLOAD_STATE_H

#include "base/run.h"
#include "cache/cache.h"

enum { STATE_KEY = 80, SESSION_CAP = 3072 };

struct push_state {
    struct cache *cache; /* NULL when empty */
    char key[STATE_KEY];
    int lock_fd;
    char session[SESSION_CAP]; /* "": none */
    char object[80];           /* size and checksum of the archive that the session is for */
    uint64_t attempt;          /* imports that are known to have failed */
};
#define PUSH_STATE_EMPTY                                                                                     \
    {                                                                                                        \
        .lock_fd = -1                                                                                        \
    }

must_check int state_open(struct cache *cache, const char *what, const struct run *run,
                          struct push_state *ret, struct err *err);
must_check int state_save(const struct push_state *state, struct err *err);
/* Deletes the note. */
must_check int state_drop(const struct push_state *state, struct err *err);
void state_close(struct push_state *state);
#define cleanup_state cleanup(state_close)

/* Waits for the lock of KIND/KEY, which ends with the process. NOTE is printed once if another process has
 * it. */
must_check int state_lock(struct cache *cache, const char *kind, const char *key, const char *note,
                          const struct run *run, int *ret_fd, struct err *err);

#endif
