/* `bake-agent boot`: turns this machine into a node, or reports why it cannot.
 *
 * In:    the image's contents list, metadata.
 * Out:   /run/bake/node.env, /run/bake/etcd.env and all that config/configure.h writes; for the report, the
 *        verdict on the contents in BOOT_VERDICT.
 * Fails: ERR_VERIFY, before anything is rendered, when a file is not as listed, or when the metadata's secret
 *        is not the one of a disk with etcd's data; for metadata see config/acquire.h.
 *        Another run renders the same files.
 */
#ifndef BAKE_AGENT_BOOT_H
#define BAKE_AGENT_BOOT_H

#include "agent/http/http.h"
#include "agent/os/root.h"
#include "agent/os/log.h"
#include "node/metadata.h"

/* "ok N files signed KEYID", "ok N files unsigned" or "bad: WHY" */
#define BOOT_VERDICT "/run/bake/contents"

/* Exists once boot has succeeded; see watch.h for what happens until then. */
#define BOOT_DONE "/run/bake/booted"

enum { BOOT_VERDICT_MAX = 4096 };

must_check int boot_run(const struct root *root, const struct wire_peer *peer, unsigned metadata_timeout_s,
                        const struct log *log, struct err *err);

/* Whether another boot could succeed with this metadata; the reason why not: bad contents, or another secret
 * than that of a disk with etcd's data. */
must_check int boot_check(const struct root *root, const struct node_metadata *metadata,
                          const struct cluster_secret *secret, struct err *err);

/* Sets the host name to the rendered node name. Needs CAP_SYS_ADMIN, which bake-node.service does not grant
 * to boot itself. */
must_check int boot_hostname(const struct root *root, struct err *err);

/* A value of node.env, or "" if the file or the name is missing. */
must_check int boot_node_value(const struct root *root, const char *name, char *ret, size_t cap,
                               struct err *err);

#endif
