#include "cloud/api/url.h"

#include <string.h>

void url_path_of(struct buf *url, const char *base, const char *const *segments)
{
    buf_str(url, base);
    for (; *segments; segments++) {
        buf_str(url, "/");
        url_escape(url, *segments);
    }
}

static void add_key(struct buf *url, const char *key)
{
    buf_printf(url, "%c%s=", url->data && strchr(url->data, '?') ? '&' : '?', key);
}

void url_query(struct buf *url, const char *key, const char *value)
{
    add_key(url, key);
    url_escape(url, value);
}

void url_query_uint(struct buf *url, const char *key, uint64_t value)
{
    add_key(url, key);
    buf_printf(url, "%llu", (unsigned long long)value);
}

void url_query_raw(struct buf *url, const char *key, const char *value)
{
    add_key(url, key);
    buf_str(url, value);
}

int url_check(const struct buf *url, struct err *err)
{
    return buf_check(url, "a URL", err);
}

void url_form_add(struct buf *form, const char *name, const char *value)
{
    buf_printf(form, "%s%s=", form->len > 0 ? "&" : "", name);
    url_escape(form, value);
}
