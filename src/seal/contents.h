/* The contents list: every file that bake puts into the image, with owner, mode and digest. It goes into the
 * image itself, where the agent checks it before the kubelet starts.
 *
 * In:    the plan, complete except for the list itself, its signature and the public key, which it does not
 *        list.
 * Out:   canonical JSON (RFC 8785: sorted keys, no white space) and its minisign signature.
 * Fails: ERR_INTERNAL when the list is over CONTENTS_MAX, or a string is not UTF-8.
 * Never: depends on anything but plan, name and key.
 *
 * {"entries":[{"path":"/etc/x","target":"y","type":"symlink","gid":0,"uid":0},
 *             {"path":"/opt/bin","type":"directory"},
 *             {"gid":0,"mode":"0755","path":"/opt/bin/a","sha256":"..","size":1,"type":"file","uid":0}],
 *  "epoch":1600000000,"format":1,"name":"NAME","removed":["/etc/y"]}
 * Entries are in byte order of the path (keys inside each sorted, unlike this sketch). A directory that the
 * recipe does not name has no mode and owner: the base may have it already. "xattrs" maps names to the
 * base64 of their values; it is left out when empty.
 */
#ifndef BAKE_SEAL_CONTENTS_H
#define BAKE_SEAL_CONTENTS_H

#include "base/buf.h"
#include "plan/types.h"
#include "seal/sign/key.h"

enum { CONTENTS_MAX = 8 << 20 };
#define CONTENTS_FILE "contents.json" /* the name in the signature's trusted comment */

/* With KEY NULL the list is not signed, and *ret_minisig is unchanged. NAME is the package's. Frees what the
 * buffers held. Trusted comment: "timestamp:EPOCH\tfile:contents.json\thashed". */
must_check int seal_contents(const struct plan *plan, const char *name, const struct signing_key *key,
                             struct buf *ret_json, struct buf *ret_minisig, struct err *err);

#endif
