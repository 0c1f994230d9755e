/* A file that is still being written, for who reads it meanwhile: how far it is final.
 *
 * In:    from the writer: a descriptor, and how far it has come.
 * Out:   for readers, on other threads: the same, when they wait for it.
 * Fails: flow_wait() with ERR_INTERRUPTED, or ERR_INTERNAL when the writer gave up.
 * Owns:  a duplicate of the descriptor, until flow_free(), when nobody may use the flow any more.
 * Never: makes the writer wait.
 */
#ifndef BAKE_TASK_PROGRESS_H
#define BAKE_TASK_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/run.h"

struct flow;

must_check int flow_new(struct flow **ret, struct err *err);
void flow_free(struct flow *flow);
static inline void flow_freep(struct flow **flow)
{
    flow_free(*flow);
}
#define cleanup_flow cleanup(flow_freep)

/* The writer's, FLOW may be NULL. Bytes before READY of FD will not change. FD is the same every time. */
void flow_moved(struct flow *flow, int fd, uint64_t ready);
/* WHOLE: all bytes are there. Otherwise what was there does not count any more. The first call of it holds. */
void flow_over(struct flow *flow, bool whole);

struct flow_state {
    int fd;         /* -1 until there is anything; the flow's own */
    uint64_t ready; /* bytes */
    bool over;
};
/* Waits until NEED bytes are ready, or it is over. */
must_check int flow_wait(struct flow *flow, uint64_t need, const struct run *run, struct flow_state *ret,
                         struct err *err);

#endif
