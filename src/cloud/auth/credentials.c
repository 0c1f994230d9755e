#include "cloud/auth/credentials.h"

#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "cloud/auth/token_request.h"
#include "io/file.h"

enum {
    FILE_MAX = 64 << 10,
    /* Before a token expires. A metadata server renews its own 300 s before, so a new one exists by then. */
    MARGIN_S = 225,
    /* A token with this much left is still used when a new one cannot be fetched. */
    LAST_S = 30
};

/* The current token. A pointer to it comes from lock_cache() alone: whoever has one holds the lock. */
struct token_cache {
    pthread_mutex_t lock;
    struct token token;
    int64_t renew_ms, expires_ms;
};

/* All but the cache is fixed once opened, and read by any thread. */
struct credentials {
    struct token_source *source;
    struct token_context ctx;
    struct endpoints endpoints;
    struct cloud_env env;
    char *scope, *path, *project, *quota_project;
    char who[WHO_CAP + 320];
    struct token_cache cache;
};

void credentials_free(struct credentials *c)
{
    if (!c)
        return;
    token_source_free(&c->source);
    token_free(&c->cache.token);
    pthread_mutex_destroy(&c->cache.lock);
    free(c->scope);
    free(c->path);
    free(c->project);
    free(c->quota_project);
    free(c);
}

/* In one piece, because the size is known: no partial copies stay in memory. */
static int read_file(const char *path, struct stat *ret_st, struct json_doc **ret, struct err *err)
{
    cleanup_close int fd = -1;
    cleanup_sensitive_buf struct buf text = {0};
    uint64_t size = 0;
    if (file_open(path, &fd, &size, err) < 0)
        return err_wrap(err, "credentials");
    if (fstat(fd, ret_st) < 0)
        return err_sys(err, errno, "stat %s", path);
    if (size > FILE_MAX)
        return err_set(err, ERR_RECIPE, 0, "%s: too large for a credential file (over %d KiB)", path,
                       FILE_MAX >> 10);
    if (sensitive_buf_init(&text, FILE_MAX, err) < 0 ||
        file_pread(fd, text.data, (size_t)size, 0, path, err) < 0)
        return -1;
    return json_parse(text.data, (size_t)size, path, JSON_STRICT, ERR_RECIPE, ret, err);
}

/* The credentials' universe domain must match the one the environment asks for, if any. */
static int set_universe(struct credentials *c, const char *universe, const char *where, struct err *err)
{
    const char *meant = c->env.universe_domain;
    if (meant && universe && strcmp(meant, universe) != 0) {
        char safe[UNIVERSE_CAP];
        api_error_safe(universe, strlen(universe), safe, sizeof safe);
        return err_set(
            err, ERR_USAGE, 0,
            "%s belongs to the universe domain %s, but GOOGLE_CLOUD_UNIVERSE_DOMAIN is %s: use credentials "
            "of that universe, or unset it",
            where, safe, meant);
    }
    if (endpoints_fill(&c->env, universe ? universe : meant, &c->endpoints, err) < 0)
        return err_wrap(err, "%s", where);
    return 0;
}

static int replace_text(const char *text, char **to, struct err *err)
{
    if (!text)
        return 0;
    free(*to);
    *to = strdup(text);
    return *to ? 0 : err_oom(err);
}

static int set_quota_project(struct credentials *c, const char *from_file, struct err *err)
{
    const char *project = c->env.quota_project ? c->env.quota_project : from_file;
    if (project && !token_text_ok(project, strlen(project)))
        return err_set(err, ERR_USAGE, 0, "%s is not a project name",
                       c->env.quota_project ? "GOOGLE_CLOUD_QUOTA_PROJECT"
                                            : "the file's \"quota_project_id\"");
    if (replace_text(project, &c->quota_project, err) < 0)
        return -1;
    c->ctx.quota_project = c->quota_project;
    return 0;
}

