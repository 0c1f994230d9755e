#include "pack/segment/segindex.h"

#include <string.h>

#include "io/crc32c.h"
#include "pack/segment/deflate.h"
#include "text/bytes.h"

static const char magic[8] = {'B', 'A', 'K', 'E', 'S', 'E', 'G', '2'};
enum { AT_RECORDS = 8, AT_KNOWN = 12, AT_DATA = 16, AT_CRC = 24, AT_ZERO = 28 };

static void put_number(struct buf *buf, uint64_t value, unsigned bytes)
{
    unsigned char out[8];
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> (8 * i));
    buf_add(buf, out, bytes);
}

size_t segindex_size(const unsigned char trailer[static TRAILER_SIZE], uint64_t file_size)
{
    uint64_t size = (uint64_t)le32_read(trailer + AT_RECORDS) * RECORD_SIZE +
                    (uint64_t)le32_read(trailer + AT_KNOWN) * KNOWN_SIZE + TRAILER_SIZE;
    if (memcmp(trailer, magic, sizeof magic) != 0 || le32_read(trailer + AT_ZERO) != 0 ||
        size > SEGINDEX_MAX || size > file_size || le64_read(trailer + AT_DATA) != file_size - size)
        return 0;
    return (size_t)size;
}

static bool read_records(const unsigned char *at, uint64_t data_size, struct segindex *index)
{
    uint64_t off = 0;
    for (size_t i = 0; i < index->record_count; i++, at += RECORD_SIZE) {
        struct segment_record *record = &index->records[i];
        memcpy(record->raw.bytes, at, SHA256_SIZE);
        memcpy(record->sha256.bytes, at + SHA256_SIZE, SHA256_SIZE);
        record->raw_len = le32_read(at + 64);
        record->crc = le32_read(at + 68);
        record->packed_len = le32_read(at + 72);
        record->crc32c = le32_read(at + 76);
        record->off = off;
        if (record->raw_len == 0 || record->raw_len > PACK_SEGMENT || record->raw_len % PACK_BLOCK != 0 ||
            record->packed_len == 0 || record->packed_len > deflate_bound(PACK_SEGMENT) ||
            record->packed_len > data_size - off)
            return false;
        off += record->packed_len;
    }
    return off == data_size;
}

static bool read_known(const unsigned char *at, struct segindex *index)
{
    for (size_t i = 0; i < index->known_count; i++, at += KNOWN_SIZE) {
        struct known_segment *known = &index->known[i];
        memcpy(known->origin.bytes, at, SHA256_SIZE);
        known->mask = (uint16_t)le32_read(at + SHA256_SIZE);
        memcpy(known->raw.bytes, at + SHA256_SIZE + 4, SHA256_SIZE);
        if (le32_read(at + SHA256_SIZE) > UINT16_MAX ||
            (i > 0 && memcmp(known->origin.bytes, known[-1].origin.bytes, SHA256_SIZE) <= 0))
            return false;
    }
    return true;
}

bool segindex_read(const unsigned char *bytes, size_t len, uint64_t file_size, struct segindex *ret)
{
    if (len < TRAILER_SIZE || segindex_size(bytes + len - TRAILER_SIZE, file_size) != len)
        return false;
    const unsigned char *trailer = bytes + len - TRAILER_SIZE;
    if (crc32c_add(0, bytes, len - TRAILER_SIZE) != le32_read(trailer + AT_CRC))
        return false;
    cleanup_segindex struct segindex made = {.record_count = le32_read(trailer + AT_RECORDS),
                                             .known_count = le32_read(trailer + AT_KNOWN)};
    made.records = calloc(made.record_count + 1, sizeof *made.records);
    made.known = calloc(made.known_count + 1, sizeof *made.known);
    if (!made.records || !made.known || !read_records(bytes, le64_read(trailer + AT_DATA), &made) ||
        !read_known(bytes + made.record_count * RECORD_SIZE, &made))
        return false;
    *ret = made;
    made = (struct segindex){0};
    return true;
}

void segindex_free(struct segindex *index)
{
    free(index->records);
    free(index->known);
    *index = (struct segindex){0};
}

void segindex_write(const struct segindex *index, uint64_t data_size, struct buf *ret)
{
    size_t from = ret->len;
    for (size_t i = 0; i < index->record_count; i++) {
        const struct segment_record *record = &index->records[i];
        buf_add(ret, record->raw.bytes, SHA256_SIZE);
        buf_add(ret, record->sha256.bytes, SHA256_SIZE);
        put_number(ret, record->raw_len, 4);
        put_number(ret, record->crc, 4);
        put_number(ret, record->packed_len, 4);
        put_number(ret, record->crc32c, 4);
    }
    for (size_t i = 0; i < index->known_count; i++) {
        const struct known_segment *known = &index->known[i];
        buf_add(ret, known->origin.bytes, SHA256_SIZE);
        put_number(ret, known->mask, 4);
        buf_add(ret, known->raw.bytes, SHA256_SIZE);
    }
    uint32_t crc = ret->failed ? 0 : crc32c_add(0, ret->data ? ret->data + from : "", ret->len - from);
    buf_add(ret, magic, sizeof magic);
    put_number(ret, index->record_count, 4);
    put_number(ret, index->known_count, 4);
    put_number(ret, data_size, 8);
    put_number(ret, crc, 4);
    put_number(ret, 0, 4);
}
