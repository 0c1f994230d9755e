/* Keys and leases in a running etcd, through the JSON gateway of its v3 API.
 *
 * In:    one member's address (api.h); keys below "/bake/", which Kubernetes does not use; values of up to
 *        ETCD_VALUE_MAX bytes. A lease is an id that etcd gave, or NULL: the key stays for ever.
 * Out:   values as they were put. Reads and writes go through the quorum.
 * Fails: as api.h. A write that failed may have happened all the same.
 * Source: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/ and api_reference_v3 (KV, Lease): bytes are
 *         base64, 64-bit numbers are strings, defaults are omitted; keepalive is a stream of one answer
 */
#ifndef BAKE_AGENT_ETCD_KV_H
#define BAKE_AGENT_ETCD_KV_H

#include "agent/etcd/api.h"

enum { ETCD_VALUE_MAX = 64 << 10, ETCD_KEY_CAP = 128 };

struct etcd_lease {
    char id[VALUE_ID_CAP];
};

/* RET is one that can hold the value; *RET_FOUND is false if there is no such key. */
must_check int etcd_get(const struct etcd_api *api, const char *key, struct buf *ret, bool *ret_found,
                        struct err *err);

/* Calls SEE for each key that begins with PREFIX, in their order; VALUE ends with a NUL that LEN does not
 * count. Keys of ETCD_KEY_CAP bytes and more are left out. */
must_check int etcd_each(const struct etcd_api *api, const char *prefix,
                         void (*see)(void *ctx, const char *key, const char *value, size_t len), void *ctx,
                         struct err *err);

must_check int etcd_set(const struct etcd_api *api, const char *key, const char *value, size_t len,
                        const struct etcd_lease *lease, struct err *err);
/* *RET_DONE is false if the key exists. */
must_check int etcd_create(const struct etcd_api *api, const char *key, const char *value, size_t len,
                           const struct etcd_lease *lease, bool *ret_done, struct err *err);
/* Replaces OLD by VALUE and takes the key's lease away. *RET_DONE is false if the key has another value, or
 * does not exist. */
must_check int etcd_swap(const struct etcd_api *api, const char *key, const char *old, size_t old_len,
                         const char *value, size_t len, bool *ret_done, struct err *err);
/* It need not exist. */
must_check int etcd_delete(const struct etcd_api *api, const char *key, struct err *err);

/* The keys of a lease are deleted when it was not kept alive for TTL_S seconds, or is revoked. */
must_check int etcd_lease_grant(const struct etcd_api *api, unsigned ttl_s, struct etcd_lease *ret,
                                struct err *err);
/* *RET_ALIVE is false if it has ended. */
must_check int etcd_lease_keep(const struct etcd_api *api, const struct etcd_lease *lease, bool *ret_alive,
                               struct err *err);
must_check int etcd_lease_revoke(const struct etcd_api *api, const struct etcd_lease *lease, struct err *err);

/* Holds KEY alone until RET is revoked, at most TTL_S seconds. *RET_LOCKED is false if another holds it; what
 * the same HOLDER left, because it was killed, is taken over. */
must_check int etcd_lock(const struct etcd_api *api, const char *key, const char *holder, unsigned ttl_s,
                         struct etcd_lease *ret, bool *ret_locked, struct err *err);

#endif
