#include "fetch/partial.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "io/file.h"
#include "io/note.h"
#include "text/hex.h"

static const char magic[] = "bake-partial 1";
enum { REL_CAP = SHA256_HEX + 32, NUMBER_CAP = 24, HASH_STEP = 1 << 20, FLUSH_STEP = 16 << 20 };

static void rel_of(const struct partial *part, const char *suffix, char out[static REL_CAP])
{
    snprintf(out, REL_CAP, CACHE_PARTIAL "/%s%s", part->key, suffix);
}

int fetch_hash(int fd, uint64_t off, uint64_t len, struct hasher *hasher, const char *name,
               const struct run *run, struct err *err)
{
    cleanup_free unsigned char *chunk = malloc(HASH_STEP);
    if (!chunk)
        return err_oom(err);
    for (uint64_t done = 0; done < len;) {
        size_t step = len - done < HASH_STEP ? (size_t)(len - done) : (size_t)HASH_STEP;
        if (run_check(run, err) < 0 || file_pread(fd, chunk, step, off + done, name, err) < 0 ||
            hasher_add(hasher, chunk, step, err) < 0)
            return -1;
        done += step;
        run_progress(run, "fetch", name, off + done, off + len);
    }
    return 0;
}

int partial_init(struct partial *part, struct cache *cache, const char *url, struct err *err)
{
    struct sha256 sha256;
    struct partial made = PARTIAL_EMPTY;
    if (sha256_of(url, strlen(url), &sha256, err) < 0)
        return -1;
    made.cache = cache;
    hex_encode(sha256.bytes, SHA256_SIZE, made.key);
    *part = made;
    return 0;
}

int partial_try_lock(struct partial *part, bool *ret, struct err *err)
{
    if (part->lock_fd < 0 && cache_try_lock(part->cache, CACHE_PARTIAL, part->key, &part->lock_fd, err) < 0)
        return -1;
    *ret = part->lock_fd >= 0;
    return 0;
}

static int hash_anew(struct partial *part, struct err *err)
{
    hasher_free(&part->hasher);
    part->hasher = (struct hasher){0};
    return hasher_init(&part->hasher, DIGEST_SHA256, err);
}

static bool note_read(struct partial *part)
{
    char rel[REL_CAP], number[NUMBER_CAP], validator[FETCH_TAG_CAP];
    struct err ignored;
    rel_of(part, ".meta", rel);
    cleanup_close int fd =
        openat(cache_dir_fd(part->cache), rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
    if (fd < 0 || file_read_fd(fd, NOTE_MAX, &text, rel, &ignored) < 0)
        return false;
    const struct note_field fields[] = {{"validator", validator, sizeof validator},
                                        {"total", number, sizeof number}};
    uint64_t total = 0;
    if (!note_parse(text.data, text.len, magic, fields, 2) || !note_uint(number, &total) || !validator[0])
        return false;
    memcpy(part->validator, validator, sizeof validator);
    part->total = total;
    return true;
}

static int note_write(struct partial *part, struct err *err)
{
    char temp[REL_CAP], rel[REL_CAP], number[NUMBER_CAP];
    snprintf(number, sizeof number, "%" PRIu64, part->total);
    const struct note_field fields[] = {{"validator", part->validator, sizeof part->validator},
                                        {"total", number, sizeof number}};
    cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
    note_format(&text, magic, fields, 2);
    rel_of(part, ".meta~", temp);
    rel_of(part, ".meta", rel);
    if (buf_check(&text, "a download's note", err) < 0)
        return -1;
    int dir = cache_dir_fd(part->cache);
    cleanup_close int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, errno, "write %s/%s", cache_dir(part->cache), temp);
    if (file_write(fd, text.data, text.len, temp, err) < 0)
        return -1;
    if (renameat(dir, temp, dir, rel) < 0)
        return err_sys(err, errno, "write %s/%s", cache_dir(part->cache), rel);
    return 0;
}

