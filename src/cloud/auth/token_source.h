/* Sources of access tokens, one for each kind of credentials.
 *
 * In:    a credential file's object, or a metadata server.
 * Out:   an access token and its lifetime.
 * Fails: ERR_RECIPE: the file lacks something, or names a host that secrets may not be sent to. ERR_REMOTE:
 *        refused, with the server's message and what to do. ERR_NETWORK: no answer after all retries.
 * Owns:  what a source stores, secrets in guarded memory, until free(). A source is fixed once made: fetch()
 *        takes it const, from any thread.
 * Source: https://google.aip.dev/auth and the requests of Google's own clients.
 */
#ifndef BAKE_CLOUD_AUTH_TOKEN_SOURCE_H
#define BAKE_CLOUD_AUTH_TOKEN_SOURCE_H

#include <stdint.h>

#include "json/json.h"
#include "cloud/api/endpoints.h"
#include "http/http.h"
#include "cloud/api/retry.h"
#include "cloud/auth/sensitive.h"

enum { TOKEN_MAX = 16 << 10, WHO_CAP = 640 };

/* What a source borrows. */
struct token_context {
    struct http *http;
    const struct endpoints *endpoints;
    const struct cloud_env *env;
    const char *scope;
    const char *quota_project; /* NULL: none */
    struct retry_policy retry;
    const struct clock_source *clock;
};

struct token {
    struct sensitive_text text;
    int64_t lifetime_s; /* from now */
};
static inline void token_free(struct token *token)
{
    sensitive_free(&token->text);
}
#define cleanup_token cleanup(token_free)

struct token_source;
struct token_source_ops {
    int (*fetch)(const struct token_source *source, const struct token_context *ctx, const struct run *run,
                 struct token *ret, struct err *err);
    void (*free)(struct token_source *source);
    /* What the user can do when a token cannot be renewed, or is refused just after. */
    const char *hint;
};

/* The first member of each kind's own struct. */
struct token_source {
    const struct token_source_ops *ops;
    char who[WHO_CAP]; /* "service account NAME": nothing secret */
};

static inline void token_source_free(struct token_source **source)
{
    if (*source)
        (*source)->ops->free(*source);
    *source = NULL;
}
#define cleanup_token_source cleanup(token_source_free)

/* The source that OBJECT of DOC describes: its "type" says of which kind. */
must_check int token_source_from(const struct json_doc *doc, const cJSON *object,
                                 const struct token_context *ctx, struct token_source **ret, struct err *err);

/* One kind each, from an OBJECT of that "type". */
must_check int token_service_account_new(const struct json_doc *doc, const cJSON *object,
                                         const struct token_context *ctx, struct token_source **ret,
                                         struct err *err);
must_check int token_user_new(const struct json_doc *doc, const cJSON *object,
                              const struct token_context *ctx, struct token_source **ret, struct err *err);
must_check int token_external_new(const struct json_doc *doc, const cJSON *object,
                                  const struct token_context *ctx, struct token_source **ret,
                                  struct err *err);
/* Takes *SOURCE, whose tokens are exchanged for those of the account that OBJECT names. */
must_check int token_impersonated_new(const struct json_doc *doc, const cJSON *object,
                                      const struct token_context *ctx, struct token_source **source,
                                      struct token_source **ret, struct err *err);

/* --access-token-file: the file is read again for each token. */
must_check int token_file_new(const char *path, struct token_source **ret, struct err *err);

/* The machine's metadata server. *RET is NULL when none answers and the environment does not name one. */
struct metadata_facts {
    char universe[UNIVERSE_CAP];
    char project[64]; /* "": unknown */
};
must_check int token_metadata_new(const struct token_context *ctx, const struct run *run,
                                  struct metadata_facts *facts, struct token_source **ret, struct err *err);

/* Tokens of another service account, from IAM Credentials: POST URL {delegates, scope, lifetime}. */
struct impersonation {
    char *url;
    char *delegates; /* JSON text of an array; NULL: none */
    unsigned lifetime_s;
};
void impersonation_free(struct impersonation *impersonation);
/* From the members of OBJECT: service_account_impersonation_url, delegates, service_account_impersonation. */
must_check int impersonation_read(const struct json_doc *doc, const cJSON *object,
                                  const struct token_context *ctx, struct impersonation *ret,
                                  struct err *err);
must_check int impersonation_fetch(const struct impersonation *impersonation, const struct token_context *ctx,
                                   const char *bearer, const struct run *run, struct token *ret,
                                   struct err *err);

#endif
