#include "tests/support/lib/ext_read.h"

#include <string.h>

#include "fs/ext/ext.h"

/* Opens the partition with that GPT number for reading. */
static int open_number(struct ext *ext, const struct disk *disk, const struct layout *layout, unsigned number,
                       struct err *err)
{
    for (unsigned i = 0; i < layout->partition_count; i++)
        if (layout->partitions[i].number == number)
            return ext_open(ext, EXT_READ, disk, NULL, &layout->partitions[i], NULL, 0, err);
    return err_set(err, ERR_LAYOUT, 0, "the disk has no partition %u", number);
}

static int find_inode(struct ext *ext, const char *path, bool follow, struct ext_place *place,
                      struct ext2_inode_large *inode, struct err *err)
{
    if (ext_resolve(ext, path, follow, place, err) < 0)
        return -1;
    if (place->ino == 0)
        return ext_refuse(ext, path, "it is not there", err);
    memset(inode, 0, sizeof *inode);
    errcode_t code = ext2fs_read_inode_full(ext->fs, place->ino, EXT2_INODE(inode), sizeof *inode);
    return code ? ext_error(ext, code, path, err) : 0;
}

static void close_file(ext2_file_t *file)
{
    if (*file)
        ext2fs_file_close(*file);
}

static int read_content(struct ext *ext, ext2_ino_t ino, const char *path, size_t max, struct buf *ret,
                        struct err *err)
{
    enum { CHUNK = 64 << 10 };
    cleanup_free char *chunk = malloc(CHUNK);
    if (!chunk)
        return err_oom(err);
    cleanup(close_file) ext2_file_t file = NULL;
    errcode_t code = ext2fs_file_open(ext->fs, ino, 0, &file);
    __u64 size = 0;
    if (!code)
        code = ext2fs_file_get_lsize(file, &size);
    if (code)
        return ext_error(ext, code, path, err);
    if (size > max)
        return err_set(err, ERR_SPACE, 0,
                       "%s (partition %u): %s: its %llu bytes are more than the %zu asked for",
                       ext->partition->label, ext->partition->number, path, (unsigned long long)size, max);
    ext->window.reads_left += size / ext->fs->blocksize * 4;
    cleanup_buf struct buf content = BUF_INIT(max);
    while (content.len < size) {
        unsigned got = 0;
        code = ext2fs_file_read(file, chunk, CHUNK, &got);
        if (code)
            return ext_error(ext, code, path, err);
        if (got == 0)
            return ext_refuse(ext, path, "its content ends before its size does", err);
        /* of a file that is stored in its inode libext2fs gives all that there is room for */
        buf_add(&content, chunk, got < size - content.len ? got : (size_t)(size - content.len));
    }
    if (buf_check(&content, path, err) < 0)
        return -1;
    buf_add(ret, content.data ? content.data : "", content.len);
    return buf_check(ret, path, err);
}

int fs_read_file(const struct disk *disk, const struct layout *layout, unsigned partition, const char *path,
                 size_t max, struct buf *ret, struct err *err)
{
    cleanup_ext struct ext ext = {0};
    struct ext_place place;
    struct ext2_inode_large inode;
    if (open_number(&ext, disk, layout, partition, err) < 0 ||
        find_inode(&ext, path, true, &place, &inode, err) < 0)
        return -1;
    if (!LINUX_S_ISREG(inode.i_mode))
        return ext_refuse(&ext, path, "it is not a regular file", err);
    return read_content(&ext, place.ino, path, max, ret, err);
}

static enum fs_object object_of(unsigned mode)
{
    if (LINUX_S_ISREG(mode))
        return FS_OBJECT_FILE;
    if (LINUX_S_ISDIR(mode))
        return FS_OBJECT_DIR;
    return LINUX_S_ISLNK(mode) ? FS_OBJECT_SYMLINK : FS_OBJECT_SPECIAL;
}

/* 32 bits with a sign, and two more that count on from 2038. */
static int64_t seconds(__u32 low, __u32 extra)
{
    return (int64_t)(__s32)low + ((int64_t)(extra & 3) << 32);
}

