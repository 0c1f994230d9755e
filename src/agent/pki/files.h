/* The node's keys and certificates on disk.
 *
 * In:    metadata, the cluster's secret, the time; the files that are there already.
 * Out:   /etc/kubernetes/pki: one folder for each consumer, with exactly what it needs, closed to others. On
 *        a witness only etcd's files: those it had as a node are removed.
 * Fails: ERR_IO, ERR_SPACE; ERR_VERIFY from pki_files_check(). After an interrupted run the next one
 *        finishes: a key and a certificate that do not belong together are both replaced.
 * Never: reissues a good certificate: one with the right names, issuer and key and X509_RENEW_DAYS left stays
 *        byte for byte. Writes the authorities' keys, except the one that the controller manager signs with.
 */
#ifndef BAKE_AGENT_PKI_FILES_H
#define BAKE_AGENT_PKI_FILES_H

#include "agent/os/root.h"
#include "node/pki.h"

/* While the cluster changes its secret, SECRET holds the next one too: then both authorities are trusted and
 * both keys read; the first secret's sign and write, or with USE_NEXT the next one's. RET_CHANGED: a bit, 1
 * << enum pki_folder, for each folder in which something was written. */
must_check int pki_files_write(const struct root *root, const struct node_metadata *metadata,
                               const struct cluster_secret *secret, bool use_next, time_t now,
                               unsigned *ret_changed, struct err *err);

/* Without the secret: whether every file that pki_files_write() would make is there, fits the others and has
 * not expired. */
must_check int pki_files_check(const struct root *root, const struct node_metadata *metadata, time_t now,
                               struct err *err);

/* RET: a file on disk that was derived from a secret that SECRET does not hold, or for another cluster's
 * name; "" if there is none. What is missing or damaged proves nothing: the other files decide. */
must_check int pki_files_find_foreign(const struct root *root, const struct node_metadata *metadata,
                                      const struct cluster_secret *secret, char ret[static PATH_CAP],
                                      struct err *err);

#endif
