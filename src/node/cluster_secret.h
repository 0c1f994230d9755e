/* The cluster's secret, from which every node derives the same keys.
 *
 * In:    the attribute cluster-secret: standard base64 of 32 random bytes, 44 characters, and perhaps a
 *        newline.
 * Out:   the bytes; keys, one for each use.
 * Fails: ERR_VERIFY; the message shows nothing of the value.
 * Owns:  the bytes are on the caller's stack; cluster_secret_clear() wipes them.
 * Never: written to any file, log or argument list. A derived key reveals nothing about the secret or other
 *        keys.
 */
#ifndef BAKE_NODE_CLUSTER_SECRET_H
#define BAKE_NODE_CLUSTER_SECRET_H

#include <stdbool.h>

#include "base/err.h"

enum { CLUSTER_SECRET_SIZE = 32, DERIVED_KEY_SIZE = 32 };

struct cluster_secret {
    unsigned char bytes[CLUSTER_SECRET_SIZE];
    bool set;
    bool has_next; /* while the cluster changes from one secret to the next: cluster-secret-next */
    unsigned char next[CLUSTER_SECRET_SIZE];
};

must_check int cluster_secret_parse(const char *base64, struct cluster_secret *ret, struct err *err);

/* BLAKE2b-256, keyed with the secret, of "bake v1", LABEL and CLUSTER, each followed by a NUL: two clusters
 * that were given one secret by mistake share no key. */
void cluster_secret_derive(const struct cluster_secret *secret, const char *cluster, const char *label,
                           unsigned char ret[DERIVED_KEY_SIZE]);

/* The next secret alone; only if there is one. */
void cluster_secret_take_next(const struct cluster_secret *secret, struct cluster_secret *ret);

void cluster_secret_clear(struct cluster_secret *secret);
#define cleanup_cluster_secret cleanup(cluster_secret_clear)

#endif
