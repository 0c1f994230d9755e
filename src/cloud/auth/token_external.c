/* external_account: workload identity federation. A token of another identity provider, from a file or a URL,
 * is exchanged for one of Google's (RFC 8693), and that one for a service account's if the file asks for
 * it. */
#include <string.h>

#include <sodium.h>

#include "cloud/auth/token_request.h"
#include "io/file.h"
#include "json/write.h"
#include "text/base64.h"

enum { OPTIONS_MAX = 4096, SUBJECT_MAX = 64 << 10, FORM_MAX = 256 << 10, HEADERS_MAX = 6 };

struct external_source {
    struct token_source base;
    char *audience, *subject_type, *token_url;
    char *file, *url; /* one of them */
    char *field;      /* of a JSON text; NULL: the text is the token */
    struct http_header headers[HEADERS_MAX];
    struct sensitive_text values[HEADERS_MAX]; /* of the headers, which may be secrets */
    size_t header_count;
    struct sensitive_text basic; /* "Basic ..." for the token endpoint; empty: none */
    struct sensitive_text client_secret;
    char *options; /* the form's "options"; NULL: none */
    bool impersonates;
    struct impersonation target;
};

static int read_file(const struct external_source *self, struct buf *text, struct err *err)
{
    cleanup_close int fd = -1;
    uint64_t size = 0;
    if (file_open(self->file, &fd, &size, err) < 0)
        return err_wrap(err, "subject token");
    if (size > text->max)
        return err_set(err, ERR_RECIPE, 0, "subject token: %s is too large for a token", self->file);
    if (file_pread(fd, text->data, (size_t)size, 0, self->file, err) < 0)
        return err_wrap(err, "subject token");
    text->len = (size_t)size;
    text->data[text->len] = '\0';
    return 0;
}

static int read_url(const struct external_source *self, const struct token_context *ctx,
                    const struct run *run, struct buf *text, struct err *err)
{
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    struct token_request req = {.what = "subject token",
                                .url = self->url,
                                .headers = self->headers,
                                .header_count = self->header_count,
                                .metadata = true};
    for (size_t i = 0; i < self->header_count && i < TOKEN_SECRETS; i++)
        req.secrets[i] = self->values[i].text;
    if (token_request(ctx, &req, run, &answer, NULL, err) < 0)
        return -1;
    buf_add(text, answer.body.data, answer.body.len);
    return buf_check(text, "subject token", err);
}

/* The token in TEXT, in guarded memory. */
static int extract_token(const struct external_source *self, const struct buf *text,
                         struct sensitive_text *ret, struct err *err)
{
    const char *where = self->file ? self->file : self->url;
    cleanup_sensitive_json struct json_doc *doc = NULL;
    const char *token = text->data;
    size_t len = text->len;
    if (self->field) {
        if (json_parse(text->data, text->len, self->file ? self->file : "the answer", JSON_STRICT, ERR_RECIPE,
                       &doc, err) < 0)
            return err_wrap(err, "subject token");
        token = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json_root(doc), self->field));
        if (!token)
            return err_set(err, ERR_RECIPE, 0, "subject token: the JSON of %.*s has no string \"%s\"",
                           (int)strcspn(where, "?"), where, self->field);
        len = strlen(token);
    }
    while (len > 0 && strchr(" \t\r\n", token[len - 1]))
        len--;
    if (len == 0 || memchr(token, '\0', len))
        return err_set(err, ERR_RECIPE, 0, "subject token: %.*s has no token", (int)strcspn(where, "?"),
                       where);
    return sensitive_set(ret, token, len, err);
}

static int subject_token(const struct external_source *self, const struct token_context *ctx,
                         const struct run *run, struct sensitive_text *ret, struct err *err)
{
    cleanup_sensitive_buf struct buf text = {0};
    if (sensitive_buf_init(&text, SUBJECT_MAX, err) < 0)
        return -1;
    int got = self->file ? read_file(self, &text, err) : read_url(self, ctx, run, &text, err);
    return got < 0 ? -1 : extract_token(self, &text, ret, err);
}

static int exchange(const struct external_source *self, const struct token_context *ctx,
                    const struct run *run, struct token *ret, struct err *err)
{
    cleanup_sensitive struct sensitive_text token = {0};
    cleanup_sensitive_buf struct buf form = {0};
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    struct http_header basic = {"Authorization", self->basic.text};
    if (subject_token(self, ctx, run, &token, err) < 0 || sensitive_buf_init(&form, FORM_MAX, err) < 0)
        return -1;
    url_form_add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    url_form_add(&form, "audience", self->audience);
    /* the first token only has to be good for requesting the second */
    url_form_add(&form, "scope",
                 self->impersonates ? "https://www.googleapis.com/auth/cloud-platform" : ctx->scope);
    url_form_add(&form, "requested_token_type", "urn:ietf:params:oauth:token-type:access_token");
    url_form_add(&form, "subject_token", token.text);
    url_form_add(&form, "subject_token_type", self->subject_type);
    if (self->options)
        url_form_add(&form, "options", self->options);
    if (buf_check(&form, "the request for a token", err) < 0)
        return -1;
    struct token_request req = {.what = self->token_url,
                                .url = self->token_url,
                                .content_type = "application/x-www-form-urlencoded",
                                .body = &form,
                                .headers = &basic,
                                .header_count = self->basic.text ? 1 : 0,
                                .secrets = {token.text, self->client_secret.text}};
    if (token_request(ctx, &req, run, &answer, NULL, err) < 0)
        return -1;
    return token_answer_oauth(answer.body.data, answer.body.len, req.what, ret, err);
}

