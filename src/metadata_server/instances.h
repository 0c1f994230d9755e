/* Reads the file that lists a metadata server's instances.
 *
 * In:    text: {"project": {"id", "number", "attributes"}, "instances": [{"name", "ip", "zone", "id",
 *        "attributes"}]}; both "attributes" may be missing.
 * Out:   one struct metadata_server_instance for each; host name, MAC address, gateway and netmask are
 *        derived from them as Compute Engine does. All strings live in the caller's arena.
 * Fails: ERR_RECIPE with line and column for anything malformed, unknown or too large.
 * Never: puts an attribute's value into a message: some are secrets.
 */
#ifndef BAKE_METADATA_SERVER_INSTANCES_H
#define BAKE_METADATA_SERVER_INSTANCES_H

#include "base/arena.h"
#include "metadata_server/server.h"

enum { INSTANCES_TEXT_MAX = 4 << 20 };

/* NAME is the file's name, for messages. */
must_check int instances_parse(const char *text, size_t len, const char *name, struct arena *arena,
                               const struct metadata_server_instance **ret, size_t *ret_count,
                               struct err *err);

/* Compute Engine's MAC address for IP: 42:01 and the address. NULL if IP is not an address, or out of
 * memory. */
const char *instances_mac(const char *ip, struct arena *arena);

#endif
