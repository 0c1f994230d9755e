/* Whether the Kubernetes of an image works with what is around it there.
 *
 * In:    what kube_variant_read() found.
 * Fails: ERR_RECIPE, at the recipe's "kubernetes", with the reason and what to use instead.
 *
 * What is not known is not refused. Warnings go to args->run: a version newer than any that was run, an etcd
 * older than upstream's own tools accept, built-in files with a version that nothing says.
 */
#ifndef BAKE_KUBE_CHECK_H
#define BAKE_KUBE_CHECK_H

#include "kube/variant.h"

must_check int kube_check(const struct kube_args *args, const struct kube_variant *variant, struct err *err);

#endif
