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

#define DISK_FOLDER      "/var/lib/bake/etcd"
#define DISK_INCARNATION DISK_FOLDER "/incarnation"
#define DISK_ROSTER      DISK_FOLDER "/roster"
#define DISK_JOINED      DISK_FOLDER "/joined"
#define DISK_DATA        "/var/lib/private/etcd"

enum disk_state {
    DISK_WAITING = 1,   /* nothing was started from here: this disk may be put on a roster */
    DISK_DECIDED = 2,   /* it holds a roster with itself on it */
    DISK_JOINED_IN = 3, /* its member has taken part, or is about to as a replacement */
};

struct disk {
    enum disk_state state;
    bool has_id, has_data, marked;
    unsigned char id[ROSTER_ID_SIZE];
    struct roster roster; /* count 0: none */
};

/* Reads only. The incarnation is read first: see peers.h on why a torn view does no harm. */
must_check int disk_load(const struct root *root, struct disk *ret, struct err *err);

/* Makes a new incarnation, in place of one that is there. */
must_check int disk_incarnate(const struct root *root, unsigned char ret[ROSTER_ID_SIZE], struct err *err);

must_check int disk_decide(const struct root *root, const struct roster *roster, struct err *err);
/* WHY is one word, for people who look. The file counts, whatever is in it. */
must_check int disk_mark_joined(const struct root *root, const char *why, struct err *err);

/* A disk that lost its data after it took part: a new incarnation, no roster; the marker stays for ever, so this disk is
 * a replacement or nothing. */
must_check int disk_start_over(const struct root *root, struct err *err);

/* Moves etcd's data to member.removed-SECONDS beside it. */
must_check int disk_set_aside(const struct root *root, long long seconds, struct err *err);

#endif
