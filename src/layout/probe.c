#include "layout/probe.h"

#include <string.h>

#include <blkid.h>
#include <ext2fs/ext2fs.h>

#include "io/proc.h"

static void free_probe(blkid_probe *probe)
{
    if (*probe)
        blkid_free_probe(*probe);
}

static enum fs_type type_of(const char *name)
{
    static const struct {
        const char *name;
        enum fs_type type;
    } types[] = {{"ext2", FS_EXT},  {"ext3", FS_EXT}, {"ext4", FS_EXT},
                 {"vfat", FS_VFAT}, {"xfs", FS_XFS},  {"btrfs", FS_BTRFS}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].type;
    return FS_OTHER;
}

int probe_partition(const struct disk *disk, struct partition *partition, struct err *err)
{
    cleanup(free_probe) blkid_probe probe = blkid_new_probe();
    if (!probe)
        return err_oom(err);
    if (blkid_probe_set_device(probe, disk_view_fd(disk), (blkid_loff_t)partition->start,
                               (blkid_loff_t)partition->size) < 0)
        return err_sys(err, errno, "read partition %u (%s)", partition->number, partition->label);
    if (blkid_probe_enable_superblocks(probe, 1) < 0 ||
        blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE) < 0)
        return err_oom(err);
    /* 0: found; 1: nothing there; -2: ambiguous; else -1 with errno, or -errno */
    int r = blkid_do_safeprobe(probe);
    if (r == -2)
        return err_set(err, ERR_LAYOUT, 0, "partition %u (%s) looks like several file systems at once",
                       partition->number, partition->label);
    if (r < 0)
        return err_sys(err, r == -1 ? errno : -r, "read partition %u (%s)", partition->number,
                       partition->label);
    partition->fs = FS_NONE;
    const char *type = NULL;
    if (r == 0 && (blkid_probe_lookup_value(probe, "TYPE", &type, NULL) < 0 || !type))
        return err_oom(err);
    if (type)
        partition->fs = type_of(type);
    return 0;
}

static void close_fs(ext2_filsys *fs)
{
    if (*fs)
        ext2fs_free(*fs); /* read-only: nothing to flush */
}

static void close_ext_file(ext2_file_t *file)
{
    if (*file)
        ext2fs_file_close(*file);
}

/* com_err needs libext2fs's message table to be loaded once per process; loading it again is harmless. */
static const char *ext_why(errcode_t code)
{
    initialize_ext2_error_table();
    return error_message(code);
}

static int read_inode(ext2_filsys fs, ext2_ino_t ino, const char *path, size_t max, struct buf *ret,
                      struct err *err)
{
    cleanup(close_ext_file) ext2_file_t file = NULL;
    errcode_t code = ext2fs_file_open(fs, ino, 0, &file);
    if (code)
        return err_set(err, ERR_LAYOUT, 0, "%s: %s", path, ext_why(code));
    __u64 size = 0;
    code = ext2fs_file_get_lsize(file, &size);
    if (code || size > max)
        return err_set(err, ERR_LAYOUT, 0, "%s: larger than the %zu bytes expected", path, max);
    char chunk[4096];
    for (unsigned got = 1; got > 0 && ret->len < size;) {
        code = ext2fs_file_read(file, chunk, sizeof chunk, &got);
        if (code)
            return err_set(err, ERR_LAYOUT, 0, "%s: %s", path, ext_why(code));
        /* for a file stored in its inode, libext2fs returns the whole area */
        uint64_t left = size - ret->len < got ? size - ret->len : got;
        buf_add(ret, chunk, (size_t)left);
    }
    return buf_check(ret, path, err);
}

int probe_ext_file(const struct disk *disk, const struct partition *partition, const char *path, size_t max,
                   bool *ret_found, struct buf *ret, struct err *err)
{
    char device[DISK_PATH_CAP], options[48];
    disk_path(disk, device);
    snprintf(options, sizeof options, "offset=%llu", (unsigned long long)partition->start);
    cleanup(close_fs) ext2_filsys fs = NULL;
    errcode_t code = ext2fs_open2(device, options, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs);
    if (code)
        return err_set(err, ERR_LAYOUT, 0, "partition %u (%s): %s", partition->number, partition->label,
                       ext_why(code));
    ext2_ino_t ino = 0;
    code = ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &ino);
    if (code == EXT2_ET_FILE_NOT_FOUND) /* also returned when memory for a folder ran out */
        code = ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, &ino);
    if (code == EXT2_ET_FILE_NOT_FOUND || code == EXT2_ET_SYMLINK_LOOP) {
        *ret_found = false;
        return 0;
    }
    if (code)
        return err_set(err, ERR_LAYOUT, 0, "partition %u (%s): %s: %s", partition->number, partition->label,
                       path, ext_why(code));
    if (read_inode(fs, ino, path, max, ret, err) < 0)
        return err_wrap(err, "partition %u (%s)", partition->number, partition->label);
    *ret_found = true;
    return 0;
}

int probe_fat_has(const struct disk *disk, const struct partition *partition, const char *path,
                  const struct run *run, bool *ret_found, struct err *err)
{
    char image[DISK_PATH_CAP + 32], inside[128];
    int fd = disk_view_fd(disk);
    snprintf(image, sizeof image, "/proc/self/fd/%d@@%llu", fd, (unsigned long long)partition->start);
    snprintf(inside, sizeof inside, "::%s", path);
    const char *const argv[] = {"mdir", "-b", "-i", image, inside, NULL};
    const int pass[] = {fd, -1};
    /* the user's mtools settings must have no effect */
    const char *const env[] = {"MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1", "HOME=/nonexistent",
                               "LC_ALL=C.UTF-8", NULL};
    struct proc_spec spec = {.argv = argv,
                             .package = "mtools",
                             .env = env,
                             .stdin_fd = -1,
                             .pass_fds = pass,
                             .timeout_ms = 20000,
                             .max_output = 4096};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, run, &result, err) < 0)
        return err_wrap(err, "read partition %u (%s) with mtools", partition->number, partition->label);
    /* after any other complaint, "not found" may mean "not readable" */
    const char *end = result.err.data ? strstr(result.err.data, "not found\n") : NULL;
    bool missing = end && end[sizeof "not found"] == '\0' && strchr(result.err.data, '\n') > end;
    if (result.status != 0 && !missing)
        return err_set(err, ERR_LAYOUT, 0,
                       "partition %u (%s) is not a FAT file system that mtools can read: %.200s",
                       partition->number, partition->label, result.err.data ? result.err.data : "");
    *ret_found = result.status == 0;
    return 0;
}
