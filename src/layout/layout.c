#include "layout/layout.h"

#include <string.h>

#include "layout/gpt.h"
#include "layout/probe.h"

static const uint64_t GIB = UINT64_C(1) << 30;
enum { SMALL_FILE = 64 << 10 };

/* Images are made with this disk GUID; the first boot replaces it (bootengine, 30disk-uuid). */
static const char FRESH_DISK_GUID[] = "00000000-0000-0000-0000-000000000001";

static const struct {
    enum partition_role role;
    const char *label, *type; /* a partition has the role when both match */
} roles[] = {
    {ROLE_ESP, "EFI-SYSTEM", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"},
    {ROLE_BIOS_BOOT, "BIOS-BOOT", "21686148-6449-6E6F-744E-656564454649"},
    {ROLE_USR_A, "USR-A", "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6"},
    {ROLE_USR_B, "USR-B", "5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6"},
    {ROLE_OEM, "OEM", "0FC63DAF-8483-4772-8E79-3D69D8477DE4"},
    {ROLE_OEM_CONFIG, "OEM-CONFIG", "C95DC21A-DF0E-4340-8D7B-26CBFA9A03E0"},
    {ROLE_ROOT, "ROOT", "3884DD41-8582-4404-B9A8-E9B84F2DF50E"},
    {ROLE_BOOT, "boot", "BC13C2FF-59E6-4262-A352-B275FD6F7172"},
};

const char *fs_type_name(enum fs_type fs)
{
    static const char *const names[] = {[FS_NONE] = "none", [FS_EXT] = "ext4",    [FS_VFAT] = "vfat",
                                        [FS_XFS] = "xfs",   [FS_BTRFS] = "btrfs", [FS_OTHER] = "other"};
    return names[fs];
}

const char *os_kind_name(enum os_kind os)
{
    static const char *const names[] = {
        [OS_COREOS] = "coreos", [OS_FLATCAR] = "flatcar", [OS_FEDORA_COREOS] = "fedora-coreos"};
    return names[os];
}

static int find_role(const struct layout *layout, enum partition_role role)
{
    for (unsigned i = 0; i < layout->partition_count; i++)
        if (layout->partitions[i].role == role)
            return (int)i;
    return -1;
}

static int assign_roles(const struct disk *disk, struct layout *layout, struct err *err)
{
    for (unsigned i = 0; i < layout->partition_count; i++) {
        struct partition *partition = &layout->partitions[i];
        for (size_t r = 0; r < sizeof roles / sizeof *roles; r++) {
            if (strcmp(partition->label, roles[r].label) != 0 || strcmp(partition->type, roles[r].type) != 0)
                continue;
            if (find_role(layout, roles[r].role) >= 0)
                return err_set(err, ERR_LAYOUT, 0,
                               "the disk has two partitions named %s: it is not clear which one to use",
                               partition->label);
            partition->role = roles[r].role;
        }
        if (probe_partition(disk, partition, err) < 0)
            return -1;
    }
    layout->esp = find_role(layout, ROLE_ESP);
    layout->usr = find_role(layout, ROLE_USR_A);
    layout->oem = find_role(layout, ROLE_OEM);
    return 0;
}

static int check_root(struct layout *layout, struct err *err)
{
    int root = find_role(layout, ROLE_ROOT);
    if (find_role(layout, ROLE_BOOT) >= 0 && root < 0)
        return err_set(
            err, ERR_LAYOUT, 0,
            "this is a Fedora CoreOS disk (a partition \"boot\", root on XFS): this version bakes only "
            "Container Linux and Flatcar");
    if (root < 0 || layout->esp < 0 || layout->usr < 0)
        return err_set(
            err, ERR_LAYOUT, 0,
            "not a Container Linux or Flatcar disk: it has no partition %s of the type that CoreOS uses",
            root < 0          ? "ROOT"
            : layout->esp < 0 ? "EFI-SYSTEM"
                              : "USR-A");
    layout->root = (unsigned)root;
    const struct partition *usr = &layout->partitions[layout->usr];
    if (usr->fs == FS_NONE)
        return err_set(err, ERR_LAYOUT, 0, "USR-A (partition %u) holds no file system: not a CoreOS /usr",
                       usr->number);
    const struct partition *partition = &layout->partitions[root];
    if (partition->fs != FS_EXT)
        return err_set(err, ERR_LAYOUT, 0,
                       "ROOT (partition %u) holds %s; Container Linux and Flatcar have ext4",
                       partition->number, fs_type_name(partition->fs));
    return 0;
}

/* One value of os-release (os-release(5)): NAME=value or NAME="value". */
static bool os_release_value(const char *text, const char *name, char *out, size_t cap)
{
    size_t len = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (strncmp(line, name, len) != 0 || line[len] != '=')
            continue;
        const char *value = line + len + 1;
        size_t n = strcspn(value, "\n");
        if (n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n - 1] == value[0]) {
            value++;
            n -= 2;
        }
        if (n >= cap)
            n = cap - 1;
        memcpy(out, value, n);
        out[n] = '\0';
        return true;
    }
    return false;
}

