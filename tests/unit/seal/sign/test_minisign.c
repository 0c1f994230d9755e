#include "tests/unit/seal/helper.h"

#include "text/base64.h"

static int check(const char *text, size_t len, const struct minisign_public *key, const char *data,
                 char *comment, struct err *err)
{
    uint8_t digest[MINISIGN_DIGEST_SIZE];
    minisign_digest(data, strlen(data), digest);
    return minisign_verify(key, digest, text, len, "x.minisig", comment, err);
}

static void real_signatures_verify(void **state)
{
    (void)state;
    struct err err = {0};
    struct minisign_public key;
    char comment[MINISIGN_COMMENT_MAX + 1];
    static const char *const names[][2] = {{"plain.pub", "data.minisig"},
                                           {"encrypted.pub", "encrypted.minisig"}};
    for (unsigned i = 0; i < 2; i++) {
        char path[128];
        snprintf(path, sizeof path, FIXTURES "%s", names[i][0]);
        assert_int_equal(key_public_load(path, &key, &err), 0);
        snprintf(path, sizeof path, FIXTURES "%s", names[i][1]);
        cleanup_buf struct buf sig = load(path);
        if (check(sig.data, sig.len, &key, DATA, comment, &err) < 0)
            fail_msg("%s", err.text);
        says(comment, "\tfile:data");
        assert_int_equal(check(sig.data, sig.len, &key, DATA "x", comment, &err), -1);
        says(err.text, "BAD signature: the signed file was changed");
        assert_int_equal(err.kind, ERR_VERIFY);
    }
}

static void our_bytes_are_minisigns_bytes(void **state)
{
    (void)state;
    struct err err = {0};
    struct minisign_public key;
    cleanup_minisign_secret struct minisign_secret *secret = minisign_secret_alloc();
    load_plain(secret, &key);
    cleanup_buf struct buf theirs = load(FIXTURES "data.minisig");
    for (unsigned i = 0; i < 2; i++) {
        cleanup_buf struct buf ours = BUF_INIT(MINISIGN_FILE_MAX);
        uint8_t digest[MINISIGN_DIGEST_SIZE];
        minisign_digest(DATA, strlen(DATA), digest);
        assert_int_equal(
            minisign_sign(secret, digest, "timestamp:1600000000\tfile:data\thashed", &ours, &err), 0);
        assert_string_equal(ours.data, theirs.data);
    }
    cleanup_buf struct buf public = load(FIXTURES "plain.pub");
    cleanup_buf struct buf ours = BUF_INIT(MINISIGN_FILE_MAX);
    minisign_write_public(&key, &ours);
    assert_string_equal(ours.data, public.data);
    cleanup_buf struct buf private = load(FIXTURES "plain.key");
    cleanup_buf struct buf written = BUF_INIT(MINISIGN_FILE_MAX);
    assert_int_equal(minisign_write_secret(secret, NULL, 0, NULL, &written, &err), 0);
    assert_string_equal(written.data, private.data);
}

static void other_keys_and_kinds_are_told_apart(void **state)
{
    (void)state;
    struct err err = {0};
    struct minisign_public key, other;
    cleanup_buf struct buf sig = load(FIXTURES "data.minisig");
    cleanup_buf struct buf legacy = load(FIXTURES "legacy.minisig");
    assert_int_equal(key_public_load(FIXTURES "plain.pub", &key, &err), 0);
    assert_int_equal(key_public_load(FIXTURES "encrypted.pub", &other, &err), 0);
    assert_int_equal(check(sig.data, sig.len, &other, DATA, NULL, &err), -1);
    says(err.text, "was made with key ");
    assert_int_equal(check(legacy.data, legacy.len, &key, DATA, NULL, &err), -1);
    says(err.text, "older kind");
    memcpy(other.id, key.id, sizeof key.id);
    assert_int_equal(check(sig.data, sig.len, &other, DATA, NULL, &err), -1);
    says(err.text, "BAD signature");
}

