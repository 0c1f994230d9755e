/* What unpack.c and unpacking.c share. */
#ifndef BAKE_UNPACK_INTERNAL_H
#define BAKE_UNPACK_INTERNAL_H

#include "unpack/archive/reader.h"
#include "unpack/sums.h"
#include "unpack/unpack.h"

extern const char unpack_kind[]; /* of the cache's entries */

/* Writes the disk in INPUT to FD, a new file. PROGRESS may be NULL. The caller passes empty SUMS and frees
 * them. */
must_check int unpack_to(const struct reader_input *input, const struct unpack_limits *limits,
                         const struct run *run, struct progress *progress, int fd, struct sums *sums,
                         struct err *err);

#endif
