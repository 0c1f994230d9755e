/* fs: the plan, completed by bake's own lists, written to the disk and checked there.
 *
 * In:    a job, a plan, the disk. bake's lists: the contents list, its signature and the public key.
 * Out:   struct patched: the permit for pack. Only phase_patch() makes one.
 * Fails: as fs does. When e2fsck finds errors: ERR_LAYOUT if the base had them before anything was written,
 *        else ERR_INTERNAL.
 * Owns:  struct patched owns the lists that its plan reads from, and borrows disk and plan, until
 *        patched_free().
 */
#ifndef BAKE_FRONT_JOB_PHASE_PATCH_H
#define BAKE_FRONT_JOB_PHASE_PATCH_H

#include "bake/job/phase/plan.h"
#include "seal/sign/key.h"

struct patched {
    const struct unpacked *base;
    const struct planned *planned;
    struct buf contents, signature, public_key; /* texts of bake's own files */
    struct plan plan;
};

/* KEY NULL: unsigned. NAME is the package's. */
must_check int phase_patch(const struct bake_job *job, const struct fetched *fetched,
                           const struct planned *planned, const char *name, const struct signing_key *key,
                           struct unpacked *base, struct patched *ret, struct err *err);
void patched_free(struct patched *patched);
#define cleanup_patched cleanup(patched_free)

#endif
