#include "cloud/auth/token_request.h"

#include <string.h>
#include <time.h>

#include <curl/curl.h>

enum { LIFETIME_MAX_S = 12 * 3600, LIFETIME_DEFAULT_S = 3600, ECHO_LEN = 12 };

/* True when TEXT repeats SECRET, or a piece of it long enough to matter. */
static bool repeats(const char *text, const char *secret)
{
    size_t len = strlen(secret), piece = len < ECHO_LEN ? len : ECHO_LEN;
    if (len < 4)
        return false;
    for (size_t at = 0; at + piece <= len; at++)
        if (memmem(text, strlen(text), secret + at, piece))
            return true;
    return false;
}

static void leave_out_secrets(const struct token_request *req, struct api_error *error)
{
    for (size_t i = 0; i < TOKEN_SECRETS; i++) {
        if (!req->secrets[i])
            continue;
        if (repeats(error->message, req->secrets[i]))
            snprintf(error->message, sizeof error->message, "(not shown: it repeats a secret)");
        if (repeats(error->reason, req->secrets[i]))
            error->reason[0] = '\0';
    }
}

static int refused(const struct token_request *req, const struct http_answer *answer,
                   struct token_refusal *ret_why, struct err *err)
{
    struct api_error error;
    const char *date = http_header(answer, "Date", 0);
    api_error_read(answer, &error);
    leave_out_secrets(req, &error);
    if (ret_why) {
        time_t at = date ? curl_getdate(date, NULL) : -1;
        *ret_why = (struct token_refusal){.error = error, .date_s = at > 0 ? at : 0};
    }
    return err_set(err, ERR_REMOTE, 0, "%s: HTTP %d%s%s%s%s", req->what, error.status,
                   error.reason[0] ? ": " : "", error.reason, error.message[0] ? ": " : "", error.message);
}

int token_request(const struct token_context *ctx, const struct token_request *req, const struct run *run,
                  struct http_answer *ret, struct token_refusal *ret_why, struct err *err)
{
    struct http_header headers[8] = {{0}};
    size_t count = 0;
    for (; count < req->header_count && count < 7; count++)
        headers[count] = req->headers[count];
    if (req->content_type)
        headers[count++] = (struct http_header){"Content-Type", req->content_type};
    struct http_request made = {.method = req->content_type ? "POST" : "GET",
                                .url = req->url,
                                .what = req->what,
                                .headers = headers,
                                .header_count = count,
                                .bearer = req->bearer,
                                .body = req->content_type ? HTTP_MEMORY : HTTP_NO_BODY,
                                .answer_max = TOKEN_ANSWER_MAX,
                                .answer_s = 60,
                                .metadata = req->metadata,
                                .secret = true};
    if (req->content_type) {
        made.memory = req->body->data;
        made.len = req->body->len;
    }
    struct retry retry;
    if (ret_why)
        *ret_why = (struct token_refusal){0};
    retry_begin(&retry, "cloud", &ctx->retry, ctx->clock);
    for (;;) {
        cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
        if (http_exchange(ctx->http, &made, run, &answer, err) < 0) {
            if (retry_error(&retry, req->what, run, err) < 0)
                return -1;
            continue;
        }
        if (answer.status == 200) {
            *ret = answer;
            answer = (struct http_answer)HTTP_ANSWER_EMPTY;
            return 0;
        }
        refused(req, &answer, ret_why, err);
        if (!api_retry_wanted(&answer) || retry_again(&retry, req->what, &answer, run, err) < 0)
            return -1;
    }
}

bool token_text_ok(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f)
            return false;
    return len > 0 && len <= TOKEN_MAX;
}

static int take_token(const cJSON *node, const char *what, struct token *ret, struct err *err)
{
    const char *text = cJSON_GetStringValue(node);
    if (!text || !token_text_ok(text, strlen(text)))
        return err_set(err, ERR_REMOTE, 0, "%s: the answer has no valid access token", what);
    return sensitive_set(&ret->text, text, strlen(text), err);
}

/* Whole seconds, as a number or as digits; without it the default applies (RFC 6749 section 5.1). */
static bool take_lifetime(const cJSON *node, int64_t *ret)
{
    double seconds = LIFETIME_DEFAULT_S;
    if (cJSON_IsNumber(node)) {
        seconds = node->valuedouble;
    } else if (cJSON_IsString(node)) {
        size_t len = strlen(node->valuestring);
        if (len == 0 || len > 9 || strspn(node->valuestring, "0123456789") != len)
            return false;
        seconds = (double)strtol(node->valuestring, NULL, 10);
    } else if (node && !cJSON_IsNull(node)) {
        return false;
    }
    if (!(seconds > 0))
        return false;
    *ret = seconds < LIFETIME_MAX_S ? (int64_t)seconds : LIFETIME_MAX_S;
    return true;
}

static int parse(const char *text, size_t len, const char *what, struct json_doc **ret, struct err *err)
{
    if (json_parse(text ? text : "", len, "the answer", JSON_STRICT, ERR_REMOTE, ret, err) < 0)
        return err_wrap(err, "%s", what);
    if (!cJSON_IsObject(json_root(*ret)))
        return err_set(err, ERR_REMOTE, 0, "%s: the answer is not a JSON object", what);
    return 0;
}

