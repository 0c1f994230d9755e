/* Strict JSON input: cJSON behind a scanner that rejects what cJSON accepts.
 *
 * In:    text, its length, a name for messages.
 * Out:   a document: cJSON nodes, and the line and column of each.
 * Fails: ERR_RECIPE (the caller's `kind`): not UTF-8, a NUL, duplicate keys, trailing bytes, depth over 32,
 *        more than 100,000 values, numbers that are not exactly representable, text over the cap. Messages
 *        say NAME:line:column.
 * Owns:  the document owns its nodes until json_free().
 * Source: RFC 8259; comments (// and slash-star) and trailing commas only with JSON_COMMENTS.
 */
#ifndef BAKE_JSON_JSON_H
#define BAKE_JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/err.h"

enum json_flags { JSON_STRICT = 0, JSON_COMMENTS = 1 };
enum { JSON_TEXT_MAX = 16 << 20 };

struct json_doc;

must_check int json_parse(const char *text, size_t len, const char *name, enum json_flags flags,
                          enum err_kind kind, struct json_doc **ret, struct err *err);
void json_free(struct json_doc *doc);
static inline void json_free_fn(struct json_doc **doc)
{
    json_free(*doc);
}
#define cleanup_json cleanup(json_free_fn)

const cJSON *json_root(const struct json_doc *doc); /* of NULL: NULL */
/* 1-based position of a node (0, 0 if it is not in this document). Columns count bytes. */
void json_where(const struct json_doc *doc, const cJSON *node, unsigned *ret_line, unsigned *ret_column);

/* Sets err to "NAME:line:column: TEXT" of the document's kind; returns -1. */
int json_error(const struct json_doc *doc, const cJSON *node, struct err *err, const char *fmt, ...)
    print_like(4, 5);

/* Typed members of an object. A missing key gives the default or, if required, an error; the error for a
 * wrong type names the expected one. Strings point into the document. */
must_check int json_get_string(const struct json_doc *doc, const cJSON *object, const char *key,
                               bool required, const char **ret, struct err *err);
must_check int json_get_bool(const struct json_doc *doc, const cJSON *object, const char *key, bool fallback,
                             bool *ret, struct err *err);
/* Integers in [min, max]. */
must_check int json_get_uint(const struct json_doc *doc, const cJSON *object, const char *key, bool required,
                             uint64_t min, uint64_t max, uint64_t *ret, struct err *err);
/* An object or array member: NULL if missing and not required. */
must_check int json_get_object(const struct json_doc *doc, const cJSON *object, const char *key,
                               bool required, const cJSON **ret, struct err *err);
must_check int json_get_array(const struct json_doc *doc, const cJSON *object, const char *key, bool required,
                              const cJSON **ret, struct err *err);

/* Fails on keys of OBJECT that are not in KNOWN (NULL-terminated) and suggests the nearest. */
must_check int json_only(const struct json_doc *doc, const cJSON *object, const char *const *known,
                         struct err *err);

/* The nearest of WORDS (NULL-terminated) to WORD by edit distance, NULL if none is near. */
const char *json_nearest(const char *word, const char *const *words);

#endif
