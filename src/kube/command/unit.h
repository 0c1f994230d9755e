/* The calls of a systemd service.
 *
 * In:    the texts of a unit and of its drop-ins, in their order, which may be hostile.
 * Out:   the calls of its ExecStart= lines, with variables of its Environment= lines; variables from
 * elsewhere are stand-ins inside of a word, and nothing where a whole word is one: $EXTRA_ARGUMENTS. Fails:
 * ERR_RECIPE for a line that is too long, and for an unfinished quotation. Source: systemd.service(5)
 * "COMMAND LINES", systemd.syntax(7) "QUOTING", systemd.unit(5) "SPECIFIERS".
 */
#ifndef BAKE_KUBE_COMMAND_UNIT_H
#define BAKE_KUBE_COMMAND_UNIT_H

#include "kube/command/call.h"

struct unit_text {
    const char *text;
    size_t len;
};

must_check int unit_calls(const struct unit_text *texts, size_t count, struct call_list *ret,
                          struct err *err);

#endif
