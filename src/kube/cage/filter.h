/* The system calls that a caged program may not make.
 *
 * Out:   a filter on this process and its children: seccomp(2).
 * Fails: false with errno: the kernel has no filters.
 * Never: allocates: it is called between clone and exec.
 */
#ifndef BAKE_KUBE_CAGE_FILTER_H
#define BAKE_KUBE_CAGE_FILTER_H

#include <stdbool.h>

/* no_new_privs must be set. */
bool cage_filter_install(void);

#endif
