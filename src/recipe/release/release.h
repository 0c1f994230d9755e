/* Where the published bases are: a data table, one row an operating system.
 *
 * In:    a recipe whose base names a release, and the server's answer at the version URL.
 * Out:   URLs of the image and its signature.
 * Fails: ERR_RECIPE for a channel or architecture that is not published; ERR_VERIFY when the answer is not
 *        that of such a server.
 * Owns:  nothing: strings are in the caller's arena.
 * Never: fetches.
 *
 * Sources: flatcar/init bin/flatcar-install (version.txt, FLATCAR_VERSION=, the streams of lts), coreos/init
 * bin/coreos-install.
 */
#ifndef BAKE_RECIPE_RELEASE_RELEASE_H
#define BAKE_RECIPE_RELEASE_RELEASE_H

#include "json/json.h"
#include "recipe/types.h"

struct release_urls {
    const char *version;   /* the release; "" in the direct form */
    const char *url;       /* of the disk image's archive */
    const char *signature; /* detached OpenPGP signature, or NULL */
};

/* *ret: what to fetch before release_resolve(), or NULL when nothing is needed. */
must_check int release_version_url(const struct recipe *recipe, struct arena *arena, const char **ret,
                                   struct err *err);

/* TEXT is the answer at the version URL (NULL, 0 without one). */
must_check int release_resolve(const struct recipe *recipe, const char *text, size_t len, struct arena *arena,
                               struct release_urls *ret, struct err *err);

/* Turns the channel "lts-2024", a group's name at the update server, into channel "lts" and version
 * "current-2024". */
must_check int release_resolve_group(struct arena *arena, struct recipe_base *base, struct err *err);

/* ERR_RECIPE at NODE of DOC when BASE, in the release form, names a channel, version or architecture that is
 * not published. */
must_check int release_check(const struct recipe_base *base, const struct json_doc *doc, const cJSON *node,
                             struct err *err);

/* ERR_VERIFY when NOW is older than LOCKED, in the same channel, and the recipe does not name it. Signatures
 * do not expire, so only this detects a server that offers an old release. */
must_check int release_check_update(const struct recipe *recipe, const struct lock_input *locked,
                                    const struct release_urls *now, struct arena *arena, struct err *err);

/* NULL-terminated lists, for messages and the schema. */
extern const char *const release_os_names[];
extern const char *const release_arch_names[];

#endif
