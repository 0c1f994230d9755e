/* Big-endian (be) and little-endian (le) integers at any alignment. */
#ifndef BAKE_TEXT_BYTES_H
#define BAKE_TEXT_BYTES_H

#include <stdint.h>

static inline uint16_t be16_read(const unsigned char *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t be32_read(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint32_t le32_read(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t le64_read(const unsigned char *at)
{
    return le32_read(at) | (uint64_t)le32_read(at + 4) << 32;
}

static inline void be32_write(unsigned char *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (24 - 8 * i));
}

static inline void le32_write(unsigned char *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static inline void le64_write(unsigned char *at, uint64_t value)
{
    le32_write(at, (uint32_t)value);
    le32_write(at + 4, (uint32_t)(value >> 32));
}

#endif
