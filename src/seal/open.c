#include "seal/read.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "io/file.h"
#include "seal/sign/sign.h"
#include "text/hex.h"
#include "text/path.h"

#define MANIFEST_SUFFIX ".manifest.json"

/* The trusted comment must name FILE, the manifest's file name. */
static int verify_manifest(const char *text, size_t len, const char *signature, size_t signature_len,
                           const struct minisign_public *key, const char *file, struct err *err)
{
    uint8_t digest[MINISIGN_DIGEST_SIZE];
    char name[NAME_CAP + 16];
    cleanup_free char *comment = malloc(MINISIGN_COMMENT_MAX + 1);
    if (!comment)
        return err_oom(err);
    snprintf(name, sizeof name, "%.255s.minisig", file);
    minisign_digest(text, len, digest);
    if (minisign_verify(key, digest, signature, signature_len, name, comment, err) < 0)
        return -1;
    return sign_comment_names(comment, file, name, err);
}

/* FILE in the folder of PATH. Owned by the caller. */
static char *path_beside(const char *path, const char *file)
{
    const char *slash = strrchr(path, '/');
    char *made = NULL;
    int n = slash ? asprintf(&made, "%.*s/%s", (int)(slash - path), path, file) : asprintf(&made, "%s", file);
    return n < 0 ? NULL : made;
}

static int read_beside(const char *manifest_path, const char *file, size_t max, struct sealed_file *ret,
                       struct err *err)
{
    cleanup_free char *path = path_beside(manifest_path, file);
    cleanup_buf struct buf text = BUF_INIT(max);
    if (!path)
        return err_oom(err);
    if (file_read(path, max, &text, err) < 0)
        return -1;
    ret->name = strdup(file);
    ret->len = text.len;
    ret->text = buf_steal(&text);
    return ret->name && ret->text ? 0 : err_oom(err);
}

static int read_pinned(const char *manifest_path, const struct package_file *file, struct sealed_file *ret,
                       struct err *err)
{
    struct sha256 found;
    if (read_beside(manifest_path, file->path, MANIFEST_MAX, ret, err) < 0 ||
        sha256_of(ret->text, ret->len, &found, err) < 0)
        return -1;
    if (ret->len != file->size || !sha256_equal(&found, &file->sha256))
        return err_set(err, ERR_VERIFY, 0, "%s does not match the manifest: it was changed", file->path);
    return 0;
}

/* The signature file is optional when there is no key to check it with. */
static int read_signature(const char *manifest_path, const struct minisign_public *key, struct sealed *made,
                          struct err *err)
{
    char file[NAME_CAP + 16];
    snprintf(file, sizeof file, "%.255s.minisig", made->manifest.name);
    if (read_beside(manifest_path, file, MINISIGN_FILE_MAX, &made->signature, err) < 0) {
        if (err->errnum != ENOENT)
            return -1;
        sealed_file_free(&made->signature);
        return !key ? 0
                    : err_set(err, ERR_VERIFY, 0, "%s is not signed: there is no %s", made->manifest.name,
                              file);
    }
    return !key ? 0
                : verify_manifest(made->manifest.text, made->manifest.len, made->signature.text,
                                  made->signature.len, key, made->manifest.name, err);
}

/* The manifest's file name must be that of the package in it. */
static int check_name(const struct package *package, const char *file, struct err *err)
{
    size_t len = strlen(package->name);
    if (strncmp(file, package->name, len) == 0 && strcmp(file + len, MANIFEST_SUFFIX) == 0)
        return 0;
    return err_set(err, ERR_VERIFY, 0, "%s is the manifest of %s and must be named %s" MANIFEST_SUFFIX, file,
                   package->name, package->name);
}

int package_open(const char *manifest_path, const struct minisign_public *key, struct package *ret,
                 struct sealed *ret_sealed, struct err *err)
{
    cleanup_sealed struct sealed made = {0};
    cleanup_package struct package package = {0};
    const char *slash = strrchr(manifest_path, '/'), *file = slash ? slash + 1 : manifest_path;
    /* the signature covers the bytes: parse them only once it is verified */
    if (read_beside(manifest_path, file, MANIFEST_MAX, &made.manifest, err) < 0)
        return err_wrap(err, "package");
    if (read_signature(manifest_path, key, &made, err) < 0 ||
        package_read(made.manifest.text, made.manifest.len, file, &package, err) < 0 ||
        check_name(&package, file, err) < 0 ||
        read_pinned(manifest_path, &package.provenance, &made.provenance, err) < 0 ||
        read_pinned(manifest_path, &package.spdx, &made.spdx, err) < 0 ||
        sha256_of(made.manifest.text, made.manifest.len, &made.manifest_sha256, err) < 0)
        return -1;
    made.name = strdup(package.name);
    if (!made.name)
        return err_oom(err);
    if (ret) {
        *ret = package;
        package = (struct package){0};
    }
    if (ret_sealed) {
        *ret_sealed = made;
        made = (struct sealed){0};
    }
    return 0;
}

int package_check_archive(const struct package *package, const char *manifest_path, const struct run *run,
                          int *ret_fd, struct err *err)
{
    cleanup_free char *path = path_beside(manifest_path, package->archive.path);
    cleanup_close int fd = -1;
    struct sha256 found;
    uint64_t size = 0;
    if (!path)
        return err_oom(err);
    if (file_open(path, &fd, &size, err) < 0)
        return -1;
    if (size != package->archive.size)
        return err_set(
            err, ERR_VERIFY, 0, "%s: size differs: the manifest says %llu bytes, the file has %llu",
            package->archive.path, (unsigned long long)package->archive.size, (unsigned long long)size);
    if (file_sha256(fd, 0, size, run, &found, err) < 0)
        return -1;
    if (!sha256_equal(&found, &package->archive.sha256)) {
        char want[SHA256_HEX], have[SHA256_HEX];
        hex_encode(package->archive.sha256.bytes, SHA256_SIZE, want);
        hex_encode(found.bytes, SHA256_SIZE, have);
        return err_set(err, ERR_VERIFY, 0, "%s: SHA-256 differs: the manifest says %s, the file has %s",
                       package->archive.path, want, have);
    }
    if (ret_fd)
        *ret_fd = steal_fd(&fd);
    return 0;
}
