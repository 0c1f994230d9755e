#include <string.h>

#include "seal/sign/minisign.h"
#include "seal/sign/minisign_format.h"
#include "text/base64.h"
#include "text/bytes.h"

/* Twice what minisign uses. A file made elsewhere may ask for more than minisign does, but not for all memory
 * or minutes of work. */
enum { MEMLIMIT_MAX = INT32_MAX };
static const uint64_t opslimit_max = 2ULL * crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE;
static_assert(crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE <= MEMLIMIT_MAX, "our own strength");

struct minisign_secret *minisign_secret_alloc(void)
{
    return sodium_init() < 0 ? NULL : sodium_malloc(sizeof(struct minisign_secret));
}

void minisign_secret_free(struct minisign_secret **secret)
{
    int saved = errno;
    sodium_free(*secret); /* wipes it first */
    *secret = NULL;
    errno = saved;
}

int minisign_generate(struct minisign_secret *secret, struct err *err)
{
    uint8_t public[crypto_sign_PUBLICKEYBYTES];
    if (sodium_init() < 0 || crypto_sign_keypair(public, secret->key) != 0)
        return err_set(err, ERR_INTERNAL, 0, "cannot create a key");
    randombytes_buf(secret->id, sizeof secret->id);
    return 0;
}

void minisign_public_of(const struct minisign_secret *secret, struct minisign_public *ret)
{
    memcpy(ret->id, secret->id, sizeof ret->id);
    memcpy(ret->key, secret->key + crypto_sign_SEEDBYTES, sizeof ret->key);
}

static void checksum(const struct format_secret *file, uint8_t out[static 32])
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, 32);
    (void)crypto_generichash_update(&state, file->algorithm, sizeof file->algorithm);
    (void)crypto_generichash_update(&state, file->sealed.id, sizeof file->sealed.id);
    (void)crypto_generichash_update(&state, file->sealed.key, sizeof file->sealed.key);
    (void)crypto_generichash_final(&state, out, 32);
    sodium_memzero(&state, sizeof state);
}

static void secret_file_free(struct format_secret **file)
{
    sodium_free(*file);
    *file = NULL;
}

/* Encrypts or decrypts, by XOR. */
static int apply_passphrase(struct format_secret *file, const void *passphrase, size_t len, struct err *err)
{
    uint64_t opslimit = le64_read(file->opslimit), memlimit = le64_read(file->memlimit);
    uint8_t *stream = sodium_malloc(sizeof file->sealed);
    if (!stream)
        return err_oom(err);
    if (crypto_pwhash_scryptsalsa208sha256(stream, sizeof file->sealed, passphrase, len, file->salt, opslimit,
                                           (size_t)memlimit) != 0) {
        sodium_free(stream);
        return err_set(err, ERR_INTERNAL, 0,
                       "not enough memory to derive a key from the passphrase (%llu MiB are needed)",
                       (unsigned long long)(memlimit >> 20));
    }
    uint8_t *bytes = (uint8_t *)&file->sealed;
    for (size_t i = 0; i < sizeof file->sealed; i++)
        bytes[i] ^= stream[i];
    sodium_free(stream);
    return 0;
}

int minisign_write_secret(const struct minisign_secret *secret, const void *passphrase, size_t passphrase_len,
                          const struct minisign_kdf *kdf, struct buf *ret, struct err *err)
{
    cleanup(secret_file_free) struct format_secret *file =
        sodium_init() < 0 ? NULL : sodium_malloc(sizeof *file);
    if (!file)
        return err_oom(err);
    memset(file, 0, sizeof *file);
    memcpy(file->algorithm, FORMAT_ED25519, sizeof file->algorithm);
    memcpy(file->checksum_algorithm, FORMAT_BLAKE2B, sizeof file->checksum_algorithm);
    memcpy(file->sealed.id, secret->id, sizeof file->sealed.id);
    memcpy(file->sealed.key, secret->key, sizeof file->sealed.key);
    if (passphrase) {
        memcpy(file->kdf, FORMAT_SCRYPT, sizeof file->kdf);
        randombytes_buf(file->salt, sizeof file->salt);
        le64_write(file->opslimit, kdf->opslimit);
        le64_write(file->memlimit, kdf->memlimit);
        checksum(file, file->sealed.checksum);
        if (kdf->opslimit > opslimit_max || kdf->memlimit > MEMLIMIT_MAX)
            return err_set(err, ERR_INTERNAL, 0, "a key this strong could not be read again");
        if (apply_passphrase(file, passphrase, passphrase_len, err) < 0)
            return -1;
    }
    /* minisign writes this for plain keys, too */
    buf_str(ret, FORMAT_COMMENT "minisign encrypted secret key\n");
    char text[sodium_base64_ENCODED_LEN(sizeof *file, sodium_base64_VARIANT_ORIGINAL)];
    sodium_bin2base64(text, sizeof text, (const unsigned char *)file, sizeof *file,
                      sodium_base64_VARIANT_ORIGINAL);
    buf_printf(ret, "%s\n", text);
    sodium_memzero(text, sizeof text);
    return buf_check(ret, "a secret key", err);
}

