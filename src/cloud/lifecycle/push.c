#include "cloud/lifecycle/push.h"

#include <string.h>

#include "base/digest.h"

enum {
    OBJECT_CAP = OBJECT_NAME_MAX + 1,
    ALL_LABELS_MAX = 2 * LABELS_MAX,
    ATTEMPTS_MAX = 100, /* of one run to find a request ID that is not used up */
    DIGEST_TAIL = 13    /* "-" and 12 hex digits end a package's name */
};

void push_image_name(const char *package, char out[static IMAGE_NAME_MAX + 1])
{
    size_t len = strlen(package), tail = len > DIGEST_TAIL ? DIGEST_TAIL : 0, head = len - tail, at = 0;
    if (head > IMAGE_NAME_MAX - tail)
        head = IMAGE_NAME_MAX - tail;
    if (!((package[0] | 0x20) >= 'a' && (package[0] | 0x20) <= 'z')) {
        out[at++] = 'b';
        out[at++] = '-';
        head = head + 2 > IMAGE_NAME_MAX - tail ? IMAGE_NAME_MAX - tail - 2 : head;
    }
    for (size_t i = 0; i < head + tail; i++) {
        char c = i < head ? package[i] : package[len - tail + (i - head)];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        out[at++] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
    }
    while (at > 0 && out[at - 1] == '-')
        at--;
    out[at] = '\0';
}

void push_label(const struct sealed *sealed, char out[static PACKAGE_LABEL])
{
    hex_encode(sealed->manifest_sha256.bytes, (PACKAGE_LABEL - 1) / 2, out);
}

int push_identity(const struct push *push, struct buf *ret, struct err *err)
{
    char digest[PACKAGE_LABEL];
    push_label(push->sealed, digest);
    buf_printf(ret, "bake push %s to %s/%s gs://%s/%s", digest, push->images.api.endpoints->universe,
               push->images.project, push->storage.bucket, push->prefix);
    return buf_check(ret, "what names a push", err);
}

static bool dry(const struct push *push, const char *method, const char *url, const char *detail)
{
    if (push->dry)
        push->dry->tell(push->dry->ctx, method, url, detail);
    return push->dry;
}

static int object_name(const struct push *push, const char *suffix, char out[static OBJECT_CAP],
                       struct err *err)
{
    int n = snprintf(out, OBJECT_CAP, "%s%s%s", push->prefix, push->sealed->name, suffix);
    return n < OBJECT_CAP ? 0 : err_set(err, ERR_USAGE, 0, "--prefix is too long");
}

static int claim_name(const struct push *push, char out[static OBJECT_CAP], struct err *err)
{
    int n = snprintf(out, OBJECT_CAP, "%s" CLAIMS_FOLDER "%s/%s.json", push->prefix, push->images.project,
                     push->sealed->name);
    return n < OBJECT_CAP ? 0 : err_set(err, ERR_USAGE, 0, "--prefix is too long");
}

/* --- the image ------------------------------------------------------------------------------------------------- */

/* The spec's labels and bake's own. LABELS has room for LABELS_MAX. */
static int all_labels(const struct push *push, const char *digest, struct label *labels, size_t *ret_count,
                      struct err *err)
{
    size_t count = 0;
    if (push->spec.label_count > GIVEN_LABELS_MAX)
        return err_set(err, ERR_USAGE, 0, "more than %d labels, beside bake's own two", GIVEN_LABELS_MAX);
    for (size_t i = 0; i < push->spec.label_count; i++)
        labels[count++] = push->spec.labels[i];
    labels[count++] = (struct label){LABEL_PACKAGE, digest};
    if (push->family)
        labels[count++] = (struct label){LABEL_FAMILY, push->family};
    *ret_count = count;
    return 0;
}

