#include "fetch/head.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

enum { STRONG_AFTER_S = 60 };

/* If the line is the header NAME: its value, without the white space around it. */
static bool value_of(const char *line, size_t len, const char *name, const char **ret, size_t *ret_len)
{
    size_t n = strlen(name);
    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return false;
    const char *at = line + n + 1;
    const char *end = line + len;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *ret = at;
    *ret_len = (size_t)(end - at);
    return true;
}

/* Copies a value; one that does not fit or has control characters counts as not given. */
static void copy(char *to, size_t cap, const char *value, size_t len)
{
    to[0] = '\0';
    if (len >= cap)
        return;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
            return;
    memcpy(to, value, len);
    to[len] = '\0';
}

static bool digits(const char **at, const char *end, uint64_t *ret)
{
    const char *from = *at;
    uint64_t n = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        unsigned digit = (unsigned)(**at - '0');
        if (n > ((uint64_t)INT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return *at > from;
}

static bool literal(const char **at, const char *end, char c)
{
    if (*at == end || **at != c)
        return false;
    (*at)++;
    return true;
}

/* "bytes FIRST-LAST/TOTAL" or "bytes FIRST-LAST/" and a star (section 14.4) */
static void content_range(struct fetch_head *head, const char *value, size_t len)
{
    const char *at = value;
    const char *end = value + len;
    uint64_t first = 0, last = 0, total = 0;
    head->range_given = false;
    if (len < 6 || strncasecmp(at, "bytes ", 6) != 0)
        return;
    at += 6;
    if (!digits(&at, end, &first) || !literal(&at, end, '-') || !digits(&at, end, &last) ||
        !literal(&at, end, '/'))
        return;
    bool star = literal(&at, end, '*');
    if ((!star && !digits(&at, end, &total)) || at != end || last < first || (!star && last >= total))
        return;
    head->range_given = true;
    head->range_first = first;
    head->range_last = last;
    head->range_total = total;
}

/* "HTTP/1.1 200 OK" starts a new header: what came before belonged to an interim response. */
static bool status_line(struct fetch_head *head, const char *line, size_t len)
{
    if (len < 9 || strncmp(line, "HTTP/", 5) != 0)
        return false;
    const char *space = memchr(line, ' ', len);
    if (!space || line + len - space < 4)
        return false;
    int status = 0;
    for (int i = 1; i <= 3; i++) {
        if (space[i] < '0' || space[i] > '9')
            return false;
        status = status * 10 + (space[i] - '0');
    }
    *head = (struct fetch_head){.status = status, .bytes = head->bytes};
    return true;
}

static bool quoted(const char *tag)
{
    if (strncmp(tag, "W/", 2) == 0)
        tag += 2;
    size_t len = strlen(tag);
    return len >= 2 && tag[0] == '"' && tag[len - 1] == '"' && strchr(tag + 1, '"') == tag + len - 1;
}

bool fetch_head_line(struct fetch_head *head, const char *line, size_t len)
{
    if (len > FETCH_HEAD_MAX - head->bytes)
        return false;
    head->bytes += len;
    if (status_line(head, line, len))
        return true;
    if (len == 0 || line[0] == '\r' || line[0] == '\n') {
        head->ended = true;
        return true;
    }
    const char *value = NULL;
    size_t n = 0;
    if (value_of(line, len, "etag", &value, &n)) {
        copy(head->etag, sizeof head->etag, value, n);
        if (!quoted(head->etag))
            head->etag[0] = '\0';
    } else if (value_of(line, len, "last-modified", &value, &n)) {
        copy(head->modified, sizeof head->modified, value, n);
    } else if (value_of(line, len, "date", &value, &n)) {
        copy(head->date, sizeof head->date, value, n);
    } else if (value_of(line, len, "retry-after", &value, &n)) {
        copy(head->retry_after, sizeof head->retry_after, value, n);
    } else if (value_of(line, len, "content-encoding", &value, &n)) {
        copy(head->encoding, sizeof head->encoding, n ? value : "identity", n ? n : 8);
        if (!head->encoding[0]) /* longer than any known encoding */
            memcpy(head->encoding, "unknown", 8);
    } else if (value_of(line, len, "content-range", &value, &n)) {
        content_range(head, value, n);
    }
    return true;
}

void fetch_head_validator(const struct fetch_head *head, char out[static FETCH_TAG_CAP])
{
    out[0] = '\0';
    if (head->etag[0] == '"') {
        memcpy(out, head->etag, sizeof head->etag);
        return;
    }
    time_t modified = head->modified[0] ? curl_getdate(head->modified, NULL) : -1;
    time_t date = head->date[0] ? curl_getdate(head->date, NULL) : -1;
    if (modified > 0 && date > 0 && date >= modified && date - modified >= STRONG_AFTER_S)
        snprintf(out, FETCH_TAG_CAP, "%s", head->modified);
}
