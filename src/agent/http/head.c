#include "agent/http/head.h"

#include <string.h>
#include <strings.h>

#include "text/hex.h"

struct text {
    const char *at;
    size_t len;
};

static bool same(const struct text *text, const char *word)
{
    return text->len == strlen(word) && strncasecmp(text->at, word, text->len) == 0;
}

static int parse_status(const struct text *line, int *ret, struct err *err)
{
    const char *s = line->at;
    bool ok = line->len >= 12 && memcmp(s, "HTTP/1.", 7) == 0 && (s[7] == '0' || s[7] == '1') &&
              s[8] == ' ' && (line->len == 12 || s[12] == ' ');
    int status = 0;
    for (size_t i = 9; i < 12 && ok; i++) {
        ok = s[i] >= '0' && s[i] <= '9';
        status = status * 10 + (s[i] - '0');
    }
    if (!ok || status < 100)
        return err_set(err, ERR_VERIFY, 0, "the answer is not HTTP");
    if (status < 200)
        return err_set(err, ERR_VERIFY, 0, "the answer is provisional (%d), which was not asked for", status);
    *ret = status;
    return 0;
}

static int parse_length(const struct text *value, struct agent_http_head *head, struct err *err)
{
    uint64_t length = 0;
    bool ok = value->len > 0;
    for (size_t i = 0; i < value->len && ok; i++)
        ok = value->at[i] >= '0' && value->at[i] <= '9' &&
             !__builtin_mul_overflow(length, (uint64_t)10, &length) &&
             !__builtin_add_overflow(length, (uint64_t)(value->at[i] - '0'), &length);
    if (!ok || (head->has_length && head->length != length))
        return err_set(err, ERR_VERIFY, 0, "the answer's Content-Length is malformed");
    head->has_length = true;
    head->length = length;
    return 0;
}

static int parse_field(const struct text *line, struct agent_http_head *head, struct err *err)
{
    const char *colon = memchr(line->at, ':', line->len);
    /* A line that starts with white space would continue the last one, a form that RFC 9112 5.2
     * deprecates. */
    if (!colon || colon == line->at || line->at[0] == ' ' || line->at[0] == '\t' || colon[-1] == ' ' ||
        colon[-1] == '\t')
        return err_set(err, ERR_VERIFY, 0, "the answer's header is malformed");
    struct text name = {line->at, (size_t)(colon - line->at)};
    struct text value = {colon + 1, line->len - name.len - 1};
    while (value.len > 0 && (value.at[0] == ' ' || value.at[0] == '\t')) {
        value.at++;
        value.len--;
    }
    while (value.len > 0 && (value.at[value.len - 1] == ' ' || value.at[value.len - 1] == '\t'))
        value.len--;
    if (same(&name, "Content-Length"))
        return parse_length(&value, head, err);
    if (same(&name, "Transfer-Encoding")) {
        if (head->chunked || !same(&value, "chunked"))
            return err_set(err, ERR_VERIFY, 0, "the answer's transfer coding is not understood");
        head->chunked = true;
    }
    if (same(&name, "Content-Encoding") && !same(&value, "identity"))
        return err_set(err, ERR_VERIFY, 0, "the answer is compressed, which was not asked for");
    if (same(&name, "Metadata-Flavor"))
        head->google = value.len == 6 && memcmp(value.at, "Google", 6) == 0;
    return 0;
}

int agent_http_head_parse(const char *text, size_t len, struct agent_http_head *ret, struct err *err)
{
    struct agent_http_head head = {0};
    bool first = true;
    if (memchr(text, '\0', len))
        return err_set(err, ERR_VERIFY, 0, "the answer's header holds a NUL");
    for (const char *at = text, *end = text + len; at < end; first = false) {
        const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
        if (!stop)
            return err_set(err, ERR_VERIFY, 0, "the answer's header is malformed");
        struct text line = {at, (size_t)(stop - at)};
        at = stop + 2;
        if (first && parse_status(&line, &head.status, err) < 0)
            return -1;
        if (!first && line.len > 0 && parse_field(&line, &head, err) < 0)
            return -1;
    }
    if (first)
        return err_set(err, ERR_VERIFY, 0, "the answer is not HTTP");
    if (head.chunked && head.has_length)
        return err_set(err, ERR_VERIFY, 0, "the answer tells its length in two ways");
    *ret = head;
    return 0;
}

bool agent_http_chunk_size(const char *line, uint64_t *ret)
{
    uint64_t size = 0;
    size_t i = 0;
    for (; line[i] && line[i] != ';' && line[i] != ' ' && line[i] != '\t'; i++) {
        int digit = hex_digit(line[i]);
        if (digit < 0 || i == 15)
            return false;
        size = size << 4 | (uint64_t)digit;
    }
    if (i == 0)
        return false;
    *ret = size;
    return true;
}
