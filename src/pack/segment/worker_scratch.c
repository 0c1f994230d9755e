#include "pack/segment/worker_scratch.h"

#include <isa-l/crc.h>

#include "io/crc32c.h"

void worker_scratch_free(struct worker_scratch *scratch)
{
    deflater_free(&scratch->deflater);
    free(scratch->raw);
    free(scratch->inflated);
    *scratch = (struct worker_scratch){0};
}

int worker_scratch_init(struct worker_scratch *scratch, enum deflate_engine engine, struct err *err)
{
    scratch->raw = malloc(PACK_SEGMENT);
    scratch->inflated = malloc(PACK_SEGMENT + 1);
    return scratch->raw && scratch->inflated ? deflater_init(&scratch->deflater, engine, err) : err_oom(err);
}

int worker_scratch_deflate(struct worker_scratch *scratch, const struct disk_segment *segment, bool verify,
                           unsigned char *out, struct segment_record *ret, struct err *err)
{
    size_t len = segment_data_len(segment), out_len = 0;
    struct segment_record record = {.raw = segment->sha256, .raw_len = (uint32_t)len};
    record.crc = crc32_gzip_refl(0, scratch->raw, len);
    if (deflate_segment(&scratch->deflater, scratch->raw, len, false, out, deflate_bound(PACK_SEGMENT),
                        &out_len, err) < 0)
        return -1;
    out_len = deflate_fill(out, out_len);
    /* DEFLATE_SMALL compares its output itself */
    if (verify && scratch->deflater.engine != DEFLATE_SMALL &&
        deflate_verify(out, out_len, scratch->raw, len, scratch->inflated, err) < 0)
        return err_wrap(err, "disk.raw at byte %llu", (unsigned long long)segment->number * PACK_SEGMENT);
    record.packed_len = (uint32_t)out_len;
    record.crc32c = crc32c_add(0, out, out_len);
    *ret = record;
    return sha256_of(out, out_len, &ret->sha256, err);
}
