/* A set of names: filled, sorted once, then searched. */
#ifndef BAKE_CLOUD_LIFECYCLE_NAME_SET_H
#define BAKE_CLOUD_LIFECYCLE_NAME_SET_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

struct name_set {
    struct arena arena;
    const char **items;
    size_t count, capacity;
};

must_check int name_set_add(struct name_set *set, const char *name, struct err *err);
void name_set_sort(struct name_set *set);
/* Needs name_set_sort() before. */
bool name_set_has(const struct name_set *set, const char *name);
void name_set_free(struct name_set *set);

#endif
