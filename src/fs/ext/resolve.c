/* Resolves paths in an untrusted file system: links are followed inside it and never out of it. */
#include <string.h>

#include "fs/ext/ext.h"

enum { LINKS_MAX = 40 /* as in the kernel: path_resolution(7) */, DEPTH_MAX = PATH_CAP / 2 };

/* A running node has other file systems mounted here, which would hide a file written below. */
static const char *const mounted[] = {"/usr", "/boot", "/oem", "/dev", "/proc", "/sys", "/run", "/tmp"};

struct walk {
    struct ext *ext;
    const char *whole;           /* the path the caller gave */
    char todo[2 * PATH_CAP];     /* the part not yet resolved */
    ext2_ino_t stack[DEPTH_MAX]; /* folders from the top to here */
    size_t depth;
    size_t ends[DEPTH_MAX]; /* length of place->path at each of them */
    unsigned links;
    bool missing;
    struct ext_place *place;
    struct err *err;
};

static int walk_error(struct walk *walk, const char *what)
{
    return ext_refuse(walk->ext, walk->whole, what, walk->err);
}

int ext_read_link(struct ext *ext, ext2_ino_t ino, struct ext2_inode *inode, const char *path,
                  char out[static PATH_CAP], struct err *err)
{
    uint64_t size = EXT2_I_SIZE(inode);
    if (size == 0 || size >= PATH_CAP)
        return ext_refuse(ext, path, "a symbolic link on the way is empty or too long", err);
    if (ext2fs_is_fast_symlink(inode)) {
        memcpy(out, inode->i_block, (size_t)size);
    } else {
        ext2_file_t file;
        unsigned got = 0;
        errcode_t code = ext2fs_file_open(ext->fs, ino, 0, &file);
        if (code)
            return ext_error(ext, code, path, err);
        code = ext2fs_file_read(file, out, (unsigned)size, &got);
        ext2fs_file_close(file);
        if (code || got != size)
            return ext_refuse(ext, path, "a symbolic link on the way cannot be read", err);
    }
    out[size] = '\0';
    if (strlen(out) != size)
        return ext_refuse(ext, path, "a symbolic link on the way contains a NUL", err);
    return 0;
}

static void go_to_root(struct walk *walk)
{
    walk->stack[0] = EXT2_ROOT_INO;
    walk->ends[0] = 0;
    walk->depth = 1;
    walk->place->path[0] = '\0';
}

static void go_up(struct walk *walk)
{
    if (walk->depth > 1)
        walk->depth--;
    walk->place->path[walk->ends[walk->depth - 1]] = '\0';
}

/* REST is what follows the link in the path. */
static int follow_link(struct walk *walk, ext2_ino_t ino, struct ext2_inode *inode, const char *rest)
{
    if (++walk->links > LINKS_MAX)
        return walk_error(walk, "too many symbolic links on the way, or a loop");
    char target[PATH_CAP], joined[2 * PATH_CAP];
    if (ext_read_link(walk->ext, ino, inode, walk->whole, target, walk->err) < 0)
        return -1;
    int n = snprintf(joined, sizeof joined, "%s/%s", target, rest);
    if (n < 0 || (size_t)n >= sizeof joined)
        return walk_error(walk, "symbolic links on the way make the path too long");
    memcpy(walk->todo, joined, (size_t)n + 1);
    if (target[0] == '/' && walk->ext->partition->role != ROLE_ROOT)
        return walk_error(walk, "an absolute symbolic link on the way leads to another partition");
    if (target[0] == '/')
        go_to_root(walk);
    /* the target is relative to this folder, and "/" or "." ends in it */
    walk->place->ino = walk->stack[walk->depth - 1];
    walk->place->is_dir = true;
    return 0;
}

static int append(struct walk *walk, const char *name, size_t len)
{
    size_t at = strlen(walk->place->path);
    if (at + 1 + len >= PATH_CAP)
        return walk_error(walk, "the path becomes too long");
    walk->place->path[at] = '/';
    memcpy(walk->place->path + at + 1, name, len);
    walk->place->path[at + 1 + len] = '\0';
    return 0;
}

static int check_mounts(struct walk *walk)
{
    if (walk->links == 0 || walk->ext->partition->role != ROLE_ROOT)
        return 0;
    for (size_t i = 0; i < sizeof mounted / sizeof *mounted; i++)
        if (path_under(walk->place->path, mounted[i])) {
            char text[PATH_CAP + 128];
            snprintf(text, sizeof text,
                     "a symbolic link in the image leads to %s, which is not on this partition",
                     walk->place->path);
            return walk_error(walk, text);
        }
    return 0;
}

struct seeking {
    const char *name;
    size_t len;
    ext2_ino_t found;
    bool any;
};

