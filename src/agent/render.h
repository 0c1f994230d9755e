/* The environment files that the baked units read.
 *
 * In:    checked metadata.
 * Out:   /run/bake/node.env, /run/bake/etcd.env.
 * Fails: ERR_IO, ERR_SPACE; each file is then the old one or the new one, never half.
 * Owns:  nothing.
 * Never: quotes: no checked value holds a character that systemd.exec(5) or a shell would act on.
 */
#ifndef BAKE_AGENT_RENDER_H
#define BAKE_AGENT_RENDER_H

#include "agent/metadata.h"
#include "agent/root.h"

#define RENDER_NODE_ENV "/run/bake/node.env"
#define RENDER_ETCD_ENV "/run/bake/etcd.env"

void render_node(const struct metadata *metadata, struct buf *ret);
void render_etcd(const struct metadata *metadata, struct buf *ret);

/* Both files. */
must_check int render_all(const struct root *root, const struct metadata *metadata, struct err *err);

#endif
