#include "seal/package.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/file.h"
#include "seal/documents.h"
#include "seal/read.h"
#include "seal/sign/sign.h"
#include "text/path.h"

static int move_text(struct sealed_file *file, const char *package, const char *suffix, struct buf *text,
                     struct err *err)
{
    char *name = NULL;
    if (asprintf(&name, "%s%s", package, suffix) < 0)
        return err_oom(err);
    file->name = name;
    file->len = text->len;
    file->text = buf_steal(text);
    return file->text ? 0 : err_oom(err);
}

static int check_input(const struct seal_input *input, struct err *err)
{
    char longest[NAME_CAP + 64];
    int n = snprintf(longest, sizeof longest, "%s.manifest.json.minisig", input->name);
    if (n < 0 || n >= (int)sizeof longest || !path_name_ok(longest) || input->name[0] == '.')
        return err_set(err, ERR_INTERNAL, 0, "\"%.200s\" cannot be the name of a package", input->name);
    if (input->epoch < 0)
        return err_set(err, ERR_INTERNAL, 0, "the package's time is before 1970");
    return 0;
}

static int write_documents(const struct seal_input *input, struct sealed *made, struct buf *manifest,
                           struct err *err)
{
    char provenance_name[NAME_CAP + 64], spdx_name[NAME_CAP + 64];
    cleanup_buf struct buf provenance = BUF_INIT(DOCUMENT_MAX);
    cleanup_buf struct buf spdx = BUF_INIT(DOCUMENT_MAX);
    snprintf(provenance_name, sizeof provenance_name, "%s.provenance.json", input->name);
    snprintf(spdx_name, sizeof spdx_name, "%s.spdx.json", input->name);
    struct document others[] = {{"provenance", provenance_name, &provenance}, {"spdx", spdx_name, &spdx}};
    if (document_provenance(input, &provenance, err) < 0 || document_spdx(input, &spdx, err) < 0 ||
        document_manifest(input, others, 2, manifest, err) < 0)
        return -1;
    if (move_text(&made->provenance, input->name, ".provenance.json", &provenance, err) < 0 ||
        move_text(&made->spdx, input->name, ".spdx.json", &spdx, err) < 0)
        return -1;
    return 0;
}

int seal_package(const struct seal_input *input, const struct signing_key *key, struct sealed *ret,
                 struct err *err)
{
    cleanup_sealed struct sealed made = {0};
    cleanup_buf struct buf manifest = BUF_INIT(MANIFEST_MAX);
    cleanup_buf struct buf signature = BUF_INIT(MINISIGN_FILE_MAX);
    cleanup_package struct package reread = {0};
    char name[NAME_CAP + 64];
    if (check_input(input, err) < 0 || write_documents(input, &made, &manifest, err) < 0)
        return -1;
    snprintf(name, sizeof name, "%s.manifest.json", input->name);
    /* sign only what can be read back */
    if (package_read(manifest.data, manifest.len, name, &reread, err) < 0)
        return err_wrap(err, "the new manifest is not valid");
    if (sha256_of(manifest.data, manifest.len, &made.manifest_sha256, err) < 0 ||
        (key && sign_text(&manifest, name, input->epoch, key, &signature, err) < 0))
        return -1;
    made.name = strdup(input->name);
    if (!made.name)
        return err_oom(err);
    if (move_text(&made.manifest, input->name, ".manifest.json", &manifest, err) < 0 ||
        (key && move_text(&made.signature, input->name, ".manifest.json.minisig", &signature, err) < 0))
        return -1;
    *ret = made;
    made = (struct sealed){0};
    return 0;
}

static int write_sealed_file(const char *dir, const struct sealed_file *file, struct err *err)
{
    cleanup_free char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, file->name) < 0)
        return err_oom(err);
    return file_put(path, file->text, file->len, 0644, err);
}

static int remove_file(const char *dir, const char *name, const char *suffix, struct err *err)
{
    cleanup_free char *path = NULL;
    if (asprintf(&path, "%s/%s%s", dir, name, suffix) < 0)
        return err_oom(err);
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(err, errno, "remove %s", path);
    return 0;
}

/* Removes the manifest of an older package of the same name before any of its files is replaced, so that a
 * mix of both never looks complete. A package that is written again unchanged stays complete throughout. */
static int remove_older_manifest(const struct sealed *sealed, const char *dir, struct err *err)
{
    cleanup_free char *path = NULL;
    cleanup_buf struct buf old = BUF_INIT(MANIFEST_MAX);
    struct err ignored = {0};
    if (asprintf(&path, "%s/%s", dir, sealed->manifest.name) < 0)
        return err_oom(err);
    if (access(path, F_OK) < 0)
        return 0;
    if (file_read(path, MANIFEST_MAX, &old, &ignored) == 0 && old.len == sealed->manifest.len &&
        memcmp(old.data, sealed->manifest.text, old.len) == 0)
        return 0;
    return remove_file(dir, sealed->name, ".manifest.json", err);
}

int seal_write(const struct sealed *sealed, const char *dir, struct err *err)
{
    if (remove_older_manifest(sealed, dir, err) < 0 || write_sealed_file(dir, &sealed->provenance, err) < 0 ||
        write_sealed_file(dir, &sealed->spdx, err) < 0)
        return -1;
    if (sealed->signature.name ? write_sealed_file(dir, &sealed->signature, err) < 0
                               : remove_file(dir, sealed->name, ".manifest.json.minisig", err) < 0)
        return -1;
    return write_sealed_file(dir, &sealed->manifest, err);
}
