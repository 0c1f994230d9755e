#include "fetch/index.h"

#include <string.h>

#include "io/file.h"
#include "io/note.h"
#include "text/hex.h"

static const char magic[] = "bake-fetched 1";
enum { FIELDS = 3 };

int fetch_index_read(struct cache *cache, const char *kind, const char *key, bool *ret_known,
                     struct fetch_index *ret, const struct run *run, struct err *err)
{
    cleanup_close int fd = -1;
    cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
    struct fetch_index made = {0};
    struct err ignored;
    char hex[SHA256_HEX];
    const struct note_field fields[FIELDS] = {{"sha256", hex, sizeof hex},
                                              {"etag", made.etag, sizeof made.etag},
                                              {"modified", made.modified, sizeof made.modified}};
    if (cache_find(cache, kind, key, &fd, NULL, run, err) < 0)
        return -1;
    *ret_known = fd >= 0 && file_read_fd(fd, NOTE_MAX, &text, "a note", &ignored) == 0 &&
                 note_parse(text.data, text.len, magic, fields, FIELDS) &&
                 hex_decode(hex, made.sha256.bytes, SHA256_SIZE);
    if (*ret_known)
        *ret = made;
    return 0;
}

int fetch_index_write(struct cache *cache, const char *kind, const char *key, const struct fetch_index *index,
                      const struct run *run, struct err *err)
{
    char hex[SHA256_HEX];
    struct fetch_index copy = *index;
    struct sha256 sha256;
    const struct note_field fields[FIELDS] = {{"sha256", hex, sizeof hex},
                                              {"etag", copy.etag, sizeof copy.etag},
                                              {"modified", copy.modified, sizeof copy.modified}};
    cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
    cleanup_cache_entry struct cache_entry entry = CACHE_ENTRY_EMPTY;
    cleanup_close int fd = -1;
    hex_encode(index->sha256.bytes, SHA256_SIZE, hex);
    note_format(&text, magic, fields, FIELDS);
    if (buf_check(&text, "a note", err) < 0 || sha256_of(text.data, text.len, &sha256, err) < 0 ||
        cache_begin_anew(cache, kind, key, &entry, run, err) < 0 ||
        file_write(entry.fd, text.data, text.len, "a note", err) < 0)
        return -1;
    return cache_commit(&entry, &sha256, &fd, err);
}
