/* What this disk knows of its member of etcd: how far it has come, in files that are durable before anyone is told.
 *
 * In:    the root; files that the agent alone writes.
 * Out:   /var/lib/bake/etcd/incarnation, roster, joined; whether etcd has data.
 * Fails: ERR_IO, ERR_SPACE; ERR_VERIFY when a file is not what was written: better no start than a wrong one.
 * Owns:  those files. etcd's own are looked at, and moved aside at most, never changed.
 * Never: puts a disk back: waiting, decided, joined come in this order, each at most once in a disk's life.
 */
#ifndef BAKE_AGENT_ETCD_MEMBER_STATE_H
#define BAKE_AGENT_ETCD_MEMBER_STATE_H

#include "agent/os/root.h"
#include "agent/etcd/roster.h"

#define MEMBER_STATE_FOLDER      "/var/lib/bake/etcd"
#define MEMBER_STATE_INCARNATION MEMBER_STATE_FOLDER "/incarnation"
#define MEMBER_STATE_ROSTER      MEMBER_STATE_FOLDER "/roster"
#define MEMBER_STATE_JOINED      MEMBER_STATE_FOLDER "/joined"
#define MEMBER_STATE_DATA        "/var/lib/private/etcd"

enum member_phase {
    MEMBER_WAITING = 1, /* nothing was started from here: this disk may be put on a roster */
    MEMBER_DECIDED = 2, /* it holds a roster with itself on it */
    MEMBER_JOINED = 3,  /* its member has taken part, or is about to as a replacement */
};

struct member_state {
    enum member_phase state;
    bool has_id, has_data, marked;
    unsigned char id[ROSTER_ID_SIZE];
    struct member_roster roster; /* count 0: none */
};

/* Reads only. The incarnation is read first: see peers.h on why a torn view does no harm. */
must_check int member_state_load(const struct root *root, struct member_state *ret, struct err *err);

/* Makes a new incarnation, in place of one that is there. */
must_check int member_state_incarnate(const struct root *root, unsigned char ret[ROSTER_ID_SIZE],
                                      struct err *err);

must_check int member_state_decide(const struct root *root, const struct member_roster *roster,
                                   struct err *err);
/* WHY is one word, for people who look. The file counts, whatever is in it. */
must_check int member_state_mark_joined(const struct root *root, const char *why, struct err *err);

/* A disk that lost its data after it took part: a new incarnation, no roster; the marker stays for ever, so this disk is
 * a replacement or nothing. */
must_check int member_state_start_over(const struct root *root, struct err *err);

/* Moves etcd's data to member.removed-SECONDS beside it. */
must_check int member_state_set_aside(const struct root *root, long long seconds, struct err *err);

#endif
