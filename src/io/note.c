#include "io/note.h"

#include <string.h>

static bool value_byte_ok(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte >= 0x20 && byte != 0x7f;
}

bool note_value_ok(const char *value)
{
    for (; *value; value++)
        if (!value_byte_ok(*value))
            return false;
    return true;
}

/* Consumes WORD and the character AFTER at the front of *at. */
static bool skip_word(const char **at, const char *end, const char *word, char after)
{
    size_t len = strlen(word);
    if ((size_t)(end - *at) < len + 1 || memcmp(*at, word, len) != 0 || (*at)[len] != after)
        return false;
    *at += len + 1;
    return true;
}

bool note_parse(const char *text, size_t len, const char *magic, const struct note_field *fields,
                size_t count)
{
    const char *starts[16];
    size_t lens[16];
    if (len == 0 || len > NOTE_MAX || count > sizeof starts / sizeof *starts)
        return false;
    const char *at = text;
    const char *end = text + len;
    if (!skip_word(&at, end, magic, '\n'))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!skip_word(&at, end, fields[i].name, ' '))
            return false;
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (!line_end || (size_t)(line_end - at) >= fields[i].cap)
            return false;
        starts[i] = at;
        lens[i] = (size_t)(line_end - at);
        for (const char *c = at; c < line_end; c++)
            if (!value_byte_ok(*c))
                return false;
        at = line_end + 1;
    }
    if (at != end)
        return false;
    for (size_t i = 0; i < count; i++) {
        memcpy(fields[i].value, starts[i], lens[i]);
        fields[i].value[lens[i]] = '\0';
    }
    return true;
}

void note_format(struct buf *to, const char *magic, const struct note_field *fields, size_t count)
{
    buf_printf(to, "%s\n", magic);
    for (size_t i = 0; i < count; i++)
        buf_printf(to, "%s %s\n", fields[i].name, fields[i].value);
}

bool note_uint(const char *text, uint64_t *ret)
{
    if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    uint64_t n = 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        unsigned digit = (unsigned)(*text - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}
