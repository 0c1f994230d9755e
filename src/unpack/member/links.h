/* Names inside an archive: their normal form, the links between them, suggestions for a missing one.
 *
 * In:    names as in archives.
 * Out:   relative, normal names; the names to which links inside the archive lead.
 * Fails: ERR_VERIFY when a link leads out of the archive or more than LINKS_DEEP must be followed.
 * Owns:  copies of the names, until links_free().
 * Never: accesses a file system.
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
    bool hard; /* the target is a name in the archive, not relative to the link */
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

/* True if NAME is below PREFIX (everything is below ""); *ret_rest is then the part after it. */
bool member_below(const char *name, const char *prefix, const char **ret_rest);

must_check int links_add(struct links *links, const char *path, const char *target, bool hard,
                         struct err *err);
/* Remembers a file's name for links_near(); does nothing beyond a cap. */
void links_note(struct links *links, const char *path);
/* Follows links in every component of PATH. */
must_check int links_resolve(struct links *links, const char *path, char out[static PATH_CAP],
                             struct err *err);
/* "; similar: a, b" or "". */
void links_near(const struct links *links, const char *path, char *out, size_t size);
void links_free(struct links *links);
#define cleanup_links cleanup(links_free)

#endif
