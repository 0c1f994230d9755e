#include "agent/contents/contents.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <sodium.h>

static const char *type_name(mode_t mode)
{
    return S_ISREG(mode)   ? "a file"
           : S_ISDIR(mode) ? "a directory"
           : S_ISLNK(mode) ? "a symbolic link"
                           : "a special file";
}

static int differs(const struct contents_entry *entry, struct err *err, const char *what)
{
    return err_set(err, ERR_VERIFY, 0, "%s: %s", entry->path, what);
}

static int check_meta(const struct contents_entry *entry, const struct stat *st, struct err *err)
{
    static const mode_t kinds[] = {0, S_IFDIR, S_IFREG, S_IFLNK};
    if ((st->st_mode & S_IFMT) != kinds[entry->type])
        return err_set(err, ERR_VERIFY, 0, "%s: it is %s, but should be %s", entry->path,
                       type_name(st->st_mode), type_name(kinds[entry->type]));
    if (entry->has_mode && (st->st_mode & 07777) != entry->mode)
        return err_set(err, ERR_VERIFY, 0, "%s: its mode is %04o, but should be %04o", entry->path,
                       (unsigned)st->st_mode & 07777U, (unsigned)entry->mode);
    if (entry->has_uid && (st->st_uid != entry->uid || st->st_gid != entry->gid))
        return err_set(err, ERR_VERIFY, 0, "%s: its owner is %u:%u, but should be %u:%u", entry->path,
                       st->st_uid, st->st_gid, entry->uid, entry->gid);
    return 0;
}

/* fgetxattr() refuses FD, which is O_PATH; getxattr() of its name in /proc works, and cannot be redirected by
 * a link. */
static int check_xattrs(const struct contents_entry *entry, int fd, struct err *err)
{
    char path[64];
    cleanup_free unsigned char *value = malloc(CONTENTS_XATTRS_SIZE);
    if (!value)
        return err_oom(err);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (size_t i = 0; i < entry->xattr_count; i++) {
        const struct contents_xattr *xattr = &entry->xattrs[i];
        ssize_t size = getxattr(path, xattr->name, value, CONTENTS_XATTRS_SIZE);
        if (size < 0 && errno != ENODATA && errno != ERANGE)
            return err_sys(err, errno, "%s: read its xattr %s", entry->path, xattr->name);
        if (size < 0 || (size_t)size != xattr->size ||
            memcmp(value, entry->xattr_values + xattr->at, xattr->size) != 0)
            return err_set(err, ERR_VERIFY, 0, "%s: its xattr %s was changed", entry->path, xattr->name);
    }
    return 0;
}

static int check_target(const struct contents_entry *entry, int fd, struct err *err)
{
    char target[PATH_CAP];
    ssize_t len = readlinkat(fd, "", target, sizeof target);
    if (len < 0)
        return err_sys(err, errno, "%s: read the link", entry->path);
    if ((size_t)len != strlen(entry->target) || memcmp(target, entry->target, (size_t)len) != 0)
        return err_set(err, ERR_VERIFY, 0, "%s: it points elsewhere, but should point to %s", entry->path,
                       entry->target);
    return 0;
}

static int hash_fd(int fd, const char *path, unsigned char out[static 32], struct err *err)
{
    enum { PIECE = 256 << 10 };
    cleanup_free unsigned char *piece = malloc(PIECE);
    crypto_hash_sha256_state state;
    if (!piece)
        return err_oom(err);
    (void)crypto_hash_sha256_init(&state);
    for (;;) {
        ssize_t n = read(fd, piece, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "%s: read", path);
        if (n == 0)
            break;
        (void)crypto_hash_sha256_update(&state, piece, (size_t)n);
    }
    (void)crypto_hash_sha256_final(&state, out);
    return 0;
}

