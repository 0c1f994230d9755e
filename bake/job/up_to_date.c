#include "bake/job/up_to_date.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cache/note.h"
#include "http/url.h"
#include "io/file.h"
#include "pack/pack.h"
#include "text/hex.h"

enum { FILES_MAX = 16 << 20, TEXT_MAX = 1 << 20, NAME_CAP = 128, RACY_S = 2, TICKS_MAX = 100 };

static const char kind[] = "built", magic[] = "bake-built 1";

void up_to_date_free(struct up_to_date *built)
{
    buf_free(&built->files);
}

/* --- the files --- */

static void add_path(struct buf *files, const char *path)
{
    buf_add(files, path, strlen(path) + 1);
}

static int add_url(struct buf *files, const char *text, struct err *err)
{
    if (!text || strncmp(text, "file:", 5) != 0)
        return 0;
    cleanup_url struct url url = {0};
    if (url_parse(text, &url, err) < 0)
        return -1;
    add_path(files, url.path);
    return 0;
}

static void add_source(struct buf *files, const struct recipe_source *source)
{
    if (source->kind == SOURCE_LOCAL)
        add_path(files, source->name);
}

/* Everything that a bake of this recipe and lock reads on this machine. */
static int list_files(const struct up_to_date_query *query, const struct inputs *inputs, struct buf *files,
                      struct err *err)
{
    const struct recipe *recipe = &inputs->recipe;
    add_path(files, "/proc/self/exe"); /* units, manifests and the agent are compiled in */
    if (query->key_path)
        add_path(files, query->key_path);
    for (size_t i = 0; i <= recipe->input_count; i++) {
        const struct recipe_input *input = i < recipe->input_count ? &recipe->inputs[i] : &recipe->base.from;
        const struct lock_input *pinned =
            lock_find(&inputs->lock, i < recipe->input_count ? input->name : RECIPE_BASE_NAME);
        if (add_url(files, input->url ? input->url : pinned ? pinned->url : NULL, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < recipe->file_count; i++)
        add_source(files, &recipe->files[i].source);
    for (size_t i = 0; i < recipe->unit_count; i++) {
        add_source(files, &recipe->units[i].source);
        for (size_t k = 0; k < recipe->units[i].dropin_count; k++)
            add_source(files, &recipe->units[i].dropins[k].source);
    }
    for (size_t i = 0; i < recipe->manifest_count; i++)
        add_source(files, &recipe->manifests[i].source);
    return buf_check(files, "the list of the recipe's files", err);
}

static int add_identity(struct hasher *hasher, const char *path, struct timespec *latest, struct err *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return err_sys(err, errno, "stat %s", path);
    const uint64_t numbers[] = {
        (uint64_t)st.st_dev,          (uint64_t)st.st_ino,         (uint64_t)st.st_mode,
        (uint64_t)st.st_uid,          (uint64_t)st.st_size,        (uint64_t)st.st_mtim.tv_sec,
        (uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_ctim.tv_sec, (uint64_t)st.st_ctim.tv_nsec};
    if (st.st_ctim.tv_sec > latest->tv_sec ||
        (st.st_ctim.tv_sec == latest->tv_sec && st.st_ctim.tv_nsec > latest->tv_nsec))
        *latest = st.st_ctim;
    return hasher_add(hasher, path, strlen(path) + 1, err) < 0
               ? -1
               : hasher_add(hasher, numbers, sizeof numbers, err);
}

/* One digest over the identities of all FILES, and the time of the latest change. */
static int identities(const struct buf *files, struct sha256 *ret, struct timespec *latest, struct err *err)
{
    cleanup_hasher struct hasher hasher = {0};
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0)
        return -1;
    for (size_t at = 0; at < files->len; at += strlen(files->data + at) + 1)
        if (add_identity(&hasher, files->data + at, latest, err) < 0)
            return -1;
    return hasher_end(&hasher, ret->bytes, err);
}

static int list_package(const struct up_to_date_query *query, const char *name, struct buf *files,
                        struct err *err)
{
    static const char *const suffixes[] = {".tar.gz", ".manifest.json", ".provenance.json", ".spdx.json",
                                           ".manifest.json.minisig"};
    size_t count = sizeof suffixes / sizeof *suffixes - (query->key_path ? 0 : 1);
    for (size_t i = 0; i < count; i++) {
        buf_printf(files, "%s/%s%s", query->out_dir, name, suffixes[i]);
        buf_add(files, "", 1);
    }
    return buf_check(files, "the list of the package's files", err);
}

/* The digest that a note holds. */
static int seal_note(const struct up_to_date_query *query, const char *name, const struct sha256 *inputs,
                     char out[static SHA256_HEX], struct timespec *latest, struct err *err)
{
    cleanup_buf struct buf files = BUF_INIT(FILES_MAX);
    struct sha256 parts[2] = {*inputs}, all;
    if (list_package(query, name, &files, err) < 0 || identities(&files, &parts[1], latest, err) < 0 ||
        sha256_of(parts, sizeof parts, &all, err) < 0)
        return -1;
    hex_encode(all.bytes, SHA256_SIZE, out);
    return 0;
}

/* --- the note --- */

static void add_text(struct buf *to, const char *what, const char *value)
{
    buf_printf(to, "%s %zu ", what, value ? strlen(value) : 0);
    buf_add(to, value ? value : "-", value ? strlen(value) : 1);
    buf_add(to, "\n", 1);
}

/* The note's name. */
static int note_key(const struct up_to_date_query *query, const struct inputs *inputs,
                    char out[static SHA256_HEX], struct err *err)
{
    char hex[SHA256_HEX], cwd[PATH_MAX];
    cleanup_buf struct buf text = BUF_INIT(TEXT_MAX + LOCK_TEXT_MAX);
    if (!getcwd(cwd, sizeof cwd))
        return err_sys(err, errno, "the current folder");
    add_text(&text, "bake", BAKE_VERSION);
    char form[16];
    snprintf(form, sizeof form, "%d", PACK_FORM);
    add_text(&text, "form", form);
    add_text(&text, "pack", pack_engine(query->small));
    add_text(&text, "cwd", cwd);
    add_text(&text, "out", query->out_dir);
    add_text(&text, "key", query->key_path);
    add_text(&text, "epoch", getenv("SOURCE_DATE_EPOCH"));
    add_text(&text, "recipe", inputs->recipe_path);
    hex_encode(inputs->recipe_sha256.bytes, SHA256_SIZE, hex);
    add_text(&text, "text", hex);
    hex_encode(inputs->variables_sha256.bytes, SHA256_SIZE, hex);
    add_text(&text, "variables", hex);
    struct sha256 digest;
    if (lock_write(&inputs->lock, &text, err) < 0 ||
        buf_check(&text, "what determines the package", err) < 0 ||
        sha256_of(text.data, text.len, &digest, err) < 0)
        return -1;
    hex_encode(digest.bytes, SHA256_SIZE, out);
    return 0;
}

struct note {
    char name[NAME_CAP], digest[SHA256_HEX];
};

static void note_fields(struct note *note, struct note_field out[static 2])
{
    out[0] = (struct note_field){"package", note->name, sizeof note->name};
    out[1] = (struct note_field){"identities", note->digest, sizeof note->digest};
}

/* Read directly from the cache's folder: the usual lookup marks the entry as used, which is a write. The note
 * needs no protection: what it says is compared with the files. */
static bool read_note(const struct common *common, const char *key, struct note *ret)
{
    struct err ignored = {0};
    struct stat st;
    char rel[sizeof kind + SHA256_HEX];
    cleanup_free char *dir = NULL;
    if (common_cache_dir(common, &dir, &ignored) < 0)
        return false;
    cleanup_close int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0 || fstat(top, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
        return false;
    snprintf(rel, sizeof rel, "%s/%s", kind, key);
    cleanup_close int fd = openat(top, rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
    if (fd < 0 || file_read_fd(fd, NOTE_MAX, &text, rel, &ignored) < 0)
        return false;
    struct note_field fields[2];
    note_fields(ret, fields);
    return note_parse(text.data ? text.data : "", text.len, magic, fields, 2);
}

char *up_to_date_find(const struct common *common, const struct up_to_date_query *query,
                      const struct inputs *inputs)
{
    struct err ignored = {0};
    char key[SHA256_HEX], now[SHA256_HEX], *manifest = NULL;
    struct note note;
    struct sha256 before;
    struct timespec latest = {0};
    cleanup_buf struct buf files = BUF_INIT(FILES_MAX);
    if (inputs->lock.input_count == 0 || note_key(query, inputs, key, &ignored) < 0 ||
        !read_note(common, key, &note) || list_files(query, inputs, &files, &ignored) < 0 ||
        identities(&files, &before, &latest, &ignored) < 0 ||
        seal_note(query, note.name, &before, now, &latest, &ignored) < 0 || strcmp(now, note.digest) != 0)
        return NULL;
    return asprintf(&manifest, "%s/%s.manifest.json", query->out_dir, note.name) < 0 ? NULL : manifest;
}

int up_to_date_begin(const struct up_to_date_query *query, const struct inputs *inputs,
                     struct up_to_date *ret, struct err *err)
{
    cleanup_up_to_date struct up_to_date made = {.files = BUF_INIT(FILES_MAX)};
    struct timespec latest = {0};
    struct err ignored = {0};
    if (list_files(query, inputs, &made.files, err) < 0)
        return -1;
    made.settled =
        identities(&made.files, &made.before, &latest, &ignored) == 0 && latest.tv_sec < time(NULL) - RACY_S;
    *ret = made;
    made.files = (struct buf)BUF_INIT(FILES_MAX);
    return 0;
}

/* File times advance in ticks: until the tick of LATEST is over, another change could leave the time
 * unchanged. */
static bool wait_for_tick(const struct timespec *latest)
{
    for (int i = 0; i < TICKS_MAX; i++) {
        struct timespec now;
        const struct timespec pause = {.tv_nsec = 1000000};
        if (clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0)
            return false;
        if (now.tv_sec > latest->tv_sec || (now.tv_sec == latest->tv_sec && now.tv_nsec > latest->tv_nsec))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static int write_note(struct cache *cache, const char *key, struct note *note, const struct run *run,
                      struct err *err)
{
    struct note_field fields[2];
    note_fields(note, fields);
    return cache_note_put(cache, kind, key, magic, fields, 2, run, err);
}

int up_to_date_remember(const struct up_to_date *before, const struct up_to_date_query *query,
                        const struct inputs *inputs, struct cache *cache, const char *name,
                        const struct run *run, struct err *err)
{
    cleanup_buf struct buf files = BUF_INIT(FILES_MAX);
    struct sha256 now;
    struct timespec latest = {0};
    struct note note;
    char key[SHA256_HEX];
    if (!before->settled)
        return 0;
    /* the lock that this run made may name files that were not seen when it began: the next run records
     * them */
    if (list_files(query, inputs, &files, err) < 0 || identities(&files, &now, &latest, err) < 0)
        return -1;
    if (!sha256_equal(&now, &before->before))
        return 0;
    snprintf(note.name, sizeof note.name, "%s", name);
    if (note_key(query, inputs, key, err) < 0 ||
        seal_note(query, name, &now, note.digest, &latest, err) < 0 ||
        write_note(cache, key, &note, run, err) < 0)
        return -1;
    /* a change made right after this run must leave a time that differs from the one noted */
    return wait_for_tick(&latest) ? 0 : cache_drop(cache, kind, key, run, err);
}
