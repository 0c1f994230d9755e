#include "cloud/auth/sensitive.h"

#include <string.h>

#include <sodium.h>

int sensitive_set(struct sensitive_text *secret, const char *bytes, size_t len, struct err *err)
{
    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, 0, "libsodium cannot start");
    char *text = sodium_malloc(len + 1);
    if (!text)
        return err_oom(err);
    memcpy(text, bytes, len);
    text[len] = '\0';
    sensitive_free(secret);
    secret->text = text;
    secret->len = len;
    return 0;
}

void sensitive_free(struct sensitive_text *secret)
{
    int saved = errno;
    sodium_free(secret->text); /* wipes */
    *secret = (struct sensitive_text){0};
    errno = saved;
}

int sensitive_buf_init(struct buf *buf, size_t max, struct err *err)
{
    char *data = malloc(max + 1);
    if (!data)
        return err_oom(err);
    data[0] = '\0';
    *buf = (struct buf){.data = data, .capacity = max + 1, .max = max};
    return 0;
}

void sensitive_buf_free(struct buf *buf)
{
    if (buf->data)
        sodium_memzero(buf->data, buf->capacity);
    buf_free(buf);
}

/* The document is freed next, so its strings may be overwritten. The reader bounds the depth. */
static void wipe(const cJSON *node)
{
    for (; node; node = node->next) {
        if (node->valuestring)
            sodium_memzero(node->valuestring, strlen(node->valuestring));
        wipe(node->child);
    }
}

void sensitive_json_free(struct json_doc **doc)
{
    if (!*doc)
        return;
    wipe(json_root(*doc));
    json_free(*doc);
    *doc = NULL;
}