/* What was asked for in other words than last time is put right; labels that others gave stay. */
static int fix_labels(const struct push *push, const struct image *image, const struct label *labels,
                      size_t count, struct err *err)
{
    struct label all[ALL_LABELS_MAX];
    size_t have = 0;
    bool change = false;
    for (size_t i = 0; i < count; i++) {
        const char *value = image_label(image, labels[i].key);
        change = change || !value || strcmp(value, labels[i].value) != 0;
        all[have++] = labels[i];
    }
    for (size_t i = 0; i < image->label_count && have < ALL_LABELS_MAX; i++) {
        bool again = false;
        for (size_t j = 0; j < count && !again; j++)
            again = strcmp(image->labels[i].key, labels[j].key) == 0;
        if (!again)
            all[have++] = image->labels[i];
    }
    if (change && have > LABELS_MAX)
        return err_set(err, ERR_USAGE, 0,
                       "image %s has labels that others gave it, and would have %zu: it has room for %d",
                       image->name, have, LABELS_MAX);
    cleanup_buf struct buf url = BUF_INIT(HTTP_URL_MAX);
    images_url(&push->images, image->name, "setLabels", &url);
    if (!change || buf_check(&url, "a URL", err) < 0)
        return change ? -1 : 0;
    return dry(push, "POST", url.data, "labels as asked for now")
               ? 0
               : images_set_labels(&push->images, image, all, have, err);
}

/* An import is known to have failed: the next try must be another request, as this one's answer is known. */
static int next_attempt(struct push_state *state, struct err *err)
{
    state->attempt++;
    return state_save(state, err);
}

/* Is it there, and is it this package? One of ours whose import failed is removed. */
static int look_for_image(const struct push *push, const char *name, const char *digest,
                          struct push_state *state, bool *ret_there, struct err *err)
{
    cleanup_image_list struct image_list list = {0};
    struct label labels[LABELS_MAX];
    size_t count = 0;
    *ret_there = false;
    if (images_get(&push->images, name, &list, err) < 0)
        return -1;
    if (list.count == 0)
        return 0;
    const struct image *image = &list.items[0];
    const char *has = image_label(image, LABEL_PACKAGE);
    if (!has || strcmp(has, digest) != 0)
        return err_set(err, ERR_REMOTE, 0,
                       "the project %s has an image %s already, and it is not this package (label "
                       "" LABEL_PACKAGE " is %s, not %s): rename the recipe, or delete that image",
                       push->images.project, name, has ? has : "missing", digest);
    if (image->status == IMAGE_FAILED) {
        run_warn(push->images.api.run, "push", "image %s is there, but its import failed: it is deleted",
                 name);
        return push->dry ? 0 : next_attempt(state, err) < 0 ? -1 : images_delete(&push->images, name, err);
    }
    if (image->status == IMAGE_PENDING && !push->dry && images_wait_ready(&push->images, name, err) < 0)
        return -1;
    *ret_there = true;
    return all_labels(push, digest, labels, &count, err) < 0 ? -1
                                                             : fix_labels(push, image, labels, count, err);
}

/* Who asks for the same gets the same operation, from any process and machine, so that a push that was killed goes on with
 * its import. That holds beyond the operation's end, so whoever learns that it is over, and the image is not there,
 * counts the attempt up. */
static int request_id(const struct push *push, const char *name, const char *digest,
                      const struct image_spec *spec, const struct push_state *state,
                      char out[static REQUEST_ID_CAP], struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(8 << 20);
    buf_printf(&text, "%s/projects/%s/global/images/%s package %s attempt %llu of ",
               push->images.api.endpoints->universe, push->images.project, name, digest,
               (unsigned long long)state->attempt);
    if (images_insert_body(spec, &text, err) < 0)
        return -1;
    return images_request_id(text.data, out, err);
}

/* *ret_there: the image is. Else what was asked for is over, and has led to nothing that stands: END says how, and ERR why. */
static int insert_once(const struct push *push, const char *name, const char *digest,
                       const struct image_spec *spec, struct push_state *state, struct operation_end *end,
                       bool *ret_there, struct err *err)
{
    char id[REQUEST_ID_CAP];
    bool exists = false;
    if (request_id(push, name, digest, spec, state, id, err) < 0)
        return -1;
    if (images_insert(&push->images, spec, id, end, &exists, err) < 0)
        return end->failed ? 0 : -1;
    if (look_for_image(push, name, digest, state, ret_there, err) < 0)
        return -1;
    if (!*ret_there)
        err_set(err, ERR_REMOTE, 0, "image %s is gone again: somebody deletes it", name);
    return 0;
}

