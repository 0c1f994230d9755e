/* `--keep N`: the folder of packages holds the N newest of each name, so that a nightly job's does not grow for ever.
 *
 * In:    the manifest of the package that was just baked, or found unchanged, and how many packages of its name stay, it included.
 * Out:   older whole packages of that name are gone, and so is what a killed run left of one.
 * Fails: ERR_IO; ERR_INTERRUPTED.
 * Never: removes the package that it was given, a file of another name, or one that bake does not write; leaves a package that has
 *        a manifest and lacks what the manifest names, whenever it is killed: the manifest goes first.
 *
 * A run that gives a package its names and a run that removes some hold the folder's lock: to each other, packages are whole or
 * not there.
 */
#ifndef BAKE_FRONT_JOB_KEEP_H
#define BAKE_FRONT_JOB_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/run.h"

#define KEEP_ALL UINT64_MAX

struct kept {
    unsigned removed;
    uint64_t bytes; /* that they took */
};

/* *ret_fd holds the lock until it is closed; -1 on a file system that has no locks, and the work goes on without. */
must_check int keep_lock(const char *dir, int *ret_fd, const struct run *run, struct err *err);

must_check int keep_newest(const char *manifest, uint64_t keep, const struct run *run, struct kept *ret,
                           struct err *err);

#endif
