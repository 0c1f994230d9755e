/* What store.c and store_write.c share. */
#ifndef BAKE_PACK_SEGMENT_STORE_INTERNAL_H
#define BAKE_PACK_SEGMENT_STORE_INTERNAL_H

#include "pack/segment/store.h"

extern const char store_kind[];

/* Makes room for one more item. */
bool store_grow(void **items, size_t *capacity, size_t count, size_t size);
/* Takes ownership of *FD, a committed entry, and reads its index. */
must_check int store_take_entry(struct store *store, const char *key, int *fd, struct err *err);
void store_sort(struct store *store);
int store_by_origin(const void *a, const void *b); /* for struct known_segment */

#endif