static int external_fetch(const struct token_source *source, const struct token_context *ctx,
                          const struct run *run, struct token *ret, struct err *err)
{
    const struct external_source *self = (const struct external_source *)(const void *)source;
    cleanup_token struct token first = {0};
    if (!self->impersonates)
        return exchange(self, ctx, run, ret, err);
    if (exchange(self, ctx, run, &first, err) < 0)
        return -1;
    return impersonation_fetch(&self->target, ctx, first.text.text, run, ret, err);
}

static void external_free(struct token_source *source)
{
    struct external_source *self = (struct external_source *)(void *)source;
    for (size_t i = 0; i < self->header_count; i++) {
        free((char *)(uintptr_t)self->headers[i].name);
        sensitive_free(&self->values[i]);
    }
    sensitive_free(&self->basic);
    sensitive_free(&self->client_secret);
    impersonation_free(&self->target);
    free(self->audience);
    free(self->subject_type);
    free(self->token_url);
    free(self->file);
    free(self->url);
    free(self->field);
    free(self->options);
    free(self);
}

static const struct token_source_ops external_ops = {
    .fetch = external_fetch,
    .free = external_free,
    .hint =
        "check that the provider's token is fresh, and the settings of the pool and the provider (audience, "
        "issuer, attribute condition)"};

static int copy_text(const char *text, char **to, struct err *err)
{
    if (!text)
        return 0;
    *to = strdup(text);
    return *to ? 0 : err_oom(err);
}

