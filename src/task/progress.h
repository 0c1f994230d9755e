/* A file that is still being written, for who reads it meanwhile: how far it is final.
 *
 * In:    from the writer: a descriptor, and how far it has come.
 * Out:   for readers, on other threads: the same, when they wait for it.
 * Fails: progress_wait() with ERR_INTERRUPTED, or ERR_INTERNAL when the writer gave up.
 * Owns:  a duplicate of the descriptor, until progress_free(), when nobody may use the progress any more.
 * Never: makes the writer wait.
 */
#ifndef BAKE_TASK_PROGRESS_H
#define BAKE_TASK_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/run.h"

struct progress;

must_check int progress_new(struct progress **ret, struct err *err);
void progress_free(struct progress *progress);
static inline void progress_freep(struct progress **progress)
{
    progress_free(*progress);
}
#define cleanup_progress cleanup(progress_freep)

/* The writer's, FLOW may be NULL. Bytes before READY of FD will not change. FD is the same every time. */
void progress_advance(struct progress *progress, int fd, uint64_t ready);
/* WHOLE: all bytes are there. Otherwise what was there does not count any more. The first call of it holds. */
void progress_end(struct progress *progress, bool whole);

struct progress_state {
    int fd;         /* -1 until there is anything; the progress's own */
    uint64_t ready; /* bytes */
    bool over;
};
/* Waits until NEED bytes are ready, or it is over. */
must_check int progress_wait(struct progress *progress, uint64_t need, const struct run *run,
                             struct progress_state *ret, struct err *err);

#endif
