/* Writing JSON: all that bake makes, and the same bytes for the same calls.
 *
 * In:    keys and values in the order they are to appear.
 * Out:   text in a buf; flat (no white space: RFC 8785's form when the caller sorts the keys), or one member
 *        a line with two spaces a level.
 * Fails: sticky, reported once by json_write_end(): a string that is not UTF-8, a number that a double cannot
 *        hold, the buffer's cap, memory. So a member can never go missing from a text that is used.
 */
#ifndef BAKE_JSON_WRITE_H
#define BAKE_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/digest.h"

struct json_writer {
    struct buf *buf;
    unsigned depth;
    unsigned flat_from; /* containers this deep and deeper are on one line; 0: all */
    bool later;         /* a value came before in this container */
    bool lossy;         /* for people to read: bytes that are not UTF-8 become U+FFFD instead of a failure */
    const char *bad;    /* what could not be written; NULL: nothing */
};

/* KEY is NULL inside an array and for the root. A flat container is on one line. */
void json_open(struct json_writer *writer, const char *key, char bracket);
void json_open_flat(struct json_writer *writer, const char *key, char bracket);
void json_close(struct json_writer *writer, char bracket);

void json_string(struct json_writer *writer, const char *key, const char *value);
void json_text(struct json_writer *writer, const char *key, const char *value, size_t len);
/* Nothing at all when VALUE is NULL or "". */
void json_string_if(struct json_writer *writer, const char *key, const char *value);
void json_strings(struct json_writer *writer, const char *key, const char *const *values, size_t count);
void json_uint(struct json_writer *writer, const char *key, uint64_t value);
void json_bool(struct json_writer *writer, const char *key, bool value);
void json_null(struct json_writer *writer, const char *key);
/* In seconds, with three decimals. */
void json_seconds(struct json_writer *writer, const char *key, uint64_t milliseconds);
void json_hex(struct json_writer *writer, const char *key, const void *bytes, size_t len);
void json_base64(struct json_writer *writer, const char *key, const void *bytes, size_t len);
static inline void json_sha256(struct json_writer *writer, const char *key, const struct sha256 *digest)
{
    json_hex(writer, key, digest->bytes, sizeof digest->bytes);
}
/* A value that is JSON already. */
void json_raw(struct json_writer *writer, const char *key, const char *json);
/* What PART wrote, with its failure if it has one. */
void json_part(struct json_writer *writer, const char *key, const struct json_writer *part);
/* A value that was read. */
void json_node(struct json_writer *writer, const char *key, const cJSON *node);

must_check int json_write_end(const struct json_writer *writer, const char *what, struct err *err);

#endif
