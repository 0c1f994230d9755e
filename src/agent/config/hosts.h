/* The node's part of /etc/hosts: the members by name, and one name for all API servers.
 *
 * In:    metadata; the file as it is.
 * Out:   the file with the lines between "# bake: begin" and "# bake: end" replaced, or added at the end.
 * Fails: ERR_VERIFY when the file is no text of a sane size; ERR_IO.
 * Owns:  nothing.
 * Never: touches other lines.
 *
 * Go's resolver gives a name's addresses in the file's order, loopback first, and its dialer tries the next one when one
 * refuses: so every client of PKI_API_NAME uses its own node's API server, and another one's while that is away.
 */
#ifndef BAKE_AGENT_CONFIG_HOSTS_H
#define BAKE_AGENT_CONFIG_HOSTS_H

#include "node/metadata.h"
#include "agent/os/root.h"

must_check int hosts_render(const struct root *root, const struct node_metadata *metadata, bool *ret_changed,
                            struct err *err);

#endif
