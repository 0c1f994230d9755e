/* Names inside an archive: their normal form, the links between them, suggestions for one that is missing.
 *
 * In:    names as in archives.
 * Out:   relative, normal names; the name that links inside the archive lead to.
 * Fails: ERR_VERIFY when a link leads out of the archive or more than LINKS_DEEP must be followed.
 * Owns:  copies of the names, until links_free().
 * Never: looks at a file system.
 */
#ifndef BAKE_UNPACK_MEMBER_LINKS_H
#define BAKE_UNPACK_MEMBER_LINKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "text/path.h"

enum { LINKS_DEEP = 8, LINKS_MAX = 200000 };

struct link {
    const char *path, *target;
    bool hard; /* the target is a name of the archive, not relative to the link */
};

struct links {
    struct arena arena;
    struct link *links;
    size_t count, capacity;
    const char **names; /* of files, for suggestions */
    size_t name_count, name_capacity;
    bool sorted;
};

/* Normal form: no leading "./" or "/", no empty or "." component, no trailing '/'; "" for the top. False when
 * a component is "..", too long, or not a valid name (control characters, not UTF-8). */
bool member_name(const char *name, char out[static PATH_CAP]);

/* True when NAME is below PREFIX ("" has everything below); *ret_rest is the part after it. */
bool member_below(const char *name, const char *prefix, const char **ret_rest);

must_check int links_add(struct links *links, const char *path, const char *target, bool hard,
                         struct err *err);
/* Remembers a file's name for links_near(); does nothing beyond a cap. */
void links_note(struct links *links, const char *path);
/* Follows links in every component of PATH. */
must_check int links_resolve(struct links *links, const char *path, char out[static PATH_CAP],
                             struct err *err);
/* "; near: a, b" or "". */
void links_near(const struct links *links, const char *path, char *out, size_t size);
void links_free(struct links *links);
#define cleanup_links cleanup(links_free)

#endif
