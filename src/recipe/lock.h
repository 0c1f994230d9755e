/* Locks: the exact bytes that a recipe is baked from.
 *
 * In:    a lock's text, or what the front end fetched and verified.
 * Out:   struct lock, or canonical text: fixed key order, inputs sorted by name, one newline at the end.
 * Fails: ERR_RECIPE with NAME:line:column for text; lock_matches() names the input and what to do.
 * Owns:  the lock owns its strings until lock_free().
 * Never: holds credentials: lock_add() and lock_write() remove them from URLs, lock_parse() refuses them.
 */
#ifndef BAKE_RECIPE_LOCK_H
#define BAKE_RECIPE_LOCK_H

#include "base/buf.h"
#include "recipe/types.h"

enum { LOCK_TEXT_MAX = 1 << 20, LOCK_INPUTS_MAX = 1000 };

/* An empty lock for RECIPE. EPOCH: SOURCE_DATE_EPOCH when it is set, else the time of locking. */
must_check int lock_begin(const struct recipe *recipe, int64_t epoch, struct lock *ret, struct err *err);
/* Adds or replaces the input of that name. Strings are copied, credentials removed from the URL. */
must_check int lock_add(struct lock *lock, const struct lock_input *input, struct err *err);

must_check int lock_parse(const char *text, size_t len, const char *name, struct lock *ret, struct err *err);
/* Appends the canonical text. */
must_check int lock_write(const struct lock *lock, struct buf *ret, struct err *err);

/* 0 when LOCK (read from the file NAME) pins everything that RECIPE asks for, and nothing else. */
must_check int lock_matches(const struct recipe *recipe, const struct lock *lock, const char *name,
                            struct err *err);

/* NULL when no input has that name. */
const struct lock_input *lock_find(const struct lock *lock, const char *name);

#endif
