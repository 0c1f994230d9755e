#include "agent/etcd/member_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include <sodium.h>

static int read_id(const struct root *root, struct member_state *disk, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(ROSTER_ID_HEX + 1);
    if (root_read(root, MEMBER_STATE_INCARNATION, &text, &disk->has_id, err) < 0)
        return -1;
    if (disk->has_id && (text.len != ROSTER_ID_HEX + 1 || text.data[ROSTER_ID_HEX] != '\n' ||
                         !roster_read_id(text.data, ROSTER_ID_HEX, disk->id)))
        return err_set(err, ERR_VERIFY, 0, "%s is damaged", MEMBER_STATE_INCARNATION);
    return 0;
}

static int read_roster(const struct root *root, struct member_state *disk, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(ROSTER_TEXT_MAX);
    bool found = false;
    if (root_read(root, MEMBER_STATE_ROSTER, &text, &found, err) < 0)
        return -1;
    if (found && roster_parse(text.data ? text.data : "", text.len, &disk->roster, err) < 0)
        return err_wrap(err, "%s", MEMBER_STATE_ROSTER);
    return 0;
}

/* As etcd itself decides: there is data if there is a log. A first start that was killed early leaves a
 * folder `member` without one, and etcd starts afresh in it. */
static int find_data(const struct root *root, bool *ret, struct err *err)
{
    *ret = false;
    int fd = root_openat(root, MEMBER_STATE_DATA "/member/wal", O_RDONLY | O_DIRECTORY);
    if (fd < 0 && errno == ENOENT)
        return 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        err_sys(err, errno, "look for etcd's data in %s", MEMBER_STATE_DATA);
        cleanup_close_fn(&fd);
        return -1;
    }
    errno = 0;
    for (const struct dirent *entry; !*ret && (entry = readdir(dir));) {
        size_t len = strlen(entry->d_name);
        *ret = len > 4 && strcmp(entry->d_name + len - 4, ".wal") == 0;
    }
    int failed = *ret ? 0 : errno;
    closedir(dir);
    return failed ? err_sys(err, failed, "look for etcd's data in %s", MEMBER_STATE_DATA) : 0;
}

static int find_mark(const struct root *root, bool *ret, struct err *err)
{
    cleanup_close int fd = root_openat(root, MEMBER_STATE_JOINED, O_PATH);
    *ret = fd >= 0;
    return fd >= 0 || errno == ENOENT ? 0 : err_sys(err, errno, "look for %s", MEMBER_STATE_JOINED);
}

int member_state_load(const struct root *root, struct member_state *ret, struct err *err)
{
    struct member_state made = {0};
    if (read_id(root, &made, err) < 0 || read_roster(root, &made, err) < 0 ||
        find_mark(root, &made.marked, err) < 0 || find_data(root, &made.has_data, err) < 0)
        return -1;
    made.phase = made.marked || made.has_data ? MEMBER_JOINED
                 : made.roster.count > 0      ? MEMBER_DECIDED
                                              : MEMBER_WAITING;
    *ret = made;
    return 0;
}

static int sync_folder(const struct root *root, const char *path, struct err *err)
{
    cleanup_close int fd = root_openat(root, path, O_RDONLY | O_DIRECTORY);
    return fd < 0 || fsync(fd) < 0 ? err_sys(err, errno, "write the folder %s", path) : 0;
}

int member_state_incarnate(const struct root *root, unsigned char ret[ROSTER_ID_SIZE], struct err *err)
{
    unsigned char id[ROSTER_ID_SIZE];
    char line[ROSTER_ID_HEX + 2];
    randombytes_buf(id, sizeof id);
    sodium_bin2hex(line, sizeof line, id, sizeof id);
    line[ROSTER_ID_HEX] = '\n';
    /* the folders above may be new too, and root_write() syncs only the file's own */
    if (root_write(root, MEMBER_STATE_INCARNATION, line, ROSTER_ID_HEX + 1, 0600, err) < 0 ||
        sync_folder(root, "/var/lib/bake", err) < 0 || sync_folder(root, "/var/lib", err) < 0)
        return -1;
    memcpy(ret, id, sizeof id);
    return 0;
}

int member_state_decide(const struct root *root, const struct member_roster *roster, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(ROSTER_TEXT_MAX);
    roster_write(roster, &text);
    if (buf_check(&text, "the roster", err) < 0)
        return -1;
    return root_write(root, MEMBER_STATE_ROSTER, text.data, text.len, 0600, err);
}

int member_state_mark_joined(const struct root *root, const char *why, struct err *err)
{
    char line[64];
    int len = snprintf(line, sizeof line, "%s\n", why);
    if (len < 0 || (size_t)len >= sizeof line)
        return err_set(err, ERR_INTERNAL, 0, "the marker is too long");
    return root_write(root, MEMBER_STATE_JOINED, line, (size_t)len, 0600, err);
}

int member_state_start_over(const struct root *root, struct err *err)
{
    unsigned char id[ROSTER_ID_SIZE];
    /* the roster last: while it exists, an interrupted run is repeated */
    if (member_state_incarnate(root, id, err) < 0)
        return -1;
    cleanup_close int folder = root_openat(root, MEMBER_STATE_FOLDER, O_RDONLY | O_DIRECTORY);
    if (folder < 0 || (unlinkat(folder, "roster", 0) < 0 && errno != ENOENT) || fsync(folder) < 0)
        return err_sys(err, errno, "remove %s", MEMBER_STATE_ROSTER);
    return 0;
}

int member_state_set_aside(const struct root *root, long long seconds, struct err *err)
{
    char name[64];
    snprintf(name, sizeof name, "member.removed-%lld", seconds);
    cleanup_close int folder = root_openat(root, MEMBER_STATE_DATA, O_RDONLY | O_DIRECTORY);
    if (folder < 0 || renameat(folder, "member", folder, name) < 0 || fsync(folder) < 0)
        return err_sys(err, errno, "move %s/member to %s", MEMBER_STATE_DATA, name);
    return 0;
}
