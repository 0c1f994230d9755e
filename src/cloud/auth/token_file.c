/* --access-token-file: a token that something else keeps fresh. */
#include <string.h>
#include <sys/stat.h>

#include "cloud/auth/token_request.h"
#include "io/file.h"

enum { REREAD_S = 60 };

struct file_source {
    struct token_source base;
    char *path;
};

static int file_fetch(const struct token_source *source, const struct token_context *ctx,
                      const struct run *run, struct token *ret, struct err *err)
{
    const struct file_source *self = (const struct file_source *)(const void *)source;
    cleanup_close int fd = -1;
    cleanup_sensitive_buf struct buf text = {0};
    uint64_t size = 0;
    (void)ctx;
    (void)run;
    if (file_open(self->path, &fd, &size, err) < 0)
        return -1;
    if (size > TOKEN_MAX)
        return err_set(err, ERR_RECIPE, 0, "%s: too large for an access token", self->path);
    if (sensitive_buf_init(&text, TOKEN_MAX, err) < 0 ||
        file_pread(fd, text.data, (size_t)size, 0, self->path, err) < 0)
        return -1;
    size_t len = (size_t)size;
    while (len > 0 && strchr(" \t\r\n", text.data[len - 1]))
        len--;
    if (!token_text_ok(text.data, len))
        return err_set(err, ERR_RECIPE, 0,
                       "%s: expected an access token: one line of printable characters and nothing else",
                       self->path);
    ret->lifetime_s = REREAD_S;
    return sensitive_set(&ret->text, text.data, len, err);
}

static void file_free(struct token_source *source)
{
    struct file_source *self = (struct file_source *)(void *)source;
    free(self->path);
    free(self);
}

static const struct token_source_ops file_ops = {
    .fetch = file_fetch,
    .free = file_free,
    .hint = "write a new one into the file, for example with: gcloud auth print-access-token"};

int token_file_new(const char *path, struct token_source **ret, struct err *err)
{
    struct file_source *made = calloc(1, sizeof *made);
    if (!made)
        return err_oom(err);
    made->base.ops = &file_ops;
    snprintf(made->base.who, sizeof made->base.who, "access token of %.500s", path);
    made->path = strdup(path);
    if (!made->path) {
        free(made);
        return err_oom(err);
    }
    *ret = &made->base;
    return 0;
}
