/* Reads JSON value by value, without a tree: the agent is static, and Debian ships cJSON as a shared library
 * only.
 *
 * In:    text from outside (the metadata server, a file of the image).
 * Out:   the values that the caller asks for, in the order of the text; the rest is checked and skipped.
 * Fails: sticky: after the first mistake every call does nothing, and json_pull_end() reports what and where.
 * Owns:  nothing; the text must outlive the reader.
 * Never: converts a number to floating point: instance ids exceed 2^53.
 * Source: RFC 8259, read strictly: UTF-8, no \u0000, no lone surrogates.
 *
 *     json_pull_open(&j, '{');
 *     while (json_pull_key(&j, key, sizeof key))
 *         if (strcmp(key, "size") == 0) size = json_pull_uint(&j); else json_pull_skip(&j);
 */
#ifndef BAKE_NODE_JSON_PULL_H
#define BAKE_NODE_JSON_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { JSON_PULL_DEPTH_MAX = 32 };

struct json_pull {
    const char *text;
    size_t len, at;
    unsigned depth;
    bool first;          /* nothing has been read of the innermost container */
    const char *message; /* the first mistake, a literal; NULL: none so far */
};

#define JSON_PULL_INIT(bytes, size)                                                                          \
    {                                                                                                        \
        .text = (bytes), .len = (size)                                                                       \
    }

/* Enters an object ('{') or an array ('['). */
void json_pull_open(struct json_pull *j, char bracket);
/* The next member's key. One that does not fit CAP (with NUL) is never truncated but becomes "", which no
 * caller looks for. False at the closing brace, which is consumed, and on a mistake. */
bool json_pull_key(struct json_pull *j, char *key, size_t cap);
/* Whether there is another element in the array; false consumes the closing bracket. */
bool json_pull_item(struct json_pull *j);
/* A string into OUT with NUL; one that does not fit CAP is a mistake. */
void json_pull_string(struct json_pull *j, char *out, size_t cap);
/* An integer in [0, 2^64); 0 on a mistake. */
uint64_t json_pull_uint(struct json_pull *j);
/* A number's digits unchanged, or a string: GCE serves ids as numbers, imitations as strings. */
void json_pull_digits(struct json_pull *j, char *out, size_t cap);
/* Skips any value. */
void json_pull_skip(struct json_pull *j);
/* The first byte of the next value ('{', '[', '"', ...), 0 at the end. */
char json_pull_peek(struct json_pull *j);
/* Reports a mistake that the caller found; MESSAGE must be a literal. */
void json_pull_fail(struct json_pull *j, const char *message);
/* 0 if there was no mistake and the text has ended; else ERR_VERIFY with NAME, the byte and the mistake. */
must_check int json_pull_end(struct json_pull *j, const char *name, struct err *err);

#endif
