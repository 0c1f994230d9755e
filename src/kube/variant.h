/* Which Kubernetes goes into an image, and with which etcd and containerd: read from the programs. A
 * Kubernetes that neither its build information nor its archive tells is asked for its version, in the cage.
 *
 * In:    a finished plan; the base, as far as it is known.
 * Out:   struct kube_variant: plain data.
 * Fails: ERR_RECIPE: a program is for another machine than the image, or its loader is not in the image; the
 *        programs, the archive that they come from, and the recipe say different versions.
 *        ERR_VERIFY: a damaged program.
 *
 * A program that is not an ELF file, such as a script, says nothing of itself: it is taken as the recipe
 * describes it.
 */
#ifndef BAKE_KUBE_VARIANT_H
#define BAKE_KUBE_VARIANT_H

#include "base/buf.h"
#include "base/run.h"
#include "json/write.h"
#include "kube/program/elf.h"
#include "kube/program/number.h"
#include "layout/types.h"
#include "plan/types.h"

enum kube_origin { KUBE_NOWHERE, KUBE_OF_BASE, KUBE_OF_PAYLOAD };

struct kube_variant {
    enum kubernetes_form form;     /* KUBERNETES_NONE: the rest is empty */
    struct kube_number kubernetes; /* each may be unknown, without parts */
    bool by_recipe;                /* kubernetes is what the recipe says; no file confirms it */
    struct kube_number by_files;   /* kubernetes, without what a program answered: the same on any machine */
    struct kube_number etcd, containerd;
    bool has_etcd;
    enum kube_origin containerd_from;
};

/* The base's files, below /usr. */
struct kube_base {
    const char *version;              /* of the OS; "" when it is not known */
    const struct program *containerd; /* NULL: not there, or /usr cannot be read */
    /* Whether /usr has PATH, which begins without "/usr"; NULL: it cannot be read. */
    int (*has)(const void *ctx, const char *path, bool *ret, struct err *err);
    const void *ctx;
};

struct cache;

struct kube_args {
    const struct recipe *recipe;
    const struct layout *layout;
    const struct plan *plan;
    const struct kube_base *base;
    const char *stated;  /* what a file beside the programs in their archive says; NULL: none does */
    struct cache *cache; /* of what programs answered; may be NULL */
    const struct run *run;
    bool untested; /* accept a Kubernetes newer than the table */
};

must_check int kube_variant_read(const struct kube_args *args, struct kube_variant *ret, struct err *err);

/* "kubernetes 1.36.3 (hyperkube), etcd 3.6.16, containerd 2.1.9 of the base". */
void kube_variant_text(const struct kube_variant *variant, struct buf *ret);
/* The members "form", "version", "etcd", "containerd", "containerd_from" of an object, without what is not
 * known. */
void kube_variant_json(const struct kube_variant *variant, struct json_writer *to);

#endif
