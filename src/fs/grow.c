/* fs_grow(): libext2fs has no resizing; resize2fs(8) of the same package has. It takes an offset into an image, but then cuts
 * the image off at the file system's size as if the offset were 0. So it works on a sparse copy of the partition. */
#include <fcntl.h>
#include <string.h>

#include "fs/fs.h"
#include "io/file.h"
#include "io/proc.h"

static int run_resize2fs(int fd, const struct partition *partition, int64_t epoch, const struct run *run,
                         struct err *err)
{
    char image[32], size[32], time[48], path[4096];
    snprintf(image, sizeof image, "/proc/self/fd/%d", fd);
    snprintf(size, sizeof size, "%lluK", (unsigned long long)(partition->size / 1024));
    snprintf(time, sizeof time, "E2FSPROGS_FAKE_TIME=%lld", (long long)epoch);
    const char *search = getenv("PATH");
    snprintf(path, sizeof path, "PATH=%.3900s:/usr/sbin:/sbin", search ? search : "/usr/bin:/bin");
    const char *const argv[] = {"resize2fs", "-f", image, size, NULL};
    const char *const env[] = {path, time, "LC_ALL=C.UTF-8", NULL};
    const int pass[] = {fd, -1};
    const struct proc_spec spec = {
        .argv = argv, .env = env, .stdin_fd = -1, .pass_fds = pass, .timeout_ms = 600000, .max_output = 8192};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, run, &result, err) < 0)
        return -1;
    if (result.status != 0)
        return err_set(err, ERR_LAYOUT, 0, "resize2fs refused: %.400s",
                       result.err.data ? result.err.data : "");
    return 0;
}

int fs_grow(struct disk *disk, const struct partition *partition, const char *scratch_dir, int64_t epoch,
            const struct run *run, struct err *err)
{
    if (partition->fs != FS_EXT || disk->fd < 0)
        return err_set(err, ERR_LAYOUT, 0, "only ext4 on a disk in a file can be grown");
    cleanup_close int scratch = -1;
    if (file_scratch(scratch_dir, &scratch, err) < 0)
        return -1;
    if (ftruncate(scratch, (off_t)partition->size) < 0)
        return err_sys(err, errno, "make a scratch file of %llu bytes", (unsigned long long)partition->size);
    if (file_copy(disk->fd, partition->start, scratch, 0, partition->size, run, err) < 0 ||
        run_resize2fs(scratch, partition, epoch, run, err) < 0)
        return -1;
    return file_copy(scratch, 0, disk->fd, partition->start, partition->size, run, err);
}
