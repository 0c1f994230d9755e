#include "seal/sign/key.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "io/file.h"

char *key_public_path(const char *path)
{
    size_t len = strlen(path);
    int stem =
        len > 4 && strcmp(path + len - 4, ".key") == 0 && path[len - 5] != '/' ? (int)len - 4 : (int)len;
    char *made = NULL;
    return asprintf(&made, "%.*s.pub", stem, path) < 0 ? NULL : made;
}

/* Guarded memory for a passphrase. */
struct passphrase {
    char *text; /* NULL when empty */
    size_t len;
};

static void passphrase_free(struct passphrase *passphrase)
{
    int saved = errno;
    sodium_free(passphrase->text);
    passphrase->text = NULL;
    errno = saved;
}

static int ask_passphrase(const struct passphrase_source *source, const char *path, struct passphrase *ret,
                          struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, 0, "cannot initialize libsodium");
    ret->text = sodium_malloc(MINISIGN_PASSPHRASE_MAX);
    if (!ret->text)
        return err_oom(err);
    if (source->ask(source->ctx, path, ret->text, MINISIGN_PASSPHRASE_MAX, &ret->len, err) < 0)
        return -1;
    if (ret->len > MINISIGN_PASSPHRASE_MAX)
        return err_set(err, ERR_INTERNAL, 0, "the passphrase is longer than allowed");
    return 0;
}

/* A dangling link counts as existing. */
static int refuse_existing(const char *path, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) == 0)
        return err_set(
            err, ERR_USAGE, 0,
            "%s already exists, and a key is never overwritten: move it away or choose another path", path);
    return errno == ENOENT ? 0 : err_sys(err, errno, "%s", path);
}

/* Leaves no secret in freed memory. */
static void wipe(struct buf *buf)
{
    if (buf->data)
        sodium_memzero(buf->data, buf->capacity);
    buf_free(buf);
}

/* Both files or neither. The secret goes first: the public half can be derived from it. */
static int write_pair(const char *path, const struct buf *secret, const char *public_path,
                      const struct buf *public, struct err *err)
{
    cleanup_newfile struct newfile secret_file = NEWFILE_EMPTY;
    cleanup_newfile struct newfile public_file = NEWFILE_EMPTY;
    if (newfile_open(&secret_file, path, 0600, err) < 0 ||
        newfile_open(&public_file, public_path, 0644, err) < 0 ||
        file_write(secret_file.fd, secret->data, secret->len, path, err) < 0 ||
        file_write(public_file.fd, public->data, public->len, public_path, err) < 0)
        return -1;
    if (newfile_commit(&secret_file, true, err) < 0)
        return -1;
    if (newfile_commit(&public_file, true, err) < 0) {
        unlink(path);
        return -1;
    }
    return 0;
}

int key_new(const char *path, const struct passphrase_source *passphrase, const struct minisign_kdf *kdf,
            struct minisign_public *ret, struct err *err)
{
    static const struct minisign_kdf strong = MINISIGN_KDF_SENSITIVE;
    cleanup_free char *public_path = key_public_path(path);
    cleanup_minisign_secret struct minisign_secret *secret = minisign_secret_alloc();
    cleanup(passphrase_free) struct passphrase phrase = {0};
    cleanup(wipe) struct buf secret_text = BUF_INIT(MINISIGN_FILE_MAX);
    cleanup_buf struct buf public_text = BUF_INIT(MINISIGN_FILE_MAX);
    struct minisign_public public;
    if (!public_path || !secret)
        return err_oom(err);
    if (refuse_existing(path, err) < 0 || refuse_existing(public_path, err) < 0)
        return -1;
    if (passphrase && ask_passphrase(passphrase, path, &phrase, err) < 0)
        return -1;
    if (passphrase && phrase.len == 0)
        return err_set(err, ERR_USAGE, 0,
                       "the passphrase is empty: a key without one must be asked for explicitly");
    if (minisign_generate(secret, err) < 0)
        return -1;
    minisign_public_of(secret, &public);
    minisign_write_public(&public, &public_text);
    if (minisign_write_secret(secret, phrase.text, phrase.len, kdf ? kdf : &strong, &secret_text, err) < 0 ||
        buf_check(&public_text, "a public key", err) < 0 ||
        write_pair(path, &secret_text, public_path, &public_text, err) < 0)
        return -1;
    *ret = public;
    return 0;
}

/* Only its owner and root may be able to read or change it. */
static int check_private(int fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "%s", path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return err_set(err, ERR_RECIPE, 0, "%s belongs to another user (uid %u)", path, st.st_uid);
    if (!file_is_private(&st))
        return err_set(err, ERR_RECIPE, 0,
                       "%s can be read or changed by others (mode %04o): run \"chmod 600 %s\", and consider "
                       "whether it was copied",
                       path, st.st_mode & 07777, path);
    return 0;
}

int key_load(const char *path, const struct passphrase_source *passphrase, struct signing_key *ret,
             struct err *err)
{
    cleanup_close int fd = -1;
    cleanup(wipe) struct buf text = BUF_INIT(MINISIGN_FILE_MAX);
    cleanup(passphrase_free) struct passphrase phrase = {0};
    cleanup_minisign_secret struct minisign_secret *secret = minisign_secret_alloc();
    bool encrypted = false;
    if (!secret)
        return err_oom(err);
    if (file_open(path, &fd, NULL, err) < 0)
        return err->errnum == ENOENT
                   ? err_set(err, ERR_USAGE, 0,
                             "there is no signing key at %s: create one with \"bake key new\"", path)
                   : err_wrap(err, "signing key");
    if (check_private(fd, path, err) < 0 || file_read_fd(fd, MINISIGN_FILE_MAX, &text, path, err) < 0 ||
        minisign_secret_encrypted(text.data, text.len, path, &encrypted, err) < 0)
        return -1;
    if (encrypted && passphrase && ask_passphrase(passphrase, path, &phrase, err) < 0)
        return -1;
    if (minisign_read_secret(text.data, text.len, path, phrase.text, phrase.len, secret, err) < 0)
        return -1;
    minisign_public_of(secret, &ret->public);
    ret->secret = steal_ptr(secret);
    return 0;
}

int key_public_load(const char *text_or_path, struct minisign_public *ret, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(MINISIGN_FILE_MAX);
    size_t len = strlen(text_or_path);
    if (len == MINISIGN_PUBLIC_TEXT - 1 && memcmp(text_or_path, "RW", 2) == 0 &&
        access(text_or_path, F_OK) < 0)
        return minisign_read_public(text_or_path, len, "the given public key", ret, err);
    if (file_read(text_or_path, MINISIGN_FILE_MAX, &text, err) < 0)
        return err_wrap(err, "public key");
    return minisign_read_public(text.data, text.len, text_or_path, ret, err);
}
