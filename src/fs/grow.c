/* fs_grow(): libext2fs cannot resize, so this runs resize2fs(8) of the same package. Given an offset into an
 * image, resize2fs truncates the image as if the offset were 0, so it works on a sparse copy of the
 * partition. */
#include <fcntl.h>
#include <string.h>

#include "fs/fs.h"
#include "fs/fsck.h"
#include "fs/scratch.h"
#include "io/file.h"
#include "io/proc.h"

enum { CHUNK = 1 << 20 };

static int run_resize2fs(int fd, const struct partition *partition, int64_t epoch, const struct run *run,
                         struct err *err)
{
    char image[32], size[32], time[48];
    snprintf(image, sizeof image, "/proc/self/fd/%d", fd);
    snprintf(size, sizeof size, "%lluK", (unsigned long long)(partition->size / 1024));
    snprintf(time, sizeof time, "E2FSPROGS_FAKE_TIME=%lld", (long long)epoch);
    const char *const argv[] = {"resize2fs", "-f", image, size, NULL};
    const char *const env[] = {time, "LC_ALL=C.UTF-8", NULL};
    const int pass[] = {fd, -1};
    const struct proc_spec spec = {.argv = argv,
                                   .package = "e2fsprogs",
                                   .env = env,
                                   .stdin_fd = -1,
                                   .pass_fds = pass,
                                   .timeout_ms = 600000,
                                   .max_output = 8192};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, run, &result, err) < 0)
        return -1;
    if (result.status > 128)
        return err_set(err, ERR_IO, 0,
                       "resize2fs was killed by signal %d (out of memory, or a limit on file sizes?)",
                       result.status - 128);
    if (result.status != 0)
        return err_set(err, ERR_LAYOUT, 0, "resize2fs failed: %.400s",
                       result.err.data ? result.err.data : "");
    return 0;
}

static int copy_back(int from_fd, struct disk *disk, const struct partition *partition, unsigned char *bytes,
                     const struct run *run, struct err *err)
{
    cleanup_disk struct disk scratch = DISK_EMPTY;
    int fd = fcntl(from_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(err, errno, "duplicate a descriptor");
    if (disk_from_fd(fd, &scratch, err) < 0) {
        close(fd);
        return -1;
    }
    uint64_t from, stop;
    for (uint64_t at = 0; disk_next_data(&scratch, at, &from, &stop); at = stop) {
        for (uint64_t off = from; off < stop;) {
            size_t step = stop - off < CHUNK ? (size_t)(stop - off) : (size_t)CHUNK;
            if (run_check(run, err) < 0 || disk_read(&scratch, bytes, step, off, err) < 0 ||
                disk_write(disk, bytes, step, partition->start + off, err) < 0)
                return -1;
            off += step;
        }
    }
    return 0;
}

/* Checks the result of resize2fs, which goes into every image, with e2fsck. DISK is still unchanged. */
static int check_grown(int grown, const struct disk *disk, const struct partition *partition,
                       const char *scratch_dir, const struct run *run, struct err *err)
{
    struct err before = {0};
    if (fsck_file(grown, partition, run, err) == 0)
        return 0;
    if (err->kind != ERR_LAYOUT)
        return -1;
    if (fsck_partition(disk, partition, scratch_dir, run, &before) < 0) {
        *err = before;
        return err_wrap(err, "before it was grown");
    }
    err->kind = ERR_INTERNAL;
    return err_wrap(err, "after resize2fs");
}

int fs_grow(struct disk *disk, const struct partition *partition, const char *scratch_dir, int64_t epoch,
            const struct run *run, struct err *err)
{
    if (partition->fs != FS_EXT || disk->memory)
        return err_set(err, ERR_LAYOUT, 0, "only an ext4 file system on a disk in a file can be grown");
    cleanup_close int scratch = -1;
    cleanup_free unsigned char *bytes = malloc(CHUNK);
    if (!bytes)
        return err_oom(err);
    if (scratch_open(scratch_dir, partition, &scratch, err) < 0 ||
        scratch_copy(disk, partition, partition->start, partition->start + partition->size, scratch, run,
                     err) < 0 ||
        run_resize2fs(scratch, partition, epoch, run, err) < 0 ||
        check_grown(scratch, disk, partition, scratch_dir, run, err) < 0)
        return -1;
    return copy_back(scratch, disk, partition, bytes, run, err);
}
