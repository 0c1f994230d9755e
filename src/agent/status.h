/* `bake-agent status` and `bake-agent metrics`: how this node and its cluster are.
 *
 * In:    status: what status/own.h and status/cluster.h read; it needs the administrator's keys, so it is for
 *        root. metrics: status/own.h alone.
 * Out:   status: text or JSON, and whether all is well. metrics: Prometheus' page, on standard output, or to
 *        whoever asks on the socket that systemd passed.
 * Fails: only when there is no answer at all. What is wrong with the node or the cluster is part of it.
 */
#ifndef BAKE_AGENT_STATUS_H
#define BAKE_AGENT_STATUS_H

#include "agent/os/log.h"
#include "agent/os/root.h"

must_check int status_run(const struct root *root, bool json, const struct log *log, bool *ret_well,
                          struct err *err);
must_check int metrics_run(const struct root *root, const struct log *log, struct err *err);

#endif
