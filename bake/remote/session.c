#include "bake/remote/session.h"

#include <string.h>
#include <sys/prctl.h>

#include "cloud/upload/state.h"
#include "io/file.h"
#include "text/hex.h"

#define FAMILY_KIND "family"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static const struct option session_rows[] = {
    {"project", 0, STRING_OF(struct session_options, project), "ID",
     "the project; else $GOOGLE_CLOUD_PROJECT, the credentials' own"},
    {"access-token-file", 0, STRING_OF(struct session_options, token_file), "FILE",
     "a file with an access token"},
    {"dry-run", 'n', FLAG_OF(struct session_options, dry_run), NULL,
     "print requests that change something, send none of them"},
    {0},
};
const struct option_group session_group = {.title = "Google Cloud", .rows = session_rows};

static const struct option bucket_rows[] = {
    {"bucket", 0, STRING_OF(struct session_options, bucket), "NAME", "the bucket for archives"},
    {"prefix", 0, STRING_OF(struct session_options, prefix), "DIR/", "keep everything in this folder of it"},
    {0},
};
const struct option_group bucket_group = {.title = "Bucket", .rows = bucket_rows};

static bool consists_of(const char *text, size_t least, size_t most, const char *chars)
{
    size_t len = strlen(text);
    return len >= least && len <= most && strspn(text, chars) == len;
}

static int check_options(const struct session_options *options, struct err *err)
{
    const char *prefix = options->prefix;
    if (options->bucket && !consists_of(options->bucket, 3, 222, LOWER DIGITS "._-"))
        return err_set(err, ERR_USAGE, 0,
                       "--bucket needs a bucket's name (a-z, 0-9, '.', '_', '-'), not \"%.250s\"",
                       options->bucket);
    if (prefix && (!consists_of(prefix, 1, 200, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "._-/") ||
                   prefix[0] == '/' || prefix[strlen(prefix) - 1] != '/' || strstr(prefix, "//")))
        return err_set(err, ERR_USAGE, 0, "--prefix needs a folder such as \"images/\", not \"%.250s\"",
                       prefix);
    return 0;
}

static int find_project(const struct session_options *options, struct session *session, struct err *err)
{
    const char *names[] = {"GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"};
    session->project = options->project;
    for (size_t i = 0; i < 2 && !session->project; i++) {
        const char *value = getenv(names[i]);
        session->project = value && *value ? value : NULL;
    }
    if (!session->project)
        session->project = credentials_project(session->credentials);
    if (!session->project)
        return err_set(err, ERR_USAGE, 0, "no project: use --project, or set GOOGLE_CLOUD_PROJECT");
    if (!consists_of(session->project, 1, 63, LOWER DIGITS ".:-"))
        return err_set(err, ERR_USAGE, 0, "\"%.100s\" cannot be a project's ID", session->project);
    return 0;
}

/* Dry runs: the requests that would be sent are the result, and go to stdout. */
static void report_request(void *ctx, const char *method, const char *url, const char *detail)
{
    struct ui *ui = ctx;
    struct ui_line line;
    ui_line_open(&line, ui, "request");
    json_string(&line.json, "method", method);
    json_string(&line.json, "url", url);
    json_string(&line.json, "detail", detail);
    ui_line_print(&line);
    ui_text(ui, "%-6s %s\n       %s\n", method, url, detail);
}

int session_open(struct common *common, const struct session_options *options, struct session *ret,
                 struct err *err)
{
    *ret = (struct session){.common = common, .prefix = options->prefix ? options->prefix : ""};
    if (check_options(options, err) < 0)
        return -1;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* keys and tokens stay out of core dumps */
    cloud_env_read(&ret->env);
    if (file_home(&ret->home, err) < 0)
        return -1;
    ret->env.home = ret->home;
    struct http_options http = {.upload_rate = options->rate, .ca = ca_choose(common->ca_file)};
    if (!common->ca_file)
        ca_add(&http.ca, ret->env.ca_certs, "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE");
    const struct credentials_options credentials = {.token_file = options->token_file, .env = &ret->env};
    if (http_new(&http, &ret->http, err) < 0 ||
        credentials_open(&credentials, ret->http, &common->run, &ret->credentials, err) < 0)
        return err_wrap(err, "credentials");
    if (find_project(options, ret, err) < 0)
        return -1;
    ret->client = (struct client){.http = ret->http, .credentials = ret->credentials};
    ret->api = (struct api){
        .client = &ret->client, .endpoints = credentials_endpoints(ret->credentials), .run = &common->run};
    ret->dry = (struct dry_run){report_request, &common->ui};
    run_note(&common->run, "cloud", "project %s, as %s", ret->project, credentials_who(ret->credentials));
    return 0;
}

void session_close(struct session *session)
{
    credentials_free(session->credentials);
    http_free(session->http);
    free(session->home);
    *session = (struct session){0};
}

struct images session_images(const struct session *session)
{
    return (struct images){.api = session->api, .project = session->project};
}

struct storage session_storage(const struct session *session, const struct session_options *options)
{
    return (struct storage){.api = session->api, .bucket = options->bucket};
}

int session_labels(const struct option_list *list, const char *name, struct arena *arena,
                   struct label *labels, size_t *count, size_t max, struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *text = list->values[i], *equals = strchr(text, '=');
        char *key = equals ? arena_strndup(arena, text, (size_t)(equals - text)) : NULL;
        if (equals && !key)
            return err_oom(err);
        if (!key || !consists_of(key, 1, 63, LOWER DIGITS "_-") || !strchr(LOWER, key[0]) ||
            !consists_of(equals + 1, 0, 63, LOWER DIGITS "_-"))
            return err_set(err, ERR_USAGE, 0,
                           "--%s needs KEY=VALUE of up to 63 of a-z, 0-9, '_', '-' each, not \"%.150s\"",
                           name, text);
        size_t at = 0;
        while (at < *count && strcmp(labels[at].key, key) != 0)
            at++;
        if (at == max)
            return err_set(err, ERR_USAGE, 0, "--%s: more than %zu labels", name, max);
        labels[at] = (struct label){key, equals + 1};
        *count += at == *count;
    }
    return 0;
}

static int family_key(const struct session *session, const char *family, char key[static SHA256_HEX],
                      struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(4096);
    struct sha256 sha256;
    buf_printf(&text, "%s %s %s", session->api.endpoints->compute, session->project, family);
    if (buf_check(&text, "the key of a family's lock", err) < 0 ||
        sha256_of(text.data, text.len, &sha256, err) < 0)
        return -1;
    hex_encode(sha256.bytes, SHA256_SIZE, key);
    return 0;
}

int session_lock_family(const struct session *session, struct cache *cache, const char *family, int *ret_fd,
                        struct err *err)
{
    char key[SHA256_HEX], note[160];
    if (!image_name_ok(family))
        return err_set(err, ERR_USAGE, 0,
                       "family \"%.100s\": up to 63 of a-z, 0-9, '-', a letter first and no '-' last",
                       family);
    snprintf(note, sizeof note, "waiting for another run on the family %.63s", family);
    if (family_key(session, family, key, err) < 0)
        return -1;
    return state_lock(cache, FAMILY_KIND, key, note, &session->common->run, ret_fd, err);
}

void session_unlock_family(const struct session *session, struct cache *cache, const char *family, int *fd)
{
    char key[SHA256_HEX];
    struct err ignored;
    if (*fd >= 0 && family_key(session, family, key, &ignored) == 0)
        cache_unlock(cache, FAMILY_KIND, key, fd);
}
