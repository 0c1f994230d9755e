#include "pack/crc32c.h"

#include <isa-l/crc.h>

/* Polynomials over GF(2) modulo Castagnoli's, bit 31 being the coefficient of x^0. */
static const uint32_t POLYNOMIAL = 0x82F63B78, ONE = UINT32_C(1) << 31, X8 = UINT32_C(1) << 23;

static uint32_t times(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = ONE; bit != 0; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
    }
    return product;
}

uint32_t crc32c(const void *bytes, size_t len)
{
    uint32_t crc = UINT32_MAX;
    for (const unsigned char *at = bytes; len > 0;) {
        int step = len < (size_t)1 << 30 ? (int)len : 1 << 30;
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, step, crc);
        at += step;
        len -= (size_t)step;
    }
    return ~crc;
}

/* B's bytes after A multiply A by x to eight times their number. */
uint32_t crc32c_combine(uint32_t a, uint32_t b, uint64_t len)
{
    uint32_t shift = ONE;
    for (uint32_t power = X8; len > 0; len >>= 1) {
        if (len & 1)
            shift = times(shift, power);
        power = times(power, power);
    }
    return times(shift, a) ^ b;
}
