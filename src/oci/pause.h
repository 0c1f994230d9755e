/* The container image bake.local/pause:1, which static pods and every pod's first process run in. bake makes
 * it, it is in the node's image and is imported at boot: no registry is needed.
 *
 * In:    the static program /pause, of src/agent/pause.
 * Out:   the bytes of an OCI image layout in a tar; the same program gives the same bytes.
 * Fails: ERR_INTERNAL when memory runs out.
 *
 * Besides the program it has the directories that static pods mount the node's files over (usr, opt/bin,
 * etc), and the links that make a mounted /usr usable (bin, sbin, lib, lib64): hyperkube may be a script,
 * which needs a shell. The image sets no user: a pod's securityContext does, and the keys that static pods
 * read belong to root.
 */
#ifndef BAKE_OCI_PAUSE_H
#define BAKE_OCI_PAUSE_H

#include "base/buf.h"

#define OCI_PAUSE_NAME "bake.local/pause:1"

must_check int oci_pause(const void *program, size_t size, struct buf *ret, struct err *err);

#endif
