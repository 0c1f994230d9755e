/* impersonated_service_account: source credentials that may create tokens of another account. The exchange
 * itself, IAM Credentials' generateAccessToken, also serves external accounts. */
#include <string.h>

#include "json/write.h"
#include "cloud/auth/token_request.h"

enum { BODY_MAX = 32 << 10, DELEGATES_MAX = 16, LIFETIME_MIN_S = 600, LIFETIME_MAX_S = 43200 };

void impersonation_free(struct impersonation *impersonation)
{
    free(impersonation->url);
    free(impersonation->delegates);
    *impersonation = (struct impersonation){0};
}

/* ".../projects/-/serviceAccounts/EMAIL:generateAccessToken"; an override of the service replaces the
 * host. */
static int read_target(const struct json_doc *doc, const cJSON *object, const struct token_context *ctx,
                       struct impersonation *made, struct err *err)
{
    static const char field[] = "service_account_impersonation_url";
    static const char middle[] = "/projects/-/serviceAccounts/", tail[] = ":generateAccessToken";
    const char *url = NULL;
    if (token_field(doc, object, field, true, &url, err) < 0 ||
        token_url_check(ctx, doc, object, field, url, err) < 0)
        return -1;
    const char *path = strstr(url, middle);
    size_t len = strlen(url);
    if (!path || len < strlen(tail) || strcmp(url + len - strlen(tail), tail) != 0 ||
        strpbrk(path + strlen(middle), "/?#"))
        return json_error(doc, cJSON_GetObjectItemCaseSensitive(object, field), err,
                          "\"%s\" must end in \"%sACCOUNT%s\"", field, middle, tail);
    if (!ctx->env->iamcredentials)
        made->url = strdup(url);
    else if (asprintf(&made->url, "%s%s", ctx->endpoints->iamcredentials, path) < 0)
        made->url = NULL;
    return made->url ? 0 : err_oom(err);
}

static int read_delegates(const struct json_doc *doc, const cJSON *object, struct impersonation *made,
                          struct err *err)
{
    const cJSON *delegates = cJSON_GetObjectItemCaseSensitive(object, "delegates");
    if (!delegates || cJSON_IsNull(delegates))
        return 0;
    if (!cJSON_IsArray(delegates) || cJSON_GetArraySize(delegates) > DELEGATES_MAX)
        return json_error(doc, delegates, err, "\"delegates\" must be an array of at most %d accounts",
                          DELEGATES_MAX);
    for (const cJSON *one = delegates->child; one; one = one->next)
        if (!cJSON_IsString(one) || !one->valuestring[0])
            return json_error(doc, one, err, "\"delegates\": expected the name of a service account");
    if (!cJSON_GetArraySize(delegates))
        return 0;
    cleanup_buf struct buf text = BUF_INIT(BODY_MAX);
    struct json_writer json = {.buf = &text};
    json_node(&json, NULL, delegates);
    if (json_write_end(&json, "\"delegates\"", err) < 0)
        return -1;
    made->delegates = buf_steal(&text);
    return made->delegates ? 0 : err_oom(err);
}

static int read_lifetime(const struct json_doc *doc, const cJSON *object, struct impersonation *made,
                         struct err *err)
{
    const cJSON *options = NULL;
    uint64_t seconds = 0;
    if (json_get_object(doc, object, "service_account_impersonation", false, &options, err) < 0)
        return -1;
    if (options && json_get_uint(doc, options, "token_lifetime_seconds", false, LIFETIME_MIN_S,
                                 LIFETIME_MAX_S, &seconds, err) < 0)
        return -1;
    made->lifetime_s = seconds ? (unsigned)seconds : 3600;
    return 0;
}

int impersonation_read(const struct json_doc *doc, const cJSON *object, const struct token_context *ctx,
                       struct impersonation *ret, struct err *err)
{
    struct impersonation made = {0};
    if (read_target(doc, object, ctx, &made, err) < 0 || read_delegates(doc, object, &made, err) < 0 ||
        read_lifetime(doc, object, &made, err) < 0) {
        impersonation_free(&made);
        return -1;
    }
    *ret = made;
    return 0;
}

