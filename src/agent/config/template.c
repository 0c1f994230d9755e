#include "agent/config/template.h"

#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";

static size_t name_length(const char *at, const char *end)
{
    size_t len = 0;
    while (at + len < end && at[len] && strchr(letters, at[len]))
        len++;
    return at + len < end && at[len] == '@' ? len : 0;
}

int template_fill(const char *text, size_t len, const struct template_mark *marks, size_t count,
                  struct buf *ret, struct err *err)
{
    const char *end = text + len;
    while (text < end) {
        const char *mark = memchr(text, '@', (size_t)(end - text));
        buf_add(ret, text, (size_t)((mark ? mark : end) - text));
        if (!mark)
            break;
        size_t name = name_length(mark + 1, end);
        text = mark + 1;
        if (name == 0) {
            buf_str(ret, "@");
            continue;
        }
        size_t i = 0;
        while (i < count && (strlen(marks[i].name) != name || memcmp(marks[i].name, text, name) != 0))
            i++;
        if (i == count)
            return err_set(err, ERR_VERIFY, 0, "unknown mark @%.*s@", (int)name, text);
        buf_str(ret, marks[i].value);
        text += name + 1;
    }
    return buf_check(ret, "a rendered file", err);
}
