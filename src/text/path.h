/* Paths inside an image: absolute, normalized, unable to leave it.
 *
 * In:    text from a recipe, an archive or a disk.
 * Out:   the normal form: one '/' between components, no trailing '/', no "." and no "..".
 * Fails: on relative paths, "..", control characters, bytes that are not UTF-8, components over 255 bytes,
 *        over 4095 in all.
 * Never: touches a file system.
 */
#ifndef BAKE_TEXT_PATH_H
#define BAKE_TEXT_PATH_H

#include <stdbool.h>

#include "base/err.h"

enum { PATH_CAP = 4096, NAME_CAP = 256 };

/* Absolute path in, normal form out; ".." is refused, never resolved. ERR_RECIPE. */
must_check int path_normalize(const char *path, char out[static PATH_CAP], struct err *err);

/* True when PATH is DIR or lies under it; both normal. */
bool path_under(const char *path, const char *dir);

/* The last component of a normal path ("" for "/"): points into PATH. */
const char *path_base(const char *path);

/* The parent of a normal path ("/" for "/"). */
void path_parent(const char *path, char out[static PATH_CAP]);

/* True for a valid file name: not empty, "." or ".."; no '/' and no control character; UTF-8; at most 255
 * bytes. */
bool path_name_ok(const char *name);

#endif
