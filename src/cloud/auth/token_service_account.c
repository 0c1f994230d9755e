/* service_account: a key file signs an assertion for each token (RFC 7523). */
#include <string.h>

#include "cloud/auth/jwt.h"
#include "cloud/auth/token_request.h"

enum { FORM_MAX = 64 << 10, SKEW_MIN_S = 30 };

struct account_source {
    struct token_source base;
    char *email, *key_id, *token_uri;
    bool self_signed; /* outside googleapis.com the signed text itself is the token */
    EVP_PKEY *key;
};

static int sign_at(const struct account_source *self, const struct token_context *ctx, int64_t now_s,
                   struct buf *ret, struct err *err)
{
    struct jwt_claims claims = {
        .key_id = self->key_id, .issuer = self->email, .scope = ctx->scope, .issued_s = now_s};
    if (self->self_signed)
        claims.subject = self->email;
    else /* whatever URL the request goes to */
        claims.audience = "https://oauth2.googleapis.com/token";
    return jwt_sign(self->key, &claims, ret, err);
}

static int request_token(const struct account_source *self, const struct token_context *ctx, int64_t now_s,
                         const struct run *run, struct token *ret, struct token_refusal *ret_why,
                         struct err *err)
{
    cleanup_sensitive_buf struct buf jwt = {0}, form = {0};
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    if (sensitive_buf_init(&jwt, JWT_MAX, err) < 0 || sensitive_buf_init(&form, FORM_MAX, err) < 0 ||
        sign_at(self, ctx, now_s, &jwt, err) < 0)
        return -1;
    url_form_add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    url_form_add(&form, "assertion", jwt.data);
    if (buf_check(&form, "the request for a token", err) < 0)
        return -1;
    struct token_request req = {.what = self->token_uri,
                                .url = self->token_uri,
                                .content_type = "application/x-www-form-urlencoded",
                                .body = &form,
                                .secrets = {jwt.data}};
    if (token_request(ctx, &req, run, &answer, ret_why, err) < 0)
        return -1;
    return token_answer_oauth(answer.body.data, answer.body.len, req.what, ret, err);
}

static int account_fetch(const struct token_source *source, const struct token_context *ctx,
                         const struct run *run, struct token *ret, struct err *err)
{
    const struct account_source *self = (const struct account_source *)(const void *)source;
    int64_t now_s = ctx->clock->wall_s(ctx->clock->ctx);
    if (self->self_signed) {
        cleanup_sensitive_buf struct buf jwt = {0};
        if (sensitive_buf_init(&jwt, JWT_MAX, err) < 0 || sign_at(self, ctx, now_s, &jwt, err) < 0)
            return -1;
        ret->lifetime_s = JWT_LIFETIME_S;
        return sensitive_set(&ret->text, jwt.data, jwt.len, err);
    }
    struct token_refusal why = {0};
    if (request_token(self, ctx, now_s, run, ret, &why, err) == 0)
        return 0;
    int64_t skew_s = now_s - why.date_s;
    if (err->kind != ERR_REMOTE || strcmp(why.error.reason, "invalid_grant") != 0 || why.date_s == 0 ||
        (skew_s < SKEW_MIN_S && skew_s > -SKEW_MIN_S))
        return -1;
    /* "must be a short-lived token and in a reasonable timeframe": sign with the server's time instead */
    run_warn(run, "cloud",
             "this machine's clock is %lld s %s the clock of %s: set it; the server's time is used",
             (long long)(skew_s < 0 ? -skew_s : skew_s), skew_s < 0 ? "behind" : "ahead of", self->token_uri);
    return request_token(self, ctx, why.date_s, run, ret, NULL, err);
}

static void account_free(struct token_source *source)
{
    struct account_source *self = (struct account_source *)(void *)source;
    jwt_key_free(self->key);
    free(self->email);
    free(self->key_id);
    free(self->token_uri);
    free(self);
}

static const struct token_source_ops account_ops = {
    .fetch = account_fetch,
    .free = account_free,
    .hint = "the key may have been deleted or its account disabled: create a new key (gcloud iam "
            "service-accounts keys create), and check that this machine's clock is right"};

int token_service_account_new(const struct json_doc *doc, const cJSON *object,
                              const struct token_context *ctx, struct token_source **ret, struct err *err)
{
    const char *email = NULL, *key_id = NULL, *uri = NULL, *pem = NULL;
    EVP_PKEY *key = NULL;
    struct err why;
    if (token_field(doc, object, "client_email", true, &email, err) < 0 ||
        token_field(doc, object, "private_key_id", false, &key_id, err) < 0 ||
        token_field(doc, object, "token_uri", false, &uri, err) < 0 ||
        json_get_string(doc, object, "private_key", true, &pem, err) < 0 ||
        (uri && token_url_check(ctx, doc, object, "token_uri", uri, err) < 0))
        return -1;
    if (jwt_key_read(pem, &key, &why) < 0)
        return json_error(doc, cJSON_GetObjectItemCaseSensitive(object, "private_key"), err,
                          "\"private_key\": %s; download the key file again", why.text);
    struct account_source *made = calloc(1, sizeof *made);
    if (!made) {
        jwt_key_free(key);
        return err_oom(err);
    }
    made->base.ops = &account_ops;
    made->key = key;
    made->email = strdup(email);
    made->key_id = key_id ? strdup(key_id) : NULL;
    made->token_uri = strdup(uri ? uri : ctx->endpoints->token);
    made->self_signed = strcmp(ctx->endpoints->universe, "googleapis.com") != 0;
    snprintf(made->base.who, sizeof made->base.who, "service account %.200s", email);
    if (!made->email || !made->token_uri || (key_id && !made->key_id)) {
        account_free(&made->base);
        return err_oom(err);
    }
    *ret = &made->base;
    return 0;
}
