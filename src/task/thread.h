/* Threads with all signals blocked, so that the caller's thread handles them.
 *
 * In:    the function to run.
 * Out:   a thread, to be joined.
 * Fails: with an errno, as pthread_create() does.
 */
#ifndef BAKE_TASK_THREAD_H
#define BAKE_TASK_THREAD_H

#include <pthread.h>

int thread_start(pthread_t *ret, void *(*main)(void *), void *ctx);

#endif
