#include "node/json_pull.h"

#include <string.h>

#include "text/bytes.h"
#include "text/hex.h"
#include "text/utf8.h"

void json_pull_fail(struct json_pull *j, const char *message)
{
    if (!j->message)
        j->message = message;
}

static void skip_space(struct json_pull *j)
{
    while (j->at < j->len && j->text[j->at] != '\0' && strchr(" \t\r\n", j->text[j->at]))
        j->at++;
}

char json_pull_peek(struct json_pull *j)
{
    skip_space(j);
    return j->message || j->at >= j->len ? '\0' : j->text[j->at];
}

static bool take_byte(struct json_pull *j, char c)
{
    if (json_pull_peek(j) != c)
        return false;
    j->at++;
    return true;
}

void json_pull_open(struct json_pull *j, char bracket)
{
    if (!take_byte(j, bracket))
        json_pull_fail(j, bracket == '{' ? "an object is expected" : "an array is expected");
    else if (++j->depth > JSON_PULL_DEPTH_MAX)
        json_pull_fail(j, "it is nested too deeply");
    j->first = true;
}

/* At the start of a container or the end of an element: true if another element follows. */
static bool next_element(struct json_pull *j, char close)
{
    if (j->message)
        return false;
    bool first = j->first;
    j->first = false;
    if (take_byte(j, close)) {
        j->depth--;
        return false;
    }
    if (!first && !take_byte(j, ','))
        json_pull_fail(j, "a comma or a closing bracket is expected");
    return !j->message;
}

bool json_pull_item(struct json_pull *j)
{
    return next_element(j, ']');
}

/* Reads four hex digits; -1 if they are not there. */
static int take_hex4(struct json_pull *j)
{
    uint8_t bytes[2];
    if (j->len - j->at < 4 || !hex_read(j->text + j->at, bytes, sizeof bytes))
        return -1;
    j->at += 4;
    return be16_read(bytes);
}

static size_t to_utf8(unsigned code, char out[static 4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(lead[len] | code);
    return len;
}

/* Reads the rest of an escape after "\u". */
static size_t take_unicode(struct json_pull *j, char out[static 4])
{
    int high = take_hex4(j);
    if (high > 0 && (high < 0xd800 || high > 0xdfff))
        return to_utf8((unsigned)high, out);
    if (high >= 0xd800 && high < 0xdc00 && j->len - j->at >= 6 && memcmp(j->text + j->at, "\\u", 2) == 0) {
        j->at += 2;
        int low = take_hex4(j);
        if (low >= 0xdc00 && low <= 0xdfff)
            return to_utf8(0x10000 + (((unsigned)high - 0xd800) << 10) + ((unsigned)low - 0xdc00), out);
    }
    json_pull_fail(j, "a \\u escape is wrong");
    return 0;
}

/* Reads one character of a string, resolving escapes. */
static size_t take_char(struct json_pull *j, char out[static 4])
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    size_t len = utf8_char(j->text + j->at, j->len - j->at);
    if (len == 0 || (unsigned char)j->text[j->at] < 0x20) {
        json_pull_fail(j, len == 0 ? "a string is not UTF-8" : "a control character stands in a string");
        return 0;
    }
    memcpy(out, j->text + j->at, len);
    j->at += len;
    if (out[0] != '\\')
        return len;
    char c = j->at < j->len ? j->text[j->at++] : '\0';
    if (c == 'u')
        return take_unicode(j, out);
    const char *name = c ? strchr(names, c) : NULL;
    if (!name) {
        json_pull_fail(j, "an escape is unknown");
        return 0;
    }
    out[0] = values[name - names];
    return 1;
}

/* Reads a string; true if it fits. OUT may be NULL if CAP is 0. */
static bool read_string(struct json_pull *j, char *out, size_t cap)
{
    size_t used = 0;
    bool fits = cap > 0;
    if (!take_byte(j, '"'))
        json_pull_fail(j, "a string is expected");
    while (!j->message) {
        char c[4];
        if (j->at >= j->len) {
            json_pull_fail(j, "a string has no end");
            break;
        }
        if (j->text[j->at] == '"') {
            j->at++;
            break;
        }
        size_t len = take_char(j, c);
        fits = fits && len < cap - used;
        if (fits)
            memcpy(out + used, c, len);
        used += fits ? len : 0;
    }
    if (cap > 0)
        out[fits && !j->message ? used : 0] = '\0';
    return fits;
}

