/* "Is it up to date?", answered by stat(2) alone.
 *
 * In:    an image's options, its inputs from inputs_open(), the path of the signing key.
 * Out:   the manifest of a complete package: the one that a full bake would find, too.
 * Fails: up_to_date_find() never fails: anything unusual means a full bake, which reports what is wrong. The
 *        others: ERR_IO, ERR_SPACE.
 * Owns:  struct up_to_date owns its list of files until up_to_date_free().
 * Never: writes while it looks; calls a package up to date when a file that was read for it, or a file of the
 *        package, has another identity (device, inode, size, mtime, ctime) than when the package was complete
 *        and checked.
 *
 * A note in the cache (kind "built") is named by a digest of the request: version, recipe, variables, lock,
 * SOURCE_DATE_EPOCH, folders. It holds the package's name and one digest over the identities of all files:
 * this program, the signing key, file: inputs, local files, the package's own. What comes from the network is
 * pinned by the lock.
 */
#ifndef BAKE_FRONT_JOB_UP_TO_DATE_H
#define BAKE_FRONT_JOB_UP_TO_DATE_H

#include "bake/job/inputs/inputs.h"

struct up_to_date_query {
    const char *out_dir;
    const char *key_path; /* NULL: unsigned */
    bool small;           /* which deflate engine */
};

struct up_to_date {
    struct buf files;     /* paths of all files that are read, each with its NUL */
    struct sha256 before; /* over their identities when the run began */
    bool settled;         /* none changed so recently that another change could go unseen */
};

/* The manifest's path, owned by the caller; NULL: a full bake has to find out. */
char *up_to_date_find(const struct common *common, const struct up_to_date_query *query,
                      const struct inputs *inputs);

/* Call it before any input is read. */
must_check int up_to_date_begin(const struct up_to_date_query *query, const struct inputs *inputs,
                                struct up_to_date *ret, struct err *err);
/* Records that the package NAME is there and was checked, unless an input has changed since
 * up_to_date_begin(). INPUTS holds the lock that is in force. */
must_check int up_to_date_remember(const struct up_to_date *before, const struct up_to_date_query *query,
                                   const struct inputs *inputs, struct cache *cache, const char *name,
                                   const struct run *run, struct err *err);
void up_to_date_free(struct up_to_date *built);
#define cleanup_up_to_date cleanup(up_to_date_free)

#endif
