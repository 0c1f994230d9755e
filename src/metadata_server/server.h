/* A metadata server for guests under test: the part of Compute Engine's that a node uses.
 *
 * In:    the values of each instance; the address to listen on.
 * Out:   an HTTP server, by default on 127.0.0.1 at a port that the kernel chooses. Values can be changed
 *        while it runs; that answers the requests that wait for a change.
 * Fails: ERR_USAGE for values that Compute Engine would reject, ERR_IO if it cannot listen.
 * Owns:  copies of all values, its socket and its threads, until metadata_server_stop().
 * Never: listens on another address; gives an instance the values of another: with several instances, the
 *        source address identifies the client, and unknown clients are refused.
 *
 * Source: https://cloud.google.com/compute/docs/metadata/querying-metadata and .../predefined-metadata-keys.
 */
#ifndef BAKE_METADATA_SERVER_SERVER_H
#define BAKE_METADATA_SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/run.h"

/* Compute Engine's own limits, in bytes. */
enum {
    METADATA_KEY_MAX = 128,
    METADATA_VALUE_MAX = 256 << 10,
    METADATA_TOTAL_MAX = 512 << 10,
    METADATA_ATTRIBUTES_MAX = 1024
};
enum { METADATA_INSTANCES_MAX = 64 };

struct metadata_server_attribute {
    const char *key, *value;
};

struct metadata_server_instance {
    const char *name;         /* of the instance */
    const char *hostname;     /* fully qualified */
    uint64_t id;              /* of the instance */
    const char *zone;         /* "us-central1-a" */
    const char *machine_type; /* "e2-small" */
    const char *ip, *gateway, *netmask, *mac;
    const char *external_ip; /* "" or NULL: none */
    const struct metadata_server_attribute *attributes;
    size_t attribute_count;
    const char *project_id;
    uint64_t project_number;
    const struct metadata_server_attribute *project_attributes;
    size_t project_attribute_count;
};

struct metadata_server;

struct metadata_server_options {
    const struct metadata_server_instance *instances;
    size_t instance_count; /* 1 to METADATA_INSTANCES_MAX */
    /* The client's address, an instance's `ip`, selects the instance. False: there is one instance, and every
     * client gets its values, as behind a relay. */
    bool by_address;
    const char *listen; /* an IPv4 address; NULL: 127.0.0.1 */
    uint16_t port;      /* 0: the kernel chooses */
};

/* RUN, unless NULL, gets a note for each request: method and path, never a value. It must outlive the
 * server. */
must_check int metadata_server_start(const struct metadata_server_options *options, const struct run *run,
                                     struct metadata_server **ret, struct err *err);
uint16_t metadata_server_port(const struct metadata_server *server);

/* Replaces all instances at once; on failure the old ones stay. Any thread may call it. */
must_check int metadata_server_set(struct metadata_server *server,
                                   const struct metadata_server_instance *instances, size_t count,
                                   struct err *err);

void metadata_server_stop(struct metadata_server *server);
static inline void metadata_server_stop_fn(struct metadata_server **server)
{
    metadata_server_stop(*server);
}
#define cleanup_metadata_server cleanup(metadata_server_stop_fn)

#endif
