/* A leaf certificate and its key on disk. */
#ifndef BAKE_AGENT_PKI_LEAF_H
#define BAKE_AGENT_PKI_LEAF_H

#include "agent/os/root.h"
#include "node/pki.h"

/* Reads the leaf's pair into CERT and KEY. False unless they belong together, were issued by AUTHORITY for
 * this node, and are valid for SPARE_S seconds more. */
bool pki_leaf_fits(const struct root *root, const struct pki_leaf *leaf, const X509 *authority,
                   const struct node_metadata *metadata, time_t now, time_t spare_s, struct buf *cert,
                   struct buf *key);

#endif
