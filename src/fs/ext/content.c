/* Writes file content into extents: libext2fs allocates the blocks, and the kernel copies from the payload's
 * file to the disk. On a disk that is a view, the payload's file is mapped there instead. */
#include <string.h>

#include "fs/ext/ext.h"
#include "io/file.h"
#include "text/hex.h"

enum { BOUNCE = 1 << 20, PIECE = 8 << 20 }; /* bytes: in memory, and between checks of the stop flag */
enum { EXTENT_MIN = 64 << 10 };             /* bytes: smaller parts are copied, not mapped */

/* One run of blocks of a file. */
struct extent_copy {
    struct ext *ext;
    const struct plan_op *op;
    const struct run *run;
    uint64_t next_logical; /* blocks */
    uint64_t run_logical, run_physical, run_blocks;
    struct err *err;
    bool failed;
    bool watched; /* the file was hashed before; packing checks and hashes it again */
    struct hasher hasher;
    unsigned char *bounce;
};

static int copy_bytes(struct extent_copy *copy, uint64_t from, uint64_t to, uint64_t len)
{
    const struct blob *blob = &copy->op->content;
    struct disk *disk = copy->ext->window.writer;
    if (!blob->memory && disk->map && len >= EXTENT_MIN) {
        uint64_t whole = len - len % copy->ext->fs->blocksize;
        /* the digest is checked or the file is watched, so a change fails the bake */
        const struct extent_source source = {.fd = blob->fd,
                                             .from = blob->off + from,
                                             .content = blob->sha256,
                                             .content_from = blob->off,
                                             .named = true};
        if (disk_map_extent(disk, to, whole, &source, copy->err) < 0)
            return -1;
        from += whole;
        to += whole;
        len -= whole;
    }
    if (!blob->memory && disk->fd >= 0) {
        /* holes are written, too: the blocks may hold deleted data of the base */
        for (uint64_t done = 0; done < len;) {
            uint64_t piece = len - done < PIECE ? len - done : PIECE;
            off_t in = (off_t)(blob->off + from + done), out = (off_t)(to + done);
            ssize_t n = copy_file_range(blob->fd, &in, disk->fd, &out, (size_t)piece, 0);
            if (n <= 0)
                break;
            done += (uint64_t)n;
            if (run_check(copy->run, copy->err) < 0)
                return -1;
            if (done == len)
                return 0;
        }
    }
    for (uint64_t done = 0; done < len;) {
        size_t piece = len - done < BOUNCE ? (size_t)(len - done) : (size_t)BOUNCE;
        if (run_check(copy->run, copy->err) < 0 ||
            blob_read(blob, copy->bounce, piece, from + done, copy->err) < 0 ||
            disk_write(disk, copy->bounce, piece, to + done, copy->err) < 0)
            return -1;
        done += piece;
    }
    return 0;
}

/* Hashes what is on the disk, which also detects a payload that changed during the copy. */
static int hash_bytes(struct extent_copy *copy, uint64_t at, uint64_t len)
{
    for (uint64_t done = 0; done < len;) {
        size_t piece = len - done < BOUNCE ? (size_t)(len - done) : (size_t)BOUNCE;
        if (disk_read(copy->ext->window.writer, copy->bounce, piece, at + done, copy->err) < 0 ||
            hasher_add(&copy->hasher, copy->bounce, piece, copy->err) < 0)
            return -1;
        done += piece;
    }
    return 0;
}

