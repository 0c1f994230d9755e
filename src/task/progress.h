/* The progress of a file that one thread writes while others read it: how many of its bytes are final.
 *
 * In:    from the writer: a descriptor and the number of final bytes.
 * Out:   for readers on other threads: the same, once enough bytes are final.
 * Fails: progress_wait() with ERR_INTERRUPTED, or ERR_INTERNAL when the writer gave up.
 * Owns:  a duplicate of the descriptor, until progress_free(), which must be the last use.
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

/* For the writer; PROGRESS may be NULL. The bytes of FD before READY will not change. FD is the same in every
 * call. */
void progress_advance(struct progress *progress, int fd, uint64_t ready);
/* Ends the file. With WHOLE it is complete, otherwise its bytes are invalid. Only the first call counts. */
void progress_end(struct progress *progress, bool whole);

struct progress_state {
    int fd;         /* -1 until the first bytes; owned by struct progress */
    uint64_t ready; /* bytes */
    bool over;
};
/* Waits until NEED bytes are ready or the file has ended. */
must_check int progress_wait(struct progress *progress, uint64_t need, const struct run *run,
                             struct progress_state *ret, struct err *err);

#endif
