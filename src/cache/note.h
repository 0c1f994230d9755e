/* Notes (io/note.h) as entries of the cache: what was found out once, and is quicker to read than to find out again.
 *
 * In:    a kind and a key as the cache has them; the note's magic and fields.
 * Out:   the fields' values.
 * Fails: cache_note_get() does not: a note that is missing, damaged or unreadable counts as missing. cache_note_put() as the cache does.
 * Never: promises that a note is there after a power cut; it is whole or none.
 */
#ifndef BAKE_CACHE_NOTE_H
#define BAKE_CACHE_NOTE_H

#include "cache/cache.h"
#include "io/note.h"

bool cache_note_get(struct cache *cache, const char *kind, const char *key, const char *magic,
                    const struct note_field *fields, size_t count, const struct run *run);
must_check int cache_note_put(struct cache *cache, const char *kind, const char *key, const char *magic,
                              const struct note_field *fields, size_t count, const struct run *run,
                              struct err *err);

#endif