/* {"delegates":[...],"scope":["..."],"lifetime":"3600s"} */
static int write_body(const struct impersonation *impersonation, const char *scope, struct buf *body,
                      struct err *err)
{
    char lifetime[24];
    struct json_writer json = {.buf = body};
    snprintf(lifetime, sizeof lifetime, "%us", impersonation->lifetime_s);
    json_open(&json, NULL, '{');
    if (impersonation->delegates)
        json_raw(&json, "delegates", impersonation->delegates);
    json_strings(&json, "scope", &scope, 1);
    json_string(&json, "lifetime", lifetime);
    json_close(&json, '}');
    return json_write_end(&json, "a request for a token", err);
}

int impersonation_fetch(const struct impersonation *impersonation, const struct token_context *ctx,
                        const char *bearer, const struct run *run, struct token *ret, struct err *err)
{
    cleanup_buf struct buf body = BUF_INIT(BODY_MAX);
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    struct http_header quota = {"x-goog-user-project", ctx->quota_project};
    struct token_refusal why;
    if (write_body(impersonation, ctx->scope, &body, err) < 0)
        return -1;
    struct token_request req = {.what = impersonation->url,
                                .url = impersonation->url,
                                .content_type = "application/json",
                                .body = &body,
                                .headers = &quota,
                                .header_count = ctx->quota_project ? 1 : 0,
                                .bearer = bearer,
                                .secrets = {bearer}};
    if (token_request(ctx, &req, run, &answer, &why, err) < 0) {
        if (why.error.status == 403) {
            char text[sizeof err->text];
            snprintf(text, sizeof text, "%s", err->text);
            return err_set(
                err, ERR_REMOTE, 0,
                "%.1500s; this needs the role roles/iam.serviceAccountTokenCreator on that account", text);
        }
        return -1;
    }
    int64_t now_s = ctx->clock->wall_s(ctx->clock->ctx);
    return token_answer_iam(answer.body.data, answer.body.len, req.what, now_s, ret, err);
}

struct impersonated_source {
    struct token_source base;
    struct token_source *source;
    struct impersonation target;
};

static int impersonated_fetch(const struct token_source *source, const struct token_context *ctx,
                              const struct run *run, struct token *ret, struct err *err)
{
    const struct impersonated_source *self = (const struct impersonated_source *)(const void *)source;
    cleanup_token struct token token = {0};
    if (self->source->ops->fetch(self->source, ctx, run, &token, err) < 0)
        return err_wrap(err, "as %s", self->source->who);
    return impersonation_fetch(&self->target, ctx, token.text.text, run, ret, err);
}

static void impersonated_free(struct token_source *source)
{
    struct impersonated_source *self = (struct impersonated_source *)(void *)source;
    token_source_free(&self->source);
    impersonation_free(&self->target);
    free(self);
}

static const struct token_source_ops impersonated_ops = {
    .fetch = impersonated_fetch,
    .free = impersonated_free,
    .hint =
        "log in again (gcloud auth application-default login --impersonate-service-account), and check the "
        "role roles/iam.serviceAccountTokenCreator on each account of the chain"};

int token_impersonated_new(const struct json_doc *doc, const cJSON *object, const struct token_context *ctx,
                           struct token_source **source, struct token_source **ret, struct err *err)
{
    struct impersonated_source *made = calloc(1, sizeof *made);
    if (!made)
        return err_oom(err);
    made->base.ops = &impersonated_ops;
    made->source = steal_ptr(*source);
    if (impersonation_read(doc, object, ctx, &made->target, err) < 0) {
        impersonated_free(&made->base);
        return -1;
    }
    const char *name = strrchr(made->target.url, '/') + 1;
    snprintf(made->base.who, sizeof made->base.who, "service account %.*s by way of %.250s",
             (int)strcspn(name, ":"), name, made->source->who);
    *ret = &made->base;
    return 0;
}
