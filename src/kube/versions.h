/* The versions of Kubernetes that the built-in units and manifests are for, and what goes with each: one
 * table.
 *
 * In:    a recipe, a version of Kubernetes.
 * Out:   the table's row for it; every minor of 1 has one.
 * Fails: ERR_RECIPE, at the recipe's "kubernetes", with the reason and what to use instead.
 * Source: Kubernetes' changelogs (flags that went), cmd/kubeadm/app/constants (etcd), containerd's
 * RELEASES.md (CRI).
 */
#ifndef BAKE_KUBE_VERSIONS_H
#define BAKE_KUBE_VERSIONS_H

#include "base/err.h"
#include "kube/program/number.h"
#include "recipe/types.h"

enum kube_support {
    KUBE_SUPPORTED,
    KUBE_OLD,      /* the built-in files use what it does not have */
    KUBE_UNTESTED, /* newer than any that was run */
};

struct kube_release {
    unsigned first, last; /* minors, of major 1 */
    enum kube_support support;
    const char *why;                   /* KUBE_OLD: what it does not have */
    struct kube_number containerd;     /* the oldest that its kubelet speaks with */
    struct kube_number containerd_end; /* the first that it does not speak with; no parts: none */
    struct kube_number etcd;           /* the oldest that its API server works with */
    struct kube_number etcd_advised;   /* the oldest that its own kubeadm accepts; no parts: not known */
};

/* NULL for another major than 1, and for a number without a minor. */
const struct kube_release *kube_release_of(const struct kube_number *version);

/* The oldest and the newest supported minor: "1.32 to 1.36". */
enum { KUBE_RANGE_CAP = 24 };
const char *kube_supported(char ret[static KUBE_RANGE_CAP]);

/* The first built-in unit or manifest of one of its components that the recipe uses, or NULL: then any
 * version is the user's own affair. */
const char *kube_builtin(const struct recipe *recipe);

/* Sets err to "FILE:line:column: TEXT" of the recipe's "kubernetes"; returns -1. */
int kube_error(const struct recipe *recipe, struct err *err, const char *fmt, ...) print_like(3, 4);

/* Refuses what the built-in files in use are not for; with UNTESTED, newer ones are accepted. */
must_check int kube_check_supported(const struct recipe *recipe, const struct kube_number *version,
                                    bool untested, struct err *err);

/* The same, by the version that the recipe says. What is not a number is left to the payload. */
must_check int kube_check_recipe(const struct recipe *recipe, bool untested, struct err *err);

#endif
