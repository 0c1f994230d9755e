/* The state of this disk's member of etcd, in files that are durable before any other member learns of it.
 *
 * In:    the root; files that only the agent writes.
 * Out:   /var/lib/bake/etcd/incarnation, roster, joined; whether etcd has data.
 * Fails: ERR_IO, ERR_SPACE; ERR_VERIFY if a file was changed: better no start than a wrong one.
 * Owns:  those files. etcd's own are at most moved aside, never changed.
 * Never: goes back: a disk's phases are waiting, decided, joined, in this order and each only once.
 */
#ifndef BAKE_AGENT_ETCD_MEMBER_STATE_H
#define BAKE_AGENT_ETCD_MEMBER_STATE_H

#include "agent/os/root.h"
#include "agent/etcd/roster.h"

#define MEMBER_STATE_FOLDER      "/var/lib/bake/etcd"
#define MEMBER_STATE_INCARNATION MEMBER_STATE_FOLDER "/incarnation"
#define MEMBER_STATE_ROSTER      MEMBER_STATE_FOLDER "/roster"
#define MEMBER_STATE_JOINED      MEMBER_STATE_FOLDER "/joined"
#define MEMBER_STATE_RESTORED    MEMBER_STATE_FOLDER "/restored" /* backup/restore.h */
#define MEMBER_STATE_DATA        "/var/lib/private/etcd"

enum member_phase {
    MEMBER_WAITING = 1, /* etcd has never started here: this disk may be put on a roster */
    MEMBER_DECIDED = 2, /* the disk holds a roster that lists it */
    MEMBER_JOINED = 3,  /* its member has taken part, or is about to as a replacement */
};

struct member_state {
    enum member_phase phase;
    bool has_id, has_data, marked;
    unsigned char id[ROSTER_ID_SIZE];
    struct member_roster roster; /* count 0: none */
};

/* Reads only, the incarnation first: join/peers.h explains why an inconsistent view is harmless. */
must_check int member_state_load(const struct root *root, struct member_state *ret, struct err *err);

/* Makes a new incarnation, replacing the current one. */
must_check int member_state_incarnate(const struct root *root, unsigned char ret[ROSTER_ID_SIZE],
                                      struct err *err);

must_check int member_state_decide(const struct root *root, const struct member_roster *roster,
                                   struct err *err);
/* WHY is one word, for people; only the file's existence counts. */
must_check int member_state_mark_joined(const struct root *root, const char *why, struct err *err);

/* For a disk that lost its data after it took part: a new incarnation, no roster. The marker stays forever,
 * so this disk can only join as a replacement. */
must_check int member_state_start_over(const struct root *root, struct err *err);

/* Moves etcd's data to member.removed-SECONDS beside it. */
must_check int member_state_set_aside(const struct root *root, long long seconds, struct err *err);

#endif
