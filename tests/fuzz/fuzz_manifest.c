/* A package manifest from hostile bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "seal/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct err err = {0};
    cleanup_package struct package package = {0};
    if (package_read((const char *)bytes, len, "fuzz", &package, &err) < 0)
        return 0;
    /* an accepted manifest keeps its invariants */
    uint64_t end = 0;
    for (size_t i = 0; i < package.packed.segment_count; i++) {
        const struct segment *segment = &package.packed.segments[i];
        if (segment->packed_off != end || segment->raw_off + segment->raw_len > package.packed.disk_size)
            abort();
        end += segment->packed_len;
    }
    if (end != package.archive.size || strchr(package.archive.path, '/'))
        abort();
    return 0;
}
