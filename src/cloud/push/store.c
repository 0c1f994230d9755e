#include "cloud/push/store.h"

#include "cloud/push/claim.h"
#include "cloud/push/dry_upload.h"
#include "cloud/storage/url.h"
#include "text/hex.h"

static int report_bucket(const struct push *push, const struct bucket_options *options, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT, body = BUF_INIT(16 << 10);
    if (storage_url_create(&push->storage, options->project, &url, err) < 0 ||
        storage_bucket_body(&push->storage, options, &body, err) < 0)
        return -1;
    dry_run_report(push->dry, "POST", url.data, body.data);
    return 0;
}

int store_bucket(const struct push *push, const struct push_names *names, struct err *err)
{
    const struct bucket_options options = {push->images.project, push->location, names->segments};
    bool created = false;
    if (!push->create_bucket)
        return 0;
    return push->dry ? report_bucket(push, &options, err)
                     : storage_create_bucket(&push->storage, &options, &created, err);
}

static int store_object(const struct push *push, const char *name, const char *type, const void *bytes,
                        size_t len, uint64_t replaces, struct err *err)
{
    const struct object_content content = object_content_of(bytes, len);
    struct object made;
    return push->dry ? dry_object(push, name, len, replaces, err)
                     : storage_insert(&push->storage, name, type, &content, replaces, &made, err);
}

/* The claim of an earlier push of this package may name another family: it is replaced. Where the bucket
 * forbids that, the old one protects the same objects. */
static int store_claim(const struct push *push, const struct push_names *names, const struct parts *parts,
                       struct err *err)
{
    struct object old;
    cleanup_buf struct buf claim = BUF_INIT(CLAIM_MAX);
    if (claim_write(names->package, names->image, push->family, parts, &claim, err) < 0 ||
        storage_get(&push->storage, names->claim, &old, err) < 0)
        return -1;
    const struct object_content content = object_content_of(claim.data, claim.len);
    if (old.generation && old.size == content.len && old.crc32c == content.crc32c)
        return 0;
    if (store_object(push, names->claim, "application/json", claim.data, claim.len, old.generation, err) == 0)
        return 0;
    if (old.generation == 0 || err->kind != ERR_REMOTE)
        return -1;
    run_warn(push->images.api.run, "push", "the claim of an earlier push stays, with its family: %s",
             err->text);
    return 0;
}

/* Composed of its parts, unless the bucket or the user rules that out. */
static int upload_archive(const struct push *push, const struct upload *upload, struct push_state *state,
                          struct upload_counts *counts, struct err *err)
{
    bool mixed = false;
    if (push->dry)
        return dry_archive(push, upload, counts, err);
    if (!push->no_compose && upload_composed(upload, counts, &mixed, err) < 0)
        return -1;
    return push->no_compose || mixed ? upload_resumable(upload, state, counts, err) : 0;
}

static int store_archive(const struct push *push, const struct push_names *names, const struct upload *upload,
                         struct push_state *state, struct stored_package *made, struct err *err)
{
    const struct upload_part *whole = parts_root(upload->parts);
    const struct object want = {.size = whole->size, .crc32c = whole->crc32c};
    struct object found;
    if (storage_get(&push->storage, names->archive, &found, err) < 0 ||
        (found.generation && storage_check(&push->storage, names->archive, &found, &want, false, err) < 0) ||
        store_claim(push, names, upload->parts, err) < 0)
        return -1;
    made->archive_found = found.generation != 0;
    if (!made->archive_found)
        return upload_archive(push, upload, state, &made->counts, err);
    return push->no_compose || push->dry ? 0 : upload_sweep(upload, err);
}

/* The manifest last: with it the package is whole. */
static int store_documents(const struct push *push, const struct push_names *names, struct err *err)
{
    const struct sealed *sealed = push->sealed;
    const struct {
        const struct sealed_file *file;
        const char *suffix, *type;
    } documents[] = {{&sealed->provenance, ".provenance.json", "application/json"},
                     {&sealed->spdx, ".spdx.json", "application/json"},
                     {&sealed->signature, ".manifest.json.minisig", "text/plain"},
                     {&sealed->manifest, ".manifest.json", "application/json"}};
    char name[OBJECT_NAME_CAP];
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        const struct sealed_file *file = documents[i].file;
        if (!file->name)
            continue;
        if (push_names_document(names, documents[i].suffix, name, err) < 0 ||
            store_object(push, name, documents[i].type, file->text, file->len, 0, err) < 0)
            return -1;
    }
    return 0;
}

int store_package(const struct push *push, const struct push_names *names, struct parts *parts,
                  struct push_state *state, struct stored_package *ret, struct err *err)
{
    struct stored_package made = {0};
    const struct upload upload = {.storage = &push->storage,
                                  .parts = parts,
                                  .part_prefix = names->segments,
                                  .fd = push->fd,
                                  .threads = push->threads};
    hex_encode(parts->archive_sha1, sizeof parts->archive_sha1, made.sha1);
    if (store_archive(push, names, &upload, state, &made, err) < 0 || store_documents(push, names, err) < 0)
        return -1;
    *ret = made;
    return 0;
}
