#include "verify/pgp.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "text/bytes.h"

enum { ARMOUR_LINE_MAX = 1024, KEY_VERSION_NEW = 6 };
enum { TAG_SIGNATURE = 2, TAG_KEY = 6, TAG_MARKER = 10, TAG_PADDING = 21, TAG_NOT_CRITICAL = 40 };

/* A text that is read line by line; next_line() leaves out line ends and trailing white space. */
struct lines {
    const char *at, *end;
};

static bool next_line(struct lines *lines, const char **ret, size_t *ret_len)
{
    if (lines->at >= lines->end)
        return false;
    const char *stop = memchr(lines->at, '\n', (size_t)(lines->end - lines->at));
    const char *last = stop ? stop : lines->end;
    *ret = lines->at;
    lines->at = stop ? stop + 1 : lines->end;
    while (last > *ret && (last[-1] == '\r' || last[-1] == ' ' || last[-1] == '\t'))
        last--;
    *ret_len = (size_t)(last - *ret);
    return true;
}

static bool line_is(const char *line, size_t len, const char *start, const char *kind)
{
    size_t a = strlen(start), b = strlen(kind);
    return len == a + b + 5 && memcmp(line, start, a) == 0 && memcmp(line + a, kind, b) == 0 &&
           memcmp(line + a + b, "-----", 5) == 0;
}

static uint32_t crc24(const unsigned char *bytes, size_t len)
{
    uint32_t crc = 0xb704ce;
    for (size_t i = 0; i < len; i++) {
        crc ^= (uint32_t)bytes[i] << 16;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc <<= 1;
            if (crc & 0x1000000)
                crc ^= 0x1864cfb;
        }
    }
    return crc & 0xffffff;
}

static int sextet(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* The decoder's state: four digits may span lines; padding ends the data. */
struct radix64 {
    uint32_t bits;
    unsigned count;   /* digits in bits, 0 to 3 */
    unsigned padding; /* '=' seen */
};

static bool radix64_add(struct radix64 *radix, const char *text, size_t len, struct buf *to)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '=') {
            radix->padding++;
            continue;
        }
        int value = sextet(text[i]);
        if (value < 0 || radix->padding)
            return false;
        radix->bits = radix->bits << 6 | (uint32_t)value;
        if (++radix->count < 4)
            continue;
        unsigned char out[3] = {(unsigned char)(radix->bits >> 16), (unsigned char)(radix->bits >> 8),
                                (unsigned char)radix->bits};
        buf_add(to, out, 3);
        *radix = (struct radix64){0};
    }
    return true;
}

static bool radix64_end(const struct radix64 *radix, struct buf *to)
{
    if (radix->count == 0)
        return radix->padding == 0;
    if (radix->count + radix->padding != 4 || radix->count == 1)
        return false;
    uint32_t bits = radix->bits << (6 * (4 - radix->count));
    unsigned char out[2] = {(unsigned char)(bits >> 16), (unsigned char)(bits >> 8)};
    buf_add(to, out, radix->count - 1);
    return true;
}

static bool crc_line_ok(const char *line, size_t len, const unsigned char *bytes, size_t size)
{
    uint32_t want = 0;
    if (len != 5)
        return false;
    for (size_t i = 1; i < 5; i++) {
        int value = sextet(line[i]);
        if (value < 0)
            return false;
        want = want << 6 | (uint32_t)value;
    }
    return want == crc24(bytes, size);
}

/* Decodes what follows a BEGIN line, up to the END line. Header lines ("Version: ...") end with an empty
 * line. */
static int read_block(struct lines *lines, const char *kind, const char *name, struct buf *to,
                      struct err *err)
{
    const char *line = NULL;
    size_t len = 0, start = to->len;
    bool body = false, checked = false;
    struct radix64 radix = {0};
    while (next_line(lines, &line, &len)) {
        if (line_is(line, len, "-----END PGP ", kind)) {
            if (!checked && !radix64_end(&radix, to))
                break;
            if (to->len == start)
                return err_set(err, ERR_VERIFY, 0, "%s: an armoured block is empty", name);
            return 0;
        }
        if (len > ARMOUR_LINE_MAX || checked)
            break;
        if (!body) {
            body = len == 0;
            if (body || memchr(line, ':', len))
                continue;
            body = true; /* some writers omit the empty line when there are no header lines */
        }
        if (len > 0 && line[0] == '=') {
            if (!radix64_end(&radix, to) || buf_check(to, name, err) < 0 || to->len == start ||
                !crc_line_ok(line, len, (unsigned char *)to->data + start, to->len - start))
                return err_set(err, ERR_VERIFY, 0, "%s: the checksum of its ASCII armour is wrong", name);
            checked = true;
        } else if (!radix64_add(&radix, line, len, to)) {
            break;
        }
    }
    return err_set(err, ERR_VERIFY, 0, "%s: broken ASCII armour (truncated, or not base64)", name);
}

