/* The plan against a mounted file system, read-only: objects of the wrong type, missing folders, room. */
#include <fcntl.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/path.h"
#include "fs/loop_ops.h"

/* What earlier operations of the plan will have done by then. */
struct future {
    void *made;    /* tsearch trees of paths that the plan owns: folders that it makes */
    void *removed; /* and objects that it removes */
    uint64_t blocks, objects;
    unsigned long block_size; /* bytes */
    struct err *err;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void keep(void *path)
{
    (void)path; /* borrowed */
}

static void future_free(struct future *future)
{
    tdestroy(future->made, keep);
    tdestroy(future->removed, keep);
}

static int remember(struct future *future, void **tree, const char *path)
{
    return tsearch(path, tree, by_text) ? 0 : err_oom(future->err);
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

/* What stands at the operation's path: 0 nothing, else its st_mode; a folder that the plan makes counts as one. */
static int look(const struct future *future, int top, const struct plan_op *op, unsigned *ret)
{
    char parent[PATH_CAP];
    path_parent(op->path, parent);
    *ret = 0;
    if (tfind(op->path, &future->made, by_text)) {
        *ret = S_IFDIR;
        return 0;
    }
    cleanup_close int fd = loop_open(top, parent, O_PATH | O_DIRECTORY);
    if (fd < 0 || gone(future, parent)) {
        if (tfind(parent, &future->made, by_text))
            return 0;
        return err_set(future->err, ERR_LAYOUT, fd < 0 && errno != ENOENT ? errno : 0,
                       "the folder that it should go into is not there");
    }
    struct stat st;
    const char *name = *path_base(op->path) ? path_base(op->path) : ".";
    if (!gone(future, op->path) && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        *ret = st.st_mode;
    if (op->kind != PLAN_DIR || !S_ISLNK(*ret))
        return 0;
    cleanup_close int target = loop_open(top, op->path, O_PATH | O_DIRECTORY);
    if (target >= 0)
        *ret = S_IFDIR;
    return 0;
}

static int check_op(struct future *future, int top, const struct plan_op *op)
{
    unsigned mode;
    if (look(future, top, op, &mode) < 0)
        return -1;
    switch (op->kind) {
    case PLAN_REMOVE:
        if (strcmp(op->path, "/") == 0)
            return err_set(future->err, ERR_LAYOUT, 0, "the top of a file system cannot be removed");
        if (mode == 0)
            return err_set(future->err, ERR_LAYOUT, 0, "it is to be removed, but it is not there");
        return remember(future, &future->removed, op->path);
    case PLAN_DIR:
        if (mode != 0 && !S_ISDIR(mode))
            return err_set(future->err, ERR_LAYOUT, 0, "a folder should be here, but something else is");
        future->blocks += mode == 0;
        future->objects += mode == 0;
        return mode == 0 ? remember(future, &future->made, op->path) : 0;
    case PLAN_FILE:
    case PLAN_SYMLINK:
        if (S_ISDIR(mode))
            return err_set(future->err, ERR_LAYOUT, 0, "a folder stands where a file should go");
        future->blocks += op->kind == PLAN_FILE ? op->content.size / future->block_size + 1 : 1;
        future->objects++;
        break;
    }
    return 0;
}

int loop_check_ops(int top, const struct plan_op *ops, size_t count, const struct run *run, struct err *err)
{
    struct statvfs room;
    if (fstatvfs(top, &room) < 0 || room.f_frsize == 0)
        return err_sys(err, errno, "ask for the room in it");
    cleanup(future_free) struct future future = {.block_size = room.f_frsize, .err = err};
    for (size_t i = 0; i < count; i++)
        if (run_check(run, err) < 0 || check_op(&future, top, &ops[i]) < 0)
            return err_wrap(err, "%s", ops[i].image_path);
    if (future.blocks > room.f_bavail)
        return err_set(err, ERR_SPACE, 0,
                       "no space: need %llu KiB, free %llu KiB. Raise disk.size in the recipe",
                       (unsigned long long)(future.blocks * room.f_frsize / 1024),
                       (unsigned long long)(room.f_bavail * room.f_frsize / 1024));
    if (room.f_files > 0 && future.objects > room.f_favail) /* btrfs and vfat do not count inodes */
        return err_set(err, ERR_SPACE, 0, "no inodes: need %llu, free %llu",
                       (unsigned long long)future.objects, (unsigned long long)room.f_favail);
    return 0;
}
