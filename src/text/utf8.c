#include "text/utf8.h"

size_t utf8_char(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    if (len == 0 || s[0] < 0x80)
        return len > 0;
    size_t n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    if (n == 0 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool outside = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return overlong || outside ? 0 : n;
}

size_t utf8_valid(const char *text, size_t len)
{
    size_t at = 0, n;
    while (at < len && text[at] != '\0' && (n = utf8_char(text + at, len - at)) > 0)
        at += n;
    return at;
}

bool utf8_ok(const char *text, size_t len)
{
    return utf8_valid(text, len) == len;
}

bool utf8_is_control(const char *character, size_t len)
{
    unsigned char first = (unsigned char)character[0];
    if (len == 1)
        return first < 0x20 || first == 0x7f;
    return len == 2 && first == 0xc2 && (unsigned char)character[1] < 0xa0;
}
