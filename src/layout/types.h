/* A layout: what is on the disk, what each partition is for, and where things go. Plain data, read-only once
 * made. */
#ifndef BAKE_LAYOUT_TYPES_H
#define BAKE_LAYOUT_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "text/path.h"

enum { LAYOUT_PARTITIONS_MAX = 128, GUID_CAP = 37, LABEL_CAP = 37 * 3 + 1 };

enum fs_type { FS_NONE, FS_EXT, FS_VFAT, FS_XFS, FS_BTRFS, FS_OTHER };
enum os_kind { OS_COREOS, OS_FLATCAR, OS_FEDORA_COREOS };
enum partition_role {
    ROLE_NONE,
    ROLE_ESP,
    ROLE_BIOS_BOOT,
    ROLE_USR_A,
    ROLE_USR_B,
    ROLE_OEM,
    ROLE_OEM_CONFIG,
    ROLE_ROOT,
    ROLE_BOOT
};
/* Where a recipe's parts go. */
enum layout_place { PLACE_BIN, PLACE_ETC, PLACE_UNITS, PLACE_MANIFESTS, PLACE_STATE, PLACE_COUNT };

struct partition {
    unsigned number;       /* 1-based, as in the GPT */
    uint64_t start, size;  /* bytes */
    char label[LABEL_CAP]; /* GPT name, UTF-8 */
    char type[GUID_CAP];   /* upper-case text */
    char guid[GUID_CAP];   /* upper-case text */
    uint64_t attributes;   /* GPT attribute bits, unchanged */
    enum partition_role role;
    enum fs_type fs;
};

struct layout {
    enum os_kind os;
    char os_version[64];      /* VERSION_ID of os-release, "" when it could not be read */
    uint64_t disk_size;       /* bytes */
    char disk_guid[GUID_CAP]; /* upper-case text */
    struct partition partitions[LAYOUT_PARTITIONS_MAX]; /* in table order */
    unsigned partition_count;
    unsigned root; /* index of ROOT in partitions[] */
    int oem;       /* index, or -1 */
    int usr, esp;
    struct {
        unsigned partition; /* index in partitions[] */
        const char *path;   /* image path, e.g. "/opt/bin": static storage */
    } places[PLACE_COUNT];
};

const char *fs_type_name(enum fs_type fs);

#endif
