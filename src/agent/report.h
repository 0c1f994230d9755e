/* `bake-agent report`: how the baked units fared, in lines that people and `bake test` read on the console.
 *
 * In:    what boot left in /run/bake, the node's certificates, what watch could not notify, systemd,
 *        hyperkube, etcd.
 * Out:   lines that start with "bake-report: "; the last one is "PASS" or "FAIL reason; reason".
 * Fails: -1 only if there is no verdict (out of memory); FAIL is a verdict.
 * Never: waits longer than its options allow; changes anything.
 */
#ifndef BAKE_AGENT_REPORT_H
#define BAKE_AGENT_REPORT_H

#include "agent/http/http.h"
#include "agent/os/root.h"
#include "agent/os/log.h"

struct report_options {
    unsigned timeout_s;    /* for the units to settle, and again for etcd */
    unsigned hyperkube_s;  /* for hyperkube to print its version */
    struct wire_peer etcd; /* serves /health */
};

must_check int report_run(const struct root *root, const struct report_options *options,
                          const struct log *log, bool *ret_pass, struct err *err);

#endif