/* NOLINTBEGIN(readability-non-const-parameter): the type is libext2fs's */
static int seek_entry(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset, int blocksize,
                      char *buf, void *ctx)
/* NOLINTEND(readability-non-const-parameter) */
{
    (void)dir;
    (void)entry;
    (void)offset;
    (void)blocksize;
    (void)buf;
    struct seeking *seeking = ctx;
    seeking->any = true;
    if ((size_t)ext2fs_dirent_name_len(dirent) != seeking->len ||
        memcmp(dirent->name, seeking->name, seeking->len) != 0)
        return 0;
    seeking->found = dirent->inode;
    return DIRENT_ABORT;
}

errcode_t ext_lookup(ext2_filsys fs, ext2_ino_t dir, const char *name, size_t len, ext2_ino_t *ret)
{
    struct seeking seeking = {.name = name, .len = len};
    errcode_t code = ext2fs_dir_iterate2(fs, dir, 0, NULL, seek_entry, &seeking);
    if (!code && !seeking.any)
        code = EXT2_ET_NO_MEMORY;
    if (!code && seeking.found == 0)
        code = EXT2_ET_FILE_NOT_FOUND;
    *ret = seeking.found;
    return code;
}

/* One component, NAME of LEN bytes; REST follows it. */
static int walk_component(struct walk *walk, const char *name, size_t len, const char *rest, bool last,
                          bool follow)
{
    struct ext_place *place = walk->place;
    ext2_filsys fs = walk->ext->fs;
    ext2_ino_t dir = walk->stack[walk->depth - 1], ino = 0;
    if (walk->missing) { /* nothing exists below a missing folder: the rest is taken as given */
        place->dir = 0;
        return append(walk, name, len);
    }
    errcode_t code = ext_lookup(fs, dir, name, len, &ino);
    if (code && code != EXT2_ET_FILE_NOT_FOUND)
        return ext_error(walk->ext, code, walk->whole, walk->err);
    place->dir = dir;
    place->is_dir = place->is_link = false;
    place->ino = code ? 0 : ino;
    if (code) {
        walk->missing = true;
        return append(walk, name, len);
    }
    struct ext2_inode inode;
    code = ext2fs_read_inode(fs, ino, &inode);
    if (code)
        return ext_error(walk->ext, code, walk->whole, walk->err);
    if (LINUX_S_ISLNK(inode.i_mode) && (!last || follow))
        return follow_link(walk, ino, &inode, rest);
    place->is_link = LINUX_S_ISLNK(inode.i_mode);
    place->is_dir = LINUX_S_ISDIR(inode.i_mode);
    if (append(walk, name, len) < 0)
        return -1;
    if (!place->is_dir)
        return last ? 0 : walk_error(walk, "a component of the path is not a folder");
    if (walk->depth == DEPTH_MAX)
        return walk_error(walk, "the path is too deep");
    walk->stack[walk->depth] = ino;
    walk->ends[walk->depth++] = strlen(place->path);
    return 0;
}

int ext_resolve(struct ext *ext, const char *path, bool follow, struct ext_place *ret, struct err *err)
{
    struct ext_place place = {.dir = EXT2_ROOT_INO, .ino = EXT2_ROOT_INO, .is_dir = true};
    struct walk *walk = calloc(1, sizeof *walk); /* too large for the stack */
    if (!walk)
        return err_oom(err);
    *walk = (struct walk){.ext = ext, .whole = path, .place = &place, .err = err};
    snprintf(walk->todo, sizeof walk->todo, "%s", path);
    go_to_root(walk);
    int r = 0;
    while (r == 0) {
        char name[NAME_CAP], rest[2 * PATH_CAP];
        const char *at = walk->todo + strspn(walk->todo, "/");
        size_t len = strcspn(at, "/");
        if (len == 0)
            break;
        if (len >= NAME_CAP) {
            r = walk_error(walk, "a component of the path is too long");
            break;
        }
        memcpy(name, at, len);
        name[len] = '\0';
        const char *after = at + len + strspn(at + len, "/");
        memcpy(rest, after, strlen(after) + 1);
        memcpy(walk->todo, rest, strlen(rest) + 1);
        if (strcmp(name, ".") == 0)
            continue;
        if (strcmp(name, "..") == 0) {
            if (walk->depth == 1 && ext->partition->role != ROLE_ROOT) {
                r = walk_error(walk, "a symbolic link on the way leads to another partition");
                break;
            }
            go_up(walk);
            place.ino = walk->stack[walk->depth - 1];
            place.is_dir = true;
            continue;
        }
        r = walk_component(walk, name, len, rest, rest[0] == '\0', follow);
        if (r == 0)
            r = check_mounts(walk);
    }
    if (r == 0 && place.path[0] == '\0')
        memcpy(place.path, "/", 2);
    free(walk);
    if (r == 0)
        *ret = place;
    return r;
}
