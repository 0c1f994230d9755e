/* The metadata server of a GCE VM, or of GKE's Workload Identity. */
#include <string.h>

#include "cloud/auth/token_request.h"

enum { CONNECT_MS = 1500, ANSWER_S = 5, PATH_MAX_LEN = 512, ATTEMPTS = 4, FIRST_MS = 250 };

struct metadata_source {
    struct token_source base;
    struct buf token_url;
};

/* An answer without this header comes from a proxy or a login page. */
static bool is_google(const struct http_answer *answer)
{
    const char *flavor = http_header(answer, "Metadata-Flavor", 0);
    return flavor && strcmp(flavor, "Google") == 0;
}

static const struct http_header flavor_header = {"Metadata-Flavor", "Google"};

static int get_metadata(const struct token_context *ctx, const char *path, unsigned attempts,
                        const struct run *run, struct http_answer *ret, struct err *err)
{
    char url[ENDPOINT_CAP + PATH_MAX_LEN];
    snprintf(url, sizeof url, "%s/computeMetadata/v1/%s", ctx->endpoints->metadata, path);
    struct http_request req = {.method = "GET",
                               .url = url,
                               .what = "metadata server",
                               .headers = &flavor_header,
                               .header_count = 1,
                               .answer_max = TOKEN_ANSWER_MAX,
                               .connect_timeout_ms = CONNECT_MS,
                               .answer_s = ANSWER_S,
                               .metadata = true};
    struct retry_policy policy = ctx->retry;
    struct retry retry;
    policy.attempts = attempts;
    /* It is on this machine; a search for one that does not exist must be short. */
    policy.first_ms = FIRST_MS;
    retry_begin(&retry, "cloud", &policy, ctx->clock);
    for (;;) {
        cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
        if (http_exchange(ctx->http, &req, run, &answer, err) < 0) {
            if (retry_error(&retry, req.what, run, err) < 0)
                return -1;
        } else if (!api_retry_wanted(&answer)) {
            *ret = answer;
            answer = (struct http_answer)HTTP_ANSWER_EMPTY;
            return 0;
        } else if (api_retry_answer(&retry, req.what, &answer, run, err) < 0) {
            return -1;
        }
    }
}

static int metadata_fetch(const struct token_source *source, const struct token_context *ctx,
                          const struct run *run, struct token *ret, struct err *err)
{
    const struct metadata_source *self = (const struct metadata_source *)(const void *)source;
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    struct token_request req = {.what = "metadata server",
                                .url = self->token_url.data,
                                .headers = &flavor_header,
                                .header_count = 1,
                                .metadata = true};
    if (token_request(ctx, &req, run, &answer, NULL, err) < 0)
        return -1;
    if (!is_google(&answer))
        return err_set(err, ERR_REMOTE, 0, "%s is not a metadata server: its answer lacks Metadata-Flavor",
                       ctx->endpoints->metadata);
    return token_answer_oauth(answer.body.data, answer.body.len, req.what, ret, err);
}

static void metadata_free(struct token_source *source)
{
    struct metadata_source *self = (struct metadata_source *)(void *)source;
    buf_free(&self->token_url);
    free(self);
}

static const struct token_source_ops metadata_ops = {
    .fetch = metadata_fetch,
    .free = metadata_free,
    .hint = "check the VM's service account and its access scopes (cloud-platform is always enough)"};

/* A small text of the metadata server; *ret_there is false when it has none. */
static int read_fact(const struct token_context *ctx, const char *path, const struct run *run, char *to,
                     size_t capacity, bool *ret_there, struct err *err)
{
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    *ret_there = false;
    if (get_metadata(ctx, path, ATTEMPTS, run, &answer, err) < 0)
        return -1;
    if (answer.status != 200 || !is_google(&answer) || answer.body.len == 0 || answer.body.len >= capacity ||
        !token_text_ok(answer.body.data, answer.body.len))
        return 0;
    memcpy(to, answer.body.data, answer.body.len + 1);
    *ret_there = true;
    return 0;
}

static int read_account(const struct token_context *ctx, const struct http_answer *answer,
                        const struct run *run, struct metadata_source *made, struct err *err)
{
    cleanup_json struct json_doc *doc = NULL;
    if (json_parse(answer->body.data ? answer->body.data : "", answer->body.len, "metadata server",
                   JSON_STRICT, ERR_REMOTE, &doc, err) < 0)
        return -1;
    const cJSON *root = json_root(doc);
    const char *email = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "email"));
    const cJSON *scopes = cJSON_GetObjectItemCaseSensitive(root, "scopes");
    bool enough = !cJSON_IsArray(scopes);
    for (const cJSON *one = enough ? NULL : scopes->child; one; one = one->next)
        enough = enough || (cJSON_IsString(one) && strcmp(one->valuestring, ctx->scope) == 0);
    snprintf(made->base.who, sizeof made->base.who, "this machine's service account");
    if (email && token_text_ok(email, strlen(email)))
        snprintf(made->base.who, sizeof made->base.who, "this machine's service account %.200s", email);
    if (!enough)
        run_warn(run, "cloud", "%s lacks the access scope %s: requests may be refused", made->base.who,
                 ctx->scope);
    return 0;
}

static int ask_account(const struct token_context *ctx, const struct run *run, struct metadata_source *made,
                       bool *ret_there, struct err *err)
{
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    const struct cloud_env *env = ctx->env;
    bool named = env->metadata_host || env->metadata_ip || env->metadata_root;
    *ret_there = false;
    if (get_metadata(ctx, "instance/service-accounts/default/?recursive=true", named ? ATTEMPTS : 3, run,
                     &answer, err) < 0) {
        if (err->kind == ERR_NETWORK && !named)
            return 0;
        return -1;
    }
    if (!is_google(&answer)) {
        if (!named)
            return 0;
        return err_set(err, ERR_REMOTE, 0,
                       "%s, which the environment names, is not a metadata server: its answer lacks "
                       "Metadata-Flavor",
                       ctx->endpoints->metadata);
    }
    if (answer.status == 404)
        return err_set(err, ERR_REMOTE, 0,
                       "this VM has no service account: give it one (gcloud compute instances "
                       "set-service-account), or use a credential file");
    if (answer.status != 200)
        return api_error_set(&answer, "metadata server", err);
    *ret_there = true;
    return read_account(ctx, &answer, run, made, err);
}

int token_metadata_new(const struct token_context *ctx, const struct run *run, struct metadata_facts *facts,
                       struct token_source **ret, struct err *err)
{
    cleanup_token_source struct token_source *source = NULL;
    struct metadata_source *made = calloc(1, sizeof *made);
    struct metadata_facts found = {.universe = "googleapis.com"};
    bool there = false;
    *ret = NULL;
    if (!made)
        return err_oom(err);
    made->base.ops = &metadata_ops;
    made->token_url = (struct buf)URL_INIT;
    source = &made->base;
    url_path(&made->token_url, ctx->endpoints->metadata, "computeMetadata", "v1", "instance",
             "service-accounts", "default", "token");
    url_query(&made->token_url, "scopes", ctx->scope);
    if (url_check(&made->token_url, err) < 0 || ask_account(ctx, run, made, &there, err) < 0)
        return -1;
    if (!there)
        return 0;
    if (read_fact(ctx, "universe/universe-domain", run, found.universe, sizeof found.universe, &there, err) <
            0 ||
        read_fact(ctx, "project/project-id", run, found.project, sizeof found.project, &there, err) < 0)
        return -1;
    *facts = found;
    *ret = steal_ptr(source);
    return 0;
}
