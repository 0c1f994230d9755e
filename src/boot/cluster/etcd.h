/* A client of a tested cluster's etcd: the few requests that show whether it works as one.
 *
 * In:    a member's IPv4 address; the authority's certificate, a client certificate and its key, all PEM, in
 *        memory.
 * Out:   members, the leader, acknowledged writes, keys read through a quorum.
 * Fails: ERR_NETWORK: no answer in time, or a TLS failure; ERR_REMOTE: etcd refuses, with its reason;
 *        ERR_VERIFY: the answer is not etcd's; or the error of the caller's idle().
 * Owns:  struct etcd_client owns its connections; the PEM is the caller's.
 * Never: blocks without calling idle(), writes a key to a disk, uses a proxy, or accepts a certificate that
 *        does not name the address.
 * Source: https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/ and api_reference_v3; proto3's JSON mapping
 *         (64-bit numbers are strings, zero values are omitted).
 */
#ifndef BAKE_BOOT_CLUSTER_ETCD_H
#define BAKE_BOOT_CLUSTER_ETCD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { ETCD_CLIENT_PORT = 2379, ETCD_NAME_CAP = 64, ETCD_LIST_MAX = 16 };

struct etcd_keys {
    const char *authority, *cert, *key; /* PEM */
};

struct etcd_client;

struct etcd_member_seen {
    uint64_t id;
    char name[ETCD_NAME_CAP]; /* empty: added but never started */
};

struct etcd_list {
    struct etcd_member_seen members[ETCD_LIST_MAX];
    size_t count;
};

struct etcd_status {
    uint64_t member, leader; /* ids; LEADER is 0 if there is none */
};

/* IDLE is called at least every 50 ms during a request; if it fails, so does the request, with its error. */
must_check int etcd_client_new(const struct etcd_keys *keys, int (*idle)(void *ctx, struct err *err),
                               void *ctx, struct etcd_client **ret, struct err *err);
void etcd_client_free(struct etcd_client *client);

/* TIMEOUT_MS limits the whole request. IP is the member's address. */
must_check int etcd_get_status(struct etcd_client *client, const char *ip, unsigned timeout_ms,
                               struct etcd_status *ret, struct err *err);
must_check int etcd_list_members(struct etcd_client *client, const char *ip, unsigned timeout_ms,
                                 struct etcd_list *ret, struct err *err);
/* 0: a quorum has stored it. */
must_check int etcd_put(struct etcd_client *client, const char *ip, const char *key, const char *value,
                        unsigned timeout_ms, struct err *err);
/* A quorum read of all keys with PREFIX through that member: calls VISIT for each, in order; VISIT may
 * fail. */
must_check int etcd_range(struct etcd_client *client, const char *ip, const char *prefix, unsigned timeout_ms,
                          int (*visit)(void *ctx, const char *key, const char *value, struct err *err),
                          void *ctx, struct err *err);

/* Parsers of the answers. */
must_check int etcd_status_parse(const char *text, size_t len, struct etcd_status *ret, struct err *err);
must_check int etcd_list_parse(const char *text, size_t len, struct etcd_list *ret, struct err *err);
must_check int etcd_range_parse(const char *text, size_t len,
                                int (*visit)(void *ctx, const char *key, const char *value, struct err *err),
                                void *ctx, struct err *err);

#endif
