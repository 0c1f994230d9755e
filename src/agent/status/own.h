/* What a node knows about itself, without asking another machine.
 *
 * In:    what boot left in /run/bake, certificates, snapshots, file systems, systemd, etcd's health on
 * loopback. Out:   plain data; what cannot be known stays empty, and is named among the problems. Fails: -1
 * only when out of memory. Never: reads a key. Waits longer than OWN_ETCD_MS for etcd and half a minute for
 * systemd.
 */
#ifndef BAKE_AGENT_STATUS_OWN_H
#define BAKE_AGENT_STATUS_OWN_H

#include <time.h>

#include "agent/contents/units.h"
#include "agent/http/http.h"
#include "agent/pki/ends.h"
#include "node/metadata.h"

/* `bake-agent snapshot` keeps NAME.db files there; not every node has them. */

enum {
    OWN_DISKS = 2,
    OWN_PENDING_MAX = 1024,
    OWN_CONTENTS_CAP = 256,
    OWN_ETCD_MS = 2000,
    OWN_SNAPSHOTS_MAX = 4096
};

struct own_snapshots {
    char newest[NAME_CAP]; /* "": none */
    time_t at;
    uint64_t bytes;
    unsigned count;
};

struct own_disk {
    const char *path; /* NULL: no such file system */
    uint64_t bytes, free_bytes;
};

struct own_facts {
    bool configured;
    struct node_metadata metadata;   /* unless configured: empty */
    char contents[OWN_CONTENTS_CAP]; /* boot's verdict; "": none */
    struct pki_end first_end;
    char pending[OWN_PENDING_MAX]; /* services that a change has not reached, separated by spaces */
    struct baked_units units;      /* count 0: not known */
    struct own_snapshots snapshots;
    struct own_disk disks[OWN_DISKS];
    bool runs_etcd, etcd_healthy;
};

struct own_sources {
    const char *verdict;   /* boot's, on the contents */
    struct wire_peer etcd; /* serves /health */
};

/* PROBLEMS gets a line for each. */
must_check int own_facts_read(const struct root *root, const struct own_sources *sources,
                              struct own_facts *ret, struct buf *problems, struct err *err);

bool own_contents_ok(const struct own_facts *facts);

#endif
