#include "pack/segment/deflate.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <zlib.h>

enum {
    FAST_LEVEL = 2,
    FAST_MEMORY = ISAL_DEF_LVL2_MEDIUM, /* larger blocks were slower, and the output no smaller */
    PRIME = 16,                         /* MIN_INBUF_PADDING of ISA-L's assembler */
    SMALL_LEVEL = 6,
    WALK = 64 << 10,
    SAMPLE_SIZE = 256 << 10
};

/* The engine's name, and the CRC-32 of the deflated sample. */
static const struct {
    const char *name;
    uint32_t sample_crc;
} engines[] = {
    [DEFLATE_FAST] = {"isa-l 2.30 level 2 align 4096", 0x6336C222},
    [DEFLATE_SMALL] = {"libdeflate 1.14 level 6 align 4096", 0xBAD38ECE},
};

const char *deflate_engine_name(enum deflate_engine engine)
{
    return engines[engine].name;
}

int deflater_init(struct deflater *deflater, enum deflate_engine engine, struct err *err)
{
    struct deflater made = {.engine = engine};
    if (engine == DEFLATE_SMALL) {
        made.small = libdeflate_alloc_compressor(SMALL_LEVEL);
        if (!made.small)
            return err_oom(err);
    } else {
        made.stream = calloc(1, sizeof *made.stream);
        made.level = calloc(1, FAST_MEMORY);
        if (!made.stream || !made.level) {
            deflater_free(&made);
            return err_oom(err);
        }
    }
    *deflater = made;
    return 0;
}

void deflater_free(struct deflater *deflater)
{
    libdeflate_free_compressor(deflater->small);
    free(deflater->stream);
    free(deflater->level);
    *deflater = (struct deflater){0};
}

size_t deflate_bound(size_t len)
{
    /* stored blocks: at worst 5 bytes for each 10,000, plus the headers and the segment's end */
    return len + len / 1024 + 1024 + DEFLATE_FILL_MAX;
}

/* An empty stored block is 5 bytes; with an empty block of fixed codes before it, 10 bits, it is 6. */
size_t deflate_fill(unsigned char *out, size_t len)
{
    static const unsigned char five[] = {0, 0, 0, 0xff, 0xff}, six[] = {2, 0, 0, 0, 0xff, 0xff};
    size_t missing = (DEFLATE_ALIGN - len % DEFLATE_ALIGN) % DEFLATE_ALIGN;
    /* missing % 5 blocks of 6 bytes leave a multiple of 5; there must be enough space for them */
    if (missing < missing % 5 * sizeof six)
        missing += DEFLATE_ALIGN;
    for (size_t n = missing % 5; n > 0; n--, len += sizeof six)
        memcpy(out + len, six, sizeof six);
    for (; len % DEFLATE_ALIGN != 0; len += sizeof five)
        memcpy(out + len, five, sizeof five);
    return len;
}

static int fast_step(struct isal_zstream *stream, size_t len, uint16_t flush, bool last, struct err *err)
{
    stream->avail_in = (uint32_t)len;
    stream->flush = flush;
    stream->end_of_stream = last;
    int r = isal_deflate(stream);
    if (r != COMP_OK || stream->avail_in != 0 || stream->avail_out == 0 ||
        stream->internal_state.state != (last ? ZSTATE_END : ZSTATE_NEW_HDR))
        return err_set(err, ERR_INTERNAL, 0, "deflate: ISA-L returned %d in state %d with %u bytes left", r,
                       (int)stream->internal_state.state, stream->avail_in);
    return 0;
}

static int deflate_fast(struct deflater *deflater, const void *bytes, size_t len, bool last, void *out,
                        size_t capacity, size_t *ret_len, struct err *err)
{
    struct isal_zstream *stream = deflater->stream;
    isal_deflate_init(stream); /* the output must not depend on earlier segments */
    stream->level = FAST_LEVEL;
    stream->level_buf = deflater->level;
    stream->level_buf_size = FAST_MEMORY;
    stream->next_in = (uint8_t *)(uintptr_t)bytes;
    stream->next_out = out;
    stream->avail_out = (uint32_t)capacity;
    size_t first = len > PRIME ? PRIME : 0;
    if ((first > 0 && fast_step(stream, first, SYNC_FLUSH, false, err) < 0) ||
        fast_step(stream, len - first, last ? NO_FLUSH : FULL_FLUSH, last, err) < 0)
        return -1;
    *ret_len = stream->total_out;
    return 0;
}

static int walk_failed(struct err *err, const char *what)
{
    return err_set(err, ERR_INTERNAL, 0, "deflate: libdeflate's segment %s", what);
}

/* Walks the blocks of a whole stream. *ret_mark is the bit with the last block's BFINAL, *ret_end the bit
 * after its end. The content must be BYTES. */
