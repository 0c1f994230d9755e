#include "base/base64.h"

#include <sodium.h>
#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* libsodium 1.0.18 takes bytes over 127 for digits, so they are looked at here first. */
static bool plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\0' || (!strchr(digits, text[i]) && text[i] != '='))
            return false;
    return true;
}

bool base64_read(const char *text, size_t len, void *out, size_t size)
{
    size_t got = 0;
    const char *end = NULL;
    return len == sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_ORIGINAL) - 1 && plain(text, len) &&
           sodium_base642bin(out, size, text, len, NULL, &got, &end, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           got == size && end == text + len;
}

void base64_add(struct buf *buf, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (; len > 0; at += 3) {
        size_t n = len < 3 ? len : 3;
        uint32_t bits = (uint32_t)at[0] << 16 | (n > 1 ? (uint32_t)at[1] << 8 : 0) | (n > 2 ? at[2] : 0U);
        char out[4] = {digits[bits >> 18], digits[bits >> 12 & 63], n > 1 ? digits[bits >> 6 & 63] : '=',
                       n > 2 ? digits[bits & 63] : '='};
        buf_add(buf, out, sizeof out);
        len -= n;
    }
}