/* An operation that was over before this run asked for it is of no account: the next attempt follows at once. One that this
 * run has waited for says how things are. */
static int insert(const struct push *push, const char *name, const char *digest,
                  const struct image_spec *spec, struct push_state *state, struct err *err)
{
    const struct client *client = push->images.api.client;
    const struct run *run = push->images.api.run;
    struct retry retry;
    struct err why = {0};
    retry_begin(&retry, "cloud", &client->retry, client->clock);
    for (unsigned n = 0; n < ATTEMPTS_MAX; n++) {
        struct operation_end end = {0};
        bool there = false;
        if (insert_once(push, name, digest, spec, state, &end, &there, err) < 0)
            return -1;
        if (there)
            return 0;
        if (next_attempt(state, &why) < 0)
            run_warn(run, "push", "%s", why.text);
        if (end.before)
            run_note(run, "push", "an earlier import of %s is over, and the image is not there: tried anew",
                     name);
        else if ((end.failed && !end.passing) || retry_again(&retry, name, NULL, run, err) < 0)
            return -1;
    }
    return err_wrap(err, "%d imports of %s are over, and the image is not there; the last", ATTEMPTS_MAX,
                    name);
}

static int register_image(const struct push *push, const char *name, const char *digest,
                          const struct parts *parts, struct push_state *state, struct err *err)
{
    struct label labels[LABELS_MAX];
    struct image_spec spec = push->spec;
    char sha1[2 * 20 + 1];
    cleanup_buf struct buf source = BUF_INIT(HTTP_URL_MAX), url = BUF_INIT(HTTP_URL_MAX),
                           body = BUF_INIT(4 << 20);
    buf_printf(&source, "https://storage.%s/%s/%s", push->images.api.endpoints->universe,
               push->storage.bucket, parts_root(parts)->name);
    hex_encode(parts->archive_sha1, sizeof parts->archive_sha1, sha1);
    spec.name = name;
    spec.family = NULL;
    spec.labels = labels;
    spec.source = source.data;
    spec.sha1_hex = sha1;
    if (buf_check(&source, "a URL", err) < 0 || all_labels(push, digest, labels, &spec.label_count, err) < 0)
        return -1;
    if (!push->dry)
        return insert(push, name, digest, &spec, state, err);
    images_url(&push->images, NULL, NULL, &url);
    if (buf_check(&url, "a URL", err) < 0 || images_insert_body(&spec, &body, err) < 0)
        return -1;
    dry(push, "POST", url.data, body.data);
    return 0;
}

/* --- the bucket ------------------------------------------------------------------------------------------------ */

static int create_bucket(const struct push *push, struct err *err)
{
    cleanup_free char *segments = NULL;
    cleanup_buf struct buf url = BUF_INIT(HTTP_URL_MAX), body = BUF_INIT(16 << 10);
    bool created = false;
    if (asprintf(&segments, "%s" SEGMENTS_FOLDER, push->prefix) < 0)
        return err_oom(err);
    const struct bucket_options options = {push->images.project, push->location, segments};
    if (!push->dry)
        return storage_create_bucket(&push->storage, &options, &created, err);
    buf_printf(&url, "%s/b?project=", push->storage.api.endpoints->storage);
    url_escape(&url, push->images.project);
    if (buf_check(&url, "a URL", err) < 0 || storage_bucket_body(&push->storage, &options, &body, err) < 0)
        return -1;
    dry(push, "POST", url.data, body.data);
    return 0;
}

