/* How far this node is on the way from one cluster-secret to the next, kept on its disk.
 *
 *     bake-rotation 1
 *     from 0123456789abcdef
 *     to fedcba9876543210
 *     stage use
 *
 * In:    the metadata's secrets; a file that only the agent writes.
 * Out:   what they ask of this node; which secret's keys sign and write here.
 * Fails: ERR_VERIFY: secrets that this disk cannot follow, with what to do; or a file that was changed.
 * Owns:  ROTATION_FILE.
 * Never: keeps a secret: a fingerprint is a key derived from it, of which nothing else is derived.
 *
 * A node trusts both secrets' authorities, and reads with both keys, from ROTATION_TRUST on; it uses the next
 * one's from ROTATION_USE on, which begins when all members trust both. ROTATION_DONE: all Secrets are
 * written with the new key, so the metadata may drop the old secret.
 */
#ifndef BAKE_AGENT_CONFIG_ROTATION_H
#define BAKE_AGENT_CONFIG_ROTATION_H

#include "node/metadata.h"
#include "agent/os/root.h"

#define ROTATION_FILE "/var/lib/bake/rotation"

enum { ROTATION_PRINT_CAP = 17, ROTATION_KEYS_CAP = 2 * ROTATION_PRINT_CAP };

enum rotation_stage { ROTATION_NONE, ROTATION_TRUST, ROTATION_USE, ROTATION_DONE, ROTATION_STAGES };
extern const char *const rotation_stage_names[ROTATION_STAGES];

struct rotation {
    char from[ROTATION_PRINT_CAP]; /* fingerprints; "": this disk has not been configured yet */
    char to[ROTATION_PRINT_CAP];   /* "" at ROTATION_NONE */
    enum rotation_stage stage;
};

/* What the metadata's secrets ask of a node. */
enum rotation_step {
    ROTATION_STAY,
    ROTATION_BEGIN,   /* there is a next secret: trust it, too */
    ROTATION_GIVE_UP, /* there is no next secret any more, and no node uses it */
    ROTATION_FINISH,  /* the next secret is the only one now */
};

must_check int rotation_load(const struct root *root, struct rotation *ret, struct err *err);
must_check int rotation_save(const struct root *root, const struct rotation *rotation, struct err *err);

/* ERR_VERIFY if this node cannot go from where it is to these secrets. */
must_check int rotation_ask(const struct rotation *rotation, const struct node_metadata *metadata,
                            const struct cluster_secret *secret, enum rotation_step *ret, struct err *err);

/* Where the node is after the step. */
void rotation_after(const struct rotation *rotation, const struct node_metadata *metadata,
                    const struct cluster_secret *secret, enum rotation_step step, struct rotation *ret);

/* The secrets that count at this stage: without the next one at ROTATION_NONE. */
void rotation_pick(const struct rotation *rotation, const struct cluster_secret *secret,
                   struct cluster_secret *ret);

/* A word that changes whenever programs must read their keys anew. */
void rotation_keys(const struct rotation *rotation, char ret[static ROTATION_KEYS_CAP]);

#endif
