/* What is derived from the secret: by another implementation too, so that no later version makes other keys
 * unnoticed. A cluster whose members derive differently is two clusters. */
#include "tests/unit/agent/helper.h"

#include <ctype.h>

#include "node/cluster_secret.h"
#include "node/x509.h"

static struct err last;

#define SECRET "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo="

static struct cluster_secret parse(const char *base64)
{
    struct cluster_secret made = {0};
    if (cluster_secret_parse(base64, &made, &last) < 0)
        fail_msg("%s", last.text);
    return made;
}

static void python(const char *program, const char *label, const char *cluster, char *ret, size_t cap)
{
    const char *const argv[] = {"python3", "-c", program, SECRET, label, cluster, NULL};
    struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 1 << 16};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, NULL, &result, &last) < 0 || result.status != 0 || !result.out.data)
        fail_msg("python3: %s", result.err.data ? result.err.data : last.text);
    snprintf(ret, cap, "%s", result.out.data);
}

#define DERIVE                                                                                               \
    "import base64, hashlib, sys\n"                                                                          \
    "secret, label, cluster = sys.argv[1:]\n"                                                                \
    "text = b'bake v1\\0' + label.encode() + b'\\0' + cluster.encode() + b'\\0'\n"                           \
    "key = hashlib.blake2b(text, key=base64.b64decode(secret), digest_size=32).digest()\n"

static void keys_are_blake2b_of_version_label_and_cluster(void **state)
{
    (void)state;
    struct cluster_secret secret = parse(SECRET);
    static const char *const all[][2] = {
        {"ca cluster", "prod"}, {"ca etcd", "prod"}, {"peer", "a-b-c"}, {"", ""}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        unsigned char key[DERIVED_KEY_SIZE];
        char hex[2 * DERIVED_KEY_SIZE + 1], wants[256];
        cluster_secret_derive(&secret, all[i][1], all[i][0], key);
        for (size_t j = 0; j < sizeof key; j++)
            snprintf(hex + 2 * j, 3, "%02x", key[j]);
        python(DERIVE "print(key.hex(), end='')", all[i][0], all[i][1], wants, sizeof wants);
        assert_string_equal(hex, wants);
    }
}

/* Labels are delimited: no two pairs of label and cluster give the same result. */
static void no_two_uses_share_a_key(void **state)
{
    (void)state;
    struct cluster_secret secret = parse(SECRET), other = secret;
    other.bytes[31] ^= 1;
    unsigned char keys[5][DERIVED_KEY_SIZE];
    cluster_secret_derive(&secret, "c", "ab", keys[0]);
    cluster_secret_derive(&secret, "bc", "a", keys[1]);
    cluster_secret_derive(&secret, "", "abc", keys[2]);
    cluster_secret_derive(&secret, "abc", "", keys[3]);
    cluster_secret_derive(&other, "c", "ab", keys[4]);
    for (size_t i = 0; i < 5; i++)
        for (size_t j = i + 1; j < 5; j++)
            assert_memory_not_equal(keys[i], keys[j], DERIVED_KEY_SIZE);
}

static void authorities_keys_are_the_seeds(void **state)
{
    (void)state;
    struct cluster_secret secret = parse(SECRET);
    unsigned char seed[DERIVED_KEY_SIZE];
    char wants[512];
    cleanup_x509_pair struct x509_pair made = {0};
    cleanup_buf_wipe struct buf pem = BUF_INIT(X509_PEM_MAX);
    cluster_secret_derive(&secret, "prod", "ca cluster", seed);
    assert_int_equal(x509_authority(seed, "kubernetes", &made, &last), 0);
    assert_int_equal(x509_write_key(made.key, &pem, &last), 0);
    /* RFC 8410 7: the prefix of every Ed25519 key in PKCS #8 */
    python(DERIVE "der = bytes.fromhex('302e020100300506032b657004220420') + key\n"
                  "print('-----BEGIN PRIVATE KEY-----', base64.b64encode(der).decode(), "
                  "'-----END PRIVATE KEY-----', sep='\\n')",
           "ca cluster", "prod", wants, sizeof wants);
    assert_string_equal(pem.data, wants);
}

