#include "layout/probe.h"

#include <limits.h>
#include <stdlib.h>
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

static int open_fs(const struct disk *disk, const struct partition *partition, ext2_filsys *ret,
                   struct err *err)
{
    char device[DISK_PATH_CAP], options[48];
    disk_path(disk, device);
    snprintf(options, sizeof options, "offset=%llu", (unsigned long long)partition->start);
    errcode_t code = ext2fs_open2(device, options, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, ret);
    if (code)
        return err_set(err, ERR_LAYOUT, 0, "partition %u (%s): %s", partition->number, partition->label,
                       ext_why(code));
    return 0;
}

typedef errcode_t (*namei_fn)(ext2_filsys fs, ext2_ino_t root, ext2_ino_t cwd, const char *path,
                              ext2_ino_t *ret);

/* *RET is 0 when PATH does not exist. */
static int find_inode(ext2_filsys fs, const struct partition *partition, namei_fn namei, const char *path,
                      ext2_ino_t *ret, struct err *err)
{
    *ret = 0;
    errcode_t code = namei(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, ret);
    if (code == EXT2_ET_FILE_NOT_FOUND) /* also the answer when memory for a folder ran out */
        code = namei(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, path, ret);
    if (code == EXT2_ET_FILE_NOT_FOUND || code == EXT2_ET_SYMLINK_LOOP)
        *ret = 0;
    else if (code)
        return err_set(err, ERR_LAYOUT, 0, "partition %u (%s): %s: %s", partition->number, partition->label,
                       path, ext_why(code));
    return 0;
}

int probe_ext_file(const struct disk *disk, const struct partition *partition, const char *path, size_t max,
                   bool *ret_found, struct buf *ret, struct err *err)
{
    cleanup(close_fs) ext2_filsys fs = NULL;
    ext2_ino_t ino = 0;
    if (open_fs(disk, partition, &fs, err) < 0 ||
        find_inode(fs, partition, ext2fs_namei_follow, path, &ino, err) < 0)
        return -1;
    if (ino != 0 && read_inode(fs, ino, path, max, ret, err) < 0)
        return err_wrap(err, "partition %u (%s)", partition->number, partition->label);
    *ret_found = ino != 0;
    return 0;
}

struct probe_fs {
    ext2_filsys fs;
    struct partition partition;
};

struct probe_file {
    ext2_file_t file;
    uint64_t size;
};

int probe_fs_open(const struct disk *disk, const struct partition *partition, struct probe_fs **ret,
                  struct err *err)
{
    cleanup(probe_fs_close) struct probe_fs *made = calloc(1, sizeof *made);
    if (!made)
        return err_oom(err);
    made->partition = *partition;
    if (open_fs(disk, partition, &made->fs, err) < 0)
        return -1;
    *ret = steal_ptr(made);
    return 0;
}

void probe_fs_close(struct probe_fs **fs)
{
    if (*fs)
        close_fs(&(*fs)->fs);
    free(*fs);
    *fs = NULL;
}

void probe_file_close(struct probe_file **file)
{
    if (*file)
        close_ext_file(&(*file)->file);
    free(*file);
    *file = NULL;
}

int probe_file_open(const struct probe_fs *fs, const char *path, struct probe_file **ret, struct err *err)
{
    cleanup_probe_file struct probe_file *made = calloc(1, sizeof *made);
    const struct partition *partition = &fs->partition;
    ext2_ino_t ino = 0;
    __u64 size = 0;
    if (!made)
        return err_oom(err);
    if (find_inode(fs->fs, partition, ext2fs_namei, path, &ino, err) < 0)
        return -1;
    if (ino == 0)
        return 0;
    errcode_t code = ext2fs_file_open(fs->fs, ino, 0, &made->file);
    if (!code)
        code = ext2fs_file_get_lsize(made->file, &size);
    if (code)
        return err_set(err, ERR_LAYOUT, 0, "partition %u (%s): %s: %s", partition->number, partition->label,
                       path, ext_why(code));
    made->size = size;
    *ret = steal_ptr(made);
    return 0;
}

uint64_t probe_file_size(const struct probe_file *file)
{
    return file->size;
}

int probe_file_read(const struct probe_file *file, void *bytes, size_t len, uint64_t off, struct err *err)
{
    errcode_t code = ext2fs_file_llseek(file->file, off, EXT2_SEEK_SET, NULL);
    for (size_t done = 0; !code && done < len;) {
        unsigned got = 0, want = len - done < INT_MAX ? (unsigned)(len - done) : INT_MAX;
        code = ext2fs_file_read(file->file, (char *)bytes + done, want, &got);
        if (!code && (got == 0 || got > want))
            return err_set(err, ERR_LAYOUT, 0, "a file of the base is shorter than it says");
        done += got;
    }
    return code ? err_set(err, ERR_LAYOUT, 0, "a file of the base: %s", ext_why(code)) : 0;
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
