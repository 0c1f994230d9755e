/* Writes JSON: the same bytes for the same calls.
 *
 * In:    keys and values in output order.
 * Out:   text in a buf: flat (no white space; RFC 8785's form if the caller sorts the keys), or one member
 *        per line, indented by two spaces per level.
 * Fails: sticky, reported once by json_write_end(): a string that is not UTF-8, a number that a double cannot
 *        hold, the buffer's cap, memory. A text that passed json_write_end() is complete.
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
    unsigned flat_from; /* containers at this depth and below are on one line; 0: all */
    bool later;         /* this container has a value already */
    bool lossy;         /* for display: bytes that are not UTF-8 become U+FFFD instead of an error */
    const char *bad;    /* what could not be written, or NULL */
};

/* KEY is NULL inside an array and for the root. A flat container is on one line. */
void json_open(struct json_writer *writer, const char *key, char bracket);
void json_open_flat(struct json_writer *writer, const char *key, char bracket);
void json_close(struct json_writer *writer, char bracket);

void json_string(struct json_writer *writer, const char *key, const char *value);
void json_text(struct json_writer *writer, const char *key, const char *value, size_t len);
/* Writes nothing if VALUE is NULL or "". */
void json_string_if(struct json_writer *writer, const char *key, const char *value);
void json_strings(struct json_writer *writer, const char *key, const char *const *values, size_t count);
void json_uint(struct json_writer *writer, const char *key, uint64_t value);
void json_bool(struct json_writer *writer, const char *key, bool value);
void json_null(struct json_writer *writer, const char *key);
/* Writes seconds, with three decimals. */
void json_seconds(struct json_writer *writer, const char *key, uint64_t milliseconds);
void json_hex(struct json_writer *writer, const char *key, const void *bytes, size_t len);
void json_base64(struct json_writer *writer, const char *key, const void *bytes, size_t len);
static inline void json_sha256(struct json_writer *writer, const char *key, const struct sha256 *digest)
{
    json_hex(writer, key, digest->bytes, sizeof digest->bytes);
}
/* A value that is already JSON. */
void json_raw(struct json_writer *writer, const char *key, const char *json);
/* What PART wrote, with its error, if any. */
void json_part(struct json_writer *writer, const char *key, const struct json_writer *part);
/* A value from a parsed document. */
void json_node(struct json_writer *writer, const char *key, const cJSON *node);

must_check int json_write_end(const struct json_writer *writer, const char *what, struct err *err);

#endif
