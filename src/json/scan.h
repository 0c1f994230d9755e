/* The strict half of the JSON reader: checks the grammar and notes where each value stands.
 *
 * In:    a private copy of the text, which it may blank out.
 * Out:   marks of every value in document order; with JSON_COMMENTS, comments and trailing commas are
 *        overwritten with spaces, so that offsets stay and a plain parser can read the rest.
 * Fails: -1 with the offset and a sentence.
 * Owns:  marks belong to the caller: free().
 * Never: converts anything.
 */
#ifndef BAKE_JSON_SCAN_H
#define BAKE_JSON_SCAN_H

#include <stddef.h>

#include "json/json.h"

enum { JSON_DEPTH_MAX = 32, JSON_VALUES_MAX = 100000 };

struct json_mark {
    size_t key; /* offset of the member's key; of the value itself when it is no member */
    size_t value;
};

struct json_scan {
    char *text;
    size_t len, at;
    enum json_flags flags;
    unsigned depth;
    struct json_mark *marks;
    size_t count, room;
    size_t fault;      /* offset of what is wrong */
    char message[160]; /* what is wrong */
};

must_check int json_scan(struct json_scan *scan);

#endif