static int put_object(const struct push *push, const char *name, const char *type, const void *bytes,
                      size_t len, uint64_t replaces, struct err *err)
{
    const struct object_content content = object_content_of(bytes, len);
    cleanup_buf struct buf url = BUF_INIT(HTTP_URL_MAX);
    struct object made;
    char detail[OBJECT_CAP + 64];
    storage_url(&push->storage, push->storage.api.endpoints->storage_upload, NULL, &url);
    buf_printf(&url, "?uploadType=multipart&ifGenerationMatch=%llu", (unsigned long long)replaces);
    snprintf(detail, sizeof detail, "%s: %zu bytes", name, len);
    if (buf_check(&url, "a URL", err) < 0)
        return -1;
    return dry(push, "POST", url.data, detail)
               ? 0
               : storage_insert(&push->storage, name, type, &content, replaces, &made, err);
}

/* The claim of an earlier push of this package may name another family: it is replaced. Where the bucket does not allow that, the
 * old one protects the same package. */
static int put_claim(const struct push *push, const char *image, const struct parts *parts, struct err *err)
{
    char name[OBJECT_CAP];
    struct object old;
    cleanup_buf struct buf claim = BUF_INIT(CLAIM_MAX);
    if (claim_write(push->sealed->name, image, push->family, parts, &claim, err) < 0 ||
        claim_name(push, name, err) < 0 || storage_get(&push->storage, name, &old, err) < 0)
        return -1;
    const struct object_content content = object_content_of(claim.data, claim.len);
    if (old.generation && old.size == content.len && old.crc32c == content.crc32c)
        return 0;
    if (put_object(push, name, "application/json", claim.data, claim.len, old.generation, err) == 0)
        return 0;
    if (old.generation == 0 || err->kind != ERR_REMOTE)
        return -1;
    run_warn(push->images.api.run, "push", "the claim of an earlier push stays, with its family: %s",
             err->text);
    return 0;
}

static int put_documents(const struct push *push, struct err *err)
{
    const struct sealed *sealed = push->sealed;
    const struct {
        const struct sealed_file *file;
        const char *suffix, *type;
    } documents[] = {{&sealed->provenance, ".provenance.json", "application/json"},
                     {&sealed->spdx, ".spdx.json", "application/json"},
                     {&sealed->signature, ".manifest.json.minisig", "text/plain"},
                     {&sealed->manifest, ".manifest.json", "application/json"}};
    char name[OBJECT_CAP];
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        if (!documents[i].file->name)
            continue;
        if (object_name(push, documents[i].suffix, name, err) < 0 ||
            put_object(push, name, documents[i].type, documents[i].file->text, documents[i].file->len, 0,
                       err) < 0)
            return -1;
    }
    return 0;
}

static void dry_upload(const struct push *push, const struct upload *upload, struct upload_counts *counts,
                       struct buf *url)
{
    const struct parts *parts = upload->parts;
    char detail[OBJECT_CAP + 64];
    for (size_t i = 0; i < parts->levels[0].count; i++) {
        const struct upload_part *part = &parts->nodes[i];
        counts->parts += !part->again;
        if (part->again || part->generation != 0)
            continue;
        counts->parts_sent++;
        counts->bytes_sent += part->size;
        buf_free(url);
        storage_url(&push->storage, push->storage.api.endpoints->storage_upload, NULL, url);
        buf_str(url, "?uploadType=multipart&ifGenerationMatch=0");
        snprintf(detail, sizeof detail, "%s: %llu bytes", part->name, (unsigned long long)part->size);
        dry(push, "POST", url->data, detail);
    }
    for (size_t i = parts->levels[0].count; i <= parts->levels[parts->level_count - 1].first; i++) {
        const struct upload_part *node = &parts->nodes[i];
        buf_free(url);
        storage_url(&push->storage, push->storage.api.endpoints->storage, node->name, url);
        buf_str(url, "/compose?ifGenerationMatch=0");
        snprintf(detail, sizeof detail, "of %zu objects: %llu bytes", node->count,
                 (unsigned long long)node->size);
        dry(push, "POST", url->data, detail);
        counts->composed++;
    }
    for (size_t i = parts->levels[0].count; i < parts->levels[parts->level_count - 1].first; i++) {
        buf_free(url);
        storage_url(&push->storage, push->storage.api.endpoints->storage, parts->nodes[i].name, url);
        dry(push, "DELETE", url->data, "a composite that is no longer needed");
    }
}