bool json_pull_key(struct json_pull *j, char *key, size_t cap)
{
    if (!next_element(j, '}'))
        return false;
    (void)read_string(j, key, cap);
    if (!take_byte(j, ':'))
        json_pull_fail(j, "a colon is expected");
    return !j->message;
}

void json_pull_string(struct json_pull *j, char *out, size_t cap)
{
    if (!read_string(j, out, cap))
        json_pull_fail(j, "a string is too long");
}

static size_t take_digits(struct json_pull *j)
{
    size_t start = j->at;
    while (j->at < j->len && j->text[j->at] >= '0' && j->text[j->at] <= '9')
        j->at++;
    return j->at - start;
}

/* The grammar of RFC 8259 section 6. */
static void skip_number(struct json_pull *j)
{
    if (j->text[j->at] == '-')
        j->at++;
    size_t first = j->at;
    size_t digits = take_digits(j);
    bool ok = digits == 1 || (digits > 1 && j->text[first] != '0');
    if (ok && j->at < j->len && j->text[j->at] == '.') {
        j->at++;
        ok = take_digits(j) > 0;
    }
    if (ok && j->at < j->len && (j->text[j->at] == 'e' || j->text[j->at] == 'E')) {
        j->at++;
        if (j->at < j->len && (j->text[j->at] == '+' || j->text[j->at] == '-'))
            j->at++;
        ok = take_digits(j) > 0;
    }
    if (!ok)
        json_pull_fail(j, "a value is expected");
}

uint64_t json_pull_uint(struct json_pull *j)
{
    uint64_t value = 0;
    char c = json_pull_peek(j);
    size_t start = j->at;
    if (c < '0' || c > '9') {
        json_pull_fail(j, "a number is expected");
        return 0;
    }
    skip_number(j);
    for (size_t i = start; i < j->at && !j->message; i++)
        if (j->text[i] < '0' || j->text[i] > '9' || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(j->text[i] - '0'), &value))
            json_pull_fail(j, "a number is not an integer below 2^64");
    return j->message ? 0 : value;
}

void json_pull_digits(struct json_pull *j, char *out, size_t cap)
{
    if (json_pull_peek(j) == '"') {
        json_pull_string(j, out, cap);
        return;
    }
    size_t start = j->at;
    (void)json_pull_uint(j);
    size_t len = j->at - start;
    if (!j->message && len >= cap)
        json_pull_fail(j, "a number is too long");
    memcpy(out, j->text + start, j->message ? 0 : len);
    out[j->message ? 0 : len] = '\0';
}

static void skip_literal(struct json_pull *j)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t len = strlen(words[i]);
        if (j->len - j->at >= len && memcmp(j->text + j->at, words[i], len) == 0) {
            j->at += len;
            return;
        }
    }
    json_pull_fail(j, "a value is expected");
}

void json_pull_skip(struct json_pull *j)
{
    char c = json_pull_peek(j), key[1];
    if (c == '{') {
        for (json_pull_open(j, '{'); json_pull_key(j, key, sizeof key);)
            json_pull_skip(j);
    } else if (c == '[') {
        for (json_pull_open(j, '['); json_pull_item(j);)
            json_pull_skip(j);
    } else if (c == '"') {
        (void)read_string(j, NULL, 0);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        skip_number(j);
    } else if (!j->message) {
        skip_literal(j);
    }
}

int json_pull_end(struct json_pull *j, const char *name, struct err *err)
{
    if (!j->message && json_pull_peek(j) != '\0')
        json_pull_fail(j, "there is text after its end");
    else if (!j->message && j->at < j->len)
        json_pull_fail(j, "there is a NUL after its end");
    if (j->message)
        return err_set(err, ERR_VERIFY, 0, "%s: byte %zu: %s", name, j->at, j->message);
    return 0;
}
