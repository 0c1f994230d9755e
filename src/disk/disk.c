#include "disk/disk.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/file.h"

static const uint64_t MEMORY_MAX = UINT64_C(1) << 30;

static int file_disk_read(const struct disk *disk, void *bytes, size_t len, uint64_t off, struct err *err)
{
    return file_pread(disk->fd, bytes, len, off, "the disk image", err);
}

static int file_disk_write(struct disk *disk, const void *bytes, size_t len, uint64_t off, struct err *err)
{
    return file_pwrite(disk->fd, bytes, len, off, "the disk image", err);
}

static void file_disk_close(struct disk *disk)
{
    cleanup_close_fn(&disk->fd);
}

static int memory_read(const struct disk *disk, void *bytes, size_t len, uint64_t off, struct err *err)
{
    (void)err;
    memcpy(bytes, disk->memory + off, len);
    return 0;
}

static int memory_write(struct disk *disk, const void *bytes, size_t len, uint64_t off, struct err *err)
{
    (void)err;
    memcpy(disk->memory + off, bytes, len);
    return 0;
}

static void memory_close(struct disk *disk)
{
    free(disk->memory);
}

static const struct disk_ops file_ops = {file_disk_read, file_disk_write, file_disk_close};
static const struct disk_ops memory_ops = {memory_read, memory_write, memory_close};

int disk_from_fd(int fd, struct disk *ret, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "stat the disk image");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_LAYOUT, 0, "the disk image is not a regular file");
    *ret = (struct disk){.ops = &file_ops, .size = (uint64_t)st.st_size, .fd = fd};
    return 0;
}

int disk_in_memory(uint64_t size, struct disk *ret, struct err *err)
{
    if (size == 0 || size > MEMORY_MAX)
        return err_set(err, ERR_INTERNAL, 0, "a disk in memory cannot have %llu bytes",
                       (unsigned long long)size);
    unsigned char *memory = calloc(1, (size_t)size);
    if (!memory)
        return err_oom(err);
    *ret = (struct disk){.ops = &memory_ops, .size = size, .fd = -1, .memory = memory};
    return 0;
}

static int check_range(const struct disk *disk, size_t len, uint64_t off, struct err *err)
{
    if (off <= disk->size && len <= disk->size - off)
        return 0;
    return err_set(err, ERR_LAYOUT, 0, "bytes %llu to %llu lie outside the disk of %llu bytes",
                   (unsigned long long)off, (unsigned long long)off + len, (unsigned long long)disk->size);
}

int disk_read(const struct disk *disk, void *bytes, size_t len, uint64_t off, struct err *err)
{
    if (check_range(disk, len, off, err) < 0)
        return -1;
    return disk->ops->read(disk, bytes, len, off, err);
}

int disk_write(struct disk *disk, const void *bytes, size_t len, uint64_t off, struct err *err)
{
    if (check_range(disk, len, off, err) < 0)
        return -1;
    return disk->ops->write(disk, bytes, len, off, err);
}

int disk_grow(struct disk *disk, uint64_t size, struct err *err)
{
    if (disk->memory)
        return err_set(err, ERR_INTERNAL, 0, "a disk in memory cannot grow");
    if (size < disk->size)
        return err_set(err, ERR_LAYOUT, 0, "the disk has %llu bytes and cannot shrink to %llu",
                       (unsigned long long)disk->size, (unsigned long long)size);
    if (size > INT64_MAX || (!disk->map && ftruncate(disk->fd, (off_t)size) < 0))
        return err_sys(err, size > INT64_MAX ? EFBIG : errno, "grow the disk to %llu bytes",
                       (unsigned long long)size);
    disk->size = size;
    return 0;
}

void disk_path(const struct disk *disk, char out[static DISK_PATH_CAP])
{
    snprintf(out, DISK_PATH_CAP, "/proc/self/fd/%d", disk_view_fd(disk));
}

void disk_close(struct disk *disk)
{
    if (disk->ops)
        disk->ops->close(disk);
    *disk = (struct disk)DISK_EMPTY;
}
