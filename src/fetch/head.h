/* The header of one HTTP response, as far as downloads need it: RFC 9110.
 *
 * In:    header lines from a server, one call a line, as libcurl hands them over.
 * Out:   plain values; a malformed or overlong one counts as not given.
 * Fails: fetch_head_line() is false once the header is larger than FETCH_HEAD_MAX.
 */
#ifndef BAKE_FETCH_HEAD_H
#define BAKE_FETCH_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FETCH_TAG_CAP = 256, FETCH_DATE_CAP = 64, FETCH_HEAD_MAX = 256 << 10 };

struct fetch_head {
    int status;
    size_t bytes;
    bool ended;                    /* the empty line was seen */
    char etag[FETCH_TAG_CAP];      /* as sent, quotes and W/ included; "" when there is none */
    char modified[FETCH_DATE_CAP]; /* Last-Modified */
    char date[FETCH_DATE_CAP];
    char encoding[32];                /* Content-Encoding */
    char retry_after[FETCH_DATE_CAP]; /* Retry-After */
    bool range_given;                 /* a Content-Range that could be read */
    uint64_t range_first, range_last;
    uint64_t range_total; /* 0 when it is "*" */
};

bool fetch_head_line(struct fetch_head *head, const char *line, size_t len);

/* What If-Range may carry (RFC 9110 section 13.1.5): a strong entity tag, or a Last-Modified that the
 * server's own Date shows to be at least a minute old. "" when there is neither. */
void fetch_head_validator(const struct fetch_head *head, char out[static FETCH_TAG_CAP]);

#endif