static const cJSON *member(const struct json_doc *doc, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(json_root(doc), key);
}

int token_answer_oauth(const char *text, size_t len, const char *what, struct token *ret, struct err *err)
{
    cleanup_sensitive_json struct json_doc *doc = NULL;
    cleanup_token struct token made = {0};
    if (parse(text, len, what, &doc, err) < 0)
        return -1;
    if (take_token(member(doc, "access_token"), what, &made, err) < 0)
        return -1;
    if (!take_lifetime(member(doc, "expires_in"), &made.lifetime_s))
        return err_set(err, ERR_REMOTE, 0, "%s: the answer's expires_in is not a time", what);
    *ret = made;
    made = (struct token){0};
    return 0;
}

int token_answer_iam(const char *text, size_t len, const char *what, int64_t now_s, struct token *ret,
                     struct err *err)
{
    cleanup_sensitive_json struct json_doc *doc = NULL;
    cleanup_token struct token made = {0};
    int64_t at = 0;
    if (parse(text, len, what, &doc, err) < 0)
        return -1;
    if (take_token(member(doc, "accessToken"), what, &made, err) < 0)
        return -1;
    const char *expires = cJSON_GetStringValue(member(doc, "expireTime"));
    if (!expires || !token_time_read(expires, &at))
        return err_set(err, ERR_REMOTE, 0, "%s: the answer's expireTime is not a time", what);
    if (at <= now_s)
        return err_set(err, ERR_REMOTE, 0,
                       "%s: the token had expired when it arrived: is this machine's clock right?", what);
    made.lifetime_s = at - now_s < LIFETIME_MAX_S ? at - now_s : LIFETIME_MAX_S;
    *ret = made;
    made = (struct token){0};
    return 0;
}

bool token_time_read(const char *text, int64_t *ret)
{
    struct tm tm = {0};
    static const char shape[] = "0000-00-00T00:00:00";
    for (size_t i = 0; shape[i]; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == '0' ? !digit : text[i] != shape[i])
            return false;
    }
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!at || at != text + sizeof shape - 1)
        return false;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++)
            continue;
    int64_t offset = 0;
    if ((*at == '+' || *at == '-') && strlen(at) == 6 && at[3] == ':') {
        for (int i = 1; i < 6; i++)
            if (i != 3 && (at[i] < '0' || at[i] > '9'))
                return false;
        offset = ((at[1] - '0') * 10 + at[2] - '0') * 3600 + ((at[4] - '0') * 10 + at[5] - '0') * 60;
        offset = *at == '-' ? -offset : offset;
    } else if (strcmp(at, "Z") != 0 && strcmp(at, "z") != 0) {
        return false;
    }
    *ret = (int64_t)timegm(&tm) - offset;
    return true;
}

/* The scheme and host of an endpoint that the environment names. */
static bool same_host(const struct url_parts *parts, const char *override)
{
    struct url_parts other;
    struct err ignored;
    return override && url_parts(override, &other, &ignored) == 0 && strcmp(parts->host, other.host) == 0 &&
           parts->https == other.https;
}

int token_url_check(const struct token_context *ctx, const struct json_doc *doc, const cJSON *object,
                    const char *field, const char *url, struct err *err)
{
    struct url_parts parts;
    struct err why = {0};
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(object, field);
    if (url_parts(url, &parts, &why) < 0)
        return json_error(doc, node, err, "\"%s\": %s", field, why.text);
    if (parts.https && url_host_under(&parts, ctx->endpoints->universe))
        return 0;
    if (!parts.https && parts.loopback)
        return 0;
    if (parts.https && (same_host(&parts, ctx->env->token) || same_host(&parts, ctx->env->sts) ||
                        same_host(&parts, ctx->env->iamcredentials)))
        return 0;
    if (!parts.https)
        return json_error(doc, node, err, "\"%s\": secrets are sent over https only, not to http://%s", field,
                          parts.host);
    return json_error(
        doc, node, err,
        "\"%s\": secrets are sent to hosts under %s only, not to %s; if that is intended, name it in "
        "the environment (CLOUDSDK_AUTH_TOKEN_HOST, CLOUDSDK_API_ENDPOINT_OVERRIDES_STS, "
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS)",
        field, ctx->endpoints->universe, parts.host);
}

int token_field(const struct json_doc *doc, const cJSON *object, const char *key, bool required,
                const char **ret, struct err *err)
{
    const char *text = NULL;
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!required && cJSON_IsNull(node)) { /* Google's own tools write null */
        *ret = NULL;
        return 0;
    }
    if (json_get_string(doc, object, key, required, &text, err) < 0)
        return -1;
    if (text && !text[0] && required)
        return json_error(doc, node, err, "\"%s\" is empty", key);
    for (const char *c = text; c && *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return json_error(doc, node, err, "\"%s\" has a control character", key);
    *ret = text && text[0] ? text : NULL;
    return 0;
}
