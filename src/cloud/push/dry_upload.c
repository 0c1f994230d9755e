#include "cloud/push/dry_upload.h"

#include "cloud/storage/url.h"

int dry_object(const struct push *push, const char *name, uint64_t len, uint64_t replaces, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    char detail[OBJECT_NAME_CAP + 64];
    snprintf(detail, sizeof detail, "%s: %llu bytes", name, (unsigned long long)len);
    if (storage_url_upload(&push->storage, UPLOAD_MULTIPART, NULL, replaces, &url, err) < 0)
        return -1;
    dry_run_report(push->dry, "POST", url.data, detail);
    return 0;
}

static int dry_compose(const struct push *push, const struct upload_part *node, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    char detail[96];
    snprintf(detail, sizeof detail, "of %zu objects: %llu bytes", node->count,
             (unsigned long long)node->size);
    if (storage_url_compose(&push->storage, node->name, 0, &url, err) < 0)
        return -1;
    dry_run_report(push->dry, "POST", url.data, detail);
    return 0;
}

static int dry_delete(const struct push *push, const struct upload_part *node, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    if (storage_url_object(&push->storage, node->name, &url, err) < 0)
        return -1;
    dry_run_report(push->dry, "DELETE", url.data, "a composite that is no longer needed");
    return 0;
}

/* Parts that the bucket lacks, then the composites, then the deletion of the inner ones. */
static int dry_composed(const struct push *push, const struct upload *upload, struct upload_counts *counts,
                        struct err *err)
{
    const struct parts *parts = upload->parts;
    size_t leaves = parts->levels[0].count, root = parts->levels[parts->level_count - 1].first;
    for (size_t i = 0; i < leaves; i++) {
        const struct upload_part *part = &parts->nodes[i];
        counts->parts += !part->duplicate;
        if (part->duplicate || part->generation != 0)
            continue;
        counts->parts_sent++;
        counts->bytes_sent += part->size;
        if (dry_object(push, part->name, part->size, 0, err) < 0)
            return -1;
    }
    for (size_t i = leaves; i <= root; i++, counts->composed++)
        if (dry_compose(push, &parts->nodes[i], err) < 0)
            return -1;
    for (size_t i = leaves; i < root; i++)
        if (dry_delete(push, &parts->nodes[i], err) < 0)
            return -1;
    return 0;
}

int dry_archive(const struct push *push, const struct upload *upload, struct upload_counts *counts,
                struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    bool no_bucket = false;
    char detail[80];
    counts->bytes = parts_root(upload->parts)->size;
    if (upload_find_parts(upload, push->create_bucket ? &no_bucket : NULL, err) < 0)
        return -1;
    if (!push->no_compose)
        return dry_composed(push, upload, counts, err);
    counts->bytes_sent = counts->bytes;
    snprintf(detail, sizeof detail, "then PUT to its session: %llu bytes", (unsigned long long)counts->bytes);
    if (storage_url_upload(&push->storage, UPLOAD_RESUMABLE, NULL, 0, &url, err) < 0)
        return -1;
    dry_run_report(push->dry, "POST", url.data, detail);
    return 0;
}