static int finish_run(struct extent_copy *copy)
{
    if (copy->run_blocks == 0)
        return 0;
    uint64_t block = copy->ext->fs->blocksize, size = copy->op->content.size;
    uint64_t from = copy->run_logical * block, len = copy->run_blocks * block;
    uint64_t at = copy->ext->window.start + copy->run_physical * block;
    uint64_t data = from >= size ? 0 : size - from < len ? size - from : len;
    uint64_t total = copy->ext->window.size / block;
    if (copy->run_physical == 0 || copy->run_physical >= total ||
        copy->run_blocks > total - copy->run_physical)
        return err_set(copy->err, ERR_LAYOUT, 0, "blocks outside the partition were allocated");
    if (copy_bytes(copy, from, at, data) < 0 || (!copy->watched && hash_bytes(copy, at, data) < 0))
        return -1;
    if (data < len) { /* the last block's tail must not expose old data */
        memset(copy->bounce, 0, (size_t)block);
        for (uint64_t off = data; off < len;) {
            size_t piece = len - off < block ? (size_t)(len - off) : (size_t)block;
            if (disk_write(copy->ext->window.writer, copy->bounce, piece, at + off, copy->err) < 0)
                return -1;
            off += piece;
        }
    }
    ranges_append(copy->ext->window.changes, at, len);
    run_progress(copy->run, "fs", copy->op->image_path, from + data, size);
    copy->run_blocks = 0;
    return 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libext2fs's */
static int take_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t logical, blk64_t ref, int ref_offset,
                      void *ctx)
{
    (void)fs;
    (void)ref;
    (void)ref_offset;
    struct extent_copy *copy = ctx;
    if (logical < 0)
        return 0;
    bool joins = copy->run_blocks > 0 && (uint64_t)logical == copy->run_logical + copy->run_blocks &&
                 *block == copy->run_physical + copy->run_blocks;
    if (!joins && finish_run(copy) < 0) {
        copy->failed = true;
        return BLOCK_ABORT;
    }
    if ((uint64_t)logical != copy->next_logical) { /* all blocks were allocated: a gap is an error */
        copy->failed = true;
        err_set(copy->err, ERR_LAYOUT, 0, "a block of the file was not allocated");
        return BLOCK_ABORT;
    }
    if (copy->run_blocks == 0) {
        copy->run_logical = (uint64_t)logical;
        copy->run_physical = *block;
    }
    copy->run_blocks++;
    copy->next_logical++;
    return 0;
}

static int copy_all(struct extent_copy *copy, ext2_ino_t ino, uint64_t blocks)
{
    errcode_t code = ext2fs_block_iterate3(copy->ext->fs, ino, BLOCK_FLAG_READ_ONLY | BLOCK_FLAG_DATA_ONLY,
                                           NULL, take_block, copy);
    if (copy->failed)
        return -1;
    if (code)
        return ext_error(copy->ext, code, copy->op->image_path, copy->err);
    if (finish_run(copy) < 0)
        return -1;
    if (copy->next_logical != blocks)
        return err_set(copy->err, ERR_LAYOUT, 0, "the file's blocks were not all allocated");
    return 0;
}

static int check_digest(struct extent_copy *copy)
{
    struct sha256 found;
    if (hasher_end(&copy->hasher, found.bytes, copy->err) < 0)
        return -1;
    if (sha256_equal(&found, &copy->op->content.sha256))
        return 0;
    char want[SHA256_HEX], have[SHA256_HEX];
    hex_encode(copy->op->content.sha256.bytes, SHA256_SIZE, want);
    hex_encode(found.bytes, SHA256_SIZE, have);
    return err_set(copy->err, ERR_VERIFY, 0,
                   "its content changed while it was written: expected SHA-256 %s, found %s", want, have);
}

int ext_write_content(struct ext *ext, ext2_ino_t ino, const struct plan_op *op, const struct run *run,
                      struct err *err)
{
    uint64_t size = op->content.size;
    uint64_t blocks = size / ext->fs->blocksize + (size % ext->fs->blocksize != 0);
    struct ext2_inode inode;
    errcode_t code = ext2fs_read_inode(ext->fs, ino, &inode);
    if (!code && blocks > 0)
        code = ext2fs_fallocate(ext->fs, EXT2_FALLOCATE_FORCE_INIT, ino, &inode, ~0ULL, 0, blocks);
    /* libext2fs has counted the blocks of the extent tree only in this working copy: reading the inode again
     * would lose the count */
    if (!code)
        code = ext2fs_inode_size_set(ext->fs, &inode, (ext2_off64_t)size);
    if (!code)
        code = ext2fs_write_inode(ext->fs, ino, &inode);
    if (code)
        return ext_error(ext, code, op->image_path, err);
    if (ext->window.trial) /* a trial does not write the blocks' content */
        return 0;
    cleanup_free unsigned char *bounce = malloc(BOUNCE);
    if (!bounce)
        return err_oom(err);
    struct extent_copy copy = {.ext = ext, .op = op, .run = run, .err = err, .bounce = bounce};
    const struct blob *blob = &op->content;
    copy.watched = ext->window.writer->map && !blob->memory && blob->identity.inode != 0;
    if (copy.watched && disk_watch(ext->window.writer, blob->fd, &blob->identity, err) < 0)
        return err_wrap(err, "%s", op->image_path);
    if (hasher_init(&copy.hasher, DIGEST_SHA256, err) < 0)
        return -1;
    int r = blocks > 0 ? copy_all(&copy, ino, blocks) : 0;
    if (r == 0 && !copy.watched)
        r = check_digest(&copy);
    hasher_free(&copy.hasher);
    return r < 0 ? err_wrap(err, "%s", op->image_path) : 0;
}
