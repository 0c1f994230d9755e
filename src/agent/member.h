/* `bake-agent join`, `joined`, `snapshot`, `answer` and `members`: this node's part in starting etcd, in
 * keeping its members and its data. join/ and backup/ have the rules and the reasons.
 *
 * In:    the metadata that boot saved, the members' key.
 * Out:   join: /run/bake/etcd-join.env; joined: a note on disk that etcd started here, and that
 *        a restore is over; snapshot: backup/snapshot.h; answer: replies to other members.
 * Fails: ERR_IO when boot has not run; else as join/join.h, join/peers.h and backup/snapshot.h.
 */
#ifndef BAKE_AGENT_MEMBER_H
#define BAKE_AGENT_MEMBER_H

#include "agent/http/wire.h"
#include "agent/os/log.h"
#include "agent/os/root.h"

/* LIMIT_S: how long to wait for the other members; 0: forever. SERVER: of metadata, for a restore. */
must_check int member_join(const struct root *root, const struct wire_peer *server, unsigned limit_s,
                           const struct log *log, struct err *err);

must_check int member_joined(const struct root *root, struct err *err);

must_check int member_snapshot(const struct root *root, const struct wire_peer *server, const struct log *log,
                               struct err *err);

/* Returns only on failure. */
must_check int member_answer(const struct root *root, const struct log *log, struct err *err);

/* Never ends. */
_Noreturn void member_keep(const struct root *root, const struct log *log);

#endif
