/* What a disk without data does, given the other members' answers: a decision without side effects.
 *
 * In:    metadata, this disk's incarnation, the replies of this round, and those of the round before if there
 *        was one.
 * Out:   wait (and for whom), ask once more, found or help to found the cluster (with this roster), or join
 *        as a replacement.
 * Never: puts one disk on the rosters of two foundings that can both come to life; the proof is in join.h.
 */
#ifndef BAKE_AGENT_JOIN_DECIDE_H
#define BAKE_AGENT_JOIN_DECIDE_H

#include "agent/join/peers.h"

enum decision_kind {
    DECISION_WAIT,
    DECISION_CONFIRM, /* all members are waiting: ask once more */
    DECISION_NEW,
    DECISION_REPLACE,
};

enum { DECISION_WHY_CAP = 1024 };

struct decision {
    enum decision_kind kind;
    struct member_roster roster; /* of DECISION_NEW */
    char why[DECISION_WHY_CAP];  /* a line for the log */
};

/* The founder's index: the first name in byte order. */
size_t decide_founder(const struct node_metadata *metadata);

/* BEFORE is NULL unless the previous round ended in DECISION_CONFIRM. */
void decide(const struct node_metadata *metadata, const unsigned char id[ROSTER_ID_SIZE],
            const struct peers_reply replies[NODE_MEMBERS_MAX], const struct peers_reply *before,
            struct decision *ret);

#endif
