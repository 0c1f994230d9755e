/* The node's part of /etc/hosts: the members by name, and one name for all API servers.
 *
 * In:    metadata; the current file.
 * Out:   the file with the lines from "# bake: begin" to "# bake: end" replaced, or appended.
 * Fails: ERR_VERIFY if the file is binary or too large; ERR_IO.
 * Never: touches other lines.
 *
 * Go's resolver returns a name's addresses in the file's order, loopback first, and its dialer tries the next
 * one if one refuses: so every client of PKI_API_NAME uses its own node's API server, and another node's
 * while that one is down.
 */
#ifndef BAKE_AGENT_CONFIG_HOSTS_H
#define BAKE_AGENT_CONFIG_HOSTS_H

#include "node/metadata.h"
#include "agent/os/root.h"

must_check int hosts_render(const struct root *root, const struct node_metadata *metadata, bool *ret_changed,
                            struct err *err);

#endif
