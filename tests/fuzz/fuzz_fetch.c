/* The parsers of fetch and the cache: URLs, response headers, notes.
 *
 *   clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/fuzz_fetch.c libbake.a
 *
 * The first byte selects the parser. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/head.h"
#include "http/url.h"
#include "io/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

/* Parsing an accepted URL again changes nothing. */
static void fuzz_url(const char *text)
{
    struct err err = {0};
    cleanup_url struct url url = {0}, again = {0};
    if (url_parse(text, &url, &err) < 0) {
        check(err.kind == ERR_RECIPE);
        return;
    }
    if (url.scheme == URL_FILE) {
        check(url.path[0] == '/');
        return;
    }
    /* the only error allowed: escaping may lengthen a URL beyond the cap */
    if (url_parse(url.clean, &again, &err) < 0) {
        check(strlen(url.clean) > HTTP_URL_MAX);
        return;
    }
    check(!again.user && !again.password && strcmp(again.clean, url.clean) == 0 &&
          strcmp(again.site, url.site) == 0);
}

static void fuzz_head(const char *text, size_t len)
{
    struct fetch_head head = {0};
    char validator[FETCH_TAG_CAP];
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at + 1 : len - at;
        if (!fetch_head_line(&head, text + at, n))
            break;
        at += n;
    }
    check(!head.range_given || head.range_first <= head.range_last);
    fetch_head_validator(&head, validator);
    check(validator[0] == '\0' || note_value_ok(validator));
}

/* An accepted note is written back as the same bytes. */
static void fuzz_note(const char *text, size_t len)
{
    char a[16], b[300];
    const struct note_field fields[] = {{"a", a, sizeof a}, {"b", b, sizeof b}};
    uint64_t n = 0;
    if (!note_parse(text, len, "bake 1", fields, 2))
        return;
    cleanup_buf struct buf back = BUF_INIT(NOTE_MAX);
    note_format(&back, "bake 1", fields, 2);
    check(!back.failed && back.len == len && memcmp(back.data, text, len) == 0);
    if (note_uint(a, &n)) {
        char digits[24];
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
        check(strcmp(digits, a) == 0);
    }
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
    if (data[0] % 3 == 0)
        fuzz_url(text);
    else if (data[0] % 3 == 1)
        fuzz_head(text, size - 1);
    else
        fuzz_note(text, size - 1);
    free(text);
    return 0;
}
