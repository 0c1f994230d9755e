#include "agent/backup/snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "agent/backup/bucket.h"
#include "agent/backup/cipher.h"
#include "agent/backup/names.h"
#include "agent/etcd/api.h"
#include "agent/etcd/member_state.h"
#include "agent/os/child.h"
#include "node/json_pull.h"
#include "node/pki.h"

#define ETCDCTL "/opt/bin/etcdctl"
#define ETCDUTL "/opt/bin/etcdutl"
#define SUFFIX  ".db"
#define FRESH   SNAPSHOT_FOLDER "/new"
#define SEALED  SNAPSHOT_FOLDER "/sealed"

enum { OUTPUT_MAX = 64 << 10, SAID_MAX = 400, LISTED_MAX = 256, FILE_CAP = VALUE_SNAPSHOT_CAP + 8 };

struct snapshots {
    char names[LISTED_MAX][VALUE_SNAPSHOT_CAP]; /* oldest first */
    size_t count;
};

/* --- the folder --- */

/* The snapshot's name in a file's, "" for any other file. */
static void name_in(const char *file, char ret[VALUE_SNAPSHOT_CAP])
{
    size_t len = strlen(file), end = strlen(SUFFIX);
    ret[0] = '\0';
    if (len <= end || len - end >= VALUE_SNAPSHOT_CAP || strcmp(file + len - end, SUFFIX) != 0)
        return;
    snprintf(ret, VALUE_SNAPSHOT_CAP, "%.*s", (int)(len - end), file);
    if (!value_snapshot_ok(ret))
        ret[0] = '\0';
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Lists the snapshots; with CLEAN removes all other files but the lock. */
static int list_folder(int folder, bool clean, struct snapshots *ret, struct err *err)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        cleanup_close_fn(&fd);
        return err_sys(err, errno, "read %s", SNAPSHOT_FOLDER);
    }
    ret->count = 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char name[VALUE_SNAPSHOT_CAP];
        name_in(entry->d_name, name);
        if (name[0] && ret->count < LISTED_MAX)
            memcpy(ret->names[ret->count++], name, sizeof name);
        else if (!name[0] && clean && entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0)
            (void)unlinkat(folder, entry->d_name, 0);
    }
    (void)closedir(dir);
    qsort(ret->names, ret->count, sizeof *ret->names, compare_names);
    return 0;
}

int snapshot_lock(const struct root *root, int *ret_fd, struct err *err)
{
    cleanup_free struct snapshots *all = calloc(1, sizeof *all);
    if (!all)
        return err_oom(err);
    if (root_write(root, SNAPSHOT_FOLDER "/lock", "", 0, 0600, err) < 0)
        return -1;
    cleanup_close int fd = root_openat(root, SNAPSHOT_FOLDER, O_RDONLY | O_DIRECTORY);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? err_set(err, ERR_IO, 0, "another run is at work in %s", SNAPSHOT_FOLDER)
                                    : err_sys(err, errno, "lock %s", SNAPSHOT_FOLDER);
    if (list_folder(fd, true, all, err) < 0)
        return -1;
    *ret_fd = steal_fd(&fd);
    return 0;
}

int snapshot_check_space(int folder, uint64_t size, struct err *err)
{
    struct statvfs fs;
    if (fstatvfs(folder, &fs) < 0)
        return err_sys(err, errno, "look for space in %s", SNAPSHOT_FOLDER);
    uint64_t free = (uint64_t)fs.f_bavail * fs.f_frsize, spare = (uint64_t)fs.f_blocks * fs.f_frsize / 10;
    if (free >= spare && free - spare >= size)
        return 0;
    return err_set(err, ERR_SPACE, 0,
                   "%llu MiB are needed and %llu MiB are free, of which %llu stay free: a tenth of the disk",
                   (unsigned long long)(size >> 20) + 1, (unsigned long long)(free >> 20),
                   (unsigned long long)(spare >> 20));
}

static int drop_oldest(int folder, struct snapshots *all, struct err *err)
{
    char file[FILE_CAP];
    snprintf(file, sizeof file, "%s" SUFFIX, all->names[0]);
    if (unlinkat(folder, file, 0) < 0 && errno != ENOENT)
        return err_sys(err, errno, "remove %s/%s", SNAPSHOT_FOLDER, file);
    memmove(all->names[0], all->names[1], (--all->count) * sizeof *all->names);
    return 0;
}

