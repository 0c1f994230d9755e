#include "agent/backup/restore.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/backup/bucket.h"
#include "agent/backup/cipher.h"
#include "agent/backup/names.h"
#include "agent/backup/snapshot.h"
#include "agent/etcd/member_state.h"

#define FETCHED  SNAPSHOT_FOLDER "/fetched"
#define OPENED   SNAPSHOT_FOLDER "/opened"
#define PREPARED MEMBER_STATE_DATA "/restored"

enum { TREE_FDS = 16 };

int restore_is_over(const struct root *root, const struct node_metadata *metadata, bool *ret, struct err *err)
{
    struct names_restore wanted;
    cleanup_buf struct buf text = BUF_INIT(VALUE_NAME_CAP);
    bool found = false;
    names_restore_read(metadata->restore, &wanted);
    if (root_read(root, MEMBER_STATE_RESTORED, &text, &found, err) < 0)
        return -1;
    size_t len = strlen(wanted.id);
    *ret =
        len == 0 || (text.len == len + 1 && memcmp(text.data, wanted.id, len) == 0 && text.data[len] == '\n');
    return 0;
}

int restore_note_over(const struct root *root, const struct node_metadata *metadata, struct err *err)
{
    struct names_restore wanted;
    char line[VALUE_NAME_CAP + 1];
    bool over = false;
    names_restore_read(metadata->restore, &wanted);
    if (restore_is_over(root, metadata, &over, err) < 0)
        return -1;
    int len = snprintf(line, sizeof line, "%s\n", wanted.id);
    return over ? 0 : root_write(root, MEMBER_STATE_RESTORED, line, (size_t)len, 0600, err);
}

int restore_is_due(const struct restore *self, bool *ret, struct err *err)
{
    struct names_restore wanted;
    bool over = false;
    names_restore_read(self->metadata->restore, &wanted);
    if (restore_is_over(self->root, self->metadata, &over, err) < 0)
        return -1;
    *ret = wanted.snapshot && !over;
    return 0;
}

/* --- the snapshot --- */

/* Opens the object NAME of the bucket into OPENED. */
static int fetch(const struct restore *self, const char *name, struct err *err)
{
    const struct bucket bucket = {self->root, self->server, self->metadata};
    char full[CIPHER_NAME_MAX];
    cleanup_cipher_key struct cipher_key key;
    snprintf(full, sizeof full, "%s/%s", self->metadata->cluster_name, name);
    if (cipher_read_key(self->root, &key, err) < 0 || bucket_receive(&bucket, name, FETCHED, err) < 0 ||
        root_write(self->root, OPENED, "", 0, 0600, err) < 0)
        return -1;
    cleanup_close int from = root_openat(self->root, FETCHED, O_RDONLY);
    cleanup_close int to = root_openat(self->root, OPENED, O_WRONLY);
    if (from < 0 || to < 0)
        return err_sys(err, errno, "open %s", FETCHED);
    return cipher_open(&key, full, from, to, err);
}

/* The file of the snapshot that cluster-restore names, here or from the bucket. NAME: what it is called. */
static int find_snapshot(const struct restore *self, char name[VALUE_SNAPSHOT_CAP], char file[PATH_CAP],
                         struct err *err)
{
    const struct bucket bucket = {self->root, self->server, self->metadata};
    struct names_restore wanted;
    char newest[VALUE_SNAPSHOT_CAP] = "";
    names_restore_read(self->metadata->restore, &wanted);
    bool any = strcmp(wanted.snapshot, "newest") == 0;
    if (!any)
        snprintf(newest, sizeof newest, "%s", wanted.snapshot);
    snprintf(file, PATH_CAP, SNAPSHOT_FOLDER "/%s.db", newest);
    snprintf(name, VALUE_SNAPSHOT_CAP, "%s", newest);
    cleanup_close int here = any ? -1 : root_openat(self->root, file, O_PATH);
    if (here >= 0)
        return 0;
    if (self->metadata->snapshot_bucket[0] == '\0')
        return err_set(err, ERR_VERIFY, 0, "the metadata names no snapshot-bucket to restore from");
    if (bucket_newest(&bucket, wanted.id, newest, err) < 0)
        return -1;
    if (any)
        snprintf(name, VALUE_SNAPSHOT_CAP, "%s", newest);
    if (name[0] == '\0')
        return err_set(err, ERR_VERIFY, 0, "the bucket %s has no snapshot of the cluster %s",
                       self->metadata->snapshot_bucket, self->metadata->cluster_name);
    snprintf(file, PATH_CAP, OPENED);
    return fetch(self, name, err);
}

