/* `--keep N`: keeps the N newest packages of a name, so that the folder of a nightly job does not grow
 * forever.
 *
 * In:    the manifest of the package just baked or found unchanged, and how many packages of its name to
 *        keep, including it.
 * Out:   older complete packages of that name are removed, and so are the remains of killed runs.
 * Fails: ERR_IO; ERR_INTERRUPTED.
 * Never: removes the given package, a file of another name, or a file that bake does not write; leaves,
 *        whenever it is killed, a package with a manifest and without the files it names: the manifest is
 *        removed first.
 *
 * Runs that commit packages and runs that remove them hold the folder's lock, so that each sees packages
 * complete or not at all.
 */
#ifndef BAKE_FRONT_JOB_KEEP_H
#define BAKE_FRONT_JOB_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/run.h"

#define KEEP_ALL UINT64_MAX

struct kept {
    unsigned removed;
    uint64_t bytes; /* freed */
};

/* *ret_fd holds the lock until it is closed; -1 on a file system without locks, which is not an error. */
must_check int keep_lock(const char *dir, int *ret_fd, const struct run *run, struct err *err);

must_check int keep_newest(const char *manifest, uint64_t keep, const struct run *run, struct kept *ret,
                           struct err *err);

#endif
