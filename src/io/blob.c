#include "io/blob.h"

#include <string.h>

int blob_from_memory(const void *bytes, uint64_t size, struct blob *ret, struct err *err)
{
    struct blob made = {.memory = size > 0 ? bytes : "", .fd = -1, .size = size};
    if (sha256_of(bytes, (size_t)size, &made.sha256, err) < 0)
        return -1;
    *ret = made;
    return 0;
}

int blob_read(const struct blob *blob, void *bytes, size_t len, uint64_t off, struct err *err)
{
    if (off > blob->size || len > blob->size - off)
        return err_set(err, ERR_INTERNAL, 0, "read past the end of an embedded file");
    if (!blob->memory)
        return file_pread(blob->fd, bytes, len, blob->off + off, "an embedded file", err);
    memcpy(bytes, (const unsigned char *)blob->memory + off, len);
    return 0;
}
