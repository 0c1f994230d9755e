#include "bake/remote/push_ahead.h"

#include "cloud/upload/sender.h"

static void take(void *ctx, const unsigned char *bytes, size_t len, const struct sha256 *sha256,
                 uint32_t crc32c)
{
    sender_add(ctx, bytes, len, sha256, crc32c);
}

void push_ahead_begin(struct common *common, struct push_ahead *ahead, struct pack_sink *ret)
{
    struct err why = {0};
    cleanup_free char *prefix = NULL;
    if (cloud_open(common, &ahead->options->cloud, &ahead->cloud, &why) < 0)
        return;
    if (asprintf(&prefix, "%s" SEGMENTS_FOLDER, ahead->cloud.prefix) < 0) {
        prefix = NULL;
        return;
    }
    ahead->storage = cloud_storage(&ahead->cloud, &ahead->options->cloud);
    if (sender_begin(&ahead->storage, prefix, (unsigned)ahead->options->uploads, &ahead->sender, &why) == 0)
        *ret = (struct pack_sink){take, ahead->sender};
}

void push_ahead_end(struct push_ahead *ahead)
{
    char size[16];
    struct sent sent = sender_end(steal_ptr(ahead->sender));
    if (sent.parts > 0)
        ui_step(&ahead->cloud.common->ui, "push", "%llu parts, %s, were sent while it was packed",
                (unsigned long long)sent.parts, ui_bytes(sent.bytes, size));
    cloud_close(&ahead->cloud);
}
