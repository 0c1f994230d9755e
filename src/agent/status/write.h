/* A status as text for people, as JSON for programs, and a node's own part as a page for Prometheus.
 *
 * In:    what own.h and cluster.h found.
 * Out:   text without control characters from outside.
 * Fails: a buffer that overflows reports it itself (buf_check()).
 * Never: writes a secret: nothing here has seen one.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/, text format 0.0.4
 */
#ifndef BAKE_AGENT_STATUS_WRITE_H
#define BAKE_AGENT_STATUS_WRITE_H

#include "agent/status/cluster.h"
#include "agent/status/own.h"

enum { STATUS_FORMAT = 1, STATUS_TEXT_MAX = 256 << 10 };

struct status {
    struct own_facts own;
    struct cluster_state cluster;
    struct buf problems; /* a line each */
};

void status_write_text(const struct status *status, struct buf *ret);
/* One line, one object. A new version of STATUS_FORMAT only when a member changes or goes. */
void status_write_json(const struct status *status, struct buf *ret);
void status_write_metrics(const struct own_facts *facts, struct buf *ret);

/* UTC, "2026-11-29T06:00:00Z". */
enum { STATUS_TIME_CAP = 32 };
const char *status_time(time_t at, char ret[static STATUS_TIME_CAP]);

#endif
