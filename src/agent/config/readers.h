/* The services that must read their configuration again when it changes.
 *
 * In:    whose files changed (config/configure.h).
 * Out:   services reloaded or restarted, now or in a later round: what is pending is kept in READERS_PENDING,
 *        which outlives the agent's process and ends with the boot.
 * Fails: ERR_IO with what systemctl printed; the rest was notified nevertheless.
 * Never: takes a queued reload for a done one: it waits for those that nothing else would try again.
 */
#ifndef BAKE_AGENT_CONFIG_READERS_H
#define BAKE_AGENT_CONFIG_READERS_H

#include "agent/os/root.h"

#define READERS_PENDING "/run/bake/pending"

/* To be called before configure(): until readers_notify(), all services count as pending, whatever ends the
 * process in between. RET_PENDING: bits of enum configured that an earlier round left. */
must_check int readers_begin(const struct root *root, unsigned *ret_pending, struct err *err);

/* CHANGED: bits of enum configured. */
must_check int readers_notify(const struct root *root, unsigned changed, struct err *err);

/* Notifies again those that an earlier round left, for a round that does not come to configure(). */
must_check int readers_retry(const struct root *root, struct err *err);

/* The units that an earlier round could not notify, separated by spaces; nothing while a round is under way.
 */
void readers_list_pending(const struct root *root, struct buf *ret);

#endif
