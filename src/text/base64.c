#include "text/base64.h"

#include <sodium.h>
#include <stdint.h>
#include <string.h>

#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char standard[] = ALPHANUMERIC "+/", url_safe[] = ALPHANUMERIC "-_";

/* libsodium 1.0.18 accepts bytes over 127 as digits. */
static bool only_digits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\0' || (!strchr(standard, text[i]) && text[i] != '='))
            return false;
    return true;
}

bool base64_decode(const char *text, size_t len, void *out, size_t capacity, size_t *ret_size)
{
    const char *end = NULL;
    *ret_size = 0;
    return only_digits(text, len) &&
           sodium_base642bin(out, capacity, text, len, NULL, ret_size, &end,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           end == text + len;
}

bool base64_read(const char *text, size_t len, void *out, size_t size)
{
    size_t got = 0;
    return len == sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_ORIGINAL) - 1 &&
           base64_decode(text, len, out, size, &got) && got == size;
}

static void encode(struct buf *buf, const uint8_t *at, size_t len, const char *digits, bool pad)
{
    for (; len > 0; at += 3) {
        size_t n = len < 3 ? len : 3;
        uint32_t bits = (uint32_t)at[0] << 16 | (n > 1 ? (uint32_t)at[1] << 8 : 0) | (n > 2 ? at[2] : 0U);
        char out[4] = {digits[bits >> 18], digits[bits >> 12 & 63], n > 1 ? digits[bits >> 6 & 63] : '=',
                       n > 2 ? digits[bits & 63] : '='};
        buf_add(buf, out, pad ? sizeof out : n + 1);
        len -= n;
    }
}

void base64_add(struct buf *buf, const void *bytes, size_t len)
{
    encode(buf, bytes, len, standard, true);
}

void base64_add_url(struct buf *buf, const void *bytes, size_t len)
{
    encode(buf, bytes, len, url_safe, false);
}
