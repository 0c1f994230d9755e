/* Internal to bake/job/inputs: what fetch.c, resolve.c and new_lock.c share while inputs are fetched. */
#ifndef BAKE_FRONT_JOB_INPUTS_INTERNAL_H
#define BAKE_FRONT_JOB_INPUTS_INTERNAL_H

#include <string.h>

#include "bake/job/inputs/job.h"
#include "fetch/fetch.h"
#include "recipe/release/release.h"
#include "verify/types.h"

/* One thing to fetch: the base is item 0, then come the recipe's inputs in their order. */
struct fetch_item {
    const struct recipe_input *from;
    const char *name;                /* RECIPE_BASE_NAME, or the input's */
    const char *url, *signature;     /* signature: its URL, or NULL */
    const char *sha256, *version;    /* sha256: hex, as the recipe gives it, or NULL */
    const struct lock_input *pinned; /* NULL while locking */
    struct artifact artifact;
    struct trusted trusted;
};

struct fetch_work {
    struct bake_job *job;
    struct progress *download; /* of the base; may be NULL */
    struct fetcher *fetcher;
    struct arena arena;
    struct fetch_item *items;
    size_t count;
    bool locking;
};

/* The published URL of the base that the recipe names by channel and version. */
must_check int inputs_resolve_base(struct fetch_work *work, struct release_urls *urls, struct err *err);

/* Pins the verified items. Writes the lock only when it would pin something else than the existing one, which
 * otherwise stays with its time, so that a bake gives the same bytes. */
must_check int inputs_make_lock(struct fetch_work *work, bool *ret_written, struct err *err);

static inline bool inputs_url_is_local(const char *url)
{
    return strncmp(url, "file:", 5) == 0;
}

#endif