int pgp_dearmour(const void *bytes, size_t len, const char *kind, const char *name, struct buf *ret,
                 struct err *err)
{
    /* binary: a packet's first byte has its top bit set (RFC 4880 section 4.2), and a keybox file starts with
     * a big-endian length, whose first byte is 0 */
    const unsigned char *first = bytes;
    if (len == 0)
        return err_set(err, ERR_VERIFY, 0, "%s is empty", name);
    if ((*first & 0x80) || *first == 0) {
        buf_add(ret, bytes, len);
        return buf_check(ret, name, err);
    }
    struct lines lines = {bytes, (const char *)bytes + len};
    const char *line = NULL;
    size_t line_len = 0;
    unsigned blocks = 0;
    while (next_line(&lines, &line, &line_len)) {
        if (!line_is(line, line_len, "-----BEGIN PGP ", kind))
            continue;
        if (read_block(&lines, kind, name, ret, err) < 0)
            return -1;
        blocks++;
    }
    if (blocks == 0)
        return err_set(err, ERR_VERIFY, 0,
                       "%s is not OpenPGP: neither binary nor a \"-----BEGIN PGP %s-----\" block", name,
                       kind);
    return buf_check(ret, name, err);
}

struct packet {
    unsigned tag;
    size_t body, next; /* offsets of what follows the header, and of the next packet */
};

/* Reads the header of the packet at AT. False when the packet is malformed or truncated; its tag is set even
 * so if the first byte is there. */
static bool read_packet(const unsigned char *bytes, size_t len, size_t at, struct packet *ret)
{
    size_t left = len - at, header = 0, size = 0;
    const unsigned char *p = bytes + at;
    if (left < 2 || !(p[0] & 0x80))
        return false;
    if (p[0] & 0x40) { /* new format; partial lengths (224 to 254) are for data packets only */
        ret->tag = p[0] & 0x3f;
        header = p[1] < 192 ? 2 : p[1] < 224 ? 3 : 6;
        if (left < header || (p[1] >= 224 && p[1] < 255))
            return false;
        size = header == 2 ? p[1] : header == 3 ? ((size_t)(p[1] - 192) << 8) + p[2] + 192 : be32_read(p + 2);
    } else {
        ret->tag = p[0] >> 2 & 0x0f;
        if ((p[0] & 3) == 3) /* indeterminate length */
            return false;
        size_t digits = (size_t)1 << (p[0] & 3);
        header = 1 + digits;
        if (left < header)
            return false;
        for (size_t i = 0; i < digits; i++)
            size = size << 8 | p[1 + i];
    }
    if (size > left - header)
        return false;
    ret->body = at + header;
    ret->next = ret->body + size;
    return true;
}

/* A packet that a reader must skip. */
static bool is_filler(unsigned tag)
{
    return tag == TAG_MARKER || tag == TAG_PADDING || tag >= TAG_NOT_CRITICAL;
}

int pgp_split_signatures(const void *bytes, size_t len, const char *name,
                         struct pgp_signature ret[static PGP_SIGNATURES_MAX], unsigned *ret_count,
                         struct err *err)
{
    unsigned count = 0;
    struct packet packet = {0};
    for (size_t at = 0; at < len; at = packet.next) {
        packet.tag = TAG_SIGNATURE;
        bool whole = read_packet(bytes, len, at, &packet);
        if (packet.tag != TAG_SIGNATURE && !is_filler(packet.tag))
            return err_set(err, ERR_VERIFY, 0,
                           "%s is not a detached signature (it holds an OpenPGP packet of type %u)", name,
                           packet.tag);
        if (!whole)
            return err_set(err, ERR_VERIFY, 0, "%s is truncated, or not an OpenPGP signature", name);
        if (packet.tag != TAG_SIGNATURE)
            continue;
        if (count == PGP_SIGNATURES_MAX)
            return err_set(err, ERR_VERIFY, 0, "%s holds more than %d signatures", name, PGP_SIGNATURES_MAX);
        ret[count++] = (struct pgp_signature){(const char *)bytes + at, packet.next - at};
    }
    if (count == 0)
        return err_set(err, ERR_VERIFY, 0, "%s is empty", name);
    *ret_count = count;
    return 0;
}

void pgp_drop_new_keys(struct buf *keyring)
{
    const unsigned char *bytes = (const unsigned char *)keyring->data;
    struct packet packet = {0};
    for (size_t at = 0; at < keyring->len; at = packet.next)
        if (!read_packet(bytes, keyring->len, at, &packet))
            return;
    bool dropping = false; /* a key's subkeys, names and signatures follow it */
    size_t kept = 0, len = keyring->len;
    for (size_t at = 0; at < len; at = packet.next) {
        if (!read_packet(bytes, len, at, &packet))
            return;
        if (packet.tag == TAG_KEY)
            dropping = packet.next > packet.body && bytes[packet.body] >= KEY_VERSION_NEW;
        if (dropping)
            continue;
        memmove(keyring->data + kept, keyring->data + at, packet.next - at);
        kept += packet.next - at;
    }
    keyring->len = kept;
    if (keyring->data)
        keyring->data[kept] = '\0';
}