static int walk_blocks(z_stream *z, const unsigned char *segment, const unsigned char *bytes, size_t len,
                       uint64_t *ret_mark, uint64_t *ret_end, struct err *err)
{
    unsigned char scratch[WALK];
    uint64_t mark = 0, end = 0, done = 0;
    int r = Z_OK;
    while (r == Z_OK) {
        z->next_out = scratch;
        z->avail_out = WALK;
        r = inflate(z, Z_BLOCK);
        size_t step = WALK - z->avail_out;
        if ((r != Z_OK && r != Z_STREAM_END) || step > len - done || memcmp(scratch, bytes + done, step) != 0)
            return walk_failed(err, "does not decode to its content");
        done += step;
        if (!(z->data_type & 128))
            continue;
        end = (uint64_t)z->total_in * 8 - (unsigned)(z->data_type & 7);
        if (r == Z_OK && !(z->data_type & 64))
            mark = end;
        else
            break;
    }
    if (done != len || !(segment[mark / 8] >> (mark % 8) & 1))
        return walk_failed(err, "has no final block");
    *ret_mark = mark;
    *ret_end = end;
    return 0;
}

/* Clears the last block's BFINAL, and ends the segment with an empty stored block on a whole byte. */
static int unmark(unsigned char *segment, size_t len, size_t capacity, const void *bytes, size_t raw_len,
                  size_t *ret_len, struct err *err)
{
    static const unsigned char empty[4] = {0, 0, 0xff, 0xff};
    z_stream z = {.next_in = segment, .avail_in = (uInt)len};
    uint64_t mark = 0, end = 0;
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return err_oom(err);
    int r = walk_blocks(&z, segment, bytes, raw_len, &mark, &end, err);
    inflateEnd(&z);
    if (r < 0)
        return -1;
    size_t whole = (size_t)((end + 3 + 7) / 8); /* with the stored block's three header bits */
    if ((end + 7) / 8 != len || whole + sizeof empty > capacity)
        return walk_failed(err, "does not end with its final block");
    segment[mark / 8] = (unsigned char)(segment[mark / 8] & ~(1U << (mark % 8)));
    if (whole > len)
        segment[len] = 0;
    memcpy(segment + whole, empty, sizeof empty);
    *ret_len = whole + sizeof empty;
    return 0;
}

static int deflate_small(struct deflater *deflater, const void *bytes, size_t len, bool last, void *out,
                         size_t capacity, size_t *ret_len, struct err *err)
{
    size_t made = libdeflate_deflate_compress(deflater->small, bytes, len, out, capacity);
    if (made == 0)
        return err_set(err, ERR_INTERNAL, 0, "deflate: %zu bytes are too few to deflate %zu bytes into",
                       capacity, len);
    if (!last)
        return unmark(out, made, capacity, bytes, len, ret_len, err);
    *ret_len = made;
    return 0;
}

int deflate_segment(struct deflater *deflater, const void *bytes, size_t len, bool last, void *out,
                    size_t capacity, size_t *ret_len, struct err *err)
{
    if (len == 0 || len > (size_t)1 << 30 || capacity > UINT32_MAX)
        return err_set(err, ERR_INTERNAL, 0, "deflate: a segment of %zu bytes", len);
    if (deflater->engine == DEFLATE_SMALL)
        return deflate_small(deflater, bytes, len, last, out, capacity, ret_len, err);
    return deflate_fast(deflater, bytes, len, last, out, capacity, ret_len, err);
}

int deflate_verify(const void *segment, size_t segment_data_len, const void *bytes, size_t len, void *scratch,
                   struct err *err)
{
    cleanup_free struct inflate_state *state = malloc(sizeof *state);
    if (!state)
        return err_oom(err);
    isal_inflate_init(state);
    state->next_in = (uint8_t *)(uintptr_t)segment;
    state->avail_in = (uint32_t)segment_data_len;
    state->next_out = scratch;
    state->avail_out = (uint32_t)len + 1;
    int r = isal_inflate(state);
    if (r != ISAL_DECOMP_OK || state->avail_in != 0 || state->total_out != len ||
        memcmp(scratch, bytes, len) != 0)
        return err_set(err, ERR_INTERNAL, 0, "deflate: a segment does not decode to its content (%d)", r);
    return 0;
}

/* Pseudo-random words of several lengths and a run of noise, for near and far matches and literals. */
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

int deflate_is_reference(enum deflate_engine engine, bool *ret, struct err *err)
{
    size_t capacity = deflate_bound(SAMPLE_SIZE), len = 0;
    cleanup_free unsigned char *sample = malloc(SAMPLE_SIZE + capacity);
    if (!sample)
        return err_oom(err);
    make_sample(sample);
    cleanup_deflater struct deflater deflater = {0};
    if (deflater_init(&deflater, engine, err) < 0 ||
        deflate_segment(&deflater, sample, SAMPLE_SIZE, false, sample + SAMPLE_SIZE, capacity, &len, err) < 0)
        return -1;
    *ret = crc32(0, sample + SAMPLE_SIZE, (uInt)len) == engines[engine].sample_crc;
    return 0;
}
