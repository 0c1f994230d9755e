#include "agent/member.h"

#include <poll.h>

#include "agent/backup/restore.h"
#include "agent/backup/snapshot.h"
#include "agent/config/acquire.h"
#include "agent/join/join.h"
#include "agent/join/keep.h"

static int load_metadata(const struct root *root, struct node_metadata *ret, struct err *err)
{
    bool found = false;
    if (acquire_last(root, ret, &found, err) < 0)
        return -1;
    return found ? 0 : err_set(err, ERR_IO, 0, "%s is missing: run `bake-agent boot` first", ACQUIRE_COPY);
}

int member_join(const struct root *root, const struct wire_peer *server, unsigned limit_s,
                const struct log *log, struct err *err)
{
    struct node_metadata metadata;
    struct join_options options = {0};
    int status =
        load_metadata(root, &metadata, err) < 0 || join_options_read(root, &options, err) < 0 ? -1 : 0;
    options.limit_s = limit_s;
    options.server = server;
    if (status == 0)
        status = join_run(root, &metadata, &options, log, err);
    peers_clear_key(&options.key);
    return status;
}

int member_joined(const struct root *root, struct err *err)
{
    struct node_metadata metadata;
    if (joined_run(root, err) < 0 || load_metadata(root, &metadata, err) < 0)
        return -1;
    return restore_note_over(root, &metadata, err);
}

int member_snapshot(const struct root *root, const struct wire_peer *server, const struct log *log,
                    struct err *err)
{
    struct node_metadata metadata;
    if (load_metadata(root, &metadata, err) < 0)
        return -1;
    return snapshot_run(root, server, &metadata, log, err);
}

int member_answer(const struct root *root, const struct log *log, struct err *err)
{
    struct node_metadata metadata;
    struct peers_reported reported = {0};
    cleanup_peers_key struct peers_key key = {0};
    cleanup_close int fd = -1;
    if (load_metadata(root, &metadata, err) < 0 || peers_read_key(root, &key, err) < 0 ||
        peers_listen(metadata.ip, PEERS_PORT, &fd, err) < 0)
        return -1;
    struct peers self = {root, &metadata, &key, log, &reported, PEERS_PORT};
    for (struct pollfd poller = {.fd = fd, .events = POLLIN};;)
        if (poll(&poller, 1, -1) > 0 && peers_answer(fd, &self, err) < 0)
            return -1;
}

void member_keep(const struct root *root, const struct log *log)
{
    keep_run(root, log);
}