static void take_times(const struct ext2_inode_large *inode, struct fs_stat *stat)
{
    /* fields that the inode does not have were read as part of its attributes: they say nothing */
    size_t size = EXT2_GOOD_OLD_INODE_SIZE + (size_t)inode->i_extra_isize;
#define has(field) (offsetof(struct ext2_inode_large, field) + sizeof inode->field <= size)
    stat->atime = seconds(inode->i_atime, has(i_atime_extra) ? inode->i_atime_extra : 0);
    stat->mtime = seconds(inode->i_mtime, has(i_mtime_extra) ? inode->i_mtime_extra : 0);
    stat->ctime = seconds(inode->i_ctime, has(i_ctime_extra) ? inode->i_ctime_extra : 0);
    if (has(i_crtime))
        stat->crtime = seconds(inode->i_crtime, has(i_crtime_extra) ? inode->i_crtime_extra : 0);
#undef has
}

struct taking {
    struct arena *arena;
    struct fs_xattr *items;
    size_t count, capacity;
    bool failed;
};

static int take_xattr(char *name, char *value, size_t size, void *ctx)
{
    struct taking *taking = ctx;
    if (strcmp(name, "system.data") == 0) /* the content of a small file (inline_data) */
        return 0;
    if (taking->count == taking->capacity) {
        size_t capacity = taking->capacity ? taking->capacity * 2 : 8;
        struct fs_xattr *grown = arena_array(taking->arena, capacity, sizeof *grown);
        if (grown && taking->count > 0)
            memcpy(grown, taking->items, taking->count * sizeof *grown);
        if (!grown) {
            taking->failed = true;
            return XATTR_ABORT;
        }
        taking->items = grown;
        taking->capacity = capacity;
    }
    char *name_copy = arena_strdup(taking->arena, name);
    void *value_copy = arena_alloc(taking->arena, size + 1);
    if (!name_copy || !value_copy) {
        taking->failed = true;
        return XATTR_ABORT;
    }
    if (size > 0)
        memcpy(value_copy, value, size);
    taking->items[taking->count++] = (struct fs_xattr){.name = name_copy, .value = value_copy, .size = size};
    return 0;
}

