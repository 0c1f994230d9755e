#include "json/write.h"

#include <string.h>

#include "json/json.h"
#include "text/base64.h"
#include "text/hex.h"
#include "text/utf8.h"

static const uint64_t exact_max = (1ULL << 53) - 1; /* RFC 7493 2.2 */

static bool flat(const struct json_writer *writer)
{
    return writer->flat_from <= writer->depth;
}

static void indent(struct json_writer *writer)
{
    buf_str(writer->buf, "\n");
    for (unsigned i = 0; i < writer->depth; i++)
        buf_str(writer->buf, "  ");
}

/* RFC 8785 3.2.2.2: escapes only what must be escaped. */
static void escaped(struct json_writer *writer, const char *text, size_t len)
{
    static const char names[] = "btnvfr"; /* 0x08 to 0x0d; JSON has no \v */
    for (const char *c = text, *end = text + len; c < end; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\')
            buf_printf(writer->buf, "\\%c", byte);
        else if (byte >= 0x08 && byte <= 0x0d && byte != 0x0b)
            buf_printf(writer->buf, "\\%c", names[byte - 0x08]);
        else if (byte < 0x20)
            buf_printf(writer->buf, "\\u%04x", byte);
        else
            buf_add(writer->buf, c, 1);
    }
}

static void quoted(struct json_writer *writer, const char *text, size_t len)
{
    buf_str(writer->buf, "\"");
    for (size_t good; (good = utf8_valid(text, len)) < len; text += good + 1, len -= good + 1) {
        if (!writer->lossy) {
            writer->bad = "a text that is not UTF-8";
            return;
        }
        escaped(writer, text, good);
        buf_str(writer->buf, "\xef\xbf\xbd");
    }
    escaped(writer, text, len);
    buf_str(writer->buf, "\"");
}

static void before(struct json_writer *writer, const char *key)
{
    bool spaced = writer->flat_from != 0;
    if (writer->later)
        buf_str(writer->buf, spaced && flat(writer) ? ", " : ",");
    if (writer->depth > 0 && !flat(writer))
        indent(writer);
    if (key) {
        quoted(writer, key, strlen(key));
        buf_str(writer->buf, spaced ? ": " : ":");
    }
    writer->later = true;
}

static void open_container(struct json_writer *writer, const char *key, char bracket)
{
    before(writer, key);
    buf_add(writer->buf, &bracket, 1);
    writer->depth++;
    writer->later = false;
}

void json_open(struct json_writer *writer, const char *key, char bracket)
{
    open_container(writer, key, bracket);
}

void json_open_flat(struct json_writer *writer, const char *key, char bracket)
{
    open_container(writer, key, bracket);
    if (writer->flat_from > writer->depth)
        writer->flat_from = writer->depth;
}

void json_close(struct json_writer *writer, char bracket)
{
    bool was_flat = flat(writer), empty = !writer->later;
    if (writer->flat_from == writer->depth) /* the outermost flat container ends */
        writer->flat_from = UINT32_MAX;
    writer->depth--;
    if (!was_flat && !empty)
        indent(writer);
    buf_add(writer->buf, &bracket, 1);
    writer->later = true;
    if (writer->depth == 0 && writer->flat_from != 0)
        buf_str(writer->buf, "\n");
}

void json_text(struct json_writer *writer, const char *key, const char *value, size_t len)
{
    before(writer, key);
    quoted(writer, value, len);
}

void json_string(struct json_writer *writer, const char *key, const char *value)
{
    json_text(writer, key, value, strlen(value));
}

void json_string_if(struct json_writer *writer, const char *key, const char *value)
{
    if (value && *value)
        json_string(writer, key, value);
}

void json_uint(struct json_writer *writer, const char *key, uint64_t value)
{
    before(writer, key);
    if (value > exact_max)
        writer->bad = "a number over 2^53";
    buf_printf(writer->buf, "%llu", (unsigned long long)value);
}

void json_strings(struct json_writer *writer, const char *key, const char *const *values, size_t count)
{
    json_open(writer, key, '[');
    for (size_t i = 0; i < count; i++)
        json_string(writer, NULL, values[i]);
    json_close(writer, ']');
}

void json_bool(struct json_writer *writer, const char *key, bool value)
{
    json_raw(writer, key, value ? "true" : "false");
}

void json_null(struct json_writer *writer, const char *key)
{
    json_raw(writer, key, "null");
}

void json_seconds(struct json_writer *writer, const char *key, uint64_t milliseconds)
{
    before(writer, key);
    buf_printf(writer->buf, "%llu.%03u", (unsigned long long)(milliseconds / 1000),
               (unsigned)(milliseconds % 1000));
}

void json_hex(struct json_writer *writer, const char *key, const void *bytes, size_t len)
{
    char text[2 * DIGEST_MAX_SIZE + 1];
    before(writer, key);
    if (len > DIGEST_MAX_SIZE) {
        writer->bad = "a digest that is too long";
        return;
    }
    hex_encode(bytes, len, text);
    quoted(writer, text, 2 * len);
}

void json_base64(struct json_writer *writer, const char *key, const void *bytes, size_t len)
{
    before(writer, key);
    buf_str(writer->buf, "\"");
    base64_add(writer->buf, bytes, len);
    buf_str(writer->buf, "\"");
}

void json_raw(struct json_writer *writer, const char *key, const char *json)
{
    before(writer, key);
    buf_str(writer->buf, json);
}

void json_part(struct json_writer *writer, const char *key, const struct json_writer *part)
{
    before(writer, key);
    buf_add(writer->buf, part->buf->data, part->buf->len);
    writer->buf->failed |= part->buf->failed;
    if (part->bad)
        writer->bad = part->bad;
}

void json_node(struct json_writer *writer, const char *key, const cJSON *node)
{
    char *text = cJSON_PrintUnformatted(node);
    before(writer, key);
    if (text)
        buf_str(writer->buf, text);
    else
        writer->buf->failed = true;
    cJSON_free(text);
}

int json_write_end(const struct json_writer *writer, const char *what, struct err *err)
{
    if (writer->bad)
        return err_set(err, ERR_INTERNAL, 0, "%s cannot be written: it contains %s", what, writer->bad);
    return buf_check(writer->buf, what, err);
}
