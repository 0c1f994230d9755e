#include "fs/ext/window.h"

#include <inttypes.h>
#include <string.h>

static struct window *window_of(io_channel channel)
{
    return channel->private_data;
}

static errcode_t window_open(const char *name, int flags, io_channel *ret)
{
    (void)flags;
    uintptr_t address = 0;
    if (sscanf(name, "window:%" SCNxPTR, &address) != 1 || address == 0)
        return EXT2_ET_BAD_DEVICE_NAME;
    struct window *window = (struct window *)address;
    io_channel channel = calloc(1, sizeof *channel);
    if (!channel)
        return EXT2_ET_NO_MEMORY;
    channel->name = strdup(name);
    if (!channel->name) {
        free(channel);
        return EXT2_ET_NO_MEMORY;
    }
    channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
    channel->manager = &window->manager;
    channel->block_size = 1024;
    channel->refcount = 1;
    channel->private_data = window;
    *ret = channel;
    return 0;
}

static errcode_t window_close(io_channel channel)
{
    if (--channel->refcount > 0)
        return 0;
    free(channel->name);
    free(channel);
    return 0;
}

static errcode_t window_set_blksize(io_channel channel, int size)
{
    channel->block_size = size;
    return 0;
}

/* A negative COUNT is in bytes, a positive one in blocks. */
static errcode_t place_of(io_channel channel, unsigned long long block, int count, uint64_t *off, size_t *len)
{
    const struct window *window = window_of(channel);
    uint64_t at,
        bytes = count < 0 ? (uint64_t) - (int64_t)count : (uint64_t)count * (uint64_t)channel->block_size;
    if (__builtin_mul_overflow((uint64_t)block, (uint64_t)channel->block_size, &at) || at > window->size ||
        bytes > window->size - at)
        return EXT2_ET_BAD_BLOCK_NUM;
    *off = window->start + at;
    *len = (size_t)bytes;
    return 0;
}

static errcode_t window_read64(io_channel channel, unsigned long long block, int count, void *data)
{
    struct window *window = window_of(channel);
    uint64_t off;
    size_t len;
    errcode_t code = place_of(channel, block, count, &off, &len);
    if (code)
        return code;
    uint64_t blocks = count < 0 ? 1 : (uint64_t)count;
    if (blocks > window->reads_left) {
        err_set(&window->why, ERR_LAYOUT, 0,
                "it is damaged: its structures form a loop. Run e2fsck -f on the base");
        return EXT2_ET_SHORT_READ;
    }
    window->reads_left -= blocks;
    if (disk_read(window->reader, data, len, off, &window->why) < 0)
        return EXT2_ET_SHORT_READ;
    overlay_read(&window->overlay, data, len, off - window->start);
    return 0;
}

static errcode_t window_read(io_channel channel, unsigned long block, int count, void *data)
{
    return window_read64(channel, block, count, data);
}

static errcode_t window_write64(io_channel channel, unsigned long long block, int count, const void *data)
{
    struct window *window = window_of(channel);
    uint64_t off;
    size_t len;
    errcode_t code = place_of(channel, block, count, &off, &len);
    if (code)
        return code;
    if (window->trial)
        return overlay_write(&window->overlay, data, len, off - window->start) ? 0 : EXT2_ET_NO_MEMORY;
    if (!window->writer)
        return EXT2_ET_RO_FILSYS;
    if (disk_write(window->writer, data, len, off, &window->why) < 0)
        return EXT2_ET_SHORT_WRITE;
    ranges_append(window->changes, off, len);
    return 0;
}

static errcode_t window_write(io_channel channel, unsigned long block, int count, const void *data)
{
    return window_write64(channel, block, count, data);
}

static errcode_t window_flush(io_channel channel)
{
    (void)channel;
    return 0;
}

void window_init(struct window *window)
{
    /* Without write_byte, libext2fs writes the whole superblock. With get_stats, it would store in the
     * superblock how much was written, and the result would depend on that. */
    window->manager = (struct struct_io_manager){
        .magic = EXT2_ET_MAGIC_IO_MANAGER,
        .name = "bake window",
        .open = window_open,
        .close = window_close,
        .set_blksize = window_set_blksize,
        .read_blk = window_read,
        .write_blk = window_write,
        .flush = window_flush,
        .read_blk64 = window_read64,
        .write_blk64 = window_write64,
    };
}

void window_free(struct window *window)
{
    overlay_free(&window->overlay);
}

void window_name(const struct window *window, char out[static WINDOW_NAME_CAP])
{
    snprintf(out, WINDOW_NAME_CAP, "window:%" PRIxPTR, (uintptr_t)window);
}
