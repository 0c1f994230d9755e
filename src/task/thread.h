/* Threads that leave signals to the caller's.
 *
 * In:    what the thread runs.
 * Out:   a thread, to be joined.
 * Fails: with an errno, as pthread_create() does.
 * Owns:  nothing.
 */
#ifndef BAKE_TASK_THREAD_H
#define BAKE_TASK_THREAD_H

#include <pthread.h>

int thread_start(pthread_t *ret, void *(*main)(void *), void *ctx);

#endif
