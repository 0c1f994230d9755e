/* The index of a file of packed segments, from hostile bytes. Corrects its checksums first, as an attacker
 * could. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/crc32c.h"
#include "pack/segment/deflate.h"
#include "pack/segment/segindex.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { AT_DATA = 16, AT_CRC = 24 };

static void put(unsigned char *at, uint64_t value, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

/* Every segment lies inside the file. */
static void look(const struct segindex *index, uint64_t data)
{
    uint64_t off = 0;
    for (size_t i = 0; i < index->record_count; i++) {
        const struct segment_record *record = &index->records[i];
        if (record->off != off || record->packed_len > data - off || record->raw_len > PACK_SEGMENT ||
            record->packed_len > deflate_bound(PACK_SEGMENT))
            abort();
        off += record->packed_len;
    }
    for (size_t i = 1; i < index->known_count; i++)
        if (memcmp(index->known[i].origin.bytes, index->known[i - 1].origin.bytes, SHA256_SIZE) <= 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct segindex index = {0};
    if (len < TRAILER_SIZE + 4)
        return 0;
    uint64_t data = (uint64_t)bytes[0] << 20 | (uint64_t)bytes[1] << 12 | (uint64_t)bytes[2] << 4 | bytes[3];
    len -= 4;
    unsigned char *copy = malloc(len);
    if (!copy)
        return 0;
    memcpy(copy, bytes + 4, len);
    (void)!segindex_read(copy, len, data + len, &index);
    segindex_free(&index);
    unsigned char *trailer = copy + len - TRAILER_SIZE;
    memcpy(trailer, "BAKESEG2", 8);
    /* as many records as fit; the rest are known segments */
    size_t room = len - TRAILER_SIZE, records = bytes[0] % 8;
    records = records * RECORD_SIZE <= room ? records : room / RECORD_SIZE;
    put(trailer + 8, records, 4);
    put(trailer + 12, (room - records * RECORD_SIZE) / KNOWN_SIZE, 4);
    put(trailer + AT_DATA, data, 8);
    put(trailer + AT_CRC, crc32c_add(0, copy, room), 4);
    put(trailer + AT_CRC + 4, 0, 4);
    if (segindex_read(copy, len, data + len, &index))
        look(&index, data);
    segindex_free(&index);
    free(copy);
    return 0;
}
