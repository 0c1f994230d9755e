#include "cloud/lifecycle/name_set.h"

#include <stdlib.h>
#include <string.h>

void name_set_free(struct name_set *set)
{
    arena_free(&set->arena);
    free(set->items);
    *set = (struct name_set){0};
}

int name_set_add(struct name_set *set, const char *name, struct err *err)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? set->capacity * 2 : 1024;
        const char **more = reallocarray(set->items, capacity, sizeof *more);
        if (!more)
            return err_oom(err);
        set->items = more;
        set->capacity = capacity;
    }
    set->items[set->count] = arena_strdup(&set->arena, name);
    return set->items[set->count++] ? 0 : err_oom(err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void name_set_sort(struct name_set *set)
{
    if (set->count > 0)
        qsort(set->items, set->count, sizeof *set->items, by_name);
}

bool name_set_has(const struct name_set *set, const char *name)
{
    return set->count > 0 && bsearch(&name, set->items, set->count, sizeof *set->items, by_name);
}
