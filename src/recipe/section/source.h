/* Where the content of a file, unit, drop-in or manifest comes from. */
#ifndef BAKE_RECIPE_SECTION_SOURCE_H
#define BAKE_RECIPE_SECTION_SOURCE_H

#include "recipe/read/reader.h"

/* The one source among the keys of OBJECT; SOURCE_NONE without one. SELF: the name that "builtin": true
 * stands for, NULL when a name must be given. */
must_check int read_source(struct recipe_reader *r, const cJSON *object, const char *self,
                           struct recipe_source *ret);
/* A member's name or a folder inside an archive: relative and normal; *ret is NULL when the key is
 * missing. */
must_check int read_member(struct recipe_reader *r, const cJSON *object, const char *key, const char **ret);
/* The one of KEYS that OBJECT holds, or NULL; more than one is an error ("give one WHAT"). */
must_check int read_one_of(struct recipe_reader *r, const cJSON *object, const char *const *keys,
                           const char *what, const char **ret);

#endif
