/* What a disk with data does when the metadata says that one node's disk is the cluster:
 * cluster-restore=ID=disk@NODE.
 *
 * In:    metadata, the last restore that is over for this disk, the members that answer.
 * Out:   one step. A cluster with a quorum goes first: then nothing was lost, and a member that it does not
 *        list has been left behind.
 * Fails: ERR_VERIFY, ERR_IO: this disk's files.
 * Never: drops members twice for one ID: `joined` notes it on the disk. Starts old data of another node while
 *        NODE has not been heard: two such nodes could make a quorum of what was given up.
 */
#ifndef BAKE_AGENT_JOIN_LAST_DISK_H
#define BAKE_AGENT_JOIN_LAST_DISK_H

#include "agent/join/replace.h"

enum last_disk_step {
    LAST_DISK_START, /* as it is */
    LAST_DISK_ALONE, /* etcd drops all other members */
    LAST_DISK_LEAVE, /* the data is of a cluster that was given up */
    LAST_DISK_WAIT,
};

/* WHY: a line for the log, "" when there is nothing to say. */
must_check int last_disk_decide(const struct replace *self, enum last_disk_step *ret, char why[ERR_TEXT_MAX],
                                struct err *err);

#endif
