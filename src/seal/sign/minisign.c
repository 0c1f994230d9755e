#include "seal/sign/minisign.h"

#include <string.h>

#include "seal/sign/minisign_format.h"
#include "text/base64.h"

#define PUBLIC_COMMENT "untrusted comment: minisign public key "

size_t format_lines(const char *text, size_t len, struct format_line *lines, size_t max)
{
    size_t count = 0;
    if (len > 0 && memchr(text, '\0', len))
        return 0;
    for (size_t at = 0; at < len;) {
        const char *stop = memchr(text + at, '\n', len - at);
        size_t line_len = stop ? (size_t)(stop - (text + at)) : len - at;
        if (count == max)
            return 0;
        lines[count].text = text + at;
        lines[count].len = line_len > 0 && text[at + line_len - 1] == '\r' ? line_len - 1 : line_len;
        count++;
        at += line_len + 1;
    }
    return count;
}

bool format_has_comment(const struct format_line *line)
{
    return line->len >= strlen(FORMAT_COMMENT) &&
           memcmp(line->text, FORMAT_COMMENT, strlen(FORMAT_COMMENT)) == 0;
}

void minisign_digest(const void *bytes, size_t len, uint8_t out[static MINISIGN_DIGEST_SIZE])
{
    (void)crypto_generichash(out, MINISIGN_DIGEST_SIZE, bytes, len, NULL, 0);
}

void minisign_id_text(const uint8_t id[static MINISIGN_ID_SIZE], char out[static MINISIGN_ID_HEX])
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < MINISIGN_ID_SIZE; i++) {
        uint8_t byte = id[MINISIGN_ID_SIZE - 1 - i]; /* the number is little-endian in the file */
        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
    out[MINISIGN_ID_HEX - 1] = '\0';
}

static void pack_public(const struct minisign_public *key, struct format_public *out)
{
    memcpy(out->algorithm, FORMAT_ED25519, sizeof out->algorithm);
    memcpy(out->id, key->id, sizeof out->id);
    memcpy(out->key, key->key, sizeof out->key);
}

void minisign_public_text(const struct minisign_public *key, char out[static MINISIGN_PUBLIC_TEXT])
{
    struct format_public packed;
    pack_public(key, &packed);
    sodium_bin2base64(out, MINISIGN_PUBLIC_TEXT, (const unsigned char *)&packed, sizeof packed,
                      sodium_base64_VARIANT_ORIGINAL);
}

void minisign_write_public(const struct minisign_public *key, struct buf *ret)
{
    char id[MINISIGN_ID_HEX], text[MINISIGN_PUBLIC_TEXT];
    minisign_id_text(key->id, id);
    minisign_public_text(key, text);
    buf_printf(ret, PUBLIC_COMMENT "%s\n%s\n", id, text);
}

int minisign_read_public(const char *text, size_t len, const char *name, struct minisign_public *ret,
                         struct err *err)
{
    struct format_line lines[2] = {0};
    size_t count = format_lines(text, len, lines, 2);
    struct format_public packed;
    if (len > MINISIGN_FILE_MAX || count == 0 || (count == 2 && !format_has_comment(&lines[0])))
        return err_set(err, ERR_RECIPE, 0, "%s is not a minisign public key file", name);
    const struct format_line *line = &lines[count - 1];
    if (!base64_read(line->text, line->len, &packed, sizeof packed)) {
        bool secret = line->len == sodium_base64_ENCODED_LEN(sizeof(struct format_secret), 1) - 1;
        return err_set(err, ERR_RECIPE, 0, "%s is not a minisign public key%s", name,
                       secret ? ": it is a secret key; give the .pub file" : " (\"RW...\", 56 characters)");
    }
    if (memcmp(packed.algorithm, FORMAT_ED25519, sizeof packed.algorithm) != 0)
        return err_set(err, ERR_RECIPE, 0, "%s is a key of an unknown kind", name);
    struct minisign_public made;
    memcpy(made.id, packed.id, sizeof made.id);
    memcpy(made.key, packed.key, sizeof made.key);
    *ret = made;
    return 0;
}

/* One line without control characters except tabs. */
static bool comment_ok(const char *comment)
{
    size_t len = strlen(comment);
    if (len > MINISIGN_COMMENT_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)comment[i] < 0x20 && comment[i] != '\t') || comment[i] == 0x7f)
            return false;
    return true;
}

/* What the second signature covers: the first one and the trusted comment. */
static void global_message(const struct format_signature *signature, const char *comment, size_t len,
                           struct buf *ret)
{
    buf_add(ret, signature->signature, sizeof signature->signature);
    buf_add(ret, comment, len);
}

