/* Does a hyperkube hold the components that the recipe's units and manifests start?
 *
 * In:    a finished plan.
 * Fails: ERR_RECIPE, naming the components that it lacks.
 *
 * A component is there when functions of its package are: Go's linker keeps their names, in stripped
 * programs, too. A program in which none of the packages is found is of another making, and not refused.
 */
#ifndef BAKE_KUBE_HYPERKUBE_H
#define BAKE_KUBE_HYPERKUBE_H

#include "kube/variant.h"

must_check int kube_check_hyperkube(const struct kube_args *args, struct err *err);

#endif