/* Every byte of a signature file counts, except in the untrusted comment and line ends. */
static void no_byte_can_change(void **state)
{
    (void)state;
    struct minisign_public key;
    struct err err = {0};
    assert_int_equal(key_public_load(FIXTURES "plain.pub", &key, &err), 0);
    cleanup_buf struct buf sig = load(FIXTURES "data.minisig");
    size_t first = (size_t)(strchr(sig.data, '\n') - sig.data) + 1;
    for (size_t i = first; i < sig.len - 1; i++) {
        for (unsigned flip = 0; flip < 3; flip++) {
            static const char masks[] = {1, 0x20, (char)0x80};
            sig.data[i] = (char)(sig.data[i] ^ masks[flip]);
            if (check(sig.data, sig.len, &key, DATA, NULL, &err) == 0)
                fail_msg("byte %zu can be changed", i);
            sig.data[i] = (char)(sig.data[i] ^ masks[flip]);
        }
    }
    for (size_t cut = 0; cut + 1 < sig.len; cut++)
        assert_int_equal(check(sig.data, cut, &key, DATA, NULL, &err), -1);
    assert_int_equal(check(sig.data, sig.len - 1, &key, DATA, NULL, &err), 0); /* only the last line end */
    cleanup_buf struct buf more = BUF_INIT(MINISIGN_FILE_MAX);
    buf_add(&more, sig.data, sig.len);
    buf_str(&more, "x\n");
    assert_int_equal(check(more.data, more.len, &key, DATA, NULL, &err), -1);
}

static void line_ends_of_other_systems_pass(void **state)
{
    (void)state;
    struct minisign_public key;
    struct err err = {0};
    assert_int_equal(key_public_load(FIXTURES "plain.pub", &key, &err), 0);
    cleanup_buf struct buf sig = load(FIXTURES "data.minisig");
    cleanup_buf struct buf crlf = BUF_INIT(MINISIGN_FILE_MAX);
    for (size_t i = 0; i < sig.len; i++)
        buf_printf(&crlf, sig.data[i] == '\n' ? "\r%c" : "%c", sig.data[i]);
    assert_int_equal(check(crlf.data, crlf.len, &key, DATA, NULL, &err), 0);
}

static void comments_are_one_line(void **state)
{
    (void)state;
    struct err err = {0};
    struct minisign_public key;
    cleanup_minisign_secret struct minisign_secret *secret = minisign_secret_alloc();
    load_plain(secret, &key);
    uint8_t digest[MINISIGN_DIGEST_SIZE] = {0};
    cleanup_buf struct buf out = BUF_INIT(64 << 10);
    assert_int_equal(minisign_sign(secret, digest, "a\nb", &out, &err), -1);
    assert_int_equal(minisign_sign(secret, digest, "a\x1b[31m", &out, &err), -1);
    cleanup_free char *much = malloc(MINISIGN_COMMENT_MAX + 2);
    memset(much, 'x', MINISIGN_COMMENT_MAX + 1);
    much[MINISIGN_COMMENT_MAX + 1] = '\0';
    assert_int_equal(minisign_sign(secret, digest, much, &out, &err), -1);
    assert_int_equal(out.len, 0);
    much[MINISIGN_COMMENT_MAX] = '\0';
    assert_int_equal(minisign_sign(secret, digest, much, &out, &err), 0);
    cleanup_free char *comment = malloc(MINISIGN_COMMENT_MAX + 1);
    assert_int_equal(minisign_verify(&key, digest, out.data, out.len, "x", comment, &err), 0);
    assert_string_equal(comment, much);
}

static void keys_of_the_wrong_kind_are_named(void **state)
{
    (void)state;
    struct err err = {0};
    struct minisign_public public;
    cleanup_minisign_secret struct minisign_secret *secret = minisign_secret_alloc();
    cleanup_buf struct buf pub = load(FIXTURES "plain.pub");
    cleanup_buf struct buf key = load(FIXTURES "plain.key");
    assert_int_equal(minisign_read_public(key.data, key.len, "k", &public, &err), -1);
    says(err.text, "it is a secret key");
    assert_int_equal(minisign_read_secret(pub.data, pub.len, "k", NULL, 0, secret, &err), -1);
    says(err.text, "it is a public key");
    assert_int_equal(err.kind, ERR_RECIPE);
    assert_int_equal(minisign_read_public("", 0, "k", &public, &err), -1);
    assert_int_equal(minisign_read_secret("", 0, "k", NULL, 0, secret, &err), -1);
    for (size_t cut = 0; cut + 1 < key.len; cut++)
        assert_int_equal(minisign_read_secret(key.data, cut, "k", NULL, 0, secret, &err), -1);
}

