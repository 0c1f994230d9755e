/* Ownership by scope.
 *
 * In:    variables declared with one of the cleanup_* attributes.
 * Out:   what they own is released when the scope is left, on every path.
 * Never: changes errno: the error being reported survives its clean-up.
 * Owns:  the variable's value, until steal_*() takes it away.
 */
#ifndef BAKE_BASE_CLEANUP_H
#define BAKE_BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* On a variable of type T: FN(T *) runs when its scope is left. */
#define cleanup(fn)            __attribute__((cleanup(fn)))
#define must_check             __attribute__((warn_unused_result))
#define print_like(fmt, first) __attribute__((format(printf, fmt, first)))

static inline void cleanup_free_fn(void *p)
{
    int saved = errno;
    free(*(void **)p);
    errno = saved;
}

static inline void cleanup_close_fn(const int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    errno = saved;
}

#define cleanup_free  cleanup(cleanup_free_fn)
#define cleanup_close cleanup(cleanup_close_fn) /* int fd; -1 when empty */

/* The variable's value, which the caller now owns; the variable is left empty. */
#define steal_ptr(var)                                                                                       \
    __extension__({                                                                                          \
        __typeof__(var) stolen_ = (var);                                                                     \
        (var) = NULL;                                                                                        \
        stolen_;                                                                                             \
    })

static inline int steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

#endif
