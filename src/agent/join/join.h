/* How this node's member of etcd starts: on its data, with the others for the first time, or in place of a
 * lost one.
 *
 * In:    metadata, this disk (etcd/member_state.h), the other members' answers (peers.h), a running cluster
 *        (etcd/api.h).
 * Out:   /run/bake/etcd-join.env, which etcd's unit reads after /run/bake/etcd.env: ETCD_INITIAL_CLUSTER,
 *        ETCD_INITIAL_CLUSTER_STATE and, for a new cluster, ETCD_INITIAL_CLUSTER_TOKEN.
 * Fails: ERR_NETWORK at the time limit; ERR_VERIFY for a damaged file of this disk; ERR_IO, ERR_SPACE.
 *        Waiting is not a failure: its reason is logged once, and again when it changes.
 * Owns:  MEMBER_STATE_FOLDER, under a lock. May be killed at any moment and run again.
 * Never: needs the metadata server, but for a restore. Starts a member with state `new` on a disk that the
 * founder did not name.
 *
 * Why fresh disks can never replace a quorum that has data (split brain):
 *
 *  1. A disk makes a random incarnation once. It is `waiting` until it holds a roster, `decided` from then
 *     on, and `joined` once its member has run. It never goes back: only a disk without a roster accepts one,
 *     and a disk that has run and lost its data keeps the marker, so no founder counts it as `waiting`. So
 *     each disk is in at most one founding.
 *  2. `new` is given only to a disk that holds a roster with its own incarnation on it, durably, before etcd
 *     runs. Fresh disks cannot add themselves to a roster, and two fresh disks of three cannot make one: the
 *     founder needs ALL others to be waiting. A disk with data, or on a roster, answers that it is not
 *     waiting; one that is down does not answer.
 *  3. Two foundings R1 and R2 of one list of members cannot both come to life. Both need a majority of its
 *     names, so some name is in both, with two different disks, by 1. The earlier disk, say R1's, was gone
 *     before the later one was made. R2's founder saw, in two rounds, the second begun after the first had
 *     ended, the same disks of all other members waiting. So in the second round all disks on R2 exist, those
 *     of R1 that they replaced are gone, and none of them is on R1 yet. From then on, R1 can reach a disk on
 *     R2 only from a disk of R1 that is not on R2, and those are gone (a box still under way is refused once
 *     its question is over, after a second). So if R1 ever had a quorum, all of it was on disks that are
 *     lost: there is nothing left that a second cluster could replace.
 *  4. Replacing the founder does not change this. Its new disk hears `decided` or `joined` from the remaining
 *     members of R1, and joins as a replacement; if some are missing, it waits. The others of R1 that have
 *     not started take the roster from any member that has it, so the founder is needed only for its
 *     decision.
 *  5. Two lists of members, while an operator edits cluster-nodes, might have two founders. Each question and
 *     answer carries a digest of the list, and a founder counts only those with its own digest, including the
 *     other founder's. So that one has the same list, and knows that it is not the founder, unless the list
 *     is changed back within that second.
 *  6. The token of a new cluster is derived from its roster, so members of two foundings would refuse each
 *     other anyway.
 *  7. A replacement gets `existing` and an id that the quorum has just made for it, as a learner. Its marker
 *     is written before the quorum is asked to change anything, so it can neither be a founder nor be named
 *     by one. An entry of its own that never came to life is removed and made again, never reused: it might
 *     have voted.
 *
 *  8. A restore from a snapshot starts where a founding would, on the founder, and instead of it: all other
 *     members are waiting, in two rounds after the snapshot was fetched and checked. Nothing is decided until
 *     the founder's data is in its place; then it is `joined`, and the others come as replacements.
 *  9. A restore from one last disk (last_disk.h) drops all other members. Their disks, if they come back, do
 *     not start before they have heard a cluster that does not list them, as long as the attribute stays.
 *
 * The cost: the very first start needs every member once. And if a majority is lost, no one can tell what was
 * decided: the rest waits, logs that it does, and a person must decide. Copies of one disk (restored
 * snapshots) are not covered, as they are not by etcd itself; neither is deleting etcd's data by hand between
 * its first start and `joined`.
 */
#ifndef BAKE_AGENT_JOIN_JOIN_H
#define BAKE_AGENT_JOIN_JOIN_H

#include "agent/join/peers.h"

#define JOIN_ENV "/run/bake/etcd-join.env"

enum { JOIN_PEER_PORT = 2380, JOIN_ROUND_MS = 1000, JOIN_PAUSE_MS = 1000, JOIN_RESTORE_MS = 15000 };

struct join_options {
    struct peers_key key;
    uint16_t roster_port, client_port, peer_port;
    unsigned limit_s;               /* 0: forever */
    const struct wire_peer *server; /* of metadata; for a restore from the bucket */
};

/* PEERS_KEY and the default ports, no limit. */
must_check int join_options_read(const struct root *root, struct join_options *ret, struct err *err);

must_check int join_run(const struct root *root, const struct node_metadata *metadata,
                        const struct join_options *options, const struct log *log, struct err *err);

/* To be run once etcd is ready. */
must_check int joined_run(const struct root *root, struct err *err);

#endif