int partial_restart(struct partial *part, const char *validator, uint64_t total, struct err *err)
{
    char rel[REL_CAP];
    rel_of(part, ".meta", rel);
    unlinkat(cache_dir_fd(part->cache), rel, 0);
    if (ftruncate(part->fd, 0) < 0)
        return err_sys(err, errno, "empty %s/" CACHE_PARTIAL "/%s", cache_dir(part->cache), part->key);
    part->done = 0;
    part->total = total;
    part->old = false;
    snprintf(part->validator, sizeof part->validator, "%s", validator);
    if (hash_anew(part, err) < 0)
        return -1;
    return part->validator[0] ? note_write(part, err) : 0;
}

int partial_open(struct partial *part, const char *name, const struct run *run, struct err *err)
{
    char rel[REL_CAP];
    struct stat st;
    rel_of(part, "", rel);
    part->fd =
        openat(cache_dir_fd(part->cache), rel, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (part->fd < 0 || fstat(part->fd, &st) < 0)
        return err_sys(err, errno, "open %s/%s", cache_dir(part->cache), rel);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_IO, 0, "%s/%s is not a regular file: remove it", cache_dir(part->cache), rel);
    uint64_t size = (uint64_t)st.st_size;
    if (size == 0 || !note_read(part) || (part->total && size > part->total))
        return partial_restart(part, "", 0, err);
    if (hash_anew(part, err) < 0 || fetch_hash(part->fd, 0, size, &part->hasher, name, run, err) < 0)
        return -1;
    part->done = size;
    part->old = true;
    return 0;
}

int partial_add(struct partial *part, const void *bytes, size_t len, struct err *err)
{
    if (file_pwrite(part->fd, bytes, len, part->done, "a download", err) < 0 ||
        hasher_add(&part->hasher, bytes, len, err) < 0)
        return -1;
    /* start writeback early, so that the final fsync of a large file is short; it is only advice, and a
     * failure shows at that fsync */
    uint64_t before = part->done / FLUSH_STEP;
    part->done += len;
    if (part->done / FLUSH_STEP != before)
        sync_file_range(part->fd, (off_t)(before * FLUSH_STEP), FLUSH_STEP, SYNC_FILE_RANGE_WRITE);
    return 0;
}

int partial_digest(struct partial *part, struct sha256 *ret, struct err *err)
{
    struct sha256 made = {0};
    if (hasher_end(&part->hasher, made.bytes, err) < 0)
        return -1;
    *ret = made;
    return 0;
}

int partial_store(struct partial *part, const struct sha256 *sha256, int *ret_fd, const struct run *run,
                  struct err *err)
{
    char hex[SHA256_HEX], rel[REL_CAP];
    hex_encode(sha256->bytes, SHA256_SIZE, hex);
    rel_of(part, "", rel);
    cleanup_cache_entry struct cache_entry entry = CACHE_ENTRY_EMPTY;
    if (cache_begin(part->cache, "download", hex, &entry, run, err) < 0)
        return -1;
    int fd = -1;
    if (entry.found_fd >= 0) { /* the same bytes came from another URL */
        fd = steal_fd(&entry.found_fd);
        partial_discard(part);
    } else {
        if (cache_adopt(&entry, part->fd, rel, err) < 0)
            return -1;
        part->fd = -1;
        if (cache_commit(&entry, sha256, &fd, err) < 0)
            return -1;
        rel_of(part, ".meta", rel);
        unlinkat(cache_dir_fd(part->cache), rel, 0);
    }
    *ret_fd = fd;
    return 0;
}

void partial_discard(struct partial *part)
{
    static const char *const suffixes[] = {".meta", ".meta~", ""};
    if (part->lock_fd < 0)
        return;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char rel[REL_CAP];
        rel_of(part, suffixes[i], rel);
        unlinkat(cache_dir_fd(part->cache), rel, 0);
    }
    cleanup_close_fn(&part->fd);
    part->fd = -1;
}

void partial_close(struct partial *part)
{
    if (part->fd >= 0 && part->done == 0)
        partial_discard(part);
    cleanup_close_fn(&part->fd);
    part->fd = -1;
    hasher_free(&part->hasher);
    part->hasher = (struct hasher){0};
    if (part->cache)
        cache_unlock(part->cache, CACHE_PARTIAL, part->key, &part->lock_fd);
}
