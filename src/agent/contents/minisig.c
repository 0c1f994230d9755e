#include "agent/contents/minisig.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sodium.h>

#include "text/base64.h"

#define UNTRUSTED "untrusted comment: "
#define TRUSTED   "trusted comment: "

enum { KEY_SIZE = 42, SIGNATURE_SIZE = 74, ID_AT = 2, BODY_AT = 10, COMMENT_MAX = 8192, DIGEST_SIZE = 64 };

struct line {
    const char *text;
    size_t len;
};

/* The file's lines without their newlines; 0 if there are more than MAX, or a NUL. */
static size_t split(const struct minisig_text *file, struct line *lines, size_t max)
{
    size_t count = 0;
    if (file->len == 0 || file->len > MINISIG_FILE_MAX || memchr(file->text, '\0', file->len))
        return 0;
    for (const char *at = file->text, *end = at + file->len; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((stop ? stop : end) - at);
        if (count == max)
            return 0;
        lines[count++] = (struct line){at, len > 0 && at[len - 1] == '\r' ? len - 1 : len};
        at += len + 1;
    }
    return count;
}

static bool starts_with(const struct line *line, const char *prefix)
{
    return line->len >= strlen(prefix) && memcmp(line->text, prefix, strlen(prefix)) == 0;
}

/* In the files the key id is a little-endian number; it is printed as a number. */
static void id_text(const uint8_t id[static 8], char out[static MINISIG_ID_HEX])
{
    for (size_t i = 0; i < 8; i++)
        snprintf(out + 2 * i, 3, "%02X", id[7 - i]);
}

static int read_key(const struct minisig_text *file, uint8_t key[static KEY_SIZE], struct err *err)
{
    struct line lines[2] = {0};
    if (split(file, lines, 2) != 2 || !starts_with(&lines[0], UNTRUSTED) ||
        !base64_read(lines[1].text, lines[1].len, key, KEY_SIZE) || memcmp(key, "Ed", 2) != 0)
        return err_set(err, ERR_VERIFY, 0, "%s is not a minisign public key file", file->name);
    return 0;
}

/* Whether the trusted comment, which is fields separated by tabs, has this one. */
static bool has_field(const struct line *comment, const char *name, const char *value)
{
    const char *at = comment->text, *end = at + comment->len;
    size_t name_len = strlen(name), value_len = strlen(value);
    while (at < end) {
        const char *tab = memchr(at, '\t', (size_t)(end - at));
        size_t len = (size_t)((tab ? tab : end) - at);
        if (len == name_len + value_len && memcmp(at, name, name_len) == 0 &&
            memcmp(at + name_len, value, value_len) == 0)
            return true;
        at += len + 1;
    }
    return false;
}

/* The second signature covers the first one and the trusted comment. */
static bool comment_signed(const uint8_t signature[static SIGNATURE_SIZE], const struct line *comment,
                           const uint8_t global[static crypto_sign_BYTES], const uint8_t *key)
{
    uint8_t message[crypto_sign_BYTES + COMMENT_MAX];
    memcpy(message, signature + BODY_AT, crypto_sign_BYTES);
    memcpy(message + crypto_sign_BYTES, comment->text, comment->len);
    return crypto_sign_verify_detached(global, message, crypto_sign_BYTES + comment->len, key) == 0;
}

static int read_signature(const struct minisig_text *file, uint8_t signature[static SIGNATURE_SIZE],
                          struct line *comment, uint8_t global[static crypto_sign_BYTES], struct err *err)
{
    struct line lines[4] = {0};
    if (split(file, lines, 4) != 4 || !starts_with(&lines[0], UNTRUSTED) ||
        !starts_with(&lines[2], TRUSTED) || lines[2].len - strlen(TRUSTED) > COMMENT_MAX ||
        !base64_read(lines[1].text, lines[1].len, signature, SIGNATURE_SIZE) ||
        !base64_read(lines[3].text, lines[3].len, global, crypto_sign_BYTES))
        return err_set(err, ERR_VERIFY, 0, "%s is not a minisign signature file (truncated?)", file->name);
    if (memcmp(signature, "ED", 2) != 0)
        return err_set(err, ERR_VERIFY, 0, "%s is not a prehashed signature (\"ED\")", file->name);
    comment->text = lines[2].text + strlen(TRUSTED);
    comment->len = lines[2].len - strlen(TRUSTED);
    return 0;
}

int minisig_verify(const struct minisig_text *key_file, const struct minisig_text *file, const void *bytes,
                   size_t len, const char *expected_file, char ret_id[static MINISIG_ID_HEX], struct err *err)
{
    uint8_t key[KEY_SIZE], signature[SIGNATURE_SIZE], global[crypto_sign_BYTES], digest[DIGEST_SIZE];
    char ours[MINISIG_ID_HEX], theirs[MINISIG_ID_HEX];
    struct line comment;
    if (read_key(key_file, key, err) < 0 || read_signature(file, signature, &comment, global, err) < 0)
        return -1;
    id_text(key + ID_AT, ours);
    id_text(signature + ID_AT, theirs);
    if (memcmp(ours, theirs, sizeof ours) != 0)
        return err_set(err, ERR_VERIFY, 0, "%s was made with key %s, but %s is key %s", file->name, theirs,
                       key_file->name, ours);
    (void)crypto_generichash(digest, sizeof digest, bytes, len, NULL, 0);
    if (crypto_sign_verify_detached(signature + BODY_AT, digest, sizeof digest, key + BODY_AT) != 0)
        return err_set(err, ERR_VERIFY, 0, "%s: BAD signature: the signed file was changed", file->name);
    if (!comment_signed(signature, &comment, global, key + BODY_AT))
        return err_set(err, ERR_VERIFY, 0, "%s: BAD signature: its trusted comment was changed", file->name);
    if (!has_field(&comment, "file:", expected_file))
        return err_set(err, ERR_VERIFY, 0,
                       "%s is a signature of another file: its trusted comment lacks file:%s", file->name,
                       expected_file);
    memcpy(ret_id, ours, sizeof ours);
    return 0;
}
