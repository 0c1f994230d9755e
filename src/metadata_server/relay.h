/* What QEMU runs for each connection a guest makes to its metadata server.
 *
 * In:    a connected socket or pipes as FROM and TO; a port on 127.0.0.1.
 * Out:   copies both ways until the server has said its last byte.
 * Fails: ERR_NETWORK when nobody listens there, ERR_IO.
 * Owns:  its connection only.
 */
#ifndef BAKE_METADATA_SERVER_RELAY_H
#define BAKE_METADATA_SERVER_RELAY_H

#include <stdint.h>

#include "base/err.h"

must_check int relay_run(int from, int to, uint16_t port, struct err *err);

#endif
