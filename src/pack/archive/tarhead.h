/* The tar around disk.raw: one oldgnu sparse header with its extension blocks, and the end of the archive.
 *
 * In:    where the disk has data.
 * Out:   bytes.
 * Fails: ERR_LAYOUT when the data is in more extents than TAR_HEAD_MAX can describe.
 * Source: GNU tar's manual, "Basic Tar Format" (struct oldgnu_header, struct sparse_header), and its
 * src/create.c and src/sparse.c for numbers over 8 GiB (base-256) and for the entry that ends every map.
 */
#ifndef BAKE_PACK_ARCHIVE_TARHEAD_H
#define BAKE_PACK_ARCHIVE_TARHEAD_H

#include "base/buf.h"
#include "pack/archive/sparse.h"

enum { TAR_BLOCK = 512, TAR_RECORD = 10240, TAR_HEAD_MAX = 32 << 20 };
#define PACK_MEMBER "disk.raw"

must_check int tar_head(const struct sparse *sparse, int64_t epoch, struct buf *ret, struct err *err);

/* The number of zero bytes that end an archive of HEAD + DATA bytes: two blocks, then padding to a whole
 * record, as GNU tar does. */
size_t tar_end_size(uint64_t head_and_data);

#endif
