#include "bake/job/keep.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "bake/job/phase/package_id.h"

enum { FILE_CAP = 256, PART_MAX_AGE_S = 24 * 3600, PACKAGES_MAX = 1 << 16 };

static const char manifest_suffix[] = ".manifest.json";
/* In the order in which they are removed: without its manifest it is no longer a package. */
static const char *const suffixes[] = {manifest_suffix, ".manifest.json.minisig", ".provenance.json",
                                       ".spdx.json",    ".tar.gz.minisig",        ".tar.gz"};
enum { SUFFIX_COUNT = sizeof suffixes / sizeof *suffixes };

struct kept_package {
    char id[PACKAGE_DIGEST + 1];
    bool whole; /* has a manifest */
    struct timespec made;
    uint64_t bytes;
};

struct folder {
    int fd;
    char path[PATH_MAX], name[PACKAGE_NAME_CAP]; /* of all its packages, without dash and digest */
    char current[PACKAGE_DIGEST + 1];
    struct kept_package *items;
    size_t count, capacity;
};

static void folder_free(struct folder *folder)
{
    cleanup_close_fn(&folder->fd);
    free(folder->items);
}

static bool is_digest(const char *text)
{
    return strspn(text, "0123456789abcdef") >= PACKAGE_DIGEST;
}

int keep_lock(const char *dir, int *ret_fd, const struct run *run, struct err *err)
{
    cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *ret_fd = -1;
    while (fd >= 0 && flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            return 0;
        if (run_check(run, err) < 0)
            return -1;
    }
    *ret_fd = steal_fd(&fd);
    return 0;
}

/* Splits the manifest's path into folder, name and digest. */
static int open_folder(const char *manifest, struct folder *folder, struct err *err)
{
    const char *slash = strrchr(manifest, '/');
    const char *base = slash ? slash + 1 : manifest;
    size_t len = strlen(base), tail = strlen(manifest_suffix) + PACKAGE_DIGEST + 1;
    size_t dir_len = slash ? (size_t)(slash - manifest) + 1 : 0;
    if (len <= tail || len - tail >= PACKAGE_NAME_CAP || dir_len >= PATH_MAX || base[len - tail] != '-' ||
        !is_digest(base + len - tail + 1))
        return err_set(err, ERR_INTERNAL, 0, "\"%.200s\" is not the name of a package", base);
    snprintf(folder->path, sizeof folder->path, "%.*s", dir_len ? (int)dir_len : 1, dir_len ? manifest : ".");
    snprintf(folder->name, sizeof folder->name, "%.*s", (int)(len - tail), base);
    snprintf(folder->current, sizeof folder->current, "%.*s", PACKAGE_DIGEST, base + len - tail + 1);
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder->fd < 0 ? err_sys(err, errno, "open %s", folder->path) : 0;
}

static struct kept_package *find_or_add_package(struct folder *folder, const char *id, struct err *err)
{
    for (size_t i = 0; i < folder->count; i++)
        if (memcmp(folder->items[i].id, id, PACKAGE_DIGEST) == 0)
            return &folder->items[i];
    if (folder->count == folder->capacity) {
        size_t capacity = folder->capacity ? folder->capacity * 2 : 64;
        struct kept_package *more =
            capacity > PACKAGES_MAX ? NULL : reallocarray(folder->items, capacity, sizeof *folder->items);
        if (!more) {
            err_oom(err);
            return NULL;
        }
        folder->items = more;
        folder->capacity = capacity;
    }
    struct kept_package *item = &folder->items[folder->count++];
    *item = (struct kept_package){0};
    memcpy(item->id, id, PACKAGE_DIGEST);
    return item;
}

/* The digest in FILE when it is NAME-DIGEST and one of the suffixes; else NULL. */
static const char *id_of(const struct folder *folder, const char *file, const char **ret_suffix)
{
    size_t len = strlen(folder->name);
    if (strncmp(file, folder->name, len) != 0 || file[len] != '-' || !is_digest(file + len + 1))
        return NULL;
    for (size_t i = 0; i < SUFFIX_COUNT; i++)
        if (strcmp(file + len + 1 + PACKAGE_DIGEST, suffixes[i]) == 0) {
            *ret_suffix = suffixes[i];
            return file + len + 1;
        }
    return NULL;
}