static int by_xattr(const void *a, const void *b)
{
    const struct fs_xattr *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static void close_xattrs(struct ext2_xattr_handle **handle)
{
    if (*handle)
        ext2fs_xattrs_close(handle);
}

static int take_xattrs(struct ext *ext, ext2_ino_t ino, const char *path, struct fs_stat *stat,
                       struct err *err)
{
    cleanup(close_xattrs) struct ext2_xattr_handle *handle = NULL;
    errcode_t code = ext2fs_xattrs_open(ext->fs, ino, &handle);
    if (code == EXT2_ET_MISSING_EA_FEATURE)
        return 0;
    if (!code)
        code = ext2fs_xattrs_read(handle);
    if (code)
        return ext_error(ext, code, path, err);
    struct taking taking = {.arena = &stat->arena};
    code = ext2fs_xattrs_iterate(handle, take_xattr, &taking);
    if (taking.failed)
        return err_oom(err);
    if (code)
        return ext_error(ext, code, path, err);
    if (taking.count > 0)
        qsort(taking.items, taking.count, sizeof *taking.items, by_xattr);
    stat->xattrs = taking.items;
    stat->xattr_count = taking.count;
    return 0;
}

static int fill_stat(struct ext *ext, const char *path, struct fs_stat *stat, struct err *err)
{
    struct ext_place place;
    struct ext2_inode_large inode;
    if (find_inode(ext, path, false, &place, &inode, err) < 0)
        return -1;
    stat->object = object_of(inode.i_mode);
    stat->inode = place.ino;
    stat->mode = inode.i_mode & 07777u;
    stat->uid = inode_uid(inode);
    stat->gid = inode_gid(inode);
    stat->links = inode.i_links_count;
    stat->size = EXT2_I_SIZE(&inode);
    if (EXT2_INODE_SIZE(ext->fs->super) <= EXT2_GOOD_OLD_INODE_SIZE)
        inode.i_extra_isize = 0;
    take_times(&inode, stat);
    if (stat->object == FS_OBJECT_SYMLINK) {
        char target[PATH_CAP];
        if (ext_read_link(ext, place.ino, EXT2_INODE(&inode), path, target, err) < 0)
            return -1;
        stat->target = arena_strdup(&stat->arena, target);
        if (!stat->target)
            return err_oom(err);
    }
    return take_xattrs(ext, place.ino, path, stat, err);
}

int fs_stat(const struct disk *disk, const struct layout *layout, unsigned partition, const char *path,
            struct fs_stat *ret, struct err *err)
{
    cleanup_ext struct ext ext = {0};
    if (open_number(&ext, disk, layout, partition, err) < 0)
        return -1;
    struct fs_stat stat = {0};
    if (fill_stat(&ext, path, &stat, err) < 0) {
        fs_stat_free(&stat);
        return -1;
    }
    *ret = stat;
    return 0;
}

struct listing {
    struct fs_list list;
    size_t capacity;
    bool any; /* entry was seen */
    bool failed;
};

static bool add_entry(struct listing *listing, const char *name, size_t len, uint32_t inode)
{
    struct fs_list *list = &listing->list;
    if (list->count == listing->capacity) {
        size_t capacity = listing->capacity ? listing->capacity * 2 : 64;
        struct fs_entry *grown = arena_array(&list->arena, capacity, sizeof *grown);
        if (!grown)
            return false;
        if (list->count > 0)
            memcpy(grown, list->entries, list->count * sizeof *grown);
        list->entries = grown;
        listing->capacity = capacity;
    }
    char *copy = arena_strndup(&list->arena, name, len);
    if (copy)
        list->entries[list->count++] = (struct fs_entry){.name = copy, .inode = inode};
    return copy;
}

/* NOLINTBEGIN(readability-non-const-parameter): the type is libext2fs's */
static int take_entry(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset, int blocksize,
                      char *buf, void *ctx)
/* NOLINTEND(readability-non-const-parameter) */
{
    (void)dir;
    (void)entry;
    (void)offset;
    (void)blocksize;
    (void)buf;
    struct listing *listing = ctx;
    listing->any = true;
    size_t len = (size_t)ext2fs_dirent_name_len(dirent);
    bool dots = (len == 1 && dirent->name[0] == '.') ||
                (len == 2 && dirent->name[0] == '.' && dirent->name[1] == '.');
    if (dirent->inode == 0 || dots)
        return 0;
    if (!add_entry(listing, dirent->name, len, dirent->inode)) {
        listing->failed = true;
        return DIRENT_ABORT;
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct fs_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int list_dir(struct ext *ext, const char *path, struct listing *listing, struct err *err)
{
    struct ext_place place;
    if (ext_resolve(ext, path, true, &place, err) < 0)
        return -1;
    if (place.ino == 0 || !place.is_dir)
        return ext_refuse(ext, path, place.ino == 0 ? "it is not there" : "it is not a folder", err);
    errcode_t code = ext2fs_dir_iterate2(ext->fs, place.ino, 0, NULL, take_entry, listing);
    if (listing->failed || (!code && !listing->any)) /* see ext_lookup() */
        return err_oom(err);
    if (code)
        return ext_error(ext, code, path, err);
    if (listing->list.count > 0)
        qsort(listing->list.entries, listing->list.count, sizeof *listing->list.entries, by_name);
    return 0;
}

int fs_list(const struct disk *disk, const struct layout *layout, unsigned partition, const char *path,
            struct fs_list *ret, struct err *err)
{
    cleanup_ext struct ext ext = {0};
    if (open_number(&ext, disk, layout, partition, err) < 0)
        return -1;
    struct listing listing = {0};
    if (list_dir(&ext, path, &listing, err) < 0) {
        fs_list_free(&listing.list);
        return -1;
    }
    *ret = listing.list;
    return 0;
}
