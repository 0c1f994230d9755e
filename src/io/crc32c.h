/* CRC-32C, the checksum that Cloud Storage keeps for every object.
 *
 * In:    bytes; checksums of adjacent parts.
 * Out:   the checksum as a number, and as text in the API's form: base64 of its four bytes, big-endian.
 * Fails: crc32c_read() returns false for any other form.
 * Source: RFC 3720 appendix B.4 (polynomial 0x1EDC6F41, reflected); cloud.google.com/storage/docs/json_api
 */
#ifndef BAKE_IO_CRC32C_H
#define BAKE_IO_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CRC32C_TEXT = 9 /* "yZKStg==" and its NUL */ };

/* CRC is the checksum of the preceding bytes, 0 at the start. */
uint32_t crc32c_add(uint32_t crc, const void *bytes, size_t len);
/* The checksum of A's bytes followed by B's B_LEN bytes. */
uint32_t crc32c_join(uint32_t a, uint32_t b, uint64_t b_len);

void crc32c_text(uint32_t crc, char out[static CRC32C_TEXT]);
bool crc32c_read(const char *text, uint32_t *ret);

#endif
