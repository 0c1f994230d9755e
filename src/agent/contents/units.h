/* The baked units and what systemd says of them.
 *
 * In:    the contents list; `systemctl show`.
 * Out:   each unit's state in one word.
 * Fails: ERR_VERIFY for a bad list or an answer that is not understood.
 * Owns:  nothing.
 * Source: systemctl(1), org.freedesktop.systemd1(5) for ActiveState, ConditionResult, Job.
 */
#ifndef BAKE_AGENT_CONTENTS_UNITS_H
#define BAKE_AGENT_CONTENTS_UNITS_H

#include <stddef.h>

#include "agent/os/root.h"
#include "base/err.h"
#include "text/path.h"

enum { UNITS_MAX = 64, UNIT_WORD = 32 };

struct baked_unit {
    char name[NAME_CAP];
    char active[UNIT_WORD]; /* ActiveState */
    char sub[UNIT_WORD];    /* SubState */
    char result[UNIT_WORD];
    bool condition_no; /* it was to start, and its conditions did not hold */
    bool asked;        /* it came to be started: its conditions were looked at */
    bool enabled;      /* multi-user.target wants it, by a link of the list */
    bool queued;       /* a job of it is waiting, or runs */
    bool later;        /* it waits for the report, so the report cannot wait for it */
};

struct baked_units {
    struct baked_unit all[UNITS_MAX];
    size_t count;
};

/* The services of the list right below /etc/systemd/system, but templates and bake-report.service itself. */
must_check int units_list(const char *contents, size_t len, struct baked_units *ret, struct err *err);

/* Fills in the states from the answer of systemctl show. */
must_check int units_parse(const char *answer, struct baked_units *units, struct err *err);

/* Asks systemctl once. */
must_check int units_ask(const struct root *root, struct baked_units *units, struct err *err);

/* No unit is on its way to another state, or waits for its turn. */
bool units_settled(const struct baked_units *units);

/* Enabled, and systemd never came to it though nothing holds it up: a unit that it requires failed. systemd leaves
 * such a unit "inactive", as if nobody had wanted it. */
bool unit_dropped(const struct baked_unit *unit);

/* "active", "skipped (condition)", "failed", "inactive", or systemd's own word for what is in between. */
const char *unit_word(const struct baked_unit *unit);

#endif
