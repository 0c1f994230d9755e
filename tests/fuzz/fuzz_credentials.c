/* External input of the cloud stage: credential files, token answers, Google's errors, URLs.
 *
 *   clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/fuzz_credentials.c libbake.a
 *
 * The first byte selects the reader. Sends no requests: token sources are created and freed. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/auth/token_request.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

/* An accepted source has a name, and sends its secrets only to hosts that may have them. */
static void fuzz_file(const char *text, size_t len)
{
    struct err err = {0};
    struct cloud_env env = {0};
    struct endpoints endpoints;
    cleanup_sensitive_json struct json_doc *doc = NULL;
    cleanup_token_source struct token_source *source = NULL;
    check(endpoints_fill(&env, NULL, &endpoints, &err) == 0);
    struct token_context ctx = {.endpoints = &endpoints, .env = &env, .scope = "s", .clock = &clock_machine};
    if (json_parse(text, len, "f", JSON_STRICT, ERR_RECIPE, &doc, &err) < 0 ||
        !cJSON_IsObject(json_root(doc)))
        return;
    if (token_source_from(doc, json_root(doc), &ctx, &source, &err) < 0) {
        check(err.kind == ERR_RECIPE && err.text[0]);
        return;
    }
    check(source->who[0] && source->ops->hint);
}

static void fuzz_answer(const char *text, size_t len)
{
    struct err err = {0};
    cleanup_token struct token oauth = {0}, iam = {0};
    if (token_answer_oauth(text, len, "w", &oauth, &err) == 0)
        check(oauth.lifetime_s > 0 && token_text_ok(oauth.text.text, oauth.text.len));
    else
        check(err.kind == ERR_REMOTE && !oauth.text.text);
    if (token_answer_iam(text, len, "w", 1700000000, &iam, &err) == 0)
        check(iam.lifetime_s > 0 && token_text_ok(iam.text.text, iam.text.len));
    else
        check(err.kind == ERR_REMOTE && !iam.text.text);
}

static void fuzz_error(const char *text, size_t len)
{
    struct api_error error;
    struct http_answer answer = {.status = 400, .body = BUF_INIT(1 << 17)};
    buf_add(&answer.body, text, len);
    api_error_read(&answer, &error);
    const char *const said[] = {error.reason, error.message};
    for (size_t i = 0; i < 2; i++) {
        check(utf8_ok(said[i], strlen(said[i])));
        for (const char *c = said[i]; *c; c++)
            check((unsigned char)*c >= 0x20 && *c != 0x7f);
    }
    http_answer_free(&answer);
}

/* A host accepted as Google's is in Google's domain, and libcurl parses the URL, too. */
static void fuzz_url(const char *text)
{
    struct url_parts parts;
    struct err err = {0};
    int64_t at = 0;
    if (url_parts(text, &parts, &err) < 0)
        check(err.kind == ERR_RECIPE);
    else if (url_host_under(&parts, "googleapis.com"))
        check(!parts.loopback && !parts.link_local && strstr(parts.host, "googleapis.com"));
    if (token_time_read(text, &at))
        check(strlen(text) >= 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 16)
        return 0;
    char *text = malloc(size);
    if (!text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 4 == 0)
        fuzz_file(text, size - 1);
    else if (data[0] % 4 == 1)
        fuzz_answer(text, size - 1);
    else if (data[0] % 4 == 2)
        fuzz_error(text, size - 1);
    else
        fuzz_url(text);
    free(text);
    return 0;
}
