#include "cloud/client/api.h"

#include <string.h>
#include <time.h>

void api_result_free(struct api_result *result)
{
    json_free(result->doc);
    *result = (struct api_result){0};
}

int api_send(const struct api *api, const struct http_request *req, struct api_result *ret, struct err *err)
{
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    struct api_result made = {0};
    if (client_call(api->client, req, api->run, &answer, err) < 0)
        return -1;
    made.status = answer.status;
    if (!api_ok(&made))
        api_error_read(&answer, &made.error);
    else if (answer.body.len > 0 && !req->sink &&
             json_parse(answer.body.data, answer.body.len, req->what ? req->what : "the answer", JSON_STRICT,
                        ERR_REMOTE, &made.doc, err) < 0)
        return err_wrap(err, "the server's answer is not JSON");
    *ret = made;
    return 0;
}

int api_call(const struct api *api, const char *method, const char *url, const struct buf *body,
             const char *what, struct api_result *ret, struct err *err)
{
    static const struct http_header json[] = {{"Content-Type", "application/json"}};
    struct http_request req = {.method = method, .url = url, .what = what};
    if (body) {
        if (buf_check(body, what, err) < 0)
            return -1;
        req.headers = json;
        req.header_count = 1;
        req.body = HTTP_MEMORY;
        req.memory = body->data;
        req.len = body->len;
    }
    return api_send(api, &req, ret, err);
}

static bool lacks_permission(const struct api_error *error)
{
    static const char *const reasons[] = {
        "",         "forbidden", "insufficientPermissions", "PERMISSION_DENIED", "IAM_PERMISSION_DENIED",
        "required", "authError"};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(error->reason, reasons[i]) == 0)
            return true;
    return false;
}

int api_refused(const struct api_result *result, const char *what, const char *role, struct err *err)
{
    const struct api_error *error = &result->error;
    err_set(err, ERR_REMOTE, 0, "%s: HTTP %d%s%s%s%s", what, result->status, error->reason[0] ? ": " : "",
            error->reason, error->message[0] ? ": " : "", error->message);
    size_t len = strlen(err->text);
    if (len >= sizeof err->text)
        return -1;
    if (strcmp(error->reason, "quotaExceeded") == 0)
        snprintf(err->text + len, sizeof err->text - len,
                 "; ask for more quota, or make room with bake prune");
    else if (role && (result->status == 401 || result->status == 403) && lacks_permission(error))
        snprintf(err->text + len, sizeof err->text - len, "; the role that allows it: %s", role);
    return -1;
}

const char *api_text(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

uint64_t api_uint(const cJSON *object, const char *key)
{
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(object, key);
    if (cJSON_IsNumber(node) && node->valuedouble >= 0 && node->valuedouble < 9007199254740992.0)
        return (uint64_t)node->valuedouble;
    const char *text = cJSON_GetStringValue(node);
    uint64_t value = 0;
    if (!text || !*text)
        return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > (UINT64_MAX - 9) / 10)
            return 0;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    return value;
}

bool api_time(const char *text, int64_t *ret_ms)
{
    struct tm tm = {0};
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!at)
        return false;
    int64_t ms = (int64_t)timegm(&tm) * 1000;
    if (*at == '.') {
        int64_t unit = 100;
        for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
            ms += unit * (*at - '0');
    }
    if (strcmp(at, "Z") != 0) {
        unsigned hours, minutes;
        int end = 0;
        if ((*at != '+' && *at != '-') || sscanf(at + 1, "%2u:%2u%n", &hours, &minutes, &end) != 2 ||
            at[1 + end] || hours > 23 || minutes > 59)
            return false;
        int64_t offset = ((int64_t)hours * 60 + minutes) * 60000;
        ms += *at == '-' ? offset : -offset;
    }
    *ret_ms = ms;
    return true;
}