/* The hex digits behind FIELD in the text of `openssl pkey -text`. */
static void field(const char *text, const char *name, char *ret, size_t cap)
{
    const char *at = strstr(text, name);
    size_t len = 0;
    assert_non_null(at);
    for (at += strlen(name); *at && (isxdigit((unsigned char)*at) || strchr(": \n", *at)); at++)
        if (isxdigit((unsigned char)*at) && len < cap - 1)
            ret[len++] = *at;
    ret[len] = '\0';
}

static void the_token_key_is_the_first_hash_that_is_a_scalar(void **state)
{
    struct place *place = *state;
    struct cluster_secret secret = parse(SECRET);
    unsigned char seed[DERIVED_KEY_SIZE];
    char wants[256], has[256];
    EVP_PKEY *key = NULL;
    cleanup_buf_wipe struct buf pem = BUF_INIT(X509_PEM_MAX);
    cluster_secret_derive(&secret, "prod", "service accounts", seed);
    assert_int_equal(x509_token_key(seed, &key, &last), 0);
    assert_int_equal(x509_write_key(key, &pem, &last), 0);
    EVP_PKEY_free(key);
    put(place, "/sa.key", pem.data, pem.len, 0600);
    const char *const argv[] = {
        "openssl", "pkey", "-check", "-text", "-noout", "-in", below(place, "/sa.key"), NULL};
    struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 1 << 16};
    cleanup_proc_result struct proc_result result = {0};
    assert_int_equal(proc_run(&spec, NULL, &result, &last), 0);
    assert_int_equal(result.status, 0); /* -check: the point is the scalar's */
    assert_non_null(strstr(result.out.data, "NIST CURVE: P-256"));
    python(DERIVE "order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551\n"
                  "for i in range(16):\n"
                  "    d = hashlib.sha256(key + bytes([i])).digest()\n"
                  "    if 0 < int.from_bytes(d, 'big') < order: break\n"
                  "print(d.hex(), end='')",
           "service accounts", "prod", wants, sizeof wants);
    field(result.out.data, "priv:", has, sizeof has);
    assert_string_equal(has, wants);
}

static void only_32_random_bytes_are_a_secret(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "=",
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo",      /* 43 */
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo==",    /* 45 */
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fp=",     /* bits behind the last byte */
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5F_=",     /* the other alphabet */
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8u KZ1nSsBp5Fo",     /* white space */
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo=\n\n", /* one newline is a file's; two are not */
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo\n",    /* in the place of '=' */
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5F==",     /* 31 bytes */
        "hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo=hVJ2QxmV0GDyL3tq2C7OaVjEd4RkYw8uKZ1nSsBp5Fo=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", /* zeros */
        "//////////////////////////////////////////8=",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "YWJjZGFiY2RhYmNkYWJjZGFiY2RhYmNkYWJjZGFiY2Q=", /* "abcd", eight times */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct cluster_secret made = {.bytes = "as it was"}, before = made;
        if (cluster_secret_parse(bad[i], &made, &last) == 0)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_memory_equal(&made, &before, sizeof made);
        assert_int_equal(last.kind, ERR_VERIFY);
        if (strlen(bad[i]) > 8)
            assert_null(strstr(last.text, (char[9]){bad[i][0], bad[i][1], bad[i][2], bad[i][3], bad[i][4],
                                                    bad[i][5], bad[i][6], bad[i][7], '\0'}));
    }
    struct cluster_secret good = parse(SECRET), with_newline = parse(SECRET "\n"), none = {0};
    assert_true(good.set);
    assert_memory_equal(&good, &with_newline, sizeof good);
    cluster_secret_clear(&good);
    assert_memory_equal(&good, &none, sizeof good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_blake2b_of_version_label_and_cluster),
        cmocka_unit_test(no_two_uses_share_a_key),
        cmocka_unit_test(authorities_keys_are_the_seeds),
        cmocka_unit_test_setup_teardown(the_token_key_is_the_first_hash_that_is_a_scalar, make_place,
                                        remove_place),
        cmocka_unit_test(only_32_random_bytes_are_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