static int dry_archive(const struct push *push, const struct upload *upload, struct upload_counts *counts,
                       struct err *err)
{
    cleanup_buf struct buf url = BUF_INIT(HTTP_URL_MAX);
    bool no_bucket = false;
    char detail[80];
    counts->bytes = parts_root(upload->parts)->size;
    if (upload_find_parts(upload, push->create_bucket ? &no_bucket : NULL, err) < 0)
        return -1;
    if (!push->no_compose) {
        dry_upload(push, upload, counts, &url);
        return 0;
    }
    counts->bytes_sent = counts->bytes;
    storage_url(&push->storage, push->storage.api.endpoints->storage_upload, NULL, &url);
    buf_str(&url, "?uploadType=resumable&ifGenerationMatch=0");
    snprintf(detail, sizeof detail, "then PUT to its session: %llu bytes", (unsigned long long)counts->bytes);
    if (buf_check(&url, "a URL", err) < 0)
        return -1;
    dry(push, "POST", url.data, detail);
    return 0;
}

static int put_archive(const struct push *push, const struct upload *upload, const char *image,
                       struct push_state *state, struct push_result *ret, struct err *err)
{
    const struct upload_part *whole = parts_root(upload->parts);
    const struct object want = {.size = whole->size, .crc32c = whole->crc32c};
    struct object found;
    bool mixed = false;
    if (storage_get(&push->storage, whole->name, &found, err) < 0 ||
        (found.generation && storage_check(&push->storage, whole->name, &found, &want, false, err) < 0) ||
        put_claim(push, image, upload->parts, err) < 0)
        return -1;
    ret->archive_there = found.generation != 0;
    if (ret->archive_there)
        return push->no_compose || push->dry ? 0 : upload_sweep(upload, err);
    if (push->dry)
        return dry_archive(push, upload, &ret->counts, err);
    if (!push->no_compose && upload_composed(upload, &ret->counts, &mixed, err) < 0)
        return -1;
    return push->no_compose || mixed ? upload_resumable(upload, state, &ret->counts, err) : 0;
}

int push_run(const struct push *push, struct push_state *state, struct push_result *ret, struct err *err)
{
    struct push_result made = {.outcome = push->dry ? PUSH_DRY : PUSH_DONE};
    cleanup_parts struct parts parts = {0};
    cleanup_free char *segments = NULL;
    char digest[PACKAGE_LABEL], archive[OBJECT_CAP];
    bool there = false;
    push_image_name(push->sealed->name, made.image);
    push_label(push->sealed, digest);
    if (look_for_image(push, made.image, digest, state, &there, err) < 0)
        return -1;
    if (there) {
        made.outcome = PUSH_THERE;
        *ret = made;
        return state->cache ? state_drop(state, err) : 0;
    }
    if (asprintf(&segments, "%s" SEGMENTS_FOLDER, push->prefix) < 0)
        return err_oom(err);
    if ((push->create_bucket && create_bucket(push, err) < 0) ||
        object_name(push, ".tar.gz", archive, err) < 0 ||
        parts_make(push->packed, push->fd, segments, archive, push->storage.api.run, &parts, err) < 0)
        return -1;
    const struct upload upload = {.storage = &push->storage,
                                  .parts = &parts,
                                  .part_prefix = segments,
                                  .fd = push->fd,
                                  .threads = push->threads};
    if (put_archive(push, &upload, made.image, state, &made, err) < 0 || put_documents(push, err) < 0 ||
        register_image(push, made.image, digest, &parts, state, err) < 0)
        return -1;
    *ret = made;
    return state->cache ? state_drop(state, err) : 0;
}
