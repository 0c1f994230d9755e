/* The roster: which disks found the cluster. The founder decides it once; the other members on it copy it.
 *
 *     bake-roster 1
 *     a 10.0.0.2 00112233445566778899aabbccddeeff
 *     b 10.0.1.2 ...
 *
 * In:    text from this disk, entries from members.
 * Out:   one member a line, sorted by name: name, address, and the incarnation, a random number that each
 *        disk makes once.
 * Fails: ERR_VERIFY for any text that roster_write() would not have written.
 * Never: holds a name, an address or an incarnation twice.
 */
#ifndef BAKE_AGENT_ETCD_ROSTER_H
#define BAKE_AGENT_ETCD_ROSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "node/metadata.h"
#include "node/values.h"
#include "base/buf.h"

enum { ROSTER_ID_SIZE = 16, ROSTER_ID_HEX = 2 * ROSTER_ID_SIZE, ROSTER_TEXT_MAX = 2048 };

struct roster_entry {
    char name[VALUE_NAME_CAP];
    char ip[VALUE_IP_CAP];
    unsigned char id[ROSTER_ID_SIZE];
};

struct member_roster {
    struct roster_entry entries[NODE_MEMBERS_MAX];
    size_t count; /* 0: no roster */
};

must_check int roster_parse(const char *text, size_t len, struct member_roster *ret, struct err *err);
void roster_write(const struct member_roster *roster, struct buf *ret);

/* Sorts the entries and checks the rules above: ERR_VERIFY. */
must_check int roster_settle(struct member_roster *roster, struct err *err);

/* Whether this disk is on it: the name, with this address and incarnation. */
bool roster_holds(const struct member_roster *roster, const char *name, const char *ip,
                  const unsigned char id[ROSTER_ID_SIZE]);

/* Exactly 32 lower-case hex digits. */
bool roster_read_id(const char *hex, size_t len, unsigned char ret[ROSTER_ID_SIZE]);

#endif
