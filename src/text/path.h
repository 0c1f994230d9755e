/* Paths inside an image: absolute, normalized, unable to leave it.
 *
 * In:    text from a recipe, an archive or a disk.
 * Out:   the normal form: one '/' between components, no trailing '/', no "." and no "..".
 * Fails: on relative paths, "..", control characters, invalid UTF-8, components over 255 bytes, paths over
 *        4095 bytes.
 * Never: touches a file system.
 */
#ifndef BAKE_TEXT_PATH_H
#define BAKE_TEXT_PATH_H

#include <stdbool.h>

#include "base/err.h"

enum { PATH_CAP = 4096, NAME_CAP = 256 };

/* The normal form of an absolute path. ".." is refused, not resolved. ERR_RECIPE. */
must_check int path_normalize(const char *path, char out[static PATH_CAP], struct err *err);

/* True when PATH is DIR or lies under it. Both are in normal form. */
bool path_under(const char *path, const char *dir);

/* The last component of a normal path ("" for "/"), as a pointer into PATH. */
const char *path_base(const char *path);

/* The parent of a normal path ("/" for "/"). */
void path_parent(const char *path, char out[static PATH_CAP]);

/* True for a valid file name: not empty, "." or ".."; no '/' and no control character; UTF-8; at most 255
 * bytes. */
bool path_name_ok(const char *name);

#endif
