/* What an archive records about a file besides its name and content. */
#ifndef BAKE_BASE_FILE_META_H
#define BAKE_BASE_FILE_META_H

#include <stdint.h>

enum { FILE_CAPABILITY_MAX = 24 /* bytes: struct vfs_ns_cap_data of linux/capability.h */ };

/* Metadata that an archive may hold but images do not keep. */
enum { FILE_LOST_ACL = 1, FILE_LOST_XATTRS = 2, FILE_LOST_FLAGS = 4, FILE_LOST_ALL = 7 };

struct file_meta {
    uint32_t mode;     /* 07777 */
    uint32_t uid, gid; /* UINT32_MAX: the archive's id is larger than 32 bits */
    uint32_t lost;
    uint32_t capability_size; /* bytes of security.capability; 0: none */
    unsigned char capability[FILE_CAPABILITY_MAX];
};

#endif
