/* Snapshots of etcd on this node's disk, and from there in the bucket.
 *
 * In:    this node's member of etcd, running; the programs etcdctl and etcdutl of the image.
 * Out:   SNAPSHOT_FOLDER/NAME.db, the newest SNAPSHOT_KEEP of them. With a bucket in the metadata the new one
 *        is there too, encrypted (cipher.h).
 * Fails: ERR_SPACE rather than leave less than a tenth of the disk free; ERR_VERIFY: etcdutl does not accept
 *        the snapshot; ERR_NETWORK: no member, no bucket. What was kept before stays.
 * Owns:  SNAPSHOT_FOLDER, under a lock. May be killed at any moment: a file gets its name once it is whole
 *        and was checked, and the next run removes what is left of this one.
 * Source: https://etcd.io/docs/v3.6/op-guide/recovery/
 */
#ifndef BAKE_AGENT_BACKUP_SNAPSHOT_H
#define BAKE_AGENT_BACKUP_SNAPSHOT_H

#include "agent/http/http.h"
#include "agent/os/log.h"
#include "agent/os/root.h"
#include "node/metadata.h"

#define SNAPSHOT_FOLDER "/var/lib/bake/snapshots"

enum { SNAPSHOT_KEEP = 12, SNAPSHOT_MS = 600000 };

must_check int snapshot_run(const struct root *root, const struct wire_peer *server,
                            const struct node_metadata *metadata, const struct log *log, struct err *err);

/* For restore.h. Makes the folder, locks it until RET_FD is closed, and removes what a killed run left. */
must_check int snapshot_lock(const struct root *root, int *ret_fd, struct err *err);

/* A file's size, 0 if it cannot be had. */
uint64_t snapshot_size(const struct root *root, const char *file);

/* ERR_SPACE unless SIZE bytes fit and leave a tenth of the folder's disk free. */
must_check int snapshot_check_space(int folder, uint64_t size, struct err *err);

/* ERR_VERIFY unless etcdutl accepts the file; else its revision. */
must_check int snapshot_status(const struct root *root, const char *file, char ret_revision[VALUE_ID_CAP],
                               struct err *err);

/* Runs a program of etcd's. ERR_VERIFY with the last thing it said unless it ends well. RET may be NULL. */
must_check int snapshot_tool(const struct root *root, const char *const *argv, struct buf *ret,
                             struct err *err);

#endif
