/* The tree of metadata values, and how parts of it are shown. Knows no HTTP.
 *
 * In:    struct metadata_server_instance; paths below /computeMetadata/v1/.
 * Out:   a tree of directories, lists and leaves under their names in paths; text or JSON of any part of it.
 * Fails: ERR_USAGE for values that cannot be metadata.
 * Owns:  the tree is plain cJSON: cJSON_Delete().
 */
#ifndef BAKE_METADATA_SERVER_TREE_H
#define BAKE_METADATA_SERVER_TREE_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "metadata_server/server.h"

must_check int tree_build(const struct metadata_server_instance *values, cJSON **ret, struct err *err);

struct tree_place {
    const cJSON *node;
    bool verbatim; /* below "attributes": names there are the user's, and keep their spelling in JSON */
};

/* PATH is relative, decoded, with or without a final slash; "" is the root. False when nothing is there, or
 * when a leaf is asked for as a directory. */
bool tree_find(const cJSON *root, const char *path, struct tree_place *ret);
bool tree_is_directory(const struct tree_place *place);

enum tree_form {
    TREE_TEXT,           /* a leaf's value; a directory's names, one a line, directories with a slash */
    TREE_JSON,           /* a leaf as JSON; a directory's names as a JSON list */
    TREE_RECURSIVE_TEXT, /* "path value" lines */
    TREE_RECURSIVE_JSON, /* everything below, names in camelCase */
};
/* Appends to RET, whose sticky failure the caller checks. */
void tree_show(const struct tree_place *place, enum tree_form form, struct buf *ret);

#endif
