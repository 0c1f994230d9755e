/* Brings etcd's data back from a snapshot, on a disk that has none.
 *
 * In:    cluster-restore=ID=SNAPSHOT or ID=newest; the bucket, or SNAPSHOT_FOLDER of this disk.
 * Out:   restore_prepare(): the data of a cluster whose one member is this node, beside etcd's own folder;
 *        restore_commit() moves it to its place in one step.
 * Fails: ERR_VERIFY for a wrong key, a snapshot that was changed or cut off, or is another cluster's, or a
 *        restore that was done already; ERR_NETWORK, ERR_SPACE, ERR_IO. Nothing is in etcd's place then.
 * Owns:  MEMBER_STATE_RESTORED: the ID of the last restore that is over for this disk, whether it was done,
 *        was not needed or was refused.
 * Never: touches a disk with data. The caller has made sure that no other member has any (join/join.h).
 * Source: https://etcd.io/docs/v3.6/op-guide/recovery/#restoring-with-revision-bump
 *
 * Revisions go up by RESTORE_BUMP, and all before are marked as compacted: no client takes a new revision for
 * an old one that it has seen, and watches start again.
 */
#ifndef BAKE_AGENT_BACKUP_RESTORE_H
#define BAKE_AGENT_BACKUP_RESTORE_H

#include "agent/http/http.h"
#include "agent/os/log.h"
#include "agent/os/root.h"
#include "node/metadata.h"

#define RESTORE_BUMP "1000000000"

struct restore {
    const struct root *root;
    const struct wire_peer *server;
    const struct node_metadata *metadata;
    uint16_t peer_port;
};

/* Whether cluster-restore names a snapshot, and this disk has not seen the end of that restore. */
must_check int restore_is_due(const struct restore *self, bool *ret, struct err *err);

must_check int restore_prepare(const struct restore *self, const struct log *log, struct err *err);
must_check int restore_commit(const struct restore *self, struct err *err);

/* The disk's last ID: true if it is cluster-restore's, or there is none to do. */
must_check int restore_is_over(const struct root *root, const struct node_metadata *metadata, bool *ret,
                               struct err *err);
must_check int restore_note_over(const struct root *root, const struct node_metadata *metadata,
                                 struct err *err);

#endif
