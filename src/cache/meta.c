/* KEY.meta: the identity of an entry's file when it entered. Its mtime is the entry's last use. */
#include "cache/internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "io/file.h"
#include "io/note.h"
#include "text/hex.h"

static const char magic[] = "bake-cache-entry 1";
enum { FIELDS = 5, NUMBER_CAP = 24, TIME_CAP = 48 };

struct texts {
    char sha256[SHA256_HEX], size[NUMBER_CAP], inode[NUMBER_CAP], mtime[TIME_CAP], ctime[TIME_CAP];
};

static void fields_of(struct texts *texts, struct note_field out[static FIELDS])
{
    out[0] = (struct note_field){"sha256", texts->sha256, sizeof texts->sha256};
    out[1] = (struct note_field){"size", texts->size, sizeof texts->size};
    out[2] = (struct note_field){"inode", texts->inode, sizeof texts->inode};
    out[3] = (struct note_field){"mtime", texts->mtime, sizeof texts->mtime};
    out[4] = (struct note_field){"ctime", texts->ctime, sizeof texts->ctime};
}

void cache_meta_of(const struct stat *st, const struct sha256 *sha256, struct cache_meta *ret)
{
    *ret = (struct cache_meta){.sha256 = *sha256,
                               .size = (uint64_t)st->st_size,
                               .inode = (uint64_t)st->st_ino,
                               .mtime_s = st->st_mtim.tv_sec,
                               .mtime_ns = st->st_mtim.tv_nsec,
                               .ctime_s = st->st_ctim.tv_sec,
                               .ctime_ns = st->st_ctim.tv_nsec};
}

bool cache_meta_same(const struct cache_meta *meta, const struct stat *st)
{
    struct cache_meta now;
    cache_meta_of(st, &meta->sha256, &now);
    return now.size == meta->size && now.inode == meta->inode && now.mtime_s == meta->mtime_s &&
           now.mtime_ns == meta->mtime_ns && now.ctime_s == meta->ctime_s && now.ctime_ns == meta->ctime_ns;
}

/* "SECONDS.NANOSECONDS" with nine digits. Times before 1970 cannot be written, so they never match. */
static bool time_parse(char *text, int64_t *ret_s, int64_t *ret_ns)
{
    char *dot = strchr(text, '.');
    uint64_t s = 0, ns = 0;
    if (!dot || strlen(dot + 1) != 9)
        return false;
    *dot = '\0';
    for (const char *c = dot + 1; *c; c++) {
        if (*c < '0' || *c > '9')
            return false;
        ns = ns * 10 + (unsigned)(*c - '0');
    }
    if (!note_uint(text, &s) || s > INT64_MAX)
        return false;
    *ret_s = (int64_t)s;
    *ret_ns = (int64_t)ns;
    return true;
}

bool cache_meta_read(struct cache *cache, const char *kind, const char *key, struct cache_meta *ret)
{
    char rel[CACHE_REL_CAP];
    struct err ignored;
    if (cache_rel(kind, key, ".meta", rel, &ignored) < 0)
        return false;
    cleanup_close int fd = openat(cache->fd, rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
    if (file_read_fd(fd, NOTE_MAX, &text, rel, &ignored) < 0)
        return false;
    struct texts texts;
    struct note_field fields[FIELDS];
    fields_of(&texts, fields);
    struct cache_meta made = {0};
    if (!note_parse(text.data, text.len, magic, fields, FIELDS) ||
        !hex_decode(texts.sha256, made.sha256.bytes, SHA256_SIZE) || !note_uint(texts.size, &made.size) ||
        !note_uint(texts.inode, &made.inode) || !time_parse(texts.mtime, &made.mtime_s, &made.mtime_ns) ||
        !time_parse(texts.ctime, &made.ctime_s, &made.ctime_ns))
        return false;
    *ret = made;
    return true;
}

/* No fsync: the content was synced before it got its name, and if a power cut loses or empties the meta file,
 * the entry is simply made again. */
int cache_meta_write(struct cache *cache, const char *kind, const char *key, const struct cache_meta *meta,
                     struct err *err)
{
    struct texts texts;
    hex_encode(meta->sha256.bytes, SHA256_SIZE, texts.sha256);
    snprintf(texts.size, sizeof texts.size, "%" PRIu64, meta->size);
    snprintf(texts.inode, sizeof texts.inode, "%" PRIu64, meta->inode);
    snprintf(texts.mtime, sizeof texts.mtime, "%" PRId64 ".%09" PRId64, meta->mtime_s, meta->mtime_ns);
    snprintf(texts.ctime, sizeof texts.ctime, "%" PRId64 ".%09" PRId64, meta->ctime_s, meta->ctime_ns);
    struct note_field fields[FIELDS];
    fields_of(&texts, fields);
    cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
    note_format(&text, magic, fields, FIELDS);
    /* the lock makes this the only writer, so a fixed name is enough; no key contains '~' */
    char temp[CACHE_REL_CAP], rel[CACHE_REL_CAP];
    if (buf_check(&text, "a meta file", err) < 0 || cache_rel(kind, key, ".meta~", temp, err) < 0 ||
        cache_rel(kind, key, ".meta", rel, err) < 0)
        return -1;
    cleanup_close int fd =
        openat(cache->fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, errno, "write %s/%s", cache->dir, temp);
    if (file_write(fd, text.data, text.len, temp, err) < 0) {
        unlinkat(cache->fd, temp, 0);
        return -1;
    }
    if (renameat(cache->fd, temp, cache->fd, rel) < 0)
        return err_sys(err, errno, "write %s/%s", cache->dir, rel);
    return 0;
}
