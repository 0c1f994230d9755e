/* QEMU runs this for each connection from a guest to its metadata server.
 *
 * In:    a connected socket or pipes as FROM and TO; a port on 127.0.0.1.
 * Out:   copies in both directions until the server closes the connection.
 * Fails: ERR_NETWORK if nothing listens on the port; ERR_IO.
 */
#ifndef BAKE_METADATA_SERVER_RELAY_H
#define BAKE_METADATA_SERVER_RELAY_H

#include <stdint.h>

#include "base/err.h"

must_check int relay_run(int from, int to, uint16_t port, struct err *err);

#endif
