#include "agent/join/last_disk.h"

#include <string.h>

#include "agent/backup/names.h"
#include "agent/backup/restore.h"

int last_disk_decide(const struct replace *self, enum last_disk_step *ret, char why[ERR_TEXT_MAX],
                     struct err *err)
{
    const struct node_metadata *m = self->metadata;
    struct names_restore wanted;
    bool over = false;
    struct err unadmitted;
    names_restore_read(m->restore, &wanted);
    *ret = LAST_DISK_START;
    why[0] = '\0';
    if (!wanted.disk)
        return 0;
    if (restore_is_over(self->root, m, &over, err) < 0)
        return -1;
    if (over)
        return 0;
    enum replace_place place = replace_find(self, &unadmitted);
    if (place == REPLACE_LISTED) {
        snprintf(why, ERR_TEXT_MAX, "restore %s: the cluster has a quorum, and nothing is given up",
                 wanted.id);
    } else if (place == REPLACE_REMOVED) {
        *ret = LAST_DISK_LEAVE;
    } else if (strcmp(wanted.disk, m->name) == 0) {
        *ret = LAST_DISK_ALONE;
        snprintf(why, ERR_TEXT_MAX,
                 "restore %s: this disk is the cluster from now on, and all other members are dropped",
                 wanted.id);
    } else {
        *ret = LAST_DISK_WAIT;
        snprintf(why, ERR_TEXT_MAX, "restore %s: waiting for %s, whose disk is the cluster", wanted.id,
                 wanted.disk);
    }
    return 0;
}
