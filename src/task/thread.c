#include "task/thread.h"

#include <signal.h>

int thread_start(pthread_t *ret, void *(*main)(void *), void *ctx)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(ret, NULL, main, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}
