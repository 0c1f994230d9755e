#include "cache/note.h"

#include "io/file.h"

bool cache_note_get(struct cache *cache, const char *kind, const char *key, const char *magic,
                    const struct note_field *fields, size_t count, const struct run *run)
{
    struct err ignored = {0};
    cleanup_close int fd = -1;
    cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
    return cache_find(cache, kind, key, &fd, NULL, run, &ignored) == 0 && fd >= 0 &&
           file_read_fd(fd, NOTE_MAX, &text, key, &ignored) == 0 &&
           note_parse(text.data ? text.data : "", text.len, magic, fields, count);
}

int cache_note_put(struct cache *cache, const char *kind, const char *key, const char *magic,
                   const struct note_field *fields, size_t count, const struct run *run, struct err *err)
{
    struct sha256 sha256;
    cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
    cleanup_cache_entry struct cache_entry entry = CACHE_ENTRY_EMPTY;
    cleanup_close int fd = -1;
    note_format(&text, magic, fields, count);
    if (buf_check(&text, "a note", err) < 0 || sha256_of(text.data, text.len, &sha256, err) < 0 ||
        cache_begin_anew(cache, kind, key, &entry, run, err) < 0 ||
        file_write(entry.fd, text.data, text.len, "a note", err) < 0)
        return -1;
    return cache_commit_unsynced(&entry, &sha256, &fd, err);
}
