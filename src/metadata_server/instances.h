/* The file that tells a metadata server what its instances are.
 *
 * In:    text: {"project": {"id", "number", "attributes"}, "instances": [{"name", "ip", "zone", "id",
 *        "attributes"}]}; both "attributes" may be missing.
 * Out:   one struct metadata_server_instance for each instance; host name, MAC address, gateway and netmask are made from
 *        these as Compute Engine makes them.
 * Fails: ERR_RECIPE at line and column for what is malformed, unknown or too much.
 * Owns:  all strings live in the caller's arena.
 * Never: has an attribute's value in a message: some are secrets.
 */
#ifndef BAKE_METADATA_SERVER_INSTANCES_H
#define BAKE_METADATA_SERVER_INSTANCES_H

#include "base/arena.h"
#include "metadata_server/server.h"

enum { INSTANCES_TEXT_MAX = 4 << 20 };

/* NAME is the file's, for messages. */
must_check int instances_parse(const char *text, size_t len, const char *name, struct arena *arena,
                               const struct metadata_server_instance **ret, size_t *ret_count,
                               struct err *err);

/* Compute Engine's MAC address for IP: 42:01 and the address. NULL when IP is none, or out of memory. */
const char *instances_mac(const char *ip, struct arena *arena);

#endif
