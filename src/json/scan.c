#include "json/scan.h"

#include <stdarg.h>
#include <string.h>

#include "text/bytes.h"
#include "text/hex.h"

static int fault(struct json_scan *s, size_t at, const char *fmt, ...) print_like(3, 4);
static int fault(struct json_scan *s, size_t at, const char *fmt, ...)
{
    s->fault = at;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->message, sizeof s->message, fmt, ap);
    va_end(ap);
    return -1;
}

static int peek(const struct json_scan *s)
{
    return s->at < s->len ? (unsigned char)s->text[s->at] : -1;
}

/* What stands at the current place, for "expected X, found Y". */
static int unexpected(struct json_scan *s, const char *expected)
{
    int c = peek(s);
    if (c < 0)
        return fault(s, s->at, "expected %s, but the text ends here", expected);
    if (c == '/' && !(s->flags & JSON_COMMENTS))
        return fault(s, s->at, "expected %s, found '/': comments are not allowed in this file", expected);
    if (c > 0x20 && c < 0x7f)
        return fault(s, s->at, "expected %s, found '%c'", expected, c);
    return fault(s, s->at, "expected %s, found byte 0x%02x", expected, (unsigned)c);
}

/* Blanks the comment at the current position but keeps newlines, and so line numbers. */
static int skip_comment(struct json_scan *s)
{
    size_t start = s->at;
    const char *from = s->text + start + 2;
    size_t left = s->len - start - 2;
    size_t end;
    if (s->text[start + 1] == '/') {
        const char *newline = memchr(from, '\n', left);
        end = newline ? (size_t)(newline - s->text) : s->len;
    } else {
        const char *close = memmem(from, left, "*/", 2);
        if (!close)
            return fault(s, start, "unterminated comment: \"*/\" is missing");
        end = (size_t)(close - s->text) + 2;
    }
    for (size_t i = start; i < end; i++)
        if (s->text[i] != '\n')
            s->text[i] = ' ';
    s->at = end;
    return 0;
}

static int skip_space(struct json_scan *s)
{
    for (;;) {
        int c = peek(s);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            s->at++;
            continue;
        }
        bool comment = c == '/' && (s->flags & JSON_COMMENTS) && s->at + 1 < s->len &&
                       (s->text[s->at + 1] == '/' || s->text[s->at + 1] == '*');
        if (!comment)
            return 0;
        if (skip_comment(s) < 0)
            return -1;
    }
}

/* Four hex digits at OFF, or -1. */
static int hex4(const struct json_scan *s, size_t off)
{
    uint8_t bytes[2];
    return s->len - off >= 4 && hex_read(s->text + off, bytes, sizeof bytes) ? be16_read(bytes) : -1;
}

static int scan_unicode_escape(struct json_scan *s)
{
    size_t start = s->at;
    int code = hex4(s, start + 2);
    if (code < 0)
        return fault(s, start, "\\u needs four hex digits");
    if (code == 0)
        return fault(s, start, "\\u0000 is not allowed: strings cannot hold a NUL");
    s->at += 6;
    if (code >= 0xdc00 && code <= 0xdfff)
        return fault(s, start, "\\u escape is the second half of a surrogate pair without the first");
    if (code < 0xd800 || code > 0xdbff)
        return 0;
    int low =
        s->len - s->at >= 6 && s->text[s->at] == '\\' && s->text[s->at + 1] == 'u' ? hex4(s, s->at + 2) : -1;
    if (low < 0xdc00 || low > 0xdfff)
        return fault(s, start, "\\u escape is the first half of a surrogate pair without the second");
    s->at += 6;
    return 0;
}

static int scan_string(struct json_scan *s)
{
    size_t start = s->at++;
    for (;;) {
        int c = peek(s);
        if (c < 0)
            return fault(s, start, "unterminated string: '\"' is missing");
        if (c == '\n')
            return fault(s, start, "unterminated string: write a line break as \\n");
        if (c < 0x20)
            return fault(s, s->at, "control character 0x%02x in a string: write it as \\u%04x", (unsigned)c,
                         (unsigned)c);
        if (c == '"') {
            s->at++;
            return 0;
        }
        if (c != '\\') {
            s->at++;
            continue;
        }
        int next = s->at + 1 < s->len ? s->text[s->at + 1] : 0;
        if (next == 'u') {
            if (scan_unicode_escape(s) < 0)
                return -1;
        } else if (next != 0 && strchr("\"\\/bfnrt", next)) {
            s->at += 2;
        } else {
            return fault(s, s->at, "unknown escape in a string: write \\\\ for a backslash");
        }
    }
}

/* True when DIGITS * 10^EXP is a double, exactly. */
static bool exact(uint64_t digits, long exp)
{
    if (digits == 0)
        return true;
    for (; exp < 0; exp++) { /* 10^-n = 5^-n * 2^-n: only 5^n has to divide */
        if (digits % 5 != 0)
            return false;
        digits /= 5;
    }
    for (; exp > 0; exp--)
        if (__builtin_mul_overflow(digits, (uint64_t)10, &digits))
            return false;
    return digits <= (uint64_t)1 << 53;
}

