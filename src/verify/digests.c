#include "text/hex.h"
#include "verify/verify.h"

#include <string.h>

/* A line with '#' starts a block; *ret_sha512 says whether of SHA-512 sums. False for any other line. */
static bool is_heading(const char *line, size_t len, bool *ret_sha512)
{
    static const char sha512[] = "# SHA512 HASH";
    if (len == 0 || line[0] != '#')
        return false;
    *ret_sha512 = len == sizeof sha512 - 1 && memcmp(line, sha512, len) == 0;
    return true;
}

/* True for "HEX  NAME", as sha512sum writes it: two spaces, or a space and '*'. */
static bool line_names(const char *line, size_t len, const char *filename)
{
    size_t hex = (size_t)2 * SHA512_SIZE, name = strlen(filename);
    return len == hex + 2 + name && line[hex] == ' ' && (line[hex + 1] == ' ' || line[hex + 1] == '*') &&
           memcmp(line + hex + 2, filename, name) == 0;
}

int verify_digests_parse(const char *text, size_t len, const char *filename, uint8_t ret[static SHA512_SIZE],
                         struct err *err)
{
    if (len > DIGESTS_MAX)
        return err_set(err, ERR_VERIFY, 0, "the .DIGESTS file is larger than the limit of %d bytes",
                       DIGESTS_MAX);
    uint8_t found[SHA512_SIZE];
    bool in_block = false, have = false;
    for (size_t at = 0; at < len;) {
        const char *line = text + at;
        const char *stop = memchr(line, '\n', len - at);
        size_t line_len = stop ? (size_t)(stop - line) : len - at;
        at += line_len + 1;
        if (line_len > 0 && line[line_len - 1] == '\r')
            line_len--;
        if (is_heading(line, line_len, &in_block) || !in_block || !line_names(line, line_len, filename))
            continue;
        char hex[SHA512_HEX];
        uint8_t one[SHA512_SIZE];
        memcpy(hex, line, SHA512_HEX - 1);
        hex[SHA512_HEX - 1] = '\0';
        if (!hex_decode(hex, one, sizeof one))
            return err_set(err, ERR_VERIFY, 0, "the .DIGESTS file has a broken SHA-512 line for %s",
                           filename);
        if (have && memcmp(one, found, sizeof found) != 0)
            return err_set(err, ERR_VERIFY, 0, "the .DIGESTS file has two different SHA-512 lines for %s",
                           filename);
        memcpy(found, one, sizeof found);
        have = true;
    }
    if (!have)
        return err_set(err, ERR_VERIFY, 0, "the .DIGESTS file has no SHA-512 line for %s", filename);
    memcpy(ret, found, sizeof found);
    return 0;
}
