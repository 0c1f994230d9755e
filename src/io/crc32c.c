#include "io/crc32c.h"

#include <string.h>

#include <isa-l/crc.h>
#include <openssl/evp.h>

#include "text/base64.h"
#include "text/bytes.h"

static const uint32_t POLYNOMIAL = 0x82f63b78; /* reflected: bit 31 is x^0 */
enum { PIECE = 1 << 30 /* ISA-L counts in an int */ };

uint32_t crc32c_add(uint32_t crc, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    crc = ~crc;
    while (len > 0) {
        int step = len < PIECE ? (int)len : PIECE;
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, step, crc);
        at += step;
        len -= (size_t)step;
    }
    return ~crc;
}

/* A times B, modulo the polynomial. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = UINT32_C(1) << 31; bit; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b & 1 ? b >> 1 ^ POLYNOMIAL : b >> 1;
    }
    return product;
}

/* Each further byte multiplies a checksum by x^8; x^(8 * b_len) is computed by squaring. */
uint32_t crc32c_join(uint32_t a, uint32_t b, uint64_t b_len)
{
    uint32_t power = UINT32_C(1) << 23; /* x^8 */
    for (; b_len; b_len >>= 1) {
        if (b_len & 1)
            a = multiply(power, a);
        power = multiply(power, power);
    }
    return a ^ b;
}

void crc32c_text(uint32_t crc, char out[static CRC32C_TEXT])
{
    unsigned char bytes[4];
    be32_write(bytes, crc);
    EVP_EncodeBlock((unsigned char *)out, bytes, sizeof bytes);
}

bool crc32c_read(const char *text, uint32_t *ret)
{
    unsigned char bytes[4];
    if (!base64_read(text, strlen(text), bytes, sizeof bytes))
        return false;
    *ret = be32_read(bytes);
    return true;
}
