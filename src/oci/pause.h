/* The image bake.local/pause:1: what a node's static pods and every pod's first process run in. It is made by bake,
 * lies in the node's image, and is imported at boot: no registry is asked.
 *
 * In:    the program /pause: a static one, of src/agent/pause.
 * Out:   the bytes of an OCI image layout in a tar; the same program gives the same bytes.
 * Fails: ERR_INTERNAL when memory runs out.
 *
 * Besides the program it has what static pods mount the node's own files over (usr, opt/bin, etc) and the links that
 * make a mounted /usr a system to run in (bin, sbin, lib, lib64), since hyperkube may be a script and needs a shell then.
 * It names no user: a pod's securityContext does, and the keys that static pods read are root's.
 */
#ifndef BAKE_OCI_PAUSE_H
#define BAKE_OCI_PAUSE_H

#include "base/buf.h"

#define OCI_PAUSE_NAME "bake.local/pause:1"

must_check int oci_pause(const void *program, size_t size, struct buf *ret, struct err *err);

#endif
