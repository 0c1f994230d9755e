#include "fs/scratch.h"

#include "io/file.h"

enum { CHUNK = 1 << 20 };

int scratch_open(const char *dir, const struct partition *partition, int *ret_fd, struct err *err)
{
    cleanup_close int fd = -1;
    if (file_scratch(dir, &fd, err) < 0)
        return -1;
    if (ftruncate(fd, (off_t)partition->size) < 0)
        return err_sys(err, errno, "create a scratch file of %llu bytes",
                       (unsigned long long)partition->size);
    *ret_fd = steal_fd(&fd);
    return 0;
}

int scratch_copy(const struct disk *disk, const struct partition *partition, uint64_t from, uint64_t end,
                 int to, const struct run *run, struct err *err)
{
    size_t cap = end - from < CHUNK ? (size_t)(end - from) : (size_t)CHUNK;
    cleanup_free unsigned char *bytes = malloc(cap);
    uint64_t data, stop;
    if (!bytes)
        return err_oom(err);
    for (uint64_t at = from; disk_next_data(disk, at, &data, &stop) && data < end; at = stop) {
        stop = stop < end ? stop : end;
        for (uint64_t off = data; off < stop;) {
            size_t step = stop - off < cap ? (size_t)(stop - off) : cap;
            if (run_check(run, err) < 0 || disk_read(disk, bytes, step, off, err) < 0 ||
                file_pwrite(to, bytes, step, off - partition->start, "a scratch file", err) < 0)
                return -1;
            off += step;
        }
    }
    return 0;
}
