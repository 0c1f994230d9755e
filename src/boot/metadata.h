/* A metadata server for tested guests: Compute Engine's, as far as a node looks at it.
 *
 * In:    what an instance is to be told.
 * Out:   an HTTP server on 127.0.0.1 at a port the kernel chose; values can be changed while it runs, which
 *        ends the requests that wait for a change.
 * Fails: ERR_USAGE for values that Compute Engine would not take either, ERR_IO when it cannot listen.
 * Owns:  copies of all values, its socket and its threads, until metadata_stop().
 * Never: listens on another address; answers for another instance's values.
 *
 * Source: https://cloud.google.com/compute/docs/metadata/querying-metadata and .../predefined-metadata-keys.
 */
#ifndef BAKE_BOOT_METADATA_H
#define BAKE_BOOT_METADATA_H

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

struct metadata_attribute {
    const char *key, *value;
};

struct metadata_values {
    const char *name;         /* of the instance */
    const char *hostname;     /* fully qualified */
    uint64_t id;              /* of the instance */
    const char *zone;         /* "us-central1-a" */
    const char *machine_type; /* "e2-small" */
    const char *ip, *gateway, *netmask, *mac;
    const char *external_ip; /* "" or NULL: none */
    const struct metadata_attribute *attributes;
    size_t attribute_count;
    const char *project_id;
    uint64_t project_number;
    const struct metadata_attribute *project_attributes;
    size_t project_attribute_count;
};

struct metadata;

/* RUN, when given, hears a note for each request; it must outlive the server. */
must_check int metadata_start(const struct metadata_values *values, const struct run *run,
                              struct metadata **ret, struct err *err);
uint16_t metadata_port(const struct metadata *server);

/* Replaces all values at once; on failure the old ones stay. From any thread. */
must_check int metadata_set(struct metadata *server, const struct metadata_values *values, struct err *err);

void metadata_stop(struct metadata *server);
static inline void metadata_stop_fn(struct metadata **server)
{
    metadata_stop(*server);
}
#define cleanup_metadata cleanup(metadata_stop_fn)

#endif
