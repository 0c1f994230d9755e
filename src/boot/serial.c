#include "boot/serial.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "text/utf8.h"

/* Length of the control sequence (ECMA-48, 5.4: CSI, parameters, intermediates, a final byte) at BYTES; 0 if
 * there is no complete one. */
static size_t control_sequence(const char *bytes, size_t len)
{
    if (len < 3 || bytes[0] != '\x1b' || bytes[1] != '[')
        return 0;
    for (size_t i = 2; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x40 && c <= 0x7e)
            return i + 1;
        if (c < 0x20 || c > 0x3f)
            return 0;
    }
    return 0;
}

/* Length of the printable UTF-8 character at BYTES; 0 if it is malformed or a control character. */
static size_t printable(const char *bytes, size_t len)
{
    const unsigned char *b = (const unsigned char *)bytes;
    size_t n = utf8_char(bytes, len);
    if (n == 0 || utf8_is_control(bytes, n))
        return 0;
    /* U+202A to U+202E and U+2066 to U+2069 change the text direction of the rest of the line */
    bool bidi =
        n == 3 && b[0] == 0xe2 &&
        ((b[1] == 0x80 && b[2] >= 0xaa && b[2] <= 0xae) || (b[1] == 0x81 && b[2] >= 0xa6 && b[2] <= 0xa9));
    return bidi ? 0 : n;
}

/* Menus are drawn with long runs of spaces between the cursor sequences dropped above; they would push
 * everything else off the screen. Shortens runs of more than 16 spaces and drops those at the end. */
static void squeeze(char *line)
{
    char *to = line;
    for (const char *from = line; *from;) {
        size_t spaces = strspn(from, " ");
        size_t keep = spaces > 16 ? 2 : spaces;
        if (spaces == 0)
            *to++ = *from++;
        memset(to, ' ', keep);
        to += keep;
        from += spaces;
    }
    while (to > line && to[-1] == ' ')
        to--;
    *to = 0;
}

void serial_clean(const char *bytes, size_t len, char out[static SERIAL_CLEAN_MAX])
{
    size_t n = 0;
    if (len > SERIAL_LINE_MAX)
        len = SERIAL_LINE_MAX;
    for (size_t i = 0; i < len;) {
        size_t skip = control_sequence(bytes + i, len - i);
        size_t good = skip ? 0 : printable(bytes + i, len - i);
        if (good) {
            memcpy(out + n, bytes + i, good);
            n += good;
        } else if (!skip && bytes[i] == '\t') {
            out[n++] = ' ';
        } else if (!skip && bytes[i] != '\r') {
            snprintf(out + n, 5, "\\x%02x", (unsigned)(unsigned char)bytes[i]);
            n += 4;
        }
        i += skip ? skip : good ? good : 1;
    }
    out[n] = 0;
    squeeze(out);
}

void serial_flush(struct serial *serial)
{
    char clean[SERIAL_CLEAN_MAX];
    if (serial->len == 0)
        return;
    serial_clean(serial->line, serial->len, clean);
    serial->len = 0;
    if (serial->take)
        serial->take(serial->ctx, clean);
}

void serial_feed(struct serial *serial, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            serial_flush(serial);
            continue;
        }
        serial->line[serial->len++] = bytes[i];
        if (serial->len == sizeof serial->line)
            serial_flush(serial);
    }
}