/* The text of a secret key file with some of its bytes replaced. */
static struct buf patched(const char *path, size_t at, const void *bytes, size_t len)
{
    struct buf file = load(path);
    char *line = strchr(file.data, '\n') + 1;
    uint8_t raw[158];
    assert_true(base64_read(line, strcspn(line, "\n"), raw, sizeof raw));
    memcpy(raw + at, bytes, len);
    struct buf made = BUF_INIT(MINISIGN_FILE_MAX);
    buf_add(&made, file.data, (size_t)(line - file.data));
    base64_add(&made, raw, sizeof raw);
    buf_str(&made, "\n");
    buf_free(&file);
    return made;
}

static void hostile_key_files_are_refused_at_once(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        const char *bytes;
        size_t len;
        const char *says;
    } cases[] = {
        {46, "\0\0\0\0\x10\0\0\0", 8, "65536 MiB"},             /* memory: 64 GiB */
        {46, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "refused"}, /* memory: all */
        {38, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "refused"}, /* endless work */
        {0, "XX", 2, "unknown kind"},
        {2, "XX", 2, "unknown kind"},
        {4, "XX", 2, "unknown kind"},
    };
    cleanup_minisign_secret struct minisign_secret *secret = minisign_secret_alloc();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        cleanup_buf struct buf file =
            patched(FIXTURES "encrypted.key", cases[i].at, cases[i].bytes, cases[i].len);
        assert_int_equal(minisign_read_secret(file.data, file.len, "k", "x", 1, secret, &err), -1);
        assert_int_equal(err.kind, ERR_RECIPE);
        says(err.text, cases[i].says);
    }
    /* the public half of another key beside the seed */
    struct err err = {0};
    cleanup_buf struct buf mixed = patched(FIXTURES "plain.key", 100, "0123456789", 10);
    assert_int_equal(minisign_read_secret(mixed.data, mixed.len, "k", NULL, 0, secret, &err), -1);
    says(err.text, "halves");
    cleanup_buf struct buf sum = patched(FIXTURES "plain.key", 126, "0123456789", 10);
    assert_int_equal(minisign_read_secret(sum.data, sum.len, "k", NULL, 0, secret, &err), -1);
    says(err.text, "checksum");
}

static void base64_is_strict(void **state)
{
    (void)state;
    uint8_t out[4];
    assert_true(base64_read("AAECAw==", 8, out, 4));
    assert_memory_equal(out, "\0\1\2\3", 4);
    static const char *const bad[] = {"AAECAw=",    "AAECAw",   "AAECAx==", "AAECA w=", " AAECAw==",
                                      "AAECAw==\n", "AAECAwQ=", "AAEC",     "AAEC_w==", "AAEC\x80w=="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (base64_read(bad[i], strlen(bad[i]), out, 4))
            fail_msg("\"%s\" was read", bad[i]);
    static const char *const texts[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t i = 0; i < 7; i++) { /* RFC 4648 section 10 */
        cleanup_buf struct buf text = BUF_INIT(64);
        base64_add(&text, "foobar", i);
        assert_int_equal(text.len, strlen(texts[i]));
        if (i > 0)
            assert_string_equal(text.data, texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_signatures_verify),
        cmocka_unit_test(our_bytes_are_minisigns_bytes),
        cmocka_unit_test(other_keys_and_kinds_are_told_apart),
        cmocka_unit_test(no_byte_can_change),
        cmocka_unit_test(line_ends_of_other_systems_pass),
        cmocka_unit_test(comments_are_one_line),
        cmocka_unit_test(keys_of_the_wrong_kind_are_named),
        cmocka_unit_test(hostile_key_files_are_refused_at_once),
        cmocka_unit_test(base64_is_strict),
    };
    return cmocka_run_group_tests_name("minisign", tests, make_dir, remove_dir);
}