uint64_t snapshot_size(const struct root *root, const char *file)
{
    struct stat st;
    cleanup_close int fd = root_openat(root, file, O_PATH);
    return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Older snapshots make room for a new one; the newest of them stays. */
static int make_room(const struct root *root, int folder, uint64_t copies, struct snapshots *all,
                     struct err *err)
{
    uint64_t size = copies * (snapshot_size(root, MEMBER_STATE_DATA "/member/snap/db") + (1 << 20));
    while (snapshot_check_space(folder, size, err) < 0) {
        if (err->kind != ERR_SPACE || all->count < 2)
            return -1;
        if (drop_oldest(folder, all, err) < 0)
            return -1;
    }
    return 0;
}

/* --- etcd's programs --- */

int snapshot_tool(const struct root *root, const char *const *argv, struct buf *ret, struct err *err)
{
    cleanup_buf struct buf said = BUF_INIT(OUTPUT_MAX);
    struct child child = {.argv = argv, .timeout_ms = SNAPSHOT_MS, .errors = !ret};
    struct buf *out = ret ? ret : &said;
    int code = 0;
    if (!child_there(root, argv[0]))
        return err_set(err, ERR_IO, 0, "the image has no %s: the recipe must list it", argv[0]);
    if (child_run(root, &child, out, &code, err) < 0)
        return -1;
    if (code == 0)
        return 0;
    for (size_t i = 0; i < out->len; i++)
        if (out->data[i] < ' ' || out->data[i] > '~')
            out->data[i] = ' ';
    size_t skip = out->len > SAID_MAX ? out->len - SAID_MAX : 0;
    const char *text = out->data ? out->data : "";
    return err_set(err, ERR_VERIFY, 0, "%s %s ended with %d: %s", argv[0], argv[1], code, text + skip);
}

int snapshot_status(const struct root *root, const char *file, char ret_revision[VALUE_ID_CAP],
                    struct err *err)
{
    char path[PATH_CAP], key[32], revision[VALUE_ID_CAP] = "";
    const char *argv[] = {ETCDUTL, "snapshot", "status", path, "--write-out", "json", NULL};
    cleanup_buf struct buf out = BUF_INIT(OUTPUT_MAX);
    if (root_real(root, file, path) < 0)
        return err_sys(err, errno, "open %s", file);
    if (snapshot_tool(root, argv, &out, err) < 0)
        return -1;
    struct json_pull j = JSON_PULL_INIT(out.data ? out.data : "", out.len);
    while (j.len > 0 && (j.text[j.len - 1] == '\n' || j.text[j.len - 1] == ' '))
        j.len--;
    for (json_pull_open(&j, '{'); json_pull_key(&j, key, sizeof key);)
        if (strcmp(key, "revision") == 0)
            json_pull_digits(&j, revision, sizeof revision);
        else
            json_pull_skip(&j);
    if (json_pull_end(&j, "the snapshot's status", err) < 0)
        return -1;
    if (!value_id_ok(revision))
        return err_set(err, ERR_VERIFY, 0, "the snapshot has no revision");
    memcpy(ret_revision, revision, sizeof revision);
    return 0;
}

/* The member's snapshot in FRESH. */
static int save(const struct root *root, const struct node_metadata *metadata, struct err *err)
{
    char folder[PATH_CAP], to[PATH_CAP + 8], ca[PATH_CAP], cert[PATH_CAP], key[PATH_CAP], end[64];
    const char *argv[] = {ETCDCTL,  "snapshot", "save",  to,  "--endpoints",          end, "--cacert", ca,
                          "--cert", cert,       "--key", key, "--command-timeout=9m", NULL};
    if (root_real(root, SNAPSHOT_FOLDER, folder) < 0 || root_real(root, PKI_ADMIN_ETCD_CA, ca) < 0 ||
        root_real(root, PKI_ADMIN_ETCD_CERT, cert) < 0 || root_real(root, PKI_ADMIN_ETCD_KEY, key) < 0)
        return err_sys(err, errno, "open etcd's keys");
    snprintf(to, sizeof to, "%s/new", folder);
    snprintf(end, sizeof end, "https://%s:%d", metadata->ip, ETCD_API_PORT);
    return snapshot_tool(root, argv, NULL, err);
}

/* --- one run --- */

static int read_restored(const struct root *root, char ret[VALUE_NAME_CAP], struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(VALUE_NAME_CAP);
    bool found = false;
    ret[0] = '\0';
    if (root_read(root, MEMBER_STATE_RESTORED, &text, &found, err) < 0)
        return -1;
    if (found && text.data)
        snprintf(ret, VALUE_NAME_CAP, "%.*s", (int)strcspn(text.data, "\n"), text.data);
    if (ret[0] && !value_name_ok(ret))
        return err_set(err, ERR_VERIFY, 0, "%s is damaged", MEMBER_STATE_RESTORED);
    return 0;
}

static int make_name(const struct root *root, const struct node_metadata *metadata, const char *revision,
                     char ret[VALUE_SNAPSHOT_CAP], struct err *err)
{
    char when[32], restored[VALUE_NAME_CAP];
    struct tm tm;
    time_t now = time(NULL);
    if (read_restored(root, restored, err) < 0)
        return -1;
    if (!gmtime_r(&now, &tm) || strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &tm) == 0)
        return err_set(err, ERR_INTERNAL, 0, "the time cannot be read");
    snprintf(ret, VALUE_SNAPSHOT_CAP, "%s.r%s.%s%s%s", when, revision, metadata->name, restored[0] ? "." : "",
             restored);
    return value_snapshot_ok(ret) ? 0 : err_set(err, ERR_INTERNAL, 0, "a snapshot cannot be named %s", ret);
}

