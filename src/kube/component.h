/* Asks a component of Kubernetes, in the cage, for its version, and thereby whether it knows its flags: it
 * reads all of them before it answers, and none of the files that they name.
 *
 * In:    its program, and its command line without --version.
 * Out:   an answer. That it knows them is kept in the cache, and not asked again.
 * Fails: ERR_IO with CAGE_NOT_HERE: it cannot be asked on this machine. Otherwise as the cage does.
 * Owns:  a struct component owns a cage, made for the first question that the cache does not answer, until
 *        component_close().
 * Source: k8s.io/component-base/version/verflag, k8s.io/component-base/cli.
 */
#ifndef BAKE_KUBE_COMPONENT_H
#define BAKE_KUBE_COMPONENT_H

#include "kube/cage/cage.h"

struct cache;

enum { COMPONENT_VERSION_CAP = 64, COMPONENT_TEXT_CAP = 512 };

struct component {
    const struct blob *program; /* borrowed */
    struct cache *cache;        /* borrowed; may be NULL */
    struct cage cage;
};
#define COMPONENT_EMPTY                                                                                      \
    {                                                                                                        \
        .cage = CAGE_EMPTY                                                                                   \
    }

enum answer_kind {
    ANSWER_VERSION, /* it knows all flags */
    ANSWER_REFUSAL, /* text: why */
    ANSWER_NONE     /* text: how it ended instead */
};

/* Printable, whatever the program printed. */
struct answer {
    enum answer_kind kind;
    char version[COMPONENT_VERSION_CAP]; /* ANSWER_VERSION: "v1.36.3" */
    char text[COMPONENT_TEXT_CAP];       /* "unknown flag: --port" */
};

/* COUNT words of ARGV, of which the first is the program's name. */
must_check int component_ask(struct component *component, const char *const *argv, size_t count,
                             const struct run *run, struct answer *ret, struct err *err);
void component_close(struct component *component);
#define cleanup_component cleanup(component_close)

/* What PROGRAM says that it is: "v1.36.3". NAME: "kubelet" for a program of its own; of a hyperkube,
 * HYPERKUBE is set and NAME is the component to ask. ERR_VERIFY: it says none. */
must_check int kube_component_version(const struct blob *program, bool hyperkube, const char *name,
                                      struct cache *cache, const struct run *run,
                                      char ret[static COMPONENT_VERSION_CAP], struct err *err);

#endif
