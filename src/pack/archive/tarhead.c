#include "pack/archive/tarhead.h"

#include <string.h>

enum { NUMBER = 12, IN_HEADER = 4, IN_EXTENSION = 21 };

struct sparse_entry {
    char offset[NUMBER], numbytes[NUMBER];
};

struct oldgnu_header {
    char name[100], mode[8], uid[8], gid[8], size[NUMBER], mtime[NUMBER], checksum[8], type;
    char linkname[100], magic[8], uname[32], gname[32], major[8], minor[8];
    char atime[NUMBER], ctime[NUMBER], offset[NUMBER], longnames[4], unused;
    struct sparse_entry entries[IN_HEADER];
    char extended, realsize[NUMBER], pad[17];
};
static_assert(sizeof(struct oldgnu_header) == TAR_BLOCK, "a header is one block");

struct extension {
    struct sparse_entry entries[IN_EXTENSION];
    char extended, pad[7];
};
static_assert(sizeof(struct extension) == TAR_BLOCK, "an extension is one block");

/* Octal with a NUL if it fits, else base-256: big-endian with the first bit set. */
static void put_number(char *field, size_t width, uint64_t value)
{
    if (value >> (3 * (width - 1)) == 0) {
        field[width - 1] = '\0';
        for (size_t i = width - 1; i-- > 0; value >>= 3)
            field[i] = (char)('0' + (value & 7));
        return;
    }
    for (size_t i = width; i-- > 1; value >>= 8)
        field[i] = (char)(unsigned char)value;
    field[0] = (char)0x80;
}

struct header_writer {
    struct buf *buf;
    size_t header;    /* offset of the header in buf */
    size_t extension; /* offset of the current extension; 0 while the header has free ones */
    size_t used;      /* entries in the header or the current extension */
};

static int add_entry(void *ctx, uint64_t off, uint64_t len, struct err *err)
{
    struct header_writer *writer = ctx;
    struct buf *buf = writer->buf;
    if (writer->used == (writer->extension ? (size_t)IN_EXTENSION : (size_t)IN_HEADER)) {
        static const struct extension empty = {0};
        buf_add(buf, &empty, sizeof empty);
        if (buf_check(buf, "the tar header", err) < 0)
            return err_set(err, ERR_LAYOUT, 0,
                           "the disk's data is in too many extents for the sparse map of a tar archive");
        if (writer->extension)
            ((struct extension *)(void *)(buf->data + writer->extension))->extended = 1;
        else
            ((struct oldgnu_header *)(void *)(buf->data + writer->header))->extended = 1;
        writer->extension = buf->len - sizeof empty;
        writer->used = 0;
    }
    struct sparse_entry *entries =
        writer->extension ? ((struct extension *)(void *)(buf->data + writer->extension))->entries
                          : ((struct oldgnu_header *)(void *)(buf->data + writer->header))->entries;
    put_number(entries[writer->used].offset, NUMBER, off);
    put_number(entries[writer->used].numbytes, NUMBER, len);
    writer->used++;
    return 0;
}

static void put_checksum(struct oldgnu_header *header)
{
    memset(header->checksum, ' ', sizeof header->checksum);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof *header; i++)
        sum += ((const unsigned char *)header)[i];
    put_number(header->checksum, 7, sum); /* six digits and NUL; the last space stays */
}

int tar_head(const struct sparse *sparse, int64_t epoch, struct buf *ret, struct err *err)
{
    struct oldgnu_header header = {.type = 'S'};
    memcpy(header.name, PACK_MEMBER, sizeof PACK_MEMBER);
    put_number(header.mode, sizeof header.mode, 0644);
    put_number(header.uid, sizeof header.uid, 0);
    put_number(header.gid, sizeof header.gid, 0);
    put_number(header.size, NUMBER, sparse->data_size);
    put_number(header.mtime, NUMBER, (uint64_t)epoch);
    memcpy(header.magic, "ustar  ", 8);
    put_number(header.realsize, NUMBER, sparse->size);
    struct header_writer writer = {.buf = ret, .header = ret->len};
    buf_add(ret, &header, sizeof header);
    if (buf_check(ret, "the tar header", err) < 0 || sparse_each_extent(sparse, add_entry, &writer, err) < 0)
        return -1;
    /* GNU tar ends every map with an empty entry at the file's end, even without a hole there: a reader may
     * rely on it */
    if (add_entry(&writer, sparse->size, 0, err) < 0)
        return -1;
    put_checksum((struct oldgnu_header *)(void *)(ret->data + writer.header));
    return 0;
}

size_t tar_end_size(uint64_t head_and_data)
{
    uint64_t total = head_and_data + 2 * (uint64_t)TAR_BLOCK;
    uint64_t over = total % TAR_RECORD;
    return (size_t)(2 * (uint64_t)TAR_BLOCK + (over ? TAR_RECORD - over : 0));
}
