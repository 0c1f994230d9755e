/* What the parts of the recipe parser share: typed, substituted members with positions.
 *
 * In:    nodes of one JSON document.
 * Out:   strings in the recipe's arena.
 * Fails: ERR_RECIPE at the node's position.
 * Owns:  nothing; a reader lives on recipe_parse()'s stack.
 */
#ifndef BAKE_RECIPE_READ_READER_H
#define BAKE_RECIPE_READ_READER_H

#include "json/json.h"
#include "recipe/recipe.h"

struct reader {
    struct json_doc *doc;
    struct recipe *recipe; /* under construction: owns the arena */
    const char *dir;
    const struct recipe_vars *given;
    struct recipe_pair *vars; /* the recipe's own, substituted; in document order */
    size_t var_count;
    struct err *err;
};

enum text_flags {
    TEXT_NEEDED = 1, /* a missing key is an error */
    TEXT_FREE = 2,   /* may be empty and hold control characters */
    TEXT_URL = 4,    /* in a file: URL, folders that variables stand for are escaped */
};

/* Replaces ${...} in TEXT, which stands at NODE; FLAGS are text_flags. */
must_check int read_expand(struct reader *r, const cJSON *node, const char *text, int flags,
                           const char **ret);
/* A string node, named WHAT in messages. */
must_check int read_string(struct reader *r, const cJSON *node, const char *what, int flags,
                           const char **ret);
/* A string member; *ret is NULL when it is missing. */
must_check int read_text(struct reader *r, const cJSON *object, const char *key, int flags, const char **ret);
/* A member that is one of WORDS; *ret is its index, or -1 when it is missing. */
must_check int read_word(struct reader *r, const cJSON *object, const char *key, int flags,
                         const char *const *words, int *ret);
/* An array member of at most RECIPE_LIST_MAX objects (or, with STRINGS, strings): *ret_first is its first
 * child or NULL, *ret_count their number. */
must_check int read_list(struct reader *r, const cJSON *object, const char *key, bool strings,
                         const cJSON **ret_first, size_t *ret_count);
struct recipe_where read_where(const struct reader *r, const cJSON *node);
const cJSON *read_node(const cJSON *object, const char *key);
/* The nearest word as ": did you mean "X"?", else ": known are ...". BUF holds at least 400 bytes. */
const char *read_hint(const char *word, const char *const *words, char buf[static 400]);
/* DIR/PATH for a relative path. */
must_check int read_local(struct reader *r, const char *path, const char **ret);

/* The parts. */
must_check int read_vars(struct reader *r, const cJSON *root);
must_check int read_base(struct reader *r, const cJSON *root);
must_check int read_inputs(struct reader *r, const cJSON *root);
must_check int read_kubernetes(struct reader *r, const cJSON *root);
must_check int read_files(struct reader *r, const cJSON *root);
must_check int read_units(struct reader *r, const cJSON *root);
must_check int read_manifests(struct reader *r, const cJSON *root);
must_check int read_image(struct reader *r, const cJSON *root);

/* The one source among the keys of OBJECT; SOURCE_NONE when there is none. SELF: what "builtin": true means,
 * NULL when only a name may be given. */
must_check int read_source(struct reader *r, const cJSON *object, const char *self,
                           struct recipe_source *ret);
/* The input that "input" of OBJECT names. */
must_check int read_input_ref(struct reader *r, const cJSON *object, const struct recipe_input **ret);
/* A member's name or a folder inside an archive: relative and normal. */
must_check int read_member(struct reader *r, const cJSON *object, const char *key, const char **ret);

/* Refuses two entries of one name: NAMES[i] stands at WHERE[i]. */
struct named {
    const char *name;
    struct recipe_where where;
};
must_check int refuse_twice(struct reader *r, struct named *names, size_t count, const char *what);

/* [a-z]([-a-z0-9]*[a-z0-9])? of at most MAX characters. */
bool is_dns_name(const char *name, size_t max);
bool only_chars(const char *text, const char *allowed);

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

#endif
