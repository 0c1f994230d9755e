/* An arena: one owner for the many small pieces of a parsed value.
 *
 * In:    sizes and strings.
 * Out:   zeroed, aligned memory that lives as long as the arena.
 * Fails: NULL if out of memory or over the arena's cap.
 * Owns:  everything it handed out; arena_free() releases it all at once.
 */
#ifndef BAKE_BASE_ARENA_H
#define BAKE_BASE_ARENA_H

#include <stddef.h>

#include "base/cleanup.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used; /* bytes handed out */
    size_t max;  /* cap on used; 0 means 64 MiB */
};

void *arena_alloc(struct arena *arena, size_t size);
void *arena_array(struct arena *arena, size_t count, size_t size); /* overflow-checked */
char *arena_strdup(struct arena *arena, const char *s);
char *arena_strndup(struct arena *arena, const char *s, size_t len);
char *arena_printf(struct arena *arena, const char *fmt, ...) print_like(2, 3);
void arena_free(struct arena *arena);
#define cleanup_arena cleanup(arena_free)

#endif
