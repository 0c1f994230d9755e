/* What a snapshot's name and the attribute cluster-restore say; node/values.h has their forms. */
#ifndef BAKE_AGENT_BACKUP_NAMES_H
#define BAKE_AGENT_BACKUP_NAMES_H

#include <stdbool.h>

#include "node/values.h"

/* The restore that the snapshot's node had gone through, "" for none. */
const char *names_restore_of(const char *snapshot);

struct names_restore {
    char id[VALUE_NAME_CAP]; /* "": the attribute is empty */
    const char *snapshot;    /* its name, "newest", or NULL */
    const char *disk;        /* the node whose disk is the cluster, or NULL */
};

/* Of a checked value, which RET points into. */
void names_restore_read(const char *attribute, struct names_restore *ret);

#endif
