/* Certificates: OpenSSL's own program reads and verifies them, and what is not just right does not fit. */
#include "tests/unit/agent/helper.h"

#include <stdlib.h>

#include "node/x509.h"

#define NOW ((time_t)1800000000) /* 2027-01-15T08:00:00Z */
#define DAY ((time_t)86400)

static struct err last;

/* Two that share a seed's first bytes only: an authority that merely has the right name. */
static const unsigned char seed[DERIVED_KEY_SIZE] = {1, 2, 3}, other_seed[DERIVED_KEY_SIZE] = {1, 2, 4};

static struct x509_leaf server(void)
{
    return (struct x509_leaf){.common_name = "a",
                              .organization = "o",
                              .server = true,
                              .names = {"a", "10.0.0.2", "127.0.0.1", "a.example.com"},
                              .name_count = 4};
}

struct made {
    struct x509_pair authority, leaf;
    struct buf ca, cert, key;
};

static void free_made(struct made *made)
{
    x509_pair_free(&made->authority);
    x509_pair_free(&made->leaf);
    buf_free(&made->ca);
    buf_free(&made->cert);
    buf_wipe(&made->key);
}
#define cleanup_made cleanup(free_made)

static struct made make(const unsigned char *of, const struct x509_leaf *leaf)
{
    struct made made = {
        .ca = BUF_INIT(X509_PEM_MAX), .cert = BUF_INIT(X509_PEM_MAX), .key = BUF_INIT(X509_PEM_MAX)};
    if (x509_authority(of, "kubernetes", &made.authority, &last) < 0 ||
        x509_issue(&made.authority, leaf, NOW, &made.leaf, &last) < 0 ||
        x509_write_cert(made.authority.cert, &made.ca, &last) < 0 ||
        x509_write_cert(made.leaf.cert, &made.cert, &last) < 0 ||
        x509_write_key(made.leaf.key, &made.key, &last) < 0)
        fail_msg("%s", last.text);
    return made;
}

static void put_made(const struct place *place, const struct made *made)
{
    put(place, "/ca.crt", made->ca.data, made->ca.len, 0644);
    put(place, "/leaf.crt", made->cert.data, made->cert.len, 0644);
    put(place, "/leaf.key", made->key.data, made->key.len, 0600);
}

/* openssl verify with PURPOSE, at NOW + DAYS, for the host or address NAME */
static bool verifies(const struct place *place, const char *purpose, int days, const char *option,
                     const char *name)
{
    char at[32];
    snprintf(at, sizeof at, "%lld", (long long)(NOW + days * DAY));
    const char *const argv[] = {"openssl",
                                "verify",
                                "-x509_strict",
                                "-check_ss_sig",
                                "-attime",
                                at,
                                "-purpose",
                                purpose,
                                "-CAfile",
                                below(place, "/ca.crt"),
                                option,
                                name,
                                below(place, "/leaf.crt"),
                                NULL};
    return run(argv) == 0;
}

static struct buf text_of(const struct place *place, const char *path)
{
    const char *const argv[] = {"openssl", "x509", "-noout", "-text", "-in", below(place, path), NULL};
    struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 1 << 16};
    struct proc_result result = {0};
    assert_int_equal(proc_run(&spec, NULL, &result, &last), 0);
    assert_int_equal(result.status, 0);
    struct buf out = result.out;
    result.out = (struct buf){0};
    proc_result_free(&result);
    return out;
}

static void says(const struct buf *text, const char *part)
{
    if (!strstr(text->data, part))
        fail_msg("\"%s\" is not in:\n%s", part, text->data);
}

static void an_authority_is_its_seed_and_name(void **state)
{
    struct place *place = *state;
    struct x509_leaf leaf = server();
    cleanup_made struct made one = make(seed, &leaf), same = make(seed, &leaf),
                             other = make(other_seed, &leaf);
    assert_string_equal(one.ca.data, same.ca.data);
    assert_string_not_equal(one.ca.data, other.ca.data);
    put_made(place, &one);
    cleanup_buf struct buf text = text_of(place, "/ca.crt");
    says(&text, "Version: 3 (0x2)");
    says(&text, "Issuer: CN = kubernetes\n");
    says(&text, "Subject: CN = kubernetes\n");
    says(&text, "Not Before: Jan  1 00:00:00 2020 GMT");
    says(&text, "Not After : Jan  1 00:00:00 2120 GMT");
    says(&text, "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0\n");
    says(&text,
         "X509v3 Key Usage: critical\n                Digital Signature, Certificate Sign, CRL Sign\n");
    says(&text, "X509v3 Subject Key Identifier:");
    says(&text, "ED25519");
    assert_true(x509_authority_good(one.authority.cert, NOW));
    assert_false(x509_authority_good(one.authority.cert, (time_t)1500000000)); /* 2017 */
    assert_false(x509_authority_good(one.leaf.cert, NOW));
}