/* The mantissa [AT, END) as an integer without trailing zeros and a power of ten; false if it has too many
 * digits. */
static bool mantissa(const struct json_scan *s, size_t at, size_t end, uint64_t *ret_digits, long *ret_exp)
{
    uint64_t value = 0;
    long exp = 0, zeros = 0;
    bool fraction = false;
    for (; at < end; at++) {
        char c = s->text[at];
        if (c == '.') {
            fraction = true;
            continue;
        }
        if (fraction)
            exp--;
        zeros++;
        if (c == '0')
            continue;
        for (; zeros > 0 && value > 0; zeros--)
            if (__builtin_mul_overflow(value, (uint64_t)10, &value))
                return false;
        zeros = 0;
        if (__builtin_add_overflow(value, (uint64_t)(c - '0'), &value))
            return false;
    }
    *ret_digits = value;
    *ret_exp = exp + zeros;
    return true;
}

static bool skip_digits(struct json_scan *s)
{
    size_t start = s->at;
    while (peek(s) >= '0' && peek(s) <= '9')
        s->at++;
    return s->at > start;
}

static int scan_number(struct json_scan *s)
{
    size_t start = s->at;
    if (peek(s) == '-')
        s->at++;
    size_t first = s->at;
    if (!skip_digits(s))
        return unexpected(s, "a digit");
    if (s->text[first] == '0' && s->at > first + 1)
        return fault(s, start, "a number must not start with a zero");
    if (peek(s) == '.') {
        s->at++;
        if (!skip_digits(s))
            return unexpected(s, "a digit after the point");
    }
    size_t end = s->at;
    long power = 0;
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        bool minus = peek(s) == '-';
        if (minus || peek(s) == '+')
            s->at++;
        size_t at = s->at;
        if (!skip_digits(s))
            return unexpected(s, "a digit of the exponent");
        for (; at < s->at && power < 100000; at++)
            power = power * 10 + (s->text[at] - '0');
        power = minus ? -power : power;
    }
    uint64_t digits;
    long exp;
    if (!mantissa(s, first, end, &digits, &exp) || !exact(digits, exp + power))
        return fault(s, start, "this number cannot be represented exactly: use an integer of at most 2^53");
    return 0;
}

static int add_mark(struct json_scan *s, size_t key)
{
    if (s->count == JSON_VALUES_MAX)
        return fault(s, s->at, "more than %d values", JSON_VALUES_MAX);
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 64;
        struct json_mark *grown = reallocarray(s->marks, capacity, sizeof *grown);
        if (!grown)
            return fault(s, s->at, "out of memory");
        s->marks = grown;
        s->capacity = capacity;
    }
    s->marks[s->count++] = (struct json_mark){.key = key, .value = s->at};
    return 0;
}

static int scan_value(struct json_scan *s, size_t key);

static int scan_member(struct json_scan *s)
{
    size_t key = s->at;
    if (peek(s) != '"')
        return unexpected(s, "a key in double quotes");
    if (scan_string(s) < 0 || skip_space(s) < 0)
        return -1;
    if (peek(s) != ':')
        return unexpected(s, "':' after the key");
    s->at++;
    if (skip_space(s) < 0)
        return -1;
    return scan_value(s, key);
}

/* An object or an array; the current position is its opening bracket. */
static int scan_container(struct json_scan *s, bool object)
{
    char close = object ? '}' : ']';
    if (s->depth == JSON_DEPTH_MAX)
        return fault(s, s->at, "nested deeper than %d levels", JSON_DEPTH_MAX);
    s->depth++;
    s->at++;
    size_t comma = 0;
    for (;;) {
        if (skip_space(s) < 0)
            return -1;
        if (peek(s) == close && (comma == 0 || (s->flags & JSON_COMMENTS))) {
            if (comma > 0)
                s->text[comma] = ' ';
            break;
        }
        if ((object ? scan_member(s) : scan_value(s, s->at)) < 0 || skip_space(s) < 0)
            return -1;
        if (peek(s) == close)
            break;
        if (peek(s) != ',')
            return unexpected(s, object ? "',' or '}'" : "',' or ']'");
        comma = s->at++;
    }
    s->at++;
    s->depth--;
    return 0;
}

static int scan_literal(struct json_scan *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t len = strlen(words[i]);
        if (s->len - s->at >= len && memcmp(s->text + s->at, words[i], len) == 0) {
            s->at += len;
            return 0;
        }
    }
    return unexpected(s, "a value");
}

static int scan_value(struct json_scan *s, size_t key)
{
    if (add_mark(s, key) < 0)
        return -1;
    int c = peek(s);
    if (c == '{' || c == '[')
        return scan_container(s, c == '{');
    if (c == '"')
        return scan_string(s);
    if (c == '-' || (c >= '0' && c <= '9'))
        return scan_number(s);
    return scan_literal(s);
}

int json_scan(struct json_scan *s)
{
    if (skip_space(s) < 0 || scan_value(s, s->at) < 0 || skip_space(s) < 0)
        return -1;
    if (s->at < s->len)
        return fault(s, s->at, "text after the end of the value");
    return 0;
}
