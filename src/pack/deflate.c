#include "pack/deflate.h"

#include <stdint.h>
#include <stdlib.h>

#include <zlib.h>

enum { LEVEL = 1, RAW_WINDOW = -15 /* raw deflate, 32 KiB */, MEMORY_LEVEL = 8, SAMPLE_SIZE = 256 << 10 };

/* CRC-32 of the deflated sample. */
static const uint32_t SAMPLE_CRC = 0xFABC002F;

int deflater_init(struct deflater *deflater, struct err *err)
{
    z_stream *stream = calloc(1, sizeof *stream);
    if (!stream ||
        deflateInit2(stream, LEVEL, Z_DEFLATED, RAW_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return err_oom(err);
    }
    deflater->stream = stream;
    return 0;
}

void deflater_free(struct deflater *deflater)
{
    if (deflater->stream)
        deflateEnd(deflater->stream);
    free(deflater->stream);
    *deflater = (struct deflater){0};
}

size_t deflate_bound(size_t len)
{
    /* stored blocks: 5 bytes for each 64 KiB at the worst, and the headers and the end of the piece */
    return len + len / 1024 + 1024;
}

int deflate_piece(struct deflater *deflater, const void *bytes, size_t len, bool last, void *out, size_t room,
                  size_t *ret_len, struct err *err)
{
    if (len > (size_t)1 << 30 || room > UINT32_MAX)
        return err_set(err, ERR_INTERNAL, 0, "deflate: a piece of %zu bytes", len);
    z_stream *stream = deflater->stream;
    if (deflateReset(stream) != Z_OK) /* whatever was deflated before must not show */
        return err_set(err, ERR_INTERNAL, 0, "deflate: zlib does not start again");
    stream->next_in = (Bytef *)(uintptr_t)bytes;
    stream->avail_in = (uInt)len;
    stream->next_out = out;
    stream->avail_out = (uInt)room;
    int r = deflate(stream, last ? Z_FINISH : Z_FULL_FLUSH);
    /* with room to spare after a flush, the flush is complete */
    if (r != (last ? Z_STREAM_END : Z_OK) || stream->avail_in != 0 || stream->avail_out == 0)
        return err_set(err, ERR_INTERNAL, 0, "deflate: zlib gave %d with %u bytes left", r, stream->avail_in);
    *ret_len = room - stream->avail_out;
    return 0;
}

/* Words of several lengths drawn by a generator, and a run of noise: matches near and far, and literals. */
static void make_sample(unsigned char *sample)
{
    uint32_t x = 1;
    for (size_t i = 0; i < SAMPLE_SIZE;) {
        x = x * UINT32_C(1664525) + UINT32_C(1013904223);
        size_t len = 3 + (x >> 28);
        uint32_t word = i < SAMPLE_SIZE / 2 ? (x >> 12) & 1023 : x;
        for (size_t k = 0; k < len && i < SAMPLE_SIZE; k++) {
            word = word * UINT32_C(22695477) + 1;
            sample[i++] = (unsigned char)(word >> 24);
        }
    }
}

int deflate_is_reference(bool *ret, struct err *err)
{
    size_t room = deflate_bound(SAMPLE_SIZE), len = 0;
    cleanup_free unsigned char *sample = malloc(SAMPLE_SIZE + room);
    if (!sample)
        return err_oom(err);
    make_sample(sample);
    cleanup_deflater struct deflater deflater = {0};
    if (deflater_init(&deflater, err) < 0 ||
        deflate_piece(&deflater, sample, SAMPLE_SIZE, false, sample + SAMPLE_SIZE, room, &len, err) < 0)
        return -1;
    *ret = crc32(0, sample + SAMPLE_SIZE, (uInt)len) == SAMPLE_CRC;
    return 0;
}
