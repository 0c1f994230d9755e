/* impersonated_service_account: source credentials that may make tokens of another account. */
#include <string.h>

#include "cloud/auth/token_request.h"

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
        return err_wrap(err, "%s, as which it begins", self->source->who);
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
                           struct token_source **ret, struct err *err)
{
    const cJSON *source = NULL;
    if (json_get_object(doc, object, "source_credentials", true, &source, err) < 0)
        return -1;
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(source, "type"));
    if (type && strcmp(type, "impersonated_service_account") == 0)
        return json_error(doc, source, err,
                          "\"source_credentials\" may not be impersonated themselves: use \"delegates\"");
    struct impersonated_source *made = calloc(1, sizeof *made);
    if (!made)
        return err_oom(err);
    made->base.ops = &impersonated_ops;
    if (token_source_from(doc, source, ctx, &made->source, err) < 0 ||
        impersonation_read(doc, object, ctx, &made->target, err) < 0) {
        impersonated_free(&made->base);
        return -1;
    }
    const char *name = strrchr(made->target.url, '/') + 1;
    snprintf(made->base.who, sizeof made->base.who, "service account %.*s by way of %.250s",
             (int)strcspn(name, ":"), name, made->source->who);
    *ret = &made->base;
    return 0;
}
