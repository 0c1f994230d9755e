/* fs_list() of fs/ext/read.h */
#include <string.h>

#include "fs/ext/ext.h"
#include "fs/ext/read.h"

struct listing {
    struct fs_list list;
    size_t capacity;
    bool any; /* entry was seen */
    bool failed;
};

static bool add(struct listing *listing, const char *name, size_t len, uint32_t inode)
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
    if (!add(listing, dirent->name, len, dirent->inode)) {
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
    if (ext_open_number(&ext, disk, layout, partition, err) < 0)
        return -1;
    struct listing listing = {0};
    if (list_dir(&ext, path, &listing, err) < 0) {
        fs_list_free(&listing.list);
        return -1;
    }
    *ret = listing.list;
    return 0;
}