/* Current Flatcar has /usr on btrfs, which cannot be read here: check_never_booted() then recognizes the OS
 * by the folder of the first-boot flag. */
static int read_os(const struct disk *disk, struct layout *layout, struct err *err)
{
    const struct partition *usr = &layout->partitions[layout->usr];
    layout->os_version[0] = '\0';
    if (usr->fs != FS_EXT)
        return 0;
    cleanup_buf struct buf text = BUF_INIT(SMALL_FILE);
    bool found = false;
    if (probe_ext_file(disk, usr, "/lib/os-release", SMALL_FILE, &found, &text, err) < 0)
        return -1;
    char id[64] = "";
    if (!found || !text.data || !os_release_value(text.data, "ID", id, sizeof id))
        return err_set(err, ERR_LAYOUT, 0, "USR-A (partition %u) has no os-release: not a CoreOS /usr",
                       usr->number);
    if (strcmp(id, "coreos") == 0)
        layout->os = OS_COREOS;
    else if (strcmp(id, "flatcar") == 0)
        layout->os = OS_FLATCAR;
    else
        return err_set(err, ERR_LAYOUT, 0, "the base's os-release says \"%.60s\", not coreos or flatcar", id);
    os_release_value(text.data, "VERSION_ID", layout->os_version, sizeof layout->os_version);
    return 0;
}

static int already_booted(struct err *err, const char *sign)
{
    return err_set(
        err, ERR_LAYOUT, 0,
        "this base has been booted: %s. Every node made from it would share its identity, and Ignition "
        "would not run: bake from the image as released",
        sign);
}

static int check_never_booted(const struct disk *disk, const struct run *run, struct layout *layout,
                              struct err *err)
{
    if (strcmp(layout->disk_guid, FRESH_DISK_GUID) != 0)
        return already_booted(err, "its disk GUID is no longer 00000000-...-0001");
    const struct partition *esp = &layout->partitions[layout->esp];
    bool coreos = false, flatcar = false;
    if (probe_fat_has(disk, esp, "/coreos/first_boot", run, &coreos, err) < 0 ||
        probe_fat_has(disk, esp, "/flatcar/first_boot", run, &flatcar, err) < 0)
        return -1;
    if (!coreos && !flatcar)
        return already_booted(err, "the first_boot flag on EFI-SYSTEM is missing");
    const struct partition *usr = &layout->partitions[layout->usr];
    if (usr->fs != FS_EXT)
        layout->os = flatcar ? OS_FLATCAR : OS_COREOS;
    cleanup_buf struct buf id = BUF_INIT(4096);
    bool found = false;
    if (probe_ext_file(disk, &layout->partitions[layout->root], "/etc/machine-id", 4096, &found, &id, err) <
        0)
        return -1;
    /* The initrd replaces this value on the first boot. An empty file or "uninitialized" is not an identity
     * either. */
    if (found && id.len >= 32 && strncmp(id.data, "42000000000000000000000000000042", 32) != 0)
        return already_booted(err, "ROOT has an /etc/machine-id");
    return 0;
}

static void set_places(struct layout *layout)
{
    static const char *const paths[PLACE_COUNT] = {
        [PLACE_BIN] = "/opt/bin",
        [PLACE_ETC] = "/etc",
        [PLACE_UNITS] = "/etc/systemd/system",
        [PLACE_MANIFESTS] = "/etc/kubernetes/manifests",
        [PLACE_STATE] = "/var/lib",
    };
    for (int i = 0; i < PLACE_COUNT; i++) {
        layout->places[i].partition = layout->root;
        layout->places[i].path = paths[i];
    }
}

int layout_read(const struct disk *disk, const struct run *run, struct layout *ret, struct err *err)
{
    if (disk_view_fd(disk) < 0)
        return err_set(err, ERR_INTERNAL, 0, "layout_read() needs a disk in a file");
    struct layout made = {0};
    if (gpt_read(disk, &made, err) < 0 || assign_roles(disk, &made, err) < 0 || check_root(&made, err) < 0 ||
        read_os(disk, &made, err) < 0 || check_never_booted(disk, run, &made, err) < 0)
        return -1;
    set_places(&made);
    *ret = made;
    return 0;
}

int layout_grow(struct disk *disk, uint64_t size, bool grow_root, struct layout *layout, struct err *err)
{
    if (size == 0)
        size = disk->size;
    if (size > UINT64_MAX - GIB)
        return err_set(err, ERR_SPACE, 0, "a disk cannot have %llu bytes", (unsigned long long)size);
    size = (size + GIB - 1) / GIB * GIB;
    struct partition *root = &layout->partitions[layout->root];
    for (unsigned i = 0; grow_root && i < layout->partition_count; i++)
        if (layout->partitions[i].start > root->start)
            return err_set(err, ERR_LAYOUT, 0,
                           "ROOT (partition %u) is not the last partition: it cannot grow", root->number);
    if (disk_grow(disk, size, err) < 0)
        return -1;
    uint64_t root_size = root->size;
    if (gpt_extend(disk, grow_root ? root->number : 0, &root_size, err) < 0)
        return -1;
    layout->disk_size = disk->size;
    root->size = root_size;
    return 0;
}
