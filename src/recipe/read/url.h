/* URLs in recipes: their rules, and their form without secrets.
 *
 * Fails: ERR_RECIPE at the node, without credentials: messages end up in logs.
 */
#ifndef BAKE_RECIPE_READ_URL_H
#define BAKE_RECIPE_READ_URL_H

#include "recipe/read/reader.h"

must_check int recipe_check_url(struct recipe_reader *r, const cJSON *node, const char *url);

/* A copy of URL without "user:password@". NULL when out of memory. */
char *recipe_url_clean(struct arena *arena, const char *url);

/* What a lock may say of URL, which NODE's text expands to. The digest pins the bytes, so the URL only has to
 * name the same place on every machine: where ${env.X}, ${bake.X} or, in a local path, any variable is part
 * of it, it stays unexpanded. */
must_check int recipe_portable_url(struct recipe_reader *r, const cJSON *node, const char *url,
                                   const char **ret);

#endif
