#include "unpack/member/bundle.h"

#include <string.h>
#include <sys/stat.h>

#include "io/file.h"
#include "text/bytes.h"

enum { PENDING = 256 << 10, FOOTER = 24 };
static const char magic[8] = {'b', 'a', 'k', 'e', 'b', 'n', 'd', '1'};

int bundle_begin(struct bundle_writer *writer, int fd, struct err *err)
{
    *writer = (struct bundle_writer){.fd = fd, .index = BUF_INIT(BUNDLE_INDEX_MAX)};
    writer->pending = malloc(PENDING);
    if (!writer->pending)
        return err_oom(err);
    return hasher_init(&writer->hasher, DIGEST_SHA256, err);
}

static int write_pending(struct bundle_writer *writer, struct err *err)
{
    uint64_t off = writer->at - writer->pending_len;
    if (file_pwrite(writer->fd, writer->pending, writer->pending_len, off, "the cache", err) < 0 ||
        hasher_add(&writer->hasher, writer->pending, writer->pending_len, err) < 0)
        return -1;
    writer->pending_len = 0;
    return 0;
}

int bundle_add(struct bundle_writer *writer, const void *bytes, size_t len, struct err *err)
{
    const unsigned char *from = bytes;
    while (len > 0) {
        size_t left = PENDING - writer->pending_len, step = len < left ? len : left;
        memcpy(writer->pending + writer->pending_len, from, step);
        writer->pending_len += step;
        writer->at += step;
        from += step;
        len -= step;
        if (writer->pending_len == PENDING && write_pending(writer, err) < 0)
            return -1;
    }
    return 0;
}

int bundle_align(struct bundle_writer *writer, struct err *err)
{
    static const unsigned char zeros[BUNDLE_ALIGN];
    size_t over = (size_t)(writer->at % BUNDLE_ALIGN);
    return over == 0 ? 0 : bundle_add(writer, zeros, BUNDLE_ALIGN - over, err);
}

void bundle_put_number(struct bundle_writer *writer, uint64_t value)
{
    unsigned char bytes[8];
    le64_write(bytes, value);
    buf_add(&writer->index, bytes, sizeof bytes);
}

void bundle_put_bytes(struct bundle_writer *writer, const void *bytes, size_t len)
{
    buf_add(&writer->index, bytes, len);
}

int bundle_end(struct bundle_writer *writer, struct sha256 *ret, struct err *err)
{
    unsigned char footer[FOOTER];
    memcpy(footer, magic, sizeof magic);
    le64_write(footer + 8, writer->at);
    le64_write(footer + 16, writer->index.len);
    if (buf_check(&writer->index, "the index of a cache entry", err) < 0 ||
        bundle_add(writer, writer->index.data, writer->index.len, err) < 0 ||
        bundle_add(writer, footer, sizeof footer, err) < 0 || write_pending(writer, err) < 0)
        return -1;
    struct sha256 sha256;
    if (hasher_end(&writer->hasher, sha256.bytes, err) < 0)
        return -1;
    *ret = sha256;
    return 0;
}

void bundle_free(struct bundle_writer *writer)
{
    hasher_free(&writer->hasher);
    free(steal_ptr(writer->pending));
    buf_free(&writer->index);
}

static int not_a_bundle(struct err *err)
{
    return err_set(err, ERR_IO, 0, "a cache entry was changed after it was written: use --recheck");
}

int bundle_read(int fd, struct bundle_index *ret, struct err *err)
{
    struct stat st;
    unsigned char footer[FOOTER];
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "stat a cache entry");
    if (st.st_size < FOOTER)
        return not_a_bundle(err);
    uint64_t size = (uint64_t)st.st_size - FOOTER;
    if (file_pread(fd, footer, FOOTER, size, "a cache entry", err) < 0)
        return -1;
    uint64_t off = le64_read(footer + 8), len = le64_read(footer + 16);
    if (memcmp(footer, magic, sizeof magic) != 0 || off > size || len != size - off || len > BUNDLE_INDEX_MAX)
        return not_a_bundle(err);
    cleanup_free char *data = malloc((size_t)len + 1);
    if (!data)
        return err_oom(err);
    if (file_pread(fd, data, (size_t)len, off, "a cache entry", err) < 0)
        return -1;
    data[len] = '\0';
    *ret = (struct bundle_index){.buf = {.data = steal_ptr(data),
                                         .len = (size_t)len,
                                         .capacity = (size_t)len + 1,
                                         .max = BUNDLE_INDEX_MAX},
                                 .content = off};
    return 0;
}

static const char *read_bytes(struct bundle_index *index, uint64_t len)
{
    if (index->failed || len > index->buf.len - index->used) {
        index->failed = true;
        return NULL;
    }
    const char *at = index->buf.data + index->used;
    index->used += (size_t)len;
    return at;
}

uint64_t bundle_get_number(struct bundle_index *index)
{
    const char *at = read_bytes(index, 8);
    return at ? le64_read((const unsigned char *)at) : 0;
}

void bundle_get_bytes(struct bundle_index *index, void *bytes, size_t len)
{
    const char *at = read_bytes(index, len);
    if (at)
        memcpy(bytes, at, len);
    else
        memset(bytes, 0, len);
}

const char *bundle_get_string(struct bundle_index *index, struct arena *arena)
{
    uint64_t len = bundle_get_number(index);
    const char *at = read_bytes(index, len);
    const char *copy = at ? arena_strndup(arena, at, (size_t)len) : NULL;
    index->failed |= !copy;
    return copy ? copy : "";
}

int bundle_read_end(struct bundle_index *index, struct err *err)
{
    return index->failed || index->used != index->buf.len ? not_a_bundle(err) : 0;
}
