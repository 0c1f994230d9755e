/* The strict half of the JSON reader: checks the grammar and records the position of each value.
 *
 * In:    a private copy of the text, which it may modify.
 * Out:   marks of every value in document order; with JSON_COMMENTS, comments and trailing commas are
 *        overwritten with spaces: offsets stay, and a plain parser can read the result.
 * Fails: -1, with the offset and a message in struct json_scan.
 * Owns:  nothing; the caller frees the marks.
 * Never: converts values.
 */
#ifndef BAKE_JSON_SCAN_H
#define BAKE_JSON_SCAN_H

#include <stddef.h>

#include "json/json.h"

enum { JSON_DEPTH_MAX = 32, JSON_VALUES_MAX = 100000 };

struct json_mark {
    size_t key; /* offset of the member's key; of the value itself if it is not a member */
    size_t value;
};

struct json_scan {
    char *text;
    size_t len, at;
    enum json_flags flags;
    unsigned depth;
    struct json_mark *marks;
    size_t count, capacity;
    size_t fault;      /* offset of the error */
    char message[160]; /* the error */
};

must_check int json_scan(struct json_scan *scan);

#endif