static int open_file(struct credentials *c, const char *path, const struct run *run, struct err *err)
{
    cleanup_sensitive_json struct json_doc *doc = NULL;
    const char *universe = NULL, *project = NULL, *quota = NULL;
    struct stat st = {0};
    if (read_file(path, &st, &doc, err) < 0)
        return -1;
    const cJSON *root = json_root(doc);
    if (!cJSON_IsObject(root))
        return json_error(doc, root, err, "a credential file must be a JSON object");
    if (token_field(doc, root, "universe_domain", false, &universe, err) < 0 ||
        token_field(doc, root, "project_id", false, &project, err) < 0 ||
        token_field(doc, root, "quota_project_id", false, &quota, err) < 0)
        return -1;
    if (set_universe(c, universe ? universe : "googleapis.com", path, err) < 0 ||
        set_quota_project(c, quota, err) < 0 || replace_text(project, &c->project, err) < 0 ||
        replace_text(path, &c->path, err) < 0)
        return -1;
    if (token_source_from(doc, root, &c->ctx, &c->source, err) < 0)
        return -1;
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "type"));
    if (!file_is_private(&st) && type && strcmp(type, "external_account") != 0) /* it holds no secret */
        run_warn(run, "cloud", "%s can be read or changed by others (mode %04o): run \"chmod 600 %s\"", path,
                 st.st_mode & 07777, path);
    snprintf(c->who, sizeof c->who, "%s (%.300s)", c->source->who, path);
    return 0;
}

static int open_token_file(struct credentials *c, const char *path, struct err *err)
{
    if (set_universe(c, NULL, path, err) < 0 || set_quota_project(c, NULL, err) < 0 ||
        token_file_new(path, &c->source, err) < 0)
        return -1;
    snprintf(c->who, sizeof c->who, "%s", c->source->who);
    return 0;
}

static int open_metadata(struct credentials *c, const struct run *run, struct err *err)
{
    struct metadata_facts facts = {0};
    bool never = c->env.no_gce_check && strcasecmp(c->env.no_gce_check, "true") == 0;
    if (set_universe(c, NULL, "the environment", err) < 0 || set_quota_project(c, NULL, err) < 0)
        return -1;
    if (!never && token_metadata_new(&c->ctx, run, &facts, &c->source, err) < 0)
        return err_wrap(err, "credentials");
    if (!c->source)
        return err_set(
            err, ERR_USAGE, 0,
            "there are no Google credentials: name a file with GOOGLE_APPLICATION_CREDENTIALS or "
            "--access-token-file, or run \"gcloud auth application-default login\"; no metadata server "
            "answered");
    if (facts.project[0] && replace_text(facts.project, &c->project, err) < 0)
        return -1;
    snprintf(c->who, sizeof c->who, "%s", c->source->who);
    return set_universe(c, facts.universe, "the metadata server", err);
}

/* Where gcloud stores application default credentials; "" without a home folder. */
static void default_path(const struct cloud_env *env, char *to, size_t capacity)
{
    to[0] = '\0';
    if (env->cloudsdk_config)
        snprintf(to, capacity, "%s/application_default_credentials.json", env->cloudsdk_config);
    else if (env->home)
        snprintf(to, capacity, "%s/.config/gcloud/application_default_credentials.json", env->home);
}

static int find_source(struct credentials *c, const char *token_file, const struct run *run, struct err *err)
{
    char path[4096];
    if (token_file)
        return open_token_file(c, token_file, err);
    if (c->env.application_credentials) {
        if (open_file(c, c->env.application_credentials, run, err) < 0)
            return err_wrap(err, "GOOGLE_APPLICATION_CREDENTIALS");
        return 0;
    }
    default_path(&c->env, path, sizeof path);
    if (path[0] && (access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR)))
        return open_file(c, path, run, err);
    return open_metadata(c, run, err);
}

int credentials_open(const struct credentials_options *options, struct http *http, const struct run *run,
                     struct credentials **ret, struct err *err)
{
    cleanup_credentials struct credentials *c = calloc(1, sizeof *c);
    if (!c)
        return err_oom(err);
    pthread_mutex_init(&c->cache.lock, NULL);
    c->env = *options->env;
    const char *scope = options->scope ? options->scope : "https://www.googleapis.com/auth/cloud-platform";
    if (replace_text(scope, &c->scope, err) < 0)
        return -1;
    c->ctx = (struct token_context){.http = http,
                                    .endpoints = &c->endpoints,
                                    .env = &c->env,
                                    .scope = c->scope,
                                    .clock = options->clock ? options->clock : &clock_machine};
    if (options->retry)
        c->ctx.retry = *options->retry;
    if (find_source(c, options->token_file, run, err) < 0)
        return -1;
    run_note(run, "cloud", "credentials: %s", c->who);
    *ret = steal_ptr(c);
    return 0;
}

