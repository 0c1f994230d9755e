#include "task/progress.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { POLL_NS = 50 * 1000 * 1000 /* between checks of the stop flag */ };

struct progress {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct progress_state state;
    bool whole;
};

int progress_new(struct progress **ret, struct err *err)
{
    struct progress *progress = calloc(1, sizeof *progress);
    if (!progress)
        return err_oom(err);
    pthread_mutex_init(&progress->lock, NULL);
    pthread_cond_init(&progress->moved, NULL);
    progress->state.fd = -1;
    *ret = progress;
    return 0;
}

void progress_free(struct progress *progress)
{
    if (!progress)
        return;
    cleanup_close_fn(&progress->state.fd);
    pthread_cond_destroy(&progress->moved);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}

void progress_advance(struct progress *progress, int fd, uint64_t ready)
{
    if (!progress)
        return;
    pthread_mutex_lock(&progress->lock);
    struct progress_state *state = &progress->state;
    if (!state->over && state->fd < 0) {
        state->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        state->over = state->fd < 0; /* no descriptor left: readers get an error */
    }
    if (!state->over && ready > state->ready)
        state->ready = ready;
    pthread_cond_broadcast(&progress->moved);
    pthread_mutex_unlock(&progress->lock);
}

void progress_end(struct progress *progress, bool whole)
{
    if (!progress)
        return;
    pthread_mutex_lock(&progress->lock);
    if (!progress->state.over)
        progress->whole = whole;
    progress->state.over = true;
    pthread_cond_broadcast(&progress->moved);
    pthread_mutex_unlock(&progress->lock);
}

int progress_wait(struct progress *progress, uint64_t need, const struct run *run, struct progress_state *ret,
                  struct err *err)
{
    int r = 0;
    pthread_mutex_lock(&progress->lock);
    while (!progress->state.over && progress->state.ready < need && r == 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += POLL_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&progress->moved, &progress->lock, &until);
        r = run_check(run, err);
    }
    if (r == 0 && progress->state.over && !progress->whole)
        r = err_set(err, ERR_INTERNAL, 0, "the file that was read while it was written was abandoned");
    *ret = progress->state;
    pthread_mutex_unlock(&progress->lock);
    return r;
}
