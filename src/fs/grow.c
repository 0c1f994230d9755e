/* fs_grow(): libext2fs has no resizing; resize2fs(8) of the same package does it at the partition's offset. */
#include <string.h>

#include "fs/fs.h"
#include "io/proc.h"

int fs_grow(struct disk *disk, const struct partition *partition, int64_t epoch, const struct run *run,
            struct err *err)
{
    if (partition->fs != FS_EXT)
        return err_set(err, ERR_LAYOUT, 0, "only ext4 can be grown here");
    char image[80], size[32], time[48], path[4096];
    snprintf(image, sizeof image, "/proc/self/fd/%d?offset=%llu", disk->fd,
             (unsigned long long)partition->start);
    snprintf(size, sizeof size, "%lluK", (unsigned long long)(partition->size / 1024));
    snprintf(time, sizeof time, "E2FSPROGS_FAKE_TIME=%lld", (long long)epoch);
    const char *search = getenv("PATH");
    snprintf(path, sizeof path, "PATH=%.3900s:/usr/sbin:/sbin", search ? search : "/usr/bin:/bin");
    const char *const argv[] = {"resize2fs", "-f", image, size, NULL};
    const char *const env[] = {path, time, "LC_ALL=C.UTF-8", NULL};
    const int pass[] = {disk->fd, -1};
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
