/* An archive entry's owner, mode and capability, and which of its attributes an image cannot keep. */
#ifndef BAKE_UNPACK_ARCHIVE_META_H
#define BAKE_UNPACK_ARCHIVE_META_H

#include "base/file_meta.h"

struct archive_entry;

struct file_meta meta_read(struct archive_entry *entry);

#endif
