#include "task/progress.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { POLL_NS = 50 * 1000 * 1000 /* between two looks at the stop flag */ };

struct flow {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct flow_state state;
    bool whole;
};

int flow_new(struct flow **ret, struct err *err)
{
    struct flow *flow = calloc(1, sizeof *flow);
    if (!flow)
        return err_oom(err);
    pthread_mutex_init(&flow->lock, NULL);
    pthread_cond_init(&flow->moved, NULL);
    flow->state.fd = -1;
    *ret = flow;
    return 0;
}

void flow_free(struct flow *flow)
{
    if (!flow)
        return;
    cleanup_close_fn(&flow->state.fd);
    pthread_cond_destroy(&flow->moved);
    pthread_mutex_destroy(&flow->lock);
    free(flow);
}

void flow_moved(struct flow *flow, int fd, uint64_t ready)
{
    if (!flow)
        return;
    pthread_mutex_lock(&flow->lock);
    struct flow_state *state = &flow->state;
    if (!state->over && state->fd < 0) {
        state->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        state->over = state->fd < 0; /* no descriptor left: nobody reads along */
    }
    if (!state->over && ready > state->ready)
        state->ready = ready;
    pthread_cond_broadcast(&flow->moved);
    pthread_mutex_unlock(&flow->lock);
}

void flow_over(struct flow *flow, bool whole)
{
    if (!flow)
        return;
    pthread_mutex_lock(&flow->lock);
    if (!flow->state.over)
        flow->whole = whole;
    flow->state.over = true;
    pthread_cond_broadcast(&flow->moved);
    pthread_mutex_unlock(&flow->lock);
}

int flow_wait(struct flow *flow, uint64_t need, const struct run *run, struct flow_state *ret,
              struct err *err)
{
    int r = 0;
    pthread_mutex_lock(&flow->lock);
    while (!flow->state.over && flow->state.ready < need && r == 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += POLL_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&flow->moved, &flow->lock, &until);
        r = run_check(run, err);
    }
    if (r == 0 && flow->state.over && !flow->whole)
        r = err_set(err, ERR_INTERNAL, 0, "what was read along was given up");
    *ret = flow->state;
    pthread_mutex_unlock(&flow->lock);
    return r;
}