const char *credentials_who(const struct credentials *c)
{
    return c->who;
}

const char *credentials_project(const struct credentials *c)
{
    return c->project;
}

const char *credentials_quota_project(const struct credentials *c)
{
    return c->quota_project;
}

const struct endpoints *credentials_endpoints(const struct credentials *c)
{
    return &c->endpoints;
}

void access_token_free(struct access_token *token)
{
    if (token->text) {
        explicit_bzero(token->text, strlen(token->text));
        free(token->text);
    }
    token->text = NULL;
}

static struct token_cache *lock_cache(struct credentials *c)
{
    pthread_mutex_lock(&c->cache.lock);
    return &c->cache;
}

static void unlock_cache(struct token_cache **cache)
{
    pthread_mutex_unlock(&(*cache)->lock);
}

static int fetch_token(const struct credentials *c, struct token_cache *cache, const struct run *run,
                       struct err *err)
{
    cleanup_token struct token made = {0};
    if (c->source->ops->fetch(c->source, &c->ctx, run, &made, err) < 0) {
        if (err->kind == ERR_INTERRUPTED || err->kind == ERR_INTERNAL)
            return -1;
        if (err->kind == ERR_REMOTE) {
            char text[sizeof err->text];
            snprintf(text, sizeof text, "%s", err->text);
            err_set(err, ERR_REMOTE, 0, "%.1400s; %s", text, c->source->ops->hint);
        }
        return err_wrap(err, "credentials: %s", c->who);
    }
    int64_t now_ms = c->ctx.clock->now_ms(c->ctx.clock->ctx);
    int64_t margin_s = made.lifetime_s / 4 < MARGIN_S ? made.lifetime_s / 4 : MARGIN_S;
    token_free(&cache->token);
    cache->token = made;
    made = (struct token){0};
    cache->renew_ms = now_ms + (cache->token.lifetime_s - margin_s) * 1000;
    cache->expires_ms = now_ms + cache->token.lifetime_s * 1000;
    return 0;
}

/* Fetches a token when the cache is empty, or its token should be renewed. */
static int refresh_token(const struct credentials *c, struct token_cache *cache, const struct run *run,
                         struct err *err)
{
    const struct clock_source *clock = c->ctx.clock;
    const char *text = cache->token.text.text;
    if (text && clock->now_ms(clock->ctx) < cache->renew_ms)
        return 0;
    if (fetch_token(c, cache, run, err) == 0)
        return 0;
    int64_t left_s = (cache->expires_ms - clock->now_ms(clock->ctx)) / 1000;
    if (err->kind != ERR_NETWORK || !text || left_s < LAST_S)
        return -1;
    run_warn(run, "cloud", "%s; the current token is good for another %lld s", err->text, (long long)left_s);
    return 0;
}

static int copy_token(const struct token_cache *cache, struct access_token *ret, struct err *err)
{
    char *text = strdup(cache->token.text.text);
    if (!text)
        return err_oom(err);
    ret->text = text;
    return 0;
}

int credentials_token(struct credentials *c, const struct run *run, struct access_token *ret, struct err *err)
{
    cleanup(unlock_cache) struct token_cache *cache = lock_cache(c);
    return refresh_token(c, cache, run, err) < 0 ? -1 : copy_token(cache, ret, err);
}

static bool is_current(const struct token_cache *cache, const struct access_token *token)
{
    return cache->token.text.text && strcmp(cache->token.text.text, token->text) == 0;
}

int credentials_renew(struct credentials *c, const struct access_token *refused, const struct run *run,
                      struct access_token *ret, struct err *err)
{
    cleanup(unlock_cache) struct token_cache *cache = lock_cache(c);
    if ((is_current(cache, refused) ? fetch_token(c, cache, run, err) : refresh_token(c, cache, run, err)) <
        0)
        return -1;
    if (is_current(cache, refused))
        return err_set(
            err, ERR_REMOTE, 0,
            "credentials: %s: the server refuses the access token (HTTP 401), and there is no newer "
            "one; %s",
            c->who, c->source->ops->hint);
    return copy_token(cache, ret, err);
}
