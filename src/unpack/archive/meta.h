/* What the header of an archive's entry says besides name and content: owner, mode, capability, and what no image takes over. */
#ifndef BAKE_UNPACK_ARCHIVE_META_H
#define BAKE_UNPACK_ARCHIVE_META_H

#include "base/file_meta.h"

struct archive_entry;

struct file_meta meta_read(struct archive_entry *entry);

#endif
