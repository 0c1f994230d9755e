/* Snapshots in a bucket of Cloud Storage, with the instance's own service account.
 *
 * In:    the metadata server, the bucket's name; files below the root.
 * Out:   objects CLUSTER/SNAPSHOT (node/values.h has the name's form).
 * Fails: ERR_NETWORK: no token, no connection, or refused, with the status; ERR_IO: no curl in the base.
 * Never: replaces or deletes an object: a node needs objectCreator and objectViewer, so one that was broken
 *        into cannot destroy the backups. Puts the token on a command line.
 * Source: https://cloud.google.com/storage/docs/json_api/v1/objects
 *
 * curl is the base's: TLS with the world's CAs and a resolver of names are more than a static program should
 * have.
 */
#ifndef BAKE_AGENT_BACKUP_BUCKET_H
#define BAKE_AGENT_BACKUP_BUCKET_H

#include "agent/http/http.h"
#include "agent/os/root.h"
#include "node/metadata.h"

enum { BUCKET_TOKEN_CAP = 4096 };

struct bucket {
    const struct root *root;
    const struct wire_peer *server; /* of metadata */
    const struct node_metadata *metadata;
};

must_check int bucket_send(const struct bucket *bucket, const char *snapshot, const char *file,
                           struct err *err);
must_check int bucket_receive(const struct bucket *bucket, const char *snapshot, const char *file,
                              struct err *err);

/* The newest snapshot of the cluster, "" if there is none. ERR_VERIFY if one was taken after the restore ID.
 */
must_check int bucket_newest(const struct bucket *bucket, const char *id, char ret[VALUE_SNAPSHOT_CAP],
                             struct err *err);

#endif