int minisign_sign(const struct minisign_secret *secret, const uint8_t digest[static MINISIGN_DIGEST_SIZE],
                  const char *trusted_comment, struct buf *ret, struct err *err)
{
    if (!comment_ok(trusted_comment))
        return err_set(err, ERR_INTERNAL, 0, "a trusted comment must be one line of at most %d bytes",
                       MINISIGN_COMMENT_MAX);
    struct format_signature signature;
    uint8_t global[crypto_sign_BYTES];
    cleanup_buf struct buf message = BUF_INIT(MINISIGN_COMMENT_MAX + crypto_sign_BYTES);
    memcpy(signature.algorithm, FORMAT_PREHASHED, sizeof signature.algorithm);
    memcpy(signature.id, secret->id, sizeof signature.id);
    if (crypto_sign_detached(signature.signature, NULL, digest, MINISIGN_DIGEST_SIZE, secret->key) != 0)
        return err_set(err, ERR_INTERNAL, 0, "cannot sign");
    global_message(&signature, trusted_comment, strlen(trusted_comment), &message);
    if (buf_check(&message, "a trusted comment", err) < 0)
        return -1;
    if (crypto_sign_detached(global, NULL, (const uint8_t *)message.data, message.len, secret->key) != 0)
        return err_set(err, ERR_INTERNAL, 0, "cannot sign");
    buf_str(ret, FORMAT_COMMENT "signature from minisign secret key\n");
    base64_add(ret, &signature, sizeof signature);
    buf_printf(ret, "\n" FORMAT_TRUSTED "%s\n", trusted_comment);
    base64_add(ret, global, sizeof global);
    buf_str(ret, "\n");
    return buf_check(ret, "a signature", err);
}

static int unpack_signature(const char *text, size_t len, const char *name,
                            struct format_signature *signature, struct format_line *comment,
                            uint8_t global[static crypto_sign_BYTES], struct err *err)
{
    struct format_line lines[4] = {0};
    if (len > MINISIGN_FILE_MAX || format_lines(text, len, lines, 4) != 4 || !format_has_comment(&lines[0]))
        return err_set(err, ERR_VERIFY, 0, "%s is not a minisign signature file (truncated?)", name);
    if (!base64_read(lines[1].text, lines[1].len, signature, sizeof *signature))
        return err_set(err, ERR_VERIFY, 0,
                       "%s: its second line is not a signature: is it a key, or the signed file itself?",
                       name);
    if (memcmp(signature->algorithm, FORMAT_ED25519, sizeof signature->algorithm) == 0)
        return err_set(err, ERR_VERIFY, 0,
                       "%s is a signature of the older kind (minisign -l), which is not accepted: sign again "
                       "without -l",
                       name);
    if (memcmp(signature->algorithm, FORMAT_PREHASHED, sizeof signature->algorithm) != 0)
        return err_set(err, ERR_VERIFY, 0, "%s is a signature of an unknown kind", name);
    size_t prefix = strlen(FORMAT_TRUSTED);
    if (lines[2].len < prefix || memcmp(lines[2].text, FORMAT_TRUSTED, prefix) != 0 ||
        lines[2].len - prefix > MINISIGN_COMMENT_MAX)
        return err_set(err, ERR_VERIFY, 0, "%s: its third line is not a trusted comment", name);
    if (!base64_read(lines[3].text, lines[3].len, global, crypto_sign_BYTES))
        return err_set(err, ERR_VERIFY, 0, "%s: its last line, the signature of the comment, is damaged",
                       name);
    comment->text = lines[2].text + prefix;
    comment->len = lines[2].len - prefix;
    return 0;
}

int minisign_verify(const struct minisign_public *key, const uint8_t digest[static MINISIGN_DIGEST_SIZE],
                    const char *signature, size_t len, const char *name, char *ret_comment, struct err *err)
{
    struct format_signature unpacked;
    struct format_line comment = {0};
    uint8_t global[crypto_sign_BYTES];
    if (unpack_signature(signature, len, name, &unpacked, &comment, global, err) < 0)
        return -1;
    if (memcmp(unpacked.id, key->id, sizeof key->id) != 0) {
        char theirs[MINISIGN_ID_HEX], ours[MINISIGN_ID_HEX];
        minisign_id_text(unpacked.id, theirs);
        minisign_id_text(key->id, ours);
        return err_set(err, ERR_VERIFY, 0, "%s was made with key %s, but is checked with key %s", name,
                       theirs, ours);
    }
    if (crypto_sign_verify_detached(unpacked.signature, digest, MINISIGN_DIGEST_SIZE, key->key) != 0)
        return err_set(err, ERR_VERIFY, 0, "%s: BAD signature: the signed file was changed", name);
    cleanup_buf struct buf message = BUF_INIT(MINISIGN_COMMENT_MAX + crypto_sign_BYTES);
    global_message(&unpacked, comment.text, comment.len, &message);
    if (buf_check(&message, "a trusted comment", err) < 0)
        return -1;
    if (crypto_sign_verify_detached(global, (const uint8_t *)message.data, message.len, key->key) != 0)
        return err_set(err, ERR_VERIFY, 0, "%s: BAD signature: its trusted comment was changed", name);
    if (ret_comment) {
        memcpy(ret_comment, comment.text, comment.len);
        ret_comment[comment.len] = '\0';
    }
    return 0;
}