static bool forbidden_header(const char *name)
{
    static const char *const names[] = {
        "Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect", "TE", "Trailer"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(name) ||
           !name[0];
}

static int read_headers(const struct json_doc *doc, const cJSON *source, struct external_source *made,
                        struct err *err)
{
    const cJSON *headers = NULL, *one = NULL;
    if (json_get_object(doc, source, "headers", false, &headers, err) < 0)
        return -1;
    cJSON_ArrayForEach(one, headers)
    {
        if (made->header_count == HEADERS_MAX)
            return json_error(doc, one, err, "more than %d headers", HEADERS_MAX);
        const char *value = NULL;
        if (forbidden_header(one->string))
            return json_error(doc, one, err, "this header may not be set");
        if (token_field(doc, headers, one->string, true, &value, err) < 0)
            return -1;
        char *name = strdup(one->string);
        size_t at = made->header_count;
        if (!name)
            return err_oom(err);
        made->headers[at].name = name;
        made->header_count++; /* from here on external_free() frees the name */
        if (sensitive_set(&made->values[at], value, strlen(value), err) < 0)
            return -1;
        made->headers[at].value = made->values[at].text;
    }
    return 0;
}

/* The URL of a token: the user configured it, but it must not reach arbitrary plain http services. */
static int check_source_url(const struct json_doc *doc, const cJSON *source, const char *url, struct err *err)
{
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(source, "url");
    struct url_parts parts;
    struct err why;
    if (url_parts(url, &parts, &why) < 0)
        return json_error(doc, node, err, "\"url\": %s", why.text);
    if (parts.https || parts.loopback || parts.link_local ||
        strcmp(parts.host, "metadata.google.internal") == 0)
        return 0;
    return json_error(
        doc, node, err,
        "\"url\": a token may come over https, or over http from this machine or its metadata service, "
        "not from http://%s",
        parts.host);
}

static int read_format(const struct json_doc *doc, const cJSON *source, struct external_source *made,
                       struct err *err)
{
    const cJSON *format = NULL;
    const char *type = NULL, *field = NULL;
    if (json_get_object(doc, source, "format", false, &format, err) < 0)
        return -1;
    if (!format)
        return 0;
    if (token_field(doc, format, "type", false, &type, err) < 0)
        return -1;
    if (!type || strcmp(type, "text") == 0)
        return 0;
    if (strcmp(type, "json") != 0)
        return json_error(doc, cJSON_GetObjectItemCaseSensitive(format, "type"), err,
                          "\"type\" must be \"text\" or \"json\"");
    if (token_field(doc, format, "subject_token_field_name", true, &field, err) < 0)
        return -1;
    return copy_text(field, &made->field, err);
}

static int read_source(const struct json_doc *doc, const cJSON *object, struct external_source *made,
                       struct err *err)
{
    const cJSON *source = NULL;
    const char *file = NULL, *url = NULL;
    if (json_get_object(doc, object, "credential_source", true, &source, err) < 0)
        return -1;
    if (cJSON_GetObjectItemCaseSensitive(source, "executable"))
        return json_error(
            doc, source, err,
            "\"executable\": bake does not run programs that a credential file names: write the token to a "
            "file, and name it with \"file\"");
    if (cJSON_GetObjectItemCaseSensitive(source, "environment_id"))
        return json_error(doc, source, err,
                          "AWS credentials are not supported: use a \"file\" or \"url\" source, or "
                          "--access-token-file with the output of \"gcloud auth print-access-token\"");
    if (cJSON_GetObjectItemCaseSensitive(source, "certificate"))
        return json_error(doc, source, err,
                          "\"certificate\" sources are not supported: use a \"file\" or \"url\" source");
    if (token_field(doc, source, "file", false, &file, err) < 0 ||
        token_field(doc, source, "url", false, &url, err) < 0)
        return -1;
    if (!file == !url)
        return json_error(doc, source, err, "expected either \"file\" or \"url\"");
    if (url && (check_source_url(doc, source, url, err) < 0 || read_headers(doc, source, made, err) < 0))
        return -1;
    if (read_format(doc, source, made, err) < 0 || copy_text(file, &made->file, err) < 0)
        return -1;
    return copy_text(url, &made->url, err);
}

/* RFC 6749 section 2.3.1, with HTTP Basic, as Google's clients do when the file has a client. */
static int read_client(const struct json_doc *doc, const cJSON *object, struct external_source *made,
                       struct err *err)
{
    const char *id = NULL, *secret = NULL, *project = NULL;
    if (token_field(doc, object, "client_id", false, &id, err) < 0 ||
        token_field(doc, object, "client_secret", false, &secret, err) < 0 ||
        token_field(doc, object, "workforce_pool_user_project", false, &project, err) < 0)
        return -1;
    if (!id && project) {
        cleanup_buf struct buf options = BUF_INIT(OPTIONS_MAX);
        struct json_writer json = {.buf = &options};
        json_open(&json, NULL, '{');
        json_string(&json, "userProject", project);
        json_close(&json, '}');
        return json_write_end(&json, "\"workforce_pool_user_project\"", err) < 0
                   ? -1
                   : copy_text(options.data, &made->options, err);
    }
    if (!id)
        return 0;
    size_t len = strlen(id) + (secret ? strlen(secret) : 0) + 1;
    size_t capacity = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
    cleanup_sensitive_buf struct buf pair = {0}, value = {0};
    if (sensitive_buf_init(&pair, len, err) < 0 || sensitive_buf_init(&value, capacity + 8, err) < 0)
        return -1;
    buf_printf(&pair, "%s:%s", id, secret ? secret : "");
    buf_str(&value, "Basic ");
    base64_add(&value, pair.data, pair.len);
    if (secret && sensitive_set(&made->client_secret, secret, strlen(secret), err) < 0)
        return -1;
    return sensitive_set(&made->basic, value.data, value.len, err);
}

static int read_fields(const struct json_doc *doc, const cJSON *object, const struct token_context *ctx,
                       struct external_source *made, struct err *err)
{
    const char *audience = NULL, *type = NULL, *url = NULL, *target = NULL;
    if (token_field(doc, object, "audience", true, &audience, err) < 0 ||
        token_field(doc, object, "subject_token_type", true, &type, err) < 0 ||
        token_field(doc, object, "token_url", false, &url, err) < 0 ||
        token_field(doc, object, "service_account_impersonation_url", false, &target, err) < 0)
        return -1;
    if (url && token_url_check(ctx, doc, object, "token_url", url, err) < 0)
        return -1;
    if (!url || ctx->env->sts)
        url = ctx->endpoints->sts;
    if (copy_text(audience, &made->audience, err) < 0 || copy_text(type, &made->subject_type, err) < 0 ||
        copy_text(url, &made->token_url, err) < 0 || read_source(doc, object, made, err) < 0 ||
        read_client(doc, object, made, err) < 0)
        return -1;
    made->impersonates = target != NULL;
    return target ? impersonation_read(doc, object, ctx, &made->target, err) : 0;
}

int token_external_new(const struct json_doc *doc, const cJSON *object, const struct token_context *ctx,
                       struct token_source **ret, struct err *err)
{
    struct external_source *made = calloc(1, sizeof *made);
    if (!made)
        return err_oom(err);
    made->base.ops = &external_ops;
    if (read_fields(doc, object, ctx, made, err) < 0) {
        external_free(&made->base);
        return -1;
    }
    const char *name = made->impersonates ? strrchr(made->target.url, '/') + 1 : "";
    snprintf(made->base.who, sizeof made->base.who, "%s%.*s%sworkload identity %.300s",
             made->impersonates ? "service account " : "", (int)strcspn(name, ":"), name,
             made->impersonates ? " by way of " : "", made->audience);
    *ret = &made->base;
    return 0;
}
