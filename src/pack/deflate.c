#include "pack/deflate.h"

#include <string.h>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

enum { WORK_SIZE = ISAL_DEF_LVL1_DEFAULT, SAMPLE_SIZE = 256 << 10 };

/* CRC-32 of the deflated sample, where SSE4.2 or better is there. */
static const uint32_t SAMPLE_CRC = 0xEE2F0175;

int deflater_init(struct deflater *deflater, struct err *err)
{
    deflater->stream = malloc(sizeof *deflater->stream);
    deflater->memory = malloc(WORK_SIZE);
    if (deflater->stream && deflater->memory)
        return 0;
    deflater_free(deflater);
    return err_oom(err);
}

void deflater_free(struct deflater *deflater)
{
    free(deflater->stream);
    free(deflater->memory);
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
    struct isal_zstream *stream = deflater->stream;
    memset(deflater->memory, 0, WORK_SIZE); /* whatever was deflated before must not show */
    isal_deflate_init(stream);
    stream->level = 1;
    stream->level_buf = deflater->memory;
    stream->level_buf_size = WORK_SIZE;
    stream->flush = FULL_FLUSH;
    stream->end_of_stream = last;
    stream->next_in = (uint8_t *)(uintptr_t)bytes;
    stream->avail_in = (uint32_t)len;
    stream->next_out = out;
    stream->avail_out = (uint32_t)room;
    int r = isal_deflate(stream);
    enum isal_zstate_state end = last ? ZSTATE_END : ZSTATE_NEW_HDR;
    if (r != COMP_OK || stream->avail_in != 0 || stream->internal_state.state != end)
        return err_set(err, ERR_INTERNAL, 0, "deflate: ISA-L gave %d with %u bytes left", r,
                       stream->avail_in);
    *ret_len = stream->total_out;
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
    *ret = crc32_gzip_refl(0, sample + SAMPLE_SIZE, len) == SAMPLE_CRC;
    return 0;
}