/* --- etcd's data --- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int remove_tree(const struct root *root, const char *folder, struct err *err)
{
    char path[PATH_CAP];
    if (root_real(root, folder, path) < 0)
        return errno == ENOENT ? 0 : err_sys(err, errno, "remove %s", folder);
    return nftw(path, remove_entry, TREE_FDS, FTW_DEPTH | FTW_PHYS) == 0
               ? 0
               : err_sys(err, errno, "remove %s", folder);
}

/* Gives FOLDER and what is in it to the user that etcd runs as. */
static int give_away(int folder, uid_t uid, gid_t gid)
{
    static const char *const parts[] = {"member/wal", "member/snap", "member"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        cleanup_close int fd = openat(folder, parts[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int again = fd < 0 ? -1 : dup(fd);
        DIR *dir = again < 0 ? NULL : fdopendir(again);
        if (!dir)
            return -1;
        int failed = 0;
        for (const struct dirent *entry; !failed && (entry = readdir(dir));)
            if (strcmp(entry->d_name, "..") != 0)
                failed = fchownat(fd, entry->d_name, uid, gid, AT_SYMLINK_NOFOLLOW);
        (void)closedir(dir);
        if (failed || fsync(fd) < 0)
            return -1;
    }
    return 0;
}

static int write_data(const struct restore *self, const char *file, struct err *err)
{
    const struct node_metadata *m = self->metadata;
    struct names_restore wanted;
    char from[PATH_CAP], data[PATH_CAP], to[PATH_CAP + 16], url[64], cluster[VALUE_NAME_CAP + 64],
        token[2 * VALUE_NAME_CAP + 16];
    const char *argv[] = {"/opt/bin/etcdutl",
                          "snapshot",
                          "restore",
                          from,
                          "--data-dir",
                          to,
                          "--name",
                          m->name,
                          "--initial-cluster",
                          cluster,
                          "--initial-advertise-peer-urls",
                          url,
                          "--initial-cluster-token",
                          token,
                          "--bump-revision",
                          RESTORE_BUMP,
                          "--mark-compacted",
                          NULL};
    names_restore_read(m->restore, &wanted);
    if (root_real(self->root, file, from) < 0 || root_real(self->root, MEMBER_STATE_DATA, data) < 0)
        return err_sys(err, errno, "open %s", MEMBER_STATE_DATA);
    snprintf(to, sizeof to, "%s/restored", data);
    snprintf(url, sizeof url, "https://%s:%u", m->ip, (unsigned)self->peer_port);
    snprintf(cluster, sizeof cluster, "%s=%s", m->name, url);
    snprintf(token, sizeof token, "%s-restore-%s", m->cluster_name, wanted.id);
    return snapshot_tool(self->root, argv, NULL, err);
}

int restore_prepare(const struct restore *self, const struct log *log, struct err *err)
{
    char name[VALUE_SNAPSHOT_CAP], revision[VALUE_ID_CAP], file[PATH_CAP];
    cleanup_close int folder = -1;
    if (snapshot_lock(self->root, &folder, err) < 0 || find_snapshot(self, name, file, err) < 0 ||
        snapshot_status(self->root, file, revision, err) < 0)
        return -1;
    cleanup_close int data = root_openat(self->root, MEMBER_STATE_DATA, O_RDONLY | O_DIRECTORY);
    if (data < 0)
        return err_sys(err, errno, "open %s", MEMBER_STATE_DATA);
    if (remove_tree(self->root, PREPARED, err) < 0 ||
        snapshot_check_space(data, snapshot_size(self->root, file), err) < 0 ||
        write_data(self, file, err) < 0)
        return -1;
    log_printf(log, "restoring the snapshot %s, revision %s", name, revision);
    return root_remove(self->root, FETCHED, err) < 0 ? -1 : root_remove(self->root, OPENED, err);
}

int restore_commit(const struct restore *self, struct err *err)
{
    struct stat st;
    cleanup_close int data = root_openat(self->root, MEMBER_STATE_DATA, O_RDONLY | O_DIRECTORY);
    cleanup_close int made = root_openat(self->root, PREPARED, O_RDONLY | O_DIRECTORY);
    if (data < 0 || made < 0 || fstat(data, &st) < 0 || give_away(made, st.st_uid, st.st_gid) < 0)
        return err_sys(err, errno, "open %s", PREPARED);
    /* a first start that was killed early may have left a folder without data */
    if (remove_tree(self->root, MEMBER_STATE_DATA "/member", err) < 0)
        return -1;
    if (renameat(made, "member", data, "member") < 0 || fsync(data) < 0)
        return err_sys(err, errno, "move %s/member to %s", PREPARED, MEMBER_STATE_DATA);
    return remove_tree(self->root, PREPARED, err);
}