static int check_file(const struct root *root, const struct contents_entry *entry, const struct stat *seen,
                      struct err *err)
{
    struct stat st;
    unsigned char sha256[32];
    cleanup_close int fd = root_openat(root, entry->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "%s: open", entry->path);
    if (st.st_dev != seen->st_dev || st.st_ino != seen->st_ino)
        return differs(entry, err, "it was replaced during the check");
    if ((uint64_t)st.st_size != entry->size)
        return err_set(err, ERR_VERIFY, 0, "%s: it has %lld bytes, but should have %llu", entry->path,
                       (long long)st.st_size, (unsigned long long)entry->size);
    if (hash_fd(fd, entry->path, sha256, err) < 0)
        return -1;
    return sodium_memcmp(sha256, entry->sha256, sizeof sha256) == 0
               ? 0
               : differs(entry, err, "its content was changed (sha256)");
}

int contents_check_entry(const struct root *root, const struct contents_entry *entry, struct err *err)
{
    struct stat st;
    cleanup_close int fd = root_openat(root, entry->path, O_PATH | O_NOFOLLOW);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return differs(entry, err, "it is missing");
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "%s: stat", entry->path);
    if (check_meta(entry, &st, err) < 0 || check_xattrs(entry, fd, err) < 0)
        return -1;
    if (entry->type == CONTENTS_TYPE_SYMLINK)
        return check_target(entry, fd, err);
    return entry->type == CONTENTS_TYPE_FILE ? check_file(root, entry, &st, err) : 0;
}

struct contents_checker {
    const struct root *root;
    struct buf *faults;
    struct err first;
    size_t files, bad;
};

static int check_entry(void *ctx, const struct contents_entry *entry, struct err *err)
{
    struct contents_checker *checker = ctx;
    checker->files += entry->type == CONTENTS_TYPE_FILE;
    if (contents_check_entry(checker->root, entry, err) == 0)
        return 0;
    if (checker->bad++ == 0)
        checker->first = *err;
    buf_printf(checker->faults, "%s\n", err->text);
    return 0;
}

int contents_read(const struct root *root, struct buf *ret, struct err *err)
{
    bool found = false;
    if (root_read(root, CONTENTS_LIST, ret, &found, err) < 0)
        return -1;
    return found ? 0
                 : err_set(err, ERR_VERIFY, 0, "%s is missing: was this image made by bake?", CONTENTS_LIST);
}

/* Verifies the signature, unless there is neither a signature nor a key. One without the other is not an
 * unsigned image but a tampered one. */
static int check_signature(const struct root *root, const struct buf *list, struct contents_verdict *verdict,
                           struct err *err)
{
    cleanup_buf struct buf key = BUF_INIT(MINISIG_FILE_MAX);
    cleanup_buf struct buf signature = BUF_INIT(MINISIG_FILE_MAX);
    bool has_key = false, has_signature = false;
    if (root_read(root, CONTENTS_KEY, &key, &has_key, err) < 0 ||
        root_read(root, CONTENTS_SIG, &signature, &has_signature, err) < 0)
        return -1;
    if (has_key != has_signature)
        return err_set(err, ERR_VERIFY, 0, "%s exists, but %s is missing",
                       has_key ? CONTENTS_KEY : CONTENTS_SIG, has_key ? CONTENTS_SIG : CONTENTS_KEY);
    if (!has_key)
        return 0;
    verdict->is_signed = true;
    return minisig_verify(&(struct minisig_text){key.data, key.len, CONTENTS_KEY},
                          &(struct minisig_text){signature.data, signature.len, CONTENTS_SIG}, list->data,
                          list->len, path_base(CONTENTS_LIST), verdict->key_id, err);
}

int contents_check(const struct root *root, struct contents_verdict *ret, struct buf *ret_faults,
                   struct err *err)
{
    cleanup_buf struct buf list = BUF_INIT(CONTENTS_LIST_MAX);
    struct contents_verdict verdict = {0};
    struct contents_checker checker = {.root = root, .faults = ret_faults};
    if (contents_read(root, &list, err) < 0 || check_signature(root, &list, &verdict, err) < 0 ||
        contents_walk(list.data, list.len, check_entry, &checker, err) < 0)
        return -1;
    if (checker.bad > 0) {
        *err = checker.first;
        return checker.bad == 1 ? -1 : err_wrap(err, "%zu entries are not as listed; the first", checker.bad);
    }
    verdict.files = checker.files;
    *ret = verdict;
    return 0;
}