/* On file systems without unnamed files, a killed run leaves ".NAME-DIGEST.tar.gz.XXXXXX.part"; one that is
 * still growing is younger. */
static void sweep_part(const struct folder *folder, const char *file, const struct stat *st)
{
    size_t len = strlen(folder->name), all = strlen(file);
    if (file[0] == '.' && strncmp(file + 1, folder->name, len) == 0 && file[1 + len] == '-' &&
        is_digest(file + len + 2) && all > 5 && strcmp(file + all - 5, ".part") == 0 &&
        st->st_mtim.tv_sec < time(NULL) - PART_MAX_AGE_S)
        unlinkat(folder->fd, file, 0);
}

static int count_file(struct folder *folder, const char *file, struct err *err)
{
    struct stat st;
    const char *suffix = NULL;
    if (fstatat(folder->fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return 0;
    const char *id = id_of(folder, file, &suffix);
    if (!id) {
        sweep_part(folder, file, &st);
        return 0;
    }
    struct kept_package *item = find_or_add_package(folder, id, err);
    if (!item)
        return -1;
    item->bytes += (uint64_t)st.st_blocks * 512;
    if (suffix == manifest_suffix) {
        item->whole = true;
        item->made = st.st_mtim;
    }
    return 0;
}

static int list_folder(struct folder *folder, struct err *err)
{
    cleanup_close int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int r = 0;
    if (!dir)
        return err_sys(err, errno, "read %s", folder->path);
    (void)steal_fd(&fd);
    for (struct dirent *e; r == 0 && (e = readdir(dir));)
        r = count_file(folder, e->d_name, err);
    closedir(dir);
    return r;
}

/* Complete packages before partial ones, then the newest first. */
static int order(const void *a, const void *b)
{
    const struct kept_package *x = a, *y = b;
    if (x->whole != y->whole)
        return x->whole ? -1 : 1;
    if (x->made.tv_sec != y->made.tv_sec)
        return x->made.tv_sec > y->made.tv_sec ? -1 : 1;
    if (x->made.tv_nsec != y->made.tv_nsec)
        return x->made.tv_nsec > y->made.tv_nsec ? -1 : 1;
    return strcmp(x->id, y->id);
}

static int remove_package(const struct folder *folder, const struct kept_package *item, struct err *err)
{
    char file[FILE_CAP];
    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        snprintf(file, sizeof file, "%s-%s%s", folder->name, item->id, suffixes[i]);
        if (unlinkat(folder->fd, file, 0) < 0 && errno != ENOENT)
            return err_sys(err, errno, "remove %s/%s", folder->path, file);
    }
    return 0;
}

int keep_newest(const char *manifest, uint64_t keep, const struct run *run, struct kept *ret, struct err *err)
{
    cleanup(folder_free) struct folder folder = {.fd = -1};
    cleanup_close int lock = -1;
    struct kept kept = {0};
    uint64_t stay = 1; /* the current one, whatever its age: its inputs may have been set back */
    if (open_folder(manifest, &folder, err) < 0 || keep_lock(folder.path, &lock, run, err) < 0 ||
        list_folder(&folder, err) < 0)
        return -1;
    if (folder.count > 1)
        qsort(folder.items, folder.count, sizeof *folder.items, order);
    for (size_t i = 0; i < folder.count; i++) {
        const struct kept_package *item = &folder.items[i];
        if (strcmp(item->id, folder.current) == 0 || (item->whole && stay++ < keep))
            continue;
        if (!item->whole && lock < 0) /* another run may be committing it right now */
            continue;
        if (run_check(run, err) < 0 || remove_package(&folder, item, err) < 0)
            return -1;
        kept.removed += item->whole ? 1 : 0;
        kept.bytes += item->bytes;
    }
    *ret = kept;
    return 0;
}