static void a_leaf_is_what_was_asked_for(void **state)
{
    struct place *place = *state;
    struct x509_leaf leaf = server();
    cleanup_made struct made one = make(seed, &leaf), again = make(seed, &leaf);
    put_made(place, &one);
    cleanup_buf struct buf text = text_of(place, "/leaf.crt");
    says(&text, "Version: 3 (0x2)");
    says(&text, "Issuer: CN = kubernetes\n");
    says(&text, "Subject: O = o, CN = a\n");
    says(&text, "Not Before: Jan 14 07:00:00 2027 GMT");
    says(&text, "Not After : Apr 15 08:00:00 2027 GMT");
    says(&text, "X509v3 Basic Constraints: critical\n                CA:FALSE\n");
    says(&text, "X509v3 Key Usage: critical\n                Digital Signature\n");
    says(&text, "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n");
    says(&text, "X509v3 Authority Key Identifier:");
    says(&text, "X509v3 Subject Alternative Name: \n                DNS:a, IP Address:10.0.0.2, "
                "IP Address:127.0.0.1, DNS:a.example.com\n");
    assert_true(verifies(place, "sslserver", 0, "-verify_hostname", "a.example.com"));
    assert_true(verifies(place, "sslserver", 0, "-verify_ip", "10.0.0.2"));
    assert_false(verifies(place, "sslserver", 0, "-verify_ip", "10.0.0.3"));
    assert_false(verifies(place, "sslserver", 0, "-verify_hostname", "b.example.com"));
    assert_false(verifies(place, "sslclient", 0, "-verify_hostname", "a"));
    assert_true(verifies(place, "sslserver", -1, "-verify_hostname", "a")); /* a clock that is a day behind */
    assert_false(verifies(place, "sslserver", -2, "-verify_hostname", "a"));
    assert_true(verifies(place, "sslserver", 89, "-verify_hostname", "a"));
    assert_false(verifies(place, "sslserver", 91, "-verify_hostname", "a"));
    /* keys and serials are random */
    assert_string_not_equal(one.key.data, again.key.data);
    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(one.leaf.cert), X509_get0_serialNumber(again.leaf.cert)), 0);
    assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(one.leaf.cert)), 16);
}

static void names_of_63_characters_have_a_place(void **state)
{
    struct place *place = *state;
    char name[64], common[80];
    memset(name, 'n', 63);
    name[63] = '\0';
    snprintf(common, sizeof common, "system:node:%s", name);
    struct x509_leaf leaf = {.common_name = common,
                             .organization = "system:nodes",
                             .client = true,
                             .names = {name},
                             .name_count = 1};
    cleanup_made struct made made = make(seed, &leaf);
    put_made(place, &made);
    assert_true(verifies(place, "sslclient", 0, "-verify_hostname", name));
    cleanup_buf struct buf text = text_of(place, "/leaf.crt");
    says(&text, common);
    assert_true(x509_fits(&made.cert, &made.key, made.authority.cert, &leaf, NOW, 0));
}

static bool fits(const struct buf *cert, const struct buf *key, const struct made *of,
                 const struct x509_leaf *leaf, time_t now, time_t spare_s)
{
    return x509_fits(cert, key, of->authority.cert, leaf, now, spare_s);
}

