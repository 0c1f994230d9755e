/* plan: what the recipe changes on that disk, with the content of every file loaded.
 *
 * Fails: ERR_RECIPE, ERR_LAYOUT, ERR_VERIFY, as plan and payload do.
 * Owns:  struct planned owns the payload that the plan's files read from, until planned_free().
 */
#ifndef BAKE_FRONT_JOB_PHASE_PLAN_H
#define BAKE_FRONT_JOB_PHASE_PLAN_H

#include "bake/job/inputs/fetch.h"
#include "bake/job/phase/unpack.h"
#include "kube/variant.h"
#include "payload/payload.h"
#include "plan/plan.h"

struct planned {
    struct plan_wants wants;
    struct payload payload;
    struct plan plan; /* without bake's own lists */
    struct kube_variant kubernetes;
};

must_check int phase_plan(const struct bake_job *job, const struct fetched *fetched,
                          const struct unpacked *base, struct planned *ret, struct err *err);
void planned_free(struct planned *planned);
#define cleanup_planned cleanup(planned_free)

#endif
