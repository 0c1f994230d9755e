#include "pack/segment/worker_scratch.h"

#include <isa-l/crc.h>

#include "io/crc32c.h"

void desk_free(struct desk *desk)
{
    deflater_free(&desk->deflater);
    free(desk->raw);
    free(desk->scratch);
    *desk = (struct desk){0};
}

int desk_init(struct desk *desk, enum deflate_engine engine, struct err *err)
{
    desk->raw = malloc(PACK_SEGMENT);
    desk->scratch = malloc(PACK_SEGMENT + 1);
    return desk->raw && desk->scratch ? deflater_init(&desk->deflater, engine, err) : err_oom(err);
}

int desk_deflate(struct desk *desk, const struct piece *piece, bool verify, unsigned char *out,
                 struct record *ret, struct err *err)
{
    size_t len = piece_len(piece), out_len = 0;
    struct record record = {.raw = piece->sha256, .raw_len = (uint32_t)len};
    record.crc = crc32_gzip_refl(0, desk->raw, len);
    if (deflate_piece(&desk->deflater, desk->raw, len, false, out, deflate_bound(PACK_SEGMENT), &out_len,
                      err) < 0)
        return -1;
    out_len = deflate_fill(out, out_len);
    /* the other engine has compared it already */
    if (verify && desk->deflater.engine != DEFLATE_SMALL &&
        deflate_verify(out, out_len, desk->raw, len, desk->scratch, err) < 0)
        return err_wrap(err, "disk.raw at byte %llu", (unsigned long long)piece->segment * PACK_SEGMENT);
    record.packed_len = (uint32_t)out_len;
    record.crc32c = crc32c_add(0, out, out_len);
    *ret = record;
    return sha256_of(out, out_len, &ret->sha256, err);
}