static int commit(int folder, const char *name, struct err *err)
{
    char file[FILE_CAP];
    snprintf(file, sizeof file, "%s" SUFFIX, name);
    cleanup_close int fd = openat(folder, "new", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchmod(fd, 0600) < 0 || fsync(fd) < 0 || renameat(folder, "new", folder, file) < 0 ||
        fsync(folder) < 0)
        return err_sys(err, errno, "keep %s/%s", SNAPSHOT_FOLDER, file);
    return 0;
}

static int send_copy(const struct bucket *bucket, int folder, const char *name, struct err *err)
{
    char full[CIPHER_NAME_MAX], file[FILE_CAP];
    cleanup_cipher_key struct cipher_key key;
    snprintf(full, sizeof full, "%s/%s", bucket->metadata->cluster_name, name);
    snprintf(file, sizeof file, "%s" SUFFIX, name);
    cleanup_close int from = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_close int to = openat(folder, "sealed", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        return err_sys(err, errno, "open %s", SEALED);
    int status = cipher_read_key(bucket->root, &key, err) < 0 || cipher_seal(&key, full, from, to, err) < 0 ||
                         bucket_send(bucket, name, SEALED, err) < 0
                     ? -1
                     : 0;
    (void)unlinkat(folder, "sealed", 0);
    return status;
}

static int take_snapshot(const struct bucket *bucket, const struct log *log, char ret[VALUE_SNAPSHOT_CAP],
                         struct err *err)
{
    const struct root *root = bucket->root;
    char revision[VALUE_ID_CAP];
    cleanup_close int folder = -1;
    cleanup_free struct snapshots *all = calloc(1, sizeof *all);
    bool sends = bucket->metadata->snapshot_bucket[0] != '\0';
    if (!all)
        return err_oom(err);
    if (snapshot_lock(root, &folder, err) < 0 || list_folder(folder, false, all, err) < 0 ||
        make_room(root, folder, sends ? 2 : 1, all, err) < 0 || save(root, bucket->metadata, err) < 0 ||
        snapshot_status(root, FRESH, revision, err) < 0 ||
        make_name(root, bucket->metadata, revision, ret, err) < 0 || commit(folder, ret, err) < 0) {
        if (folder >= 0)
            (void)list_folder(folder, true, all, &(struct err){0});
        return -1;
    }
    if (list_folder(folder, false, all, err) < 0)
        return -1;
    while (all->count > SNAPSHOT_KEEP)
        if (drop_oldest(folder, all, err) < 0)
            return -1;
    if (sends && send_copy(bucket, folder, ret, err) < 0)
        return err_wrap(err, "%s is kept here, and not in the bucket", ret);
    log_printf(log, "snapshot %s%s%s", ret, sends ? ", and in the bucket " : "",
               bucket->metadata->snapshot_bucket);
    return 0;
}

int snapshot_run(const struct root *root, const struct wire_peer *server,
                 const struct node_metadata *metadata, const struct log *log, struct err *err)
{
    const struct bucket bucket = {root, server, metadata};
    char name[VALUE_SNAPSHOT_CAP];
    return take_snapshot(&bucket, log, name, err) < 0 ? err_wrap(err, "no snapshot") : 0;
}
