#include "cloud/api/error.h"

#include <stdio.h>
#include <string.h>

#include "json/json.h"
#include "text/utf8.h"

void api_error_safe(const char *from, size_t len, char *to, size_t capacity)
{
    static const char cut[] = "...";
    size_t out = 0;
    bool space = true; /* runs of white space become one blank, none at the start */
    for (size_t at = 0; at < len;) {
        size_t n = utf8_char(from + at, len - at);
        bool blank = n == 1 && strchr(" \t\r\n", from[at]);
        bool bad = n == 0 || (!blank && utf8_is_control(from + at, n));
        size_t add = bad || blank ? 1 : n;
        if (out + add + sizeof cut > capacity) {
            memcpy(to + out, cut, sizeof cut - 1);
            out += sizeof cut - 1;
            break;
        }
        if (bad)
            to[out++] = '?';
        else if (!blank) {
            memcpy(to + out, from + at, n);
            out += n;
        } else if (!space)
            to[out++] = ' ';
        space = blank;
        at += n ? n : 1;
    }
    while (out > 0 && to[out - 1] == ' ')
        out--;
    to[out] = '\0';
}

static const char *text_of(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static void set_once(const char *text, char *to, size_t capacity)
{
    if (text && !to[0])
        api_error_safe(text, strlen(text), to, capacity);
}

static bool same_word(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == '_')
            a++;
        while (*b == '_')
            b++;
        if ((*a | 0x20) != (*b | 0x20))
            return false;
        if (!*a || !*b)
            return *a == *b;
    }
}

/* Sources: Google's API client for Python (http.py), google-auth (transport), terraform-provider-google
 * (error_retry_predicates.go), and "Rate quotas" and "Best practices" of Compute Engine's documentation. */
bool api_error_temporary(const char *reason)
{
    static const char *const table[] = {
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "concurrentLimitExceeded",
        "concurrentOperationsQuotaExceeded",
        "resourceOperationRateExceeded",
        "resourceNotReady",
        "operationInProgress",
        "backendError",
        "serverError",
        "internalFailure",
        "unavailable",
        "temporarilyUnavailable",
    };
    for (size_t i = 0; reason && i < sizeof table / sizeof *table; i++)
        if (same_word(reason, table[i]))
            return true;
    return false;
}

/* The "reason" of each element. */
static bool any_temporary(const cJSON *array)
{
    bool temporary = false;
    for (const cJSON *item = cJSON_IsArray(array) ? array->child : NULL; item && !temporary;
         item = item->next)
        temporary = api_error_temporary(text_of(item, "reason"));
    return temporary;
}

static void from_json(const cJSON *root, struct api_error *ret)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
    if (cJSON_IsString(error)) {
        set_once(error->valuestring, ret->reason, sizeof ret->reason);
        set_once(text_of(root, "error_description"), ret->message, sizeof ret->message);
        ret->temporary = api_error_temporary(error->valuestring);
        return;
    }
    const cJSON *errors = cJSON_GetObjectItemCaseSensitive(error, "errors");
    const cJSON *first = cJSON_GetArrayItem(errors, 0);
    set_once(text_of(first, "reason"), ret->reason, sizeof ret->reason);
    set_once(text_of(error, "status"), ret->reason, sizeof ret->reason);
    set_once(text_of(error, "message"), ret->message, sizeof ret->message);
    set_once(text_of(first, "message"), ret->message, sizeof ret->message);
    ret->temporary = any_temporary(errors) || api_error_temporary(text_of(error, "status")) ||
                     any_temporary(cJSON_GetObjectItemCaseSensitive(error, "details"));
}

void api_error_read(const struct http_answer *answer, struct api_error *ret)
{
    const struct buf *body = &answer->body;
    struct err ignored;
    cleanup_json struct json_doc *doc = NULL;
    *ret = (struct api_error){.status = answer->status};
    if (body->len == 0)
        return;
    if (json_parse(body->data, body->len, "answer", JSON_STRICT, ERR_REMOTE, &doc, &ignored) == 0) {
        from_json(json_root(doc), ret);
        return;
    }
    if (body->data[0] != '<') /* an HTML page does not help */
        api_error_safe(body->data, strnlen(body->data, body->len), ret->message, sizeof ret->message);
}

int api_error_set(const struct http_answer *answer, const char *what, struct err *err)
{
    struct api_error error;
    api_error_read(answer, &error);
    return err_set(err, ERR_REMOTE, 0, "%s: HTTP %d%s%s%s%s", what, error.status, error.reason[0] ? ": " : "",
                   error.reason, error.message[0] ? ": " : "", error.message);
}
