/* Notes (io/note.h) as entries of the cache: results that are faster to read than to compute again.
 *
 * In:    a cache kind and key; the note's magic and fields.
 * Out:   the fields' values.
 * Fails: cache_note_put() as the cache does; for cache_note_get() a damaged or unreadable note counts as
 *        missing.
 * Never: leaves a partial note. A power cut may lose a note.
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
