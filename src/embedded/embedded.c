#include "embedded/embedded.h"

#include <string.h>

#include "base/buf.h"

/* Made by scripts/embed; a NULL name ends it. */
extern const struct embedded_file embedded_table[];

const struct embedded_file *embedded_find(const char *name)
{
    for (const struct embedded_file *b = embedded_table; b->name; b++)
        if (strcmp(b->name, name) == 0)
            return b;
    return NULL;
}

int embedded_want(const char *prefix, const char *name, const struct embedded_file **ret, struct err *err)
{
    cleanup_buf struct buf full = BUF_INIT(512);
    buf_printf(&full, "%s%s", prefix, name);
    if (buf_check(&full, "the name of a compiled-in file", err) < 0)
        return -1;
    *ret = embedded_find(full.data);
    if (*ret)
        return 0;
    cleanup_buf struct buf names = BUF_INIT(4096);
    for (const struct embedded_file *b = embedded_table; b->name; b++)
        if (strncmp(b->name, prefix, strlen(prefix)) == 0)
            buf_printf(&names, "%s%s", names.len ? ", " : "", b->name + strlen(prefix));
    return err_set(err, ERR_RECIPE, 0, "no compiled-in file \"%s\"; there are: %s", name,
                   names.data ? names.data : "none");
}
