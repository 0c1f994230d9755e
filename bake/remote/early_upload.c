#include "bake/remote/early_upload.h"

#include "cloud/upload/sender.h"

static void send_segment(void *ctx, const unsigned char *bytes, size_t len, const struct sha256 *sha256,
                         uint32_t crc32c)
{
    sender_add(ctx, bytes, len, sha256, crc32c);
}

void early_upload_begin(struct common *common, struct early_upload *early, struct pack_sink *ret)
{
    struct err why = {0};
    cleanup_free char *prefix = NULL;
    if (session_open(common, &early->options->session, &early->session, &why) < 0)
        return;
    if (asprintf(&prefix, "%s" SEGMENTS_FOLDER, early->session.prefix) < 0) {
        prefix = NULL;
        return;
    }
    early->storage = session_storage(&early->session, &early->options->session);
    if (sender_begin(&early->storage, prefix, (unsigned)early->options->uploads, &early->sender, &why) == 0)
        *ret = (struct pack_sink){send_segment, early->sender};
}

void early_upload_end(struct early_upload *early)
{
    char size[16];
    struct sender_counts sent = sender_end(steal_ptr(early->sender));
    if (sent.parts > 0)
        ui_step(&early->session.common->ui, "push", "%llu parts, %s, were sent while it was packed",
                (unsigned long long)sent.parts, ui_bytes(sent.bytes, size));
    session_close(&early->session);
}
