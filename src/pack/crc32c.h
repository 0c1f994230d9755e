/* CRC-32C (RFC 3720, Castagnoli) of joined bytes, from those of the parts. */
#ifndef BAKE_PACK_CRC32C_H
#define BAKE_PACK_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *bytes, size_t len);
/* Of A followed by B, which has LEN bytes. */
uint32_t crc32c_combine(uint32_t a, uint32_t b, uint64_t len);

#endif
