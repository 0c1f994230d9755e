/* The whole plan against a file system before anything is written: types, parents, links, blocks, inodes. */
#include <search.h>
#include <string.h>

#include "fs/ext.h"

/* What the file system will hold once the operations before this one are done. Paths are canonical. */
struct future {
    struct ext *ext;
    void *made;    /* tsearch tree: folders that an operation makes */
    void *removed; /* paths that an operation removes */
    uint64_t blocks, inodes;
    struct err *err;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void future_free(struct future *future)
{
    tdestroy(future->made, free);
    tdestroy(future->removed, free);
}

static int remember(struct future *future, void **tree, const char *path)
{
    char *copy = strdup(path);
    void **slot = copy ? tsearch(copy, tree, by_text) : NULL;
    if (!slot) {
        free(copy);
        return err_oom(future->err);
    }
    if (*slot != copy)
        free(copy);
    return 0;
}

/* Is PATH, or a folder that it is in, removed by then? */
static bool gone(const struct future *future, const char *path)
{
    char at[PATH_CAP];
    snprintf(at, sizeof at, "%s", path);
    while (strcmp(at, "/") != 0) {
        if (tfind(at, &future->removed, by_text))
            return true;
        path_parent(at, at);
    }
    return false;
}

static int refuse(struct future *future, const struct plan_op *op, const char *what)
{
    const struct partition *partition = future->ext->partition;
    return err_set(future->err, ERR_LAYOUT, 0, "%s (partition %u): %s: %s", partition->label,
                   partition->number, op->image_path, what);
}

/* What stands at the operation's path by then. */
enum standing { STANDS_NOTHING, STANDS_DIR, STANDS_OTHER };

static enum standing standing(const struct future *future, const struct ext_place *place)
{
    if (tfind(place->path, &future->made, by_text))
        return STANDS_DIR;
    if (place->ino == 0 || gone(future, place->path))
        return STANDS_NOTHING;
    return place->is_dir ? STANDS_DIR : STANDS_OTHER;
}

static int check_parent(struct future *future, const struct plan_op *op, const struct ext_place *place)
{
    char parent[PATH_CAP];
    path_parent(place->path, parent);
    if (strcmp(parent, "/") == 0 || tfind(parent, &future->made, by_text))
        return 0;
    if (place->dir != 0 && !gone(future, parent))
        return 0;
    return refuse(future, op, "the folder that it should go into is not there");
}

static uint64_t blocks_of(const struct future *future, uint64_t bytes)
{
    uint64_t size = future->ext->fs->blocksize;
    return bytes / size + (bytes % size != 0);
}

/* Room for content, and for what the file system needs to find it: extent or indirect blocks, counted generously. */
static uint64_t content_blocks(const struct future *future, const struct plan_op *op)
{
    uint64_t data = blocks_of(future, op->content.size);
    bool extents = future->ext->fs->super->s_feature_incompat & EXT3_FEATURE_INCOMPAT_EXTENTS;
    uint64_t map =
        extents ? data / 2048 + (data > 4) : data / (future->ext->fs->blocksize / 4) + (data > 12 ? 3 : 0);
    return data + map;
}

static int check_one(struct future *future, const struct plan_op *op, bool *links_ok)
{
    struct ext_place place;
    /* a folder that is there already may be a link to one; anything else replaces a link of its name */
    if (ext_resolve(future->ext, op->path, op->kind == PLAN_DIR, &place, future->err) < 0)
        return -1;
    *links_ok = true;
    enum standing stands = standing(future, &place);
    switch (op->kind) {
    case PLAN_REMOVE:
        if (stands == STANDS_NOTHING)
            return refuse(future, op, "it is to be removed, but it is not there");
        if (strcmp(place.path, "/") == 0)
            return refuse(future, op, "the top of a file system cannot be removed");
        return remember(future, &future->removed, place.path);
    case PLAN_DIR:
        if (stands == STANDS_DIR)
            return 0;
        if (stands == STANDS_OTHER)
            return refuse(future, op, "a folder should be here, but something else is");
        if (check_parent(future, op, &place) < 0)
            return -1;
        future->blocks++;
        future->inodes++;
        return remember(future, &future->made, place.path);
    case PLAN_FILE:
    case PLAN_SYMLINK:
        if (stands == STANDS_DIR)
            return refuse(future, op, "a folder stands where a file should go");
        if (check_parent(future, op, &place) < 0)
            return -1;
        future->inodes++;
        future->blocks += op->kind == PLAN_FILE ? content_blocks(future, op) : strlen(op->target) >= 60;
        break;
    }
    future->blocks += op->xattr_count > 0;
    return 0;
}

static void human(uint64_t bytes, char out[static 24])
{
    double mib = (double)bytes / (1024 * 1024);
    if (mib >= 10240)
        snprintf(out, 24, "%.1f GiB", mib / 1024);
    else
        snprintf(out, 24, mib >= 100 ? "%.0f MiB" : "%.1f MiB", mib);
}

static int check_room(struct future *future, uint64_t entries, const char *largest)
{
    struct ext2_super_block *sb = future->ext->fs->super;
    const struct partition *partition = future->ext->partition;
    /* names lengthen the folders that they go into */
    uint64_t need = future->blocks + entries * 64 / future->ext->fs->blocksize + 1;
    uint64_t free_blocks = ext2fs_free_blocks_count(sb), reserved = ext2fs_r_blocks_count(sb);
    /* what is reserved for root keeps a full node alive: it is not ours to use up */
    free_blocks = free_blocks > reserved ? free_blocks - reserved : 0;
    if (need > free_blocks) {
        char needed[24], there[24], more[24];
        human(need * future->ext->fs->blocksize, needed);
        human(free_blocks * future->ext->fs->blocksize, there);
        human((need - free_blocks) * future->ext->fs->blocksize, more);
        return err_set(
            future->err, ERR_SPACE, 0,
            "%s (partition %u): %s: no space: need %s, free %s. Raise disk.size in the recipe by %s or more",
            partition->label, partition->number, largest, needed, there, more);
    }
    if (future->inodes > sb->s_free_inodes_count)
        return err_set(
            future->err, ERR_SPACE, 0,
            "%s (partition %u): no inodes: need %llu, free %u. Raise disk.size, or embed an archive "
            "instead of many small files",
            partition->label, partition->number, (unsigned long long)future->inodes, sb->s_free_inodes_count);
    return 0;
}

int ext_check(struct ext *ext, const struct plan_op *ops, size_t count, const struct run *run,
              struct err *err)
{
    cleanup(future_free) struct future future = {.ext = ext, .err = err};
    const char *largest = "";
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++) {
        bool links_ok = false;
        if (check_one(&future, &ops[i], &links_ok) < 0)
            return links_ok || err->kind == ERR_INTERNAL ? -1 : err_wrap(err, "%s", ops[i].image_path);
        if (ops[i].kind == PLAN_FILE && ops[i].content.size >= size) {
            size = ops[i].content.size;
            largest = ops[i].image_path;
        }
        if (i % 1024 == 0 && run_check(run, err) < 0)
            return -1;
    }
    return check_room(&future, count, largest);
}
