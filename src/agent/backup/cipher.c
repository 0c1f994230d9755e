#include "agent/backup/cipher.h"

#include <string.h>

#include <sodium.h>

#include "node/pki.h"
#include "text/hex.h"

#define MARK "bake-snapshot 1\n"

enum { MARK_LEN = sizeof MARK - 1, KEY_ID = 8, HEADER = crypto_secretstream_xchacha20poly1305_HEADERBYTES };
enum {
    EXTRA = crypto_secretstream_xchacha20poly1305_ABYTES,
    LAST = crypto_secretstream_xchacha20poly1305_TAG_FINAL
};
enum { SEALED_PIECE = CIPHER_PIECE + EXTRA };

_Static_assert(CIPHER_KEY_SIZE == crypto_secretstream_xchacha20poly1305_KEYBYTES, "as cipher.h declares it");

struct cipher {
    crypto_secretstream_xchacha20poly1305_state state;
    int from, to;
    unsigned char plain[CIPHER_PIECE], sealed[SEALED_PIECE];
};

static void free_cipher(struct cipher **cipher)
{
    if (*cipher)
        sodium_memzero(*cipher, sizeof **cipher);
    free(*cipher);
}

int cipher_read_key(const struct root *root, struct cipher_key *ret, struct err *err)
{
    char text[2 * CIPHER_KEY_SIZE + 1] = "";
    cleanup_buf_wipe struct buf buf = BUF_INIT(2 * CIPHER_KEY_SIZE + 1);
    bool found = false;
    if (root_read(root, PKI_SNAPSHOT_KEY, &buf, &found, err) < 0)
        return -1;
    if (buf.data)
        snprintf(text, sizeof text, "%.*s", (int)strcspn(buf.data, "\n"), buf.data);
    bool ok = hex_is_lower(text, strlen(text)) && strlen(text) == sizeof text - 1 &&
              hex_read(text, ret->bytes, sizeof ret->bytes);
    sodium_memzero(text, sizeof text);
    return ok ? 0 : err_set(err, ERR_VERIFY, 0, "%s is %s", PKI_SNAPSHOT_KEY, found ? "damaged" : "missing");
}

void cipher_clear_key(struct cipher_key *key)
{
    sodium_memzero(key, sizeof *key);
}

/* Reveals nothing about the key. */
static void key_id(const struct cipher_key *key, unsigned char ret[KEY_ID])
{
    static const char label[] = "bake snapshot key id";
    unsigned char digest[crypto_generichash_BYTES];
    crypto_generichash(digest, sizeof digest, (const unsigned char *)label, sizeof label, key->bytes,
                       sizeof key->bytes);
    memcpy(ret, digest, KEY_ID);
}

/* Fills OUT unless the file ends before. */
static int read_piece(int fd, unsigned char *out, size_t cap, size_t *ret_len, struct err *err)
{
    size_t len = 0;
    while (len < cap) {
        ssize_t n = read(fd, out + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "read the snapshot");
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_len = len;
    return 0;
}

static int write_piece(int fd, const unsigned char *bytes, size_t len, struct err *err)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "write the snapshot");
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int push(struct cipher *c, size_t len, bool last, struct err *err)
{
    crypto_secretstream_xchacha20poly1305_push(&c->state, c->sealed, NULL, c->plain, len, NULL, 0,
                                               last ? LAST : 0);
    return write_piece(c->to, c->sealed, len + EXTRA, err);
}

int cipher_seal(const struct cipher_key *key, const char *name, int from, int to, struct err *err)
{
    cleanup(free_cipher) struct cipher *c = calloc(1, sizeof *c);
    unsigned char id[KEY_ID], header[HEADER];
    size_t len = 0;
    if (!c)
        return err_oom(err);
    c->from = from;
    c->to = to;
    key_id(key, id);
    crypto_secretstream_xchacha20poly1305_init_push(&c->state, header, key->bytes);
    /* The name fills a piece of its own, so that all pieces but the last have one size. */
    snprintf((char *)c->plain, sizeof c->plain, "%.*s", CIPHER_NAME_MAX, name);
    if (write_piece(to, (const unsigned char *)MARK, MARK_LEN, err) < 0 ||
        write_piece(to, id, sizeof id, err) < 0 || write_piece(to, header, sizeof header, err) < 0 ||
        push(c, CIPHER_PIECE, false, err) < 0)
        return -1;
    do {
        if (read_piece(from, c->plain, CIPHER_PIECE, &len, err) < 0 ||
            push(c, len, len < CIPHER_PIECE, err) < 0)
            return -1;
    } while (len == CIPHER_PIECE);
    return 0;
}

/* Opens one piece. *RET_LEN: of what is in it. */
static int pull(struct cipher *c, size_t *ret_len, bool *ret_last, struct err *err)
{
    unsigned char tag = 0;
    size_t len = 0;
    if (read_piece(c->from, c->sealed, SEALED_PIECE, &len, err) < 0)
        return -1;
    if (len == 0)
        return err_set(err, ERR_VERIFY, 0, "the snapshot is cut off: its end is missing");
    if (len < EXTRA || crypto_secretstream_xchacha20poly1305_pull(&c->state, c->plain, NULL, &tag, c->sealed,
                                                                  len, NULL, 0) < 0)
        return err_set(err, ERR_VERIFY, 0, "the snapshot was changed or cut off");
    *ret_len = len - EXTRA;
    *ret_last = tag == LAST;
    return 0;
}

static int open_head(struct cipher *c, const struct cipher_key *key, const char *name, struct err *err)
{
    unsigned char head[MARK_LEN + KEY_ID + HEADER], id[KEY_ID];
    size_t len = 0;
    bool last = false;
    if (read_piece(c->from, head, sizeof head, &len, err) < 0)
        return -1;
    if (len < sizeof head || memcmp(head, MARK, MARK_LEN) != 0)
        return err_set(err, ERR_VERIFY, 0, "not a snapshot of a cluster");
    key_id(key, id);
    if (memcmp(head + MARK_LEN, id, KEY_ID) != 0)
        return err_set(err, ERR_VERIFY, 0,
                       "the snapshot was sealed with another cluster-secret, or for another cluster-name");
    if (crypto_secretstream_xchacha20poly1305_init_pull(&c->state, head + MARK_LEN + KEY_ID, key->bytes) < 0)
        return err_set(err, ERR_VERIFY, 0, "the snapshot was changed or cut off");
    if (pull(c, &len, &last, err) < 0)
        return -1;
    if (last || len != CIPHER_PIECE || memchr(c->plain, '\0', len) == NULL ||
        strcmp((const char *)c->plain, name) != 0)
        return err_set(err, ERR_VERIFY, 0, "the snapshot was taken under another name");
    return 0;
}

int cipher_open(const struct cipher_key *key, const char *name, int from, int to, struct err *err)
{
    cleanup(free_cipher) struct cipher *c = calloc(1, sizeof *c);
    size_t len = 0;
    if (!c)
        return err_oom(err);
    c->from = from;
    c->to = to;
    if (open_head(c, key, name, err) < 0)
        return -1;
    for (bool last = false; !last;)
        if (pull(c, &len, &last, err) < 0 || write_piece(to, c->plain, len, err) < 0)
            return -1;
    if (read_piece(from, c->sealed, 1, &len, err) < 0)
        return -1;
    return len == 0 ? 0 : err_set(err, ERR_VERIFY, 0, "the snapshot goes on behind its end");
}
