/* authorized_user: the refresh token that "gcloud auth application-default login" stores. */
#include <string.h>

#include "cloud/auth/token_request.h"

enum { FORM_MAX = 64 << 10 };

struct user_source {
    struct token_source base;
    char *token_url;
    struct sensitive_text client_id, client_secret, refresh_token;
};

static int user_fetch(const struct token_source *source, const struct token_context *ctx,
                      const struct run *run, struct token *ret, struct err *err)
{
    const struct user_source *self = (const struct user_source *)(const void *)source;
    cleanup_sensitive_buf struct buf form = {0};
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    if (sensitive_buf_init(&form, FORM_MAX, err) < 0)
        return -1;
    url_form_add(&form, "grant_type", "refresh_token");
    url_form_add(&form, "client_id", self->client_id.text);
    url_form_add(&form, "client_secret", self->client_secret.text);
    url_form_add(&form, "refresh_token", self->refresh_token.text);
    if (buf_check(&form, "the request for a token", err) < 0)
        return -1;
    struct token_request req = {.what = self->token_url,
                                .url = self->token_url,
                                .content_type = "application/x-www-form-urlencoded",
                                .body = &form,
                                .secrets = {self->client_secret.text, self->refresh_token.text}};
    if (token_request(ctx, &req, run, &answer, NULL, err) < 0)
        return -1;
    return token_answer_oauth(answer.body.data, answer.body.len, req.what, ret, err);
}

static void user_free(struct token_source *source)
{
    struct user_source *self = (struct user_source *)(void *)source;
    free(self->token_url);
    sensitive_free(&self->client_id);
    sensitive_free(&self->client_secret);
    sensitive_free(&self->refresh_token);
    free(self);
}

static const struct token_source_ops user_ops = {
    .fetch = user_fetch, .free = user_free, .hint = "log in again: gcloud auth application-default login"};

int token_user_new(const struct json_doc *doc, const cJSON *object, const struct token_context *ctx,
                   struct token_source **ret, struct err *err)
{
    const char *id = NULL, *secret = NULL, *refresh = NULL, *account = NULL, *uri = NULL;
    if (token_field(doc, object, "client_id", true, &id, err) < 0 ||
        token_field(doc, object, "client_secret", true, &secret, err) < 0 ||
        token_field(doc, object, "refresh_token", true, &refresh, err) < 0 ||
        token_field(doc, object, "account", false, &account, err) < 0 ||
        token_field(doc, object, "token_uri", false, &uri, err) < 0 ||
        (uri && token_url_check(ctx, doc, object, "token_uri", uri, err) < 0))
        return -1;
    if (!uri || ctx->env->token)
        uri = ctx->endpoints->token;
    struct user_source *made = calloc(1, sizeof *made);
    if (!made)
        return err_oom(err);
    made->base.ops = &user_ops;
    snprintf(made->base.who, sizeof made->base.who, "user%s%.200s", account ? " " : "",
             account ? account : "");
    if (!(made->token_url = strdup(uri))) {
        user_free(&made->base);
        return err_oom(err);
    }
    if (sensitive_set(&made->client_id, id, strlen(id), err) < 0 ||
        sensitive_set(&made->client_secret, secret, strlen(secret), err) < 0 ||
        sensitive_set(&made->refresh_token, refresh, strlen(refresh), err) < 0) {
        user_free(&made->base);
        return -1;
    }
    *ret = &made->base;
    return 0;
}
