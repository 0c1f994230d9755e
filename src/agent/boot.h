/* `bake-agent boot`: makes a node of this machine, or says why not.
 *
 * In:    the image's contents list, metadata.
 * Out:   /run/bake/node.env, /run/bake/etcd.env, the host's name; the verdict on the contents in BOOT_VERDICT, for
 *        the report.
 * Fails: ERR_VERIFY before anything is rendered when a file is not as listed; see acquire.h for metadata.
 * Owns:  nothing.
 * Never: needs to run only once: a second run renders the same files.
 */
#ifndef BAKE_AGENT_BOOT_H
#define BAKE_AGENT_BOOT_H

#include "agent/http/http.h"
#include "agent/os/root.h"
#include "agent/os/log.h"

#define BOOT_VERDICT "/run/bake/contents" /* "ok N files signed KEYID", "ok N files unsigned" or "bad: WHY" */

enum { BOOT_VERDICT_MAX = 4096 };

must_check int boot_run(const struct root *root, const struct wire_peer *peer, unsigned metadata_timeout_s,
                        const struct log *log, struct err *err);

/* Sets the host's name to the node's as rendered. Needs CAP_SYS_ADMIN, which bake-node.service does not give to
 * boot itself. */
must_check int boot_hostname(const struct root *root, struct err *err);

/* A value of node.env: *RET is "" when the file or the name is not there. */
must_check int boot_node_value(const struct root *root, const char *name, char *ret, size_t cap,
                               struct err *err);

#endif
