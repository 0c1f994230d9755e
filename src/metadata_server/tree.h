/* The tree of metadata values and its text and JSON forms, without HTTP.
 *
 * In:    struct metadata_server_instance; paths below /computeMetadata/v1/.
 * Out:   a tree of directories, lists and leaves, keyed by path component; the text or JSON of any part of
 *        it.
 * Fails: ERR_USAGE for values that Compute Engine would reject.
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
    bool verbatim; /* below "attributes": the user's names, not changed to camelCase in JSON */
};

/* PATH is relative, decoded, with or without a final slash; "" is the root. False if there is nothing, or if
 * PATH ends in a slash and names a leaf. */
bool tree_find(const cJSON *root, const char *path, struct tree_place *ret);
bool tree_is_directory(const struct tree_place *place);

enum tree_form {
    TREE_TEXT,           /* a leaf's value; a directory's names, one per line, directories with a slash */
    TREE_JSON,           /* a leaf as JSON; a directory's names as a JSON list */
    TREE_RECURSIVE_TEXT, /* "path value" lines */
    TREE_RECURSIVE_JSON, /* everything below, names in camelCase */
};
/* Appends to RET; the caller checks its sticky failure. */
void tree_show(const struct tree_place *place, enum tree_form form, struct buf *ret);

#endif
