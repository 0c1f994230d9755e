/* unpack and layout: from the verified base to a disk that may be written, of its final size.
 *
 * In:    a job, what it fetched.
 * Out:   struct unpacked: a private view of the base; what is written to it touches nothing else.
 * Fails: as unpack, layout and fs_grow() do; ERR_LAYOUT when the base is not the OS that the recipe names, or
 *        is larger than the recipe's disk.size; ERR_USAGE for a bad SOURCE_DATE_EPOCH.
 * Owns:  struct unpacked owns the disk until unpacked_free().
 */
#ifndef BAKE_FRONT_JOB_PHASE_UNPACK_H
#define BAKE_FRONT_JOB_PHASE_UNPACK_H

#include "bake/job/inputs/fetch.h"
#include "bake/job/phase/base_threads.h"
#include "disk/disk.h"
#include "layout/types.h"

struct unpacked {
    struct disk disk;
    struct layout layout; /* of the disk as it will be: grown when the recipe says so */
    bool root_grown;
    struct probe_fs *usr; /* the base's /usr, when it can be read and the recipe has Kubernetes; else NULL */
    int64_t epoch;        /* of everything written from here on: SOURCE_DATE_EPOCH, else the lock's */
};
#define UNPACKED_EMPTY                                                                                       \
    {                                                                                                        \
        .disk = DISK_EMPTY                                                                                   \
    }

/* THREADS NULL: the disk will not be packed, so nothing runs in the background. */
must_check int phase_unpack(const struct bake_job *job, const struct fetched *fetched,
                            struct base_threads *threads, struct unpacked *ret, struct err *err);
void unpacked_free(struct unpacked *unpacked);
#define cleanup_unpacked cleanup(unpacked_free)

#endif
