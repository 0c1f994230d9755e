/* Do the embedded components of Kubernetes know the flags that the embedded units and manifests give them?
 * Flags come and go with its versions, and a component stops at the first that it does not know.
 *
 * In:    a plan, and what it was made of.
 * Out:   notes on what could not be asked, and why.
 * Fails: ERR_RECIPE at the unit or manifest: a flag is unknown, its value is refused, or a hyperkube lacks
 *        the component.
 * Never: refuses a value that only a node will know; runs anything outside of the cage.
 */
#ifndef BAKE_KUBE_FLAGS_H
#define BAKE_KUBE_FLAGS_H

#include "base/run.h"
#include "plan/types.h"

struct cache;

struct flags_args {
    const struct recipe *recipe;
    const struct plan *plan;
    const struct plan_wants *wants;
    const struct plan_content *contents; /* wants->count of them */
    struct cache *cache;
};

must_check int flags_check(const struct flags_args *args, const struct run *run, struct err *err);

#endif
