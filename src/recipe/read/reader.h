/* Typed members of a recipe, with variables substituted and errors at their place.
 *
 * In:    nodes of one JSON document.
 * Out:   values whose strings are in the recipe's arena.
 * Fails: ERR_RECIPE at the node's line and column, with a did-you-mean where words are known.
 */
#ifndef BAKE_RECIPE_READ_READER_H
#define BAKE_RECIPE_READ_READER_H

#include "json/json.h"
#include "recipe/read/expand.h"
#include "recipe/types.h"

struct recipe_reader {
    struct json_doc *doc;
    struct recipe *recipe; /* under construction: owns the arena */
    const char *dir;       /* what relative paths start from; may be NULL */
    struct recipe_scope scope;
    struct err *err;
};

/* Sets r->err to "NAME:line:column: TEXT"; returns -1. */
int read_error(const struct recipe_reader *r, const cJSON *node, const char *fmt, ...) print_like(3, 4);
struct recipe_where read_where(const struct recipe_reader *r, const cJSON *node);
/* OBJECT's member KEY, or NULL. */
const cJSON *read_node(const cJSON *object, const char *key);

enum text_flags {
    TEXT_NEEDED = 1, /* a missing key is an error */
    TEXT_FREE = 2,   /* may be empty and hold control characters */
    TEXT_URL = 4,    /* in a file: URL, folders that variables stand for are escaped */
};

/* A string node, named WHAT in messages; FLAGS are text_flags. */
must_check int read_string(struct recipe_reader *r, const cJSON *node, const char *what, int flags,
                           const char **ret);
/* A string member; *ret is NULL when it is missing. */
must_check int read_text(struct recipe_reader *r, const cJSON *object, const char *key, int flags,
                         const char **ret);
/* A member that is one of WORDS; *ret is its index, or -1 when it is missing. */
must_check int read_word(struct recipe_reader *r, const cJSON *object, const char *key, int flags,
                         const char *const *words, int *ret);
must_check int read_bool(struct recipe_reader *r, const cJSON *object, const char *key, bool fallback,
                         bool *ret);
/* An object member with only KNOWN keys (NULL: any); *ret is NULL when it is missing and not needed. */
must_check int read_object(struct recipe_reader *r, const cJSON *object, const char *key, bool needed,
                           const char *const *known, const cJSON **ret);
/* Refuses keys of OBJECT that are not KNOWN. */
must_check int read_only(struct recipe_reader *r, const cJSON *object, const char *const *known);

/* What must be unique in a list, and its position. */
struct read_name {
    const char *text;
    const cJSON *node;
};

/* An array member: at most RECIPE_LIST_MAX objects (or, with STRINGS, strings), no two of one name. */
struct read_list {
    const char *key;
    bool strings;
    size_t size; /* of an item, bytes */
    int (*read)(struct recipe_reader *r, const cJSON *node, void *item, struct read_name *ret);
    const char *what; /* an item, for messages: "unit" */
};

/* The items in document order, or NULL and r->err; no items when the member is missing. */
must_check void *read_list(struct recipe_reader *r, const cJSON *object, const struct read_list *list,
                           size_t *ret_count);

/* A copy in the recipe's arena. */
must_check int read_copy(struct recipe_reader *r, const char *text, const char **ret);
/* PATH, or DIR/PATH when it is relative. */
must_check int read_local(struct recipe_reader *r, const char *path, const char **ret);
/* The nearest word as "; did you mean "X"?", else "; known are: ...". */
enum { READ_HINT_CAP = 400 };
const char *read_hint(const char *word, const char *const *words, char buf[static READ_HINT_CAP]);

/* [a-z]([-a-z0-9]*[a-z0-9])? of at most MAX characters. */
bool recipe_dns_name_ok(const char *name, size_t max);
bool recipe_only_chars(const char *text, const char *allowed);

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#endif
