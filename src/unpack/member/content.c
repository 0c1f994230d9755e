#include "unpack/member/content.h"

#include <string.h>

#include "text/hex.h"

struct copy {
    struct bundle_writer *const *writers;
    size_t count;
    struct hasher hasher;
    uint64_t size;
    const char *name;
};

static int add_bytes(struct copy *copy, const unsigned char *bytes, size_t len, struct err *err)
{
    if (len > CONTENT_MAX - copy->size)
        return err_set(err, ERR_VERIFY, 0, "its entry \"%s\" is larger than the %llu bytes allowed",
                       copy->name, (unsigned long long)CONTENT_MAX);
    copy->size += len;
    for (size_t i = 0; i < copy->count; i++)
        if (bundle_add(copy->writers[i], bytes, len, err) < 0)
            return -1;
    return hasher_add(&copy->hasher, bytes, len, err);
}

static int add_zeros(struct copy *copy, uint64_t to, struct err *err)
{
    static const unsigned char zeros[64 << 10];
    while (copy->size < to) {
        uint64_t left = to - copy->size;
        if (add_bytes(copy, zeros, left < sizeof zeros ? (size_t)left : sizeof zeros, err) < 0)
            return -1;
    }
    return 0;
}

int content_copy(struct reader *reader, uint64_t entry_size, struct bundle_writer *const *writers,
                 size_t count, struct bundle_piece *ret, const char *name, struct err *err)
{
    struct copy copy = {.writers = writers, .count = count, .name = name};
    uint64_t start = 0;
    for (size_t i = 0; i < count; i++) {
        if (bundle_align(writers[i], err) < 0)
            return -1;
        start = writers[i]->at;
    }
    int r = hasher_init(&copy.hasher, DIGEST_SHA256, err);
    while (r == 0) {
        const unsigned char *bytes = NULL;
        size_t len = 0;
        uint64_t off = 0;
        r = reader_data(reader, &bytes, &len, &off, err);
        if (r == 0)
            r = add_zeros(&copy, len == 0 && entry_size > off ? entry_size : off, err);
        if (r < 0 || len == 0)
            break;
        r = add_bytes(&copy, bytes, len, err);
    }
    struct bundle_piece made = {.off = start, .size = copy.size};
    if (r == 0)
        r = hasher_end(&copy.hasher, made.sha256.bytes, err);
    hasher_free(&copy.hasher);
    if (r == 0)
        *ret = made;
    return r;
}

void content_put(struct bundle_writer *writer, const struct bundle_piece *content)
{
    bundle_put_number(writer, content->off);
    bundle_put_number(writer, content->size);
    bundle_put_bytes(writer, content->sha256.bytes, SHA256_SIZE);
}

void content_get(struct bundle_index *index, int fd, struct blob *ret)
{
    struct blob blob = {.fd = fd};
    blob.off = bundle_get_number(index);
    blob.size = bundle_get_number(index);
    bundle_get_bytes(index, blob.sha256.bytes, SHA256_SIZE);
    index->failed |= blob.off > index->content || blob.size > index->content - blob.off;
    *ret = blob;
}

void content_put_meta(struct bundle_writer *writer, const struct file_meta *meta)
{
    bundle_put_number(writer, meta->mode);
    bundle_put_number(writer, meta->uid);
    bundle_put_number(writer, meta->gid);
    bundle_put_number(writer, meta->lost);
    bundle_put_number(writer, meta->capability_size);
    bundle_put_bytes(writer, meta->capability, sizeof meta->capability);
}

void content_get_meta(struct bundle_index *index, struct file_meta *ret)
{
    struct file_meta meta = {.mode = (uint32_t)bundle_get_number(index) & 07777};
    uint64_t uid = bundle_get_number(index), gid = bundle_get_number(index);
    uint64_t lost = bundle_get_number(index), size = bundle_get_number(index);
    bundle_get_bytes(index, meta.capability, sizeof meta.capability);
    index->failed |=
        uid > UINT32_MAX || gid > UINT32_MAX || lost > FILE_LOST_ALL || size > sizeof meta.capability;
    meta.uid = (uint32_t)uid;
    meta.gid = (uint32_t)gid;
    meta.lost = (uint32_t)lost;
    meta.capability_size = index->failed ? 0 : (uint32_t)size;
    *ret = meta;
}

int content_key(const struct trusted *artifact, const char *text, char ret[static SHA256_HEX],
                struct err *err)
{
    cleanup_hasher struct hasher hasher = {0};
    struct sha256 sha256;
    static const char format[] = "with owners"; /* so that entries of earlier versions do not match */
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0 || hasher_add(&hasher, format, sizeof format, err) < 0 ||
        hasher_add(&hasher, artifact->sha256.bytes, SHA256_SIZE, err) < 0 ||
        hasher_add(&hasher, text, strlen(text), err) < 0 || hasher_end(&hasher, sha256.bytes, err) < 0)
        return -1;
    hex_encode(sha256.bytes, SHA256_SIZE, ret);
    return 0;
}