static void only_just_that_leaf_fits(void **state)
{
    (void)state;
    struct x509_leaf leaf = server();
    cleanup_made struct made one = make(seed, &leaf), other = make(other_seed, &leaf),
                             again = make(seed, &leaf);
    assert_true(fits(&one.cert, &one.key, &one, &leaf, NOW, 0));
    assert_true(fits(&one.cert, &one.key, &one, &leaf, NOW, 90 * DAY - 1));
    assert_false(fits(&one.cert, &one.key, &one, &leaf, NOW, 90 * DAY));
    assert_true(fits(&one.cert, &one.key, &one, &leaf, NOW + 60 * DAY - 1, 30 * DAY));
    assert_false(fits(&one.cert, &one.key, &one, &leaf, NOW + 60 * DAY, 30 * DAY));
    assert_true(fits(&one.cert, &one.key, &one, &leaf, NOW - DAY, 0));
    assert_false(fits(&one.cert, &one.key, &one, &leaf, NOW - X509_BACKDATE_S - 1, 0));
    assert_false(fits(&one.cert, &again.key, &one, &leaf, NOW, 0)); /* another's key */
    assert_false(fits(&one.cert, &one.key, &other, &leaf, NOW, 0)); /* another authority of the same name */
    assert_false(fits(&other.cert, &other.key, &one, &leaf, NOW, 0));
    assert_false(fits(&one.ca, &one.key, &one, &leaf, NOW, 0));
    struct x509_leaf changed[7];
    for (size_t i = 0; i < 7; i++)
        changed[i] = leaf;
    changed[0].common_name = "b";
    changed[1].organization = NULL;
    changed[2].client = true;
    changed[3].name_count = 3;
    changed[4].names[changed[4].name_count++] = "more";
    changed[5].names[1] = "10.0.0.3";
    changed[6].server = false;
    for (size_t i = 0; i < 7; i++)
        assert_false(fits(&one.cert, &one.key, &one, &changed[i], NOW, 0));
    cleanup_buf struct buf none = BUF_INIT(1);
    assert_false(fits(&none, &one.key, &one, &leaf, NOW, 0));
    assert_false(fits(&one.cert, &none, &one, &leaf, NOW, 0));
}

/* Whatever one byte becomes, in either file, and whatever is added: it is not taken for ours. */
static void no_changed_byte_fits(void **state)
{
    (void)state;
    struct x509_leaf leaf = server();
    cleanup_made struct made one = make(seed, &leaf);
    struct buf *const files[] = {&one.cert, &one.key};
    for (size_t f = 0; f < 2; f++) {
        struct buf *file = files[f];
        for (size_t i = 0; i < file->len; i++) {
            char was = file->data[i];
            static const char into[] = {'A', '/', '\n', '-', '\0', (char)0xff};
            char now = into[i % sizeof into];
            if (now == was)
                now = was == 'B' ? 'C' : 'B';
            file->data[i] = now;
            if (x509_fits(&one.cert, &one.key, one.authority.cert, &leaf, NOW, 0))
                fail_msg("byte %zu of file %zu", i, f);
            file->data[i] = was;
        }
        file->len--;
        assert_false(x509_fits(&one.cert, &one.key, one.authority.cert, &leaf, NOW, 0));
        file->len++;
        buf_str(file, "\n");
        assert_false(x509_fits(&one.cert, &one.key, one.authority.cert, &leaf, NOW, 0));
        file->data[--file->len] = '\0';
        assert_true(x509_fits(&one.cert, &one.key, one.authority.cert, &leaf, NOW, 0));
    }
}

/* Nor is anybody asked for a password: this would wait for one. */
static void what_is_encrypted_is_not_ours(void **state)
{
    struct place *place = *state;
    struct x509_leaf leaf = server();
    cleanup_made struct made one = make(seed, &leaf);
    put_made(place, &one);
    const char *const argv[] = {"openssl",  "pkey",   "-in",  below(place, "/leaf.key"),   "-aes256",
                                "-passout", "pass:x", "-out", below(place, "/locked.key"), NULL};
    assert_int_equal(run(argv), 0);
    cleanup_buf struct buf locked = get_file(place, "/locked.key");
    assert_non_null(strstr(locked.data, "ENCRYPTED"));
    assert_false(x509_fits(&one.cert, &locked, one.authority.cert, &leaf, NOW, 0));
    cleanup_buf struct buf cert = BUF_INIT(X509_PEM_MAX);
    buf_printf(&cert,
               "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,%032d\n\n%s", 1,
               strchr(one.cert.data, '\n') + 1);
    assert_false(x509_fits(&cert, &one.key, one.authority.cert, &leaf, NOW, 0));
    assert_null(x509_read_cert(&cert));
}

#define ROOTED(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOTED(an_authority_is_its_seed_and_name),   ROOTED(a_leaf_is_what_was_asked_for),
        ROOTED(names_of_63_characters_have_a_place), cmocka_unit_test(only_just_that_leaf_fits),
        cmocka_unit_test(no_changed_byte_fits),      ROOTED(what_is_encrypted_is_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
