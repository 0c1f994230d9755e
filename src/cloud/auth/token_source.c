#include "cloud/auth/token_source.h"

#include <string.h>

#include "cloud/api/error.h"
#include "cloud/auth/token_request.h"

#define IMPERSONATED "impersonated_service_account"

/* A source that does not build on another one. TYPE is OBJECT's. */
static int direct_source(const struct json_doc *doc, const cJSON *object, const char *type,
                         const struct token_context *ctx, struct token_source **ret, struct err *err)
{
    static const struct {
        const char *type;
        int (*make)(const struct json_doc *doc, const cJSON *object, const struct token_context *ctx,
                    struct token_source **ret, struct err *err);
    } kinds[] = {{"service_account", token_service_account_new},
                 {"authorized_user", token_user_new},
                 {"external_account", token_external_new}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(type, kinds[i].type) == 0)
            return kinds[i].make(doc, object, ctx, ret, err);
    char safe[64];
    api_error_safe(type, strlen(type), safe, sizeof safe);
    return json_error(doc, object, err,
                      "credentials of type \"%s\" are not known: service_account, authorized_user, "
                      "external_account and " IMPERSONATED " are",
                      safe);
}

/* Impersonation is one level deep: its source is a direct one. */
static int impersonated_source(const struct json_doc *doc, const cJSON *object,
                               const struct token_context *ctx, struct token_source **ret, struct err *err)
{
    cleanup_token_source struct token_source *direct = NULL;
    const cJSON *source = NULL;
    const char *type = NULL;
    if (json_get_object(doc, object, "source_credentials", true, &source, err) < 0 ||
        token_field(doc, source, "type", true, &type, err) < 0)
        return -1;
    if (strcmp(type, IMPERSONATED) == 0)
        return json_error(doc, source, err,
                          "\"source_credentials\" may not be impersonated themselves: use \"delegates\"");
    return direct_source(doc, source, type, ctx, &direct, err) < 0
               ? -1
               : token_impersonated_new(doc, object, ctx, &direct, ret, err);
}

int token_source_from(const struct json_doc *doc, const cJSON *object, const struct token_context *ctx,
                      struct token_source **ret, struct err *err)
{
    const char *type = NULL;
    if (token_field(doc, object, "type", true, &type, err) < 0)
        return -1;
    return strcmp(type, IMPERSONATED) == 0 ? impersonated_source(doc, object, ctx, ret, err)
                                           : direct_source(doc, object, type, ctx, ret, err);
}
