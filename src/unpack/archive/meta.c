#include "unpack/archive/meta.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

static uint32_t id_of(int64_t id)
{
    return id >= 0 && id < UINT32_MAX ? (uint32_t)id : UINT32_MAX;
}

/* Converts to the form that the kernel shows the agent, which compares the two: revision 3 with root user 0
 * appears as revision 2, older ones do not appear. All numbers are little-endian (linux/capability.h). */
static bool read_capability(const unsigned char *value, size_t size, struct file_meta *meta)
{
    enum { MAGIC_HIGH = 3, ROOT_AT = XATTR_CAPS_SZ_2 };
    static const unsigned char root[4] = {0};
    if (size != XATTR_CAPS_SZ_2 && size != XATTR_CAPS_SZ_3)
        return false;
    if (value[MAGIC_HIGH] !=
        (size == XATTR_CAPS_SZ_2 ? VFS_CAP_REVISION_2 : VFS_CAP_REVISION_3) >> VFS_CAP_REVISION_SHIFT)
        return false;
    memcpy(meta->capability, value, size);
    meta->capability_size = (uint32_t)size;
    if (size == XATTR_CAPS_SZ_3 && memcmp(value + ROOT_AT, root, sizeof root) == 0) {
        meta->capability[MAGIC_HIGH] = VFS_CAP_REVISION_2 >> VFS_CAP_REVISION_SHIFT;
        meta->capability_size = XATTR_CAPS_SZ_2;
    }
    return true;
}

static void read_xattrs(struct archive_entry *entry, struct file_meta *meta)
{
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    archive_entry_xattr_reset(entry);
    while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
        if (strcmp(name, "security.capability") != 0 || !read_capability(value, size, meta))
            meta->lost |= FILE_LOST_XATTRS;
    }
}

struct file_meta meta_read(struct archive_entry *entry)
{
    struct file_meta meta = {.mode = (uint32_t)archive_entry_perm(entry) & 07777,
                             .uid = id_of(archive_entry_uid(entry)),
                             .gid = id_of(archive_entry_gid(entry))};
    unsigned long set = 0, clear = 0;
    archive_entry_fflags(entry, &set, &clear);
    if (set != 0)
        meta.lost |= FILE_LOST_FLAGS;
    if (archive_entry_acl_types(entry) != 0)
        meta.lost |= FILE_LOST_ACL;
    read_xattrs(entry, &meta);
    return meta;
}