static int decode_secret(const char *text, size_t len, const char *name, struct format_secret *file,
                         struct err *err)
{
    struct format_line lines[2] = {0};
    size_t count = len > MINISIGN_FILE_MAX ? 0 : format_lines(text, len, lines, 2);
    if (count != 2 || !format_has_comment(&lines[0]))
        return err_set(err, ERR_RECIPE, 0, "%s is not a minisign secret key file", name);
    if (!base64_read(lines[1].text, lines[1].len, file, sizeof *file)) {
        bool public = lines[1].len == MINISIGN_PUBLIC_TEXT - 1;
        return err_set(err, ERR_RECIPE, 0, "%s is not a minisign secret key%s", name,
                       public ? ": it is a public key" : " (its second line is damaged)");
    }
    if (memcmp(file->algorithm, FORMAT_ED25519, 2) != 0 ||
        memcmp(file->checksum_algorithm, FORMAT_BLAKE2B, 2) != 0 ||
        (memcmp(file->kdf, FORMAT_SCRYPT, 2) != 0 && memcmp(file->kdf, FORMAT_NO_KDF, 2) != 0))
        return err_set(err, ERR_RECIPE, 0, "%s is a secret key of an unknown kind", name);
    if (le64_read(file->opslimit) > opslimit_max || le64_read(file->memlimit) > MEMLIMIT_MAX)
        return err_set(err, ERR_RECIPE, 0,
                       "%s: refused: it needs %llu MiB of memory to derive a key from the passphrase", name,
                       (unsigned long long)(le64_read(file->memlimit) >> 20));
    return 0;
}

int minisign_secret_encrypted(const char *text, size_t len, const char *name, bool *ret, struct err *err)
{
    cleanup(secret_file_free) struct format_secret *file =
        sodium_init() < 0 ? NULL : sodium_malloc(sizeof *file);
    if (!file)
        return err_oom(err);
    if (decode_secret(text, len, name, file, err) < 0)
        return -1;
    *ret = file->kdf[0] != 0;
    return 0;
}

/* The public half is stored beside the seed and must belong to it: signing with another one would reveal the
 * secret. */
static bool halves_match(const struct format_sealed *sealed)
{
    uint8_t public[crypto_sign_PUBLICKEYBYTES];
    uint8_t *secret = sodium_malloc(crypto_sign_SECRETKEYBYTES);
    bool same = secret && crypto_sign_seed_keypair(public, secret, sealed->key) == 0 &&
                sodium_memcmp(secret, sealed->key, crypto_sign_SECRETKEYBYTES) == 0;
    sodium_free(secret);
    return same;
}

int minisign_read_secret(const char *text, size_t len, const char *name, const void *passphrase,
                         size_t passphrase_len, struct minisign_secret *ret, struct err *err)
{
    cleanup(secret_file_free) struct format_secret *file =
        sodium_init() < 0 ? NULL : sodium_malloc(sizeof *file);
    if (!file)
        return err_oom(err);
    if (decode_secret(text, len, name, file, err) < 0)
        return -1;
    bool encrypted = file->kdf[0] != 0;
    uint8_t sum[32];
    if (encrypted && !passphrase)
        return err_set(err, ERR_USAGE, 0, "%s is encrypted: it needs its passphrase", name);
    if (encrypted && apply_passphrase(file, passphrase, passphrase_len, err) < 0)
        return err_wrap(err, "%s", name);
    checksum(file, sum);
    bool plain_zero = !encrypted && sodium_is_zero(file->sealed.checksum, sizeof sum);
    if (!plain_zero && sodium_memcmp(sum, file->sealed.checksum, sizeof sum) != 0)
        return encrypted ? err_set(err, ERR_USAGE, 0, "%s: wrong passphrase", name)
                         : err_set(err, ERR_RECIPE, 0, "%s is damaged: its checksum is wrong", name);
    if (!halves_match(&file->sealed))
        return err_set(err, ERR_RECIPE, 0, "%s is damaged: its two halves do not match", name);
    memcpy(ret->id, file->sealed.id, sizeof ret->id);
    memcpy(ret->key, file->sealed.key, sizeof ret->key);
    return 0;
}
