/* The baked units and their state in systemd.
 *
 * In:    the contents list; the output of `systemctl show`.
 * Out:   each unit's state in one word.
 * Fails: ERR_VERIFY for a bad list, or output of systemctl that is not understood.
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
    bool condition_no; /* its start was skipped: a condition did not hold */
    bool attempted;    /* systemd tried to start it: its conditions were evaluated */
    bool enabled;      /* the list has a link to it from multi-user.target */
    bool queued;       /* it has a job, waiting or running */
    bool later;        /* it starts after the report or after kubelet: the report does not wait for it */
};

struct baked_units {
    struct baked_unit all[UNITS_MAX];
    size_t count;
};

/* The list's services directly in /etc/systemd/system, except templates and bake-report.service itself. */
must_check int units_list(const char *contents, size_t len, struct baked_units *ret, struct err *err);

/* Fills in the states. ANSWER: the output of systemctl show. */
must_check int units_parse(const char *answer, struct baked_units *units, struct err *err);

/* Runs systemctl show once. */
must_check int units_ask(const struct root *root, struct baked_units *units, struct err *err);

/* No unit is changing its state or queued to start. */
bool units_settled(const struct baked_units *units);

/* Enabled, but systemd dropped its start because a unit it requires failed. systemd leaves such a unit
 * "inactive", as if it were not enabled. */
bool unit_dropped(const struct baked_unit *unit);

/* "active", "skipped (condition)", "failed", "inactive", or systemd's word for a state in between. */
const char *unit_word(const struct baked_unit *unit);

#endif
