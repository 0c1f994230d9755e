/* What unpack.c and unpacking.c share. */
#ifndef BAKE_UNPACK_UNPACK_INTERNAL_H
#define BAKE_UNPACK_UNPACK_INTERNAL_H

#include "unpack/reader.h"
#include "unpack/unpack.h"

extern const char unpack_kind[]; /* of the cache's entries */

/* The disk in an artifact, to FD, a new file. FLOW, which may be NULL, is told how far it is. */
must_check int unpack_to(const struct reader_input *input, const struct unpack_limits *limits,
                         const struct run *run, struct flow *flow, int fd, struct err *err);

#endif
