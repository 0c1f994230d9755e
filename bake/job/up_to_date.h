/* "Is it built already?", answered by stat(2) alone.
 *
 * In:    an image's options, its inputs as inputs_open() gives them, the path of the signing key.
 * Out:   the manifest of a package that is there, whole, and the one that the long way would find.
 * Fails: built_find() does not: whatever is odd means the long way, which says what is wrong. The others ERR_IO, ERR_SPACE.
 * Owns:  struct built owns its list of files until built_free().
 * Never: writes anything while it looks; says "unchanged" when a file that was read for the package, or a file of the package,
 *        has another identity (device, inode, size, mtime, ctime) than it had when the package was complete and checked.
 *
 * A note in the cache (kind "built") is named by a digest of what was said: version, recipe, variables, lock,
 * SOURCE_DATE_EPOCH, folders. It holds the package's name and one digest over the identities of all files: this program, the
 * signing key, the file: inputs, the local files, the package's own. What comes from the network is pinned by the lock.
 */
#ifndef BAKE_FRONT_JOB_UP_TO_DATE_H
#define BAKE_FRONT_JOB_UP_TO_DATE_H

#include "bake/job/inputs.h"

struct built_query {
    const char *out_dir;
    const char *key_path; /* NULL: unsigned */
    bool small;           /* the archive, by the other deflate engine */
};

struct built {
    struct buf files;     /* paths of what is read, each with its NUL */
    struct sha256 before; /* over their identities when the run began */
    bool settled;         /* none was changed so lately that another change could go unseen */
};

/* The manifest's path, owned by the caller; NULL: go the long way. */
char *built_find(const struct common *common, const struct built_query *query, const struct inputs *inputs);

/* Before anything is read. */
must_check int built_begin(const struct built_query *query, const struct inputs *inputs, struct built *ret,
                           struct err *err);
/* When the package NAME is there and was checked: remembered, unless an input was changed meanwhile. Needs the lock that is in
 * force and the open cache. */
must_check int built_remember(const struct built *built, const struct built_query *query,
                              const struct inputs *inputs, const char *name, const struct run *run,
                              struct err *err);
void built_free(struct built *built);
#define cleanup_built cleanup(built_free)

#endif
