/* Which values from outside may be written into files.
 *
 * In:    text from metadata.
 * Out:   true or false. Accepted text holds no white space, quote, control character or shell syntax.
 * Never: accepts two spellings of one value (no leading zeros, no host bits in a CIDR).
 */
#ifndef BAKE_NODE_VALUES_H
#define BAKE_NODE_VALUES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    VALUE_NAME_CAP = 64,    /* 63 and NUL */
    VALUE_IP_CAP = 16,      /* 255.255.255.255 and NUL */
    VALUE_CIDR_CAP = 19,    /* with /32 */
    VALUE_DOMAIN_CAP = 254, /* RFC 1035 2.3.4: 253 and NUL */
    VALUE_ID_CAP = 21,      /* 2^64 in decimal and NUL */
    VALUE_BUCKET_CAP = 64,
    VALUE_SNAPSHOT_CAP = 192,
    VALUE_RESTORE_CAP = VALUE_NAME_CAP + VALUE_SNAPSHOT_CAP,
};

/* A GCE resource name, which is also a DNS label (RFC 1035 2.3.1): [a-z]([-a-z0-9]*[a-z0-9])?, at most 63. */
bool value_name_ok(const char *name);
/* A dotted IPv4 address that a machine can have: not 0.x, 127.x, 224.x and up. */
bool value_ip_ok(const char *ip);
/* ADDRESS/BITS with 8 to 30 bits and no bits set behind them. */
bool value_cidr_ok(const char *cidr);
/* Of checked values: whether ADDRESS lies in the range; whether two ranges share an address. */
bool value_cidr_holds(const char *cidr, const char *ip);
bool value_cidrs_overlap(const char *a, const char *b);
/* Labels joined by dots, at most 253; digits may start a label (RFC 1123 2.1). */
bool value_domain_ok(const char *domain);
/* A decimal number below 2^64 without leading zeros, which JSON can hold as a number. */
bool value_id_ok(const char *id);
/* A bucket of Cloud Storage: 3 to 63 lower-case letters, digits, '-', '_' and '.', a letter or digit at both
 * ends. */
bool value_bucket_ok(const char *name);
/* A snapshot of etcd: TIME.rREVISION.NODE, or TIME.rREVISION.NODE.RESTORE if NODE had gone through that
 * restore: 20261129T054500Z.r1234.a */
bool value_snapshot_ok(const char *name);
/* What cluster-restore says: ID=newest, ID=SNAPSHOT or ID=disk@NODE. */
bool value_restore_ok(const char *restore);

#endif
