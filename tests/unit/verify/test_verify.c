#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/file.h"
#include "text/hex.h"
#include "verify/gpgv.h"
#include "verify/verify.h"

#define FIXTURES "tests/unit/verify/fixtures/"
#define DATA     "the quick brown base\n"

static int memory_file(const void *bytes, size_t len)
{
    struct err err = {0};
    int fd = -1;
    assert_int_equal(file_scratch("/tmp", &fd, &err), 0);
    assert_int_equal(file_write(fd, bytes, len, "data", &err), 0);
    return fd;
}

static struct artifact artifact_of(const void *bytes, size_t len)
{
    struct err err = {0};
    struct artifact made = {
        .fd = memory_file(bytes, len), .size = len, .origin = strdup("https://example.org/x")};
    assert_int_equal(sha256_of(bytes, len, &made.sha256, &err), 0);
    return made;
}

struct log {
    char text[4096];
    enum event_kind kind;
};

static void listen(void *ctx, const struct event *event)
{
    struct log *log = ctx;
    if (!log)
        return;
    if (event->kind == EVENT_PROGRESS)
        return;
    log->kind = event->kind;
    snprintf(log->text, sizeof log->text, "%s", event->what);
}

static struct buf fixture(const char *name)
{
    struct err err = {0};
    char path[256];
    struct buf made = BUF_INIT(1 << 20);
    snprintf(path, sizeof path, FIXTURES "%s", name);
    if (file_read(path, 1 << 20, &made, &err) < 0)
        fail_msg("%s (run the tests from the top folder)", err.text);
    return made;
}

static const char *fingerprint(const char *name)
{
    static char text[FINGERPRINT_CAP];
    struct buf file = fixture(name);
    assert_int_equal(file.len, 41);
    memcpy(text, file.data, 40);
    buf_free(&file);
    return text;
}

/* Verifies DATA by one of the fixtures; the message, or "" when it is trusted. */
static const char *verdict(const void *data, size_t len, const char *signature, const char *keyring,
                           const char *signer, struct log *log)
{
    static struct err err;
    char ring[256];
    err = (struct err){0};
    snprintf(ring, sizeof ring, FIXTURES "%s", keyring);
    struct buf sig = {0};
    if (signature)
        sig = fixture(signature);
    struct run run = {.on_event = listen, .ctx = log};
    struct verify_spec spec = {.name = "base",
                               .keyring = ring,
                               .signature = signature ? sig.data : NULL,
                               .signature_size = sig.len,
                               .signature_name = signature,
                               .signer = signer};
    cleanup_artifact struct artifact artifact = artifact_of(data, len);
    cleanup_trusted struct trusted trusted = TRUSTED_EMPTY;
    int before = artifact.fd;
    int r = verify_artifact(&artifact, &spec, log ? &run : NULL, &trusted, &err);
    buf_free(&sig);
    if (r == 0) {
        assert_int_equal(artifact.fd, -1);
        assert_null(artifact.origin);
        assert_int_equal(trusted.fd, before);
        assert_int_equal(trusted.size, len);
        assert_string_equal(trusted.origin, "https://example.org/x");
        assert_int_not_equal(strlen(trusted.signer), 0);
        return "";
    }
    assert_int_equal(r, -1);
    assert_int_equal(artifact.fd, before);
    assert_int_equal(trusted.fd, -1);
    assert_null(trusted.origin);
    assert_int_equal(err.kind, ERR_VERIFY);
    return err.text;
}

#define check_ok(...)         assert_string_equal(verdict(__VA_ARGS__), "")
#define check_says(text, ...) says(verdict(__VA_ARGS__), text)

static void says(const char *message, const char *text)
{
    if (!strstr(message, text))
        fail_msg("\"%s\" does not say \"%s\"", message, text);
}

static void good_signatures_pass(void **state)
{
    (void)state;
    const char *rings[] = {"keyring.gpg", "keyring.asc", "two-blocks.asc"};
    for (size_t i = 0; i < 3; i++) {
        check_ok(DATA, strlen(DATA), "good.sig", rings[i], NULL, NULL);
        check_ok(DATA, strlen(DATA), "good.asc", rings[i], NULL, NULL);
    }
    check_ok(DATA, strlen(DATA), "stranger.sig", "two-blocks.asc", NULL, NULL);
    check_ok(DATA, strlen(DATA), "good-and-stranger.sig", "keyring.gpg", NULL, NULL);
    check_ok("", 0, "empty.sig", "keyring.gpg", NULL, NULL);
}

static void the_signer_is_the_primary_key(void **state)
{
    (void)state;
    const char *good = fingerprint("good.fingerprint");
    check_ok(DATA, strlen(DATA), "good.sig", "keyring.gpg", good, NULL);
    check_says("but the signer must be", DATA, strlen(DATA), "good.sig", "keyring.gpg",
               "0000111122223333444455556666777788889999", NULL);
    char spaced[128] = "";
    for (size_t i = 0; i < 40; i += 4)
        snprintf(spaced + strlen(spaced), sizeof spaced - strlen(spaced), "%.4s ", good + i);
    check_ok(DATA, strlen(DATA), "good.sig", "keyring.gpg", spaced, NULL);
}

static void expired_keys_count_only_for_what_they_signed_before(void **state)
{
    (void)state;
    struct log log = {0};
    check_ok(DATA, strlen(DATA), "expired-before.sig", "keyring.gpg", NULL, &log);
    assert_int_equal(log.kind, EVENT_NOTE);
    says(log.text, "expired on 2021-12-31; the signature was made before, on 2021-06-01");
    log = (struct log){0};
    check_ok(DATA, strlen(DATA), "late-before.sig", "keyring.gpg", NULL, &log);
    says(log.text, "the signature was made before");
    check_says("was made on 2023-06-01, after its key", DATA, strlen(DATA), "expired-after.sig",
               "keyring.gpg", NULL, NULL);
}

/* A publisher adds a signing subkey every year. Expired ones do not affect signatures by the others. */
static void every_subkey_counts_by_its_own_end(void **state)
{
    (void)state;
    struct log log = {0};
    check_ok(DATA, strlen(DATA), "rota-living.sig", "keyring.gpg", NULL, &log);
    assert_string_equal(log.text, "");
    check_ok(DATA, strlen(DATA), "rota-first.sig", "keyring.gpg", NULL, &log);
    says(log.text, "expired on 2020-12-31; the signature was made before, on 2020-06-01");
    check_ok(DATA, strlen(DATA), "rota-second.sig", "keyring.gpg", NULL, &log);
    says(log.text, "expired on 2022-01-01; the signature was made before, on 2021-06-01");
    check_says("was made on 2023-06-01, after its key", DATA, strlen(DATA), "rota-after.sig", "keyring.gpg",
               NULL, NULL);
    /* the subkey has no end, its primary key has */
    check_says("had expired (on 2021-12-31)", DATA, strlen(DATA), "late-after.sig", "keyring.gpg", NULL,
               NULL);
    /* gpgv calls it expired and no more */
    check_says("was revoked by its owner", DATA, strlen(DATA), "rota-revoked.sig", "keyring.gpg", NULL, NULL);
}

/* The verdict on several signatures in one file; FIRST and SECOND are fixtures, or NULL for one of version
 * 6. */
static const char *verdict_of_two(const char *first, const char *second, const char *signer, struct log *log)
{
    static const char version_6[] = "\x88\x0a\x06\x00\x1b\x0a\x00\x00\x00\x00\x00\x00";
    static struct err err;
    err = (struct err){0};
    struct run run = {.on_event = listen, .ctx = log};
    cleanup_buf struct buf sig = BUF_INIT(SIGNATURE_MAX);
    const char *names[] = {first, second};
    for (unsigned i = 0; i < 2; i++) {
        cleanup_buf struct buf one = BUF_INIT(SIGNATURE_MAX);
        if (names[i])
            one = fixture(names[i]);
        else
            buf_add(&one, version_6, sizeof version_6 - 1);
        buf_add(&sig, one.data, one.len);
    }
    struct verify_spec spec = {.name = "base",
                               .keyring = FIXTURES "keyring.gpg",
                               .signature = sig.data,
                               .signature_size = sig.len,
                               .signer = signer};
    cleanup_artifact struct artifact artifact = artifact_of(DATA, strlen(DATA));
    cleanup_trusted struct trusted trusted = TRUSTED_EMPTY;
    int r = verify_artifact(&artifact, &spec, &run, &trusted, &err);
    assert_true(r == 0 || err.kind == ERR_VERIFY);
    return r == 0 ? "" : err.text;
}

static void one_good_signature_is_enough(void **state)
{
    (void)state;
    static const struct {
        const char *other, *note; /* NULL: of a version that gpgv does not know */
    } cases[] = {
        {NULL, "does not know its version"}, {"stranger.sig", "no public key"},
        {"revoked.sig", "was revoked"},      {"rota-revoked.sig", "was revoked"},
        {"sha1.sig", "can be forged"},       {"text.sig", "not a signature of a binary file"},
        {"short.sig", "has expired"},        {"late-after.sig", "had expired"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (unsigned second = 0; second < 2; second++) {
            struct log log = {0};
            const char *names[] = {second ? cases[i].other : "good.sig",
                                   second ? "good.sig" : cases[i].other};
            assert_string_equal(verdict_of_two(names[0], names[1], NULL, &log), "");
            says(log.text, cases[i].note);
            says(log.text, second ? "signature 1 of 2" : "signature 2 of 2");
        }
        /* two signatures that do not count are no better than one */
        assert_string_not_equal(verdict_of_two(cases[i].other, "stranger.sig", NULL, NULL), "");
        says(verdict_of_two(NULL, cases[i].other, NULL, NULL), cases[i].note);
    }
    const char *good = fingerprint("good.fingerprint");
    assert_string_equal(verdict_of_two("rota-living.sig", "good.sig", good, NULL), "");
    assert_string_equal(verdict_of_two("good.sig", "rota-living.sig", good, NULL), "");
    says(verdict_of_two("rota-living.sig", "rota-first.sig", good, NULL), "but the signer must be");
    says(verdict_of_two("other.sig", "good.sig", NULL, NULL), "BAD signature");
    says(verdict_of_two("good.sig", "other.sig", NULL, NULL), "BAD signature");
}

/* A key of version 6 in the keyring must not hide the others from gpgv. */
static void new_keys_in_a_keyring_hide_no_other(void **state)
{
    (void)state;
    static const char key_6[] = "\x98\x0a\x06\x60\x00\x00\x00\x1b\x00\x00\x00\x00\xb4\x01x\xb8\x01\x06";
    cleanup_buf struct buf good = fixture("keyring.gpg"), sig = fixture("good.sig");
    for (unsigned last = 0; last < 2; last++) {
        char path[] = "/tmp/bake-keyring-XXXXXX";
        struct err err = {0};
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        cleanup_buf struct buf ring = BUF_INIT(KEYRING_MAX);
        if (last)
            buf_add(&ring, good.data, good.len);
        buf_add(&ring, key_6, sizeof key_6 - 1);
        if (!last)
            buf_add(&ring, good.data, good.len);
        assert_int_equal(file_write(fd, ring.data, ring.len, path, &err), 0);
        close(fd);
        struct verify_spec spec = {
            .name = "base", .keyring = path, .signature = sig.data, .signature_size = sig.len};
        cleanup_artifact struct artifact artifact = artifact_of(DATA, strlen(DATA));
        cleanup_trusted struct trusted trusted = TRUSTED_EMPTY;
        int r = verify_artifact(&artifact, &spec, NULL, &trusted, &err);
        unlink(path);
        if (r < 0)
            fail_msg("%s", err.text);
    }
}

static void bad_signatures_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *signature, *says;
    } cases[] = {
        {NULL, "the signature file base.sig is missing"},
        {"other.sig", "BAD signature"},
        {"good-and-bad.sig", "BAD signature"},
        {"stranger.sig", "no public key"},
        {"revoked.sig", "was revoked"},
        {"sha1.sig", "digest that can be forged"},
        {"text.sig", "not a signature of a binary file"},
        {"short.sig", "has expired"},
        {"inline.sig", "not a detached signature"},
        {"keyring.gpg", "not a detached signature"},
        {"keyring.asc", "not OpenPGP"},
        {"make", "not OpenPGP"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_says(cases[i].says, DATA, strlen(DATA), cases[i].signature, "keyring.gpg", NULL, NULL);
    }
    check_says("gpg --armor --export", DATA, strlen(DATA), "stranger.sig", "keyring.asc", NULL, NULL);
    check_says("BAD signature", "the quick brown bask\n", strlen(DATA), "good.sig", "keyring.gpg", NULL,
               NULL);
    check_says("BAD signature", DATA, strlen(DATA) - 1, "good.sig", "keyring.gpg", NULL, NULL);
}

static void bad_keyrings_are_refused(void **state)
{
    (void)state;
    check_says("keyring", DATA, strlen(DATA), "good.sig", "no-such-file", NULL, NULL);
    check_says("not OpenPGP", DATA, strlen(DATA), "good.sig", "make", NULL, NULL);
    check_says("no public key", DATA, strlen(DATA), "good.sig", "other.sig", NULL, NULL);
}

/* Every truncated or flipped signature is refused, without a crash. */
static void damaged_signatures_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"good.sig", "good.asc"};
    for (unsigned which = 0; which < 2; which++) {
        struct buf sig = fixture(names[which]);
        cleanup_artifact struct artifact artifact = artifact_of(DATA, strlen(DATA));
        for (size_t cut = 1; cut < sig.len; cut += 37) {
            struct err err = {0};
            struct trusted trusted = TRUSTED_EMPTY;
            struct verify_spec spec = {.name = "base",
                                       .keyring = FIXTURES "keyring.gpg",
                                       .signature = sig.data,
                                       .signature_size = cut};
            assert_int_equal(verify_artifact(&artifact, &spec, NULL, &trusted, &err), -1);
            assert_int_equal(err.kind, ERR_VERIFY);
        }
        /* after the hashed part of the signature comes the number itself */
        size_t at = which == 0 ? sig.len - 40 : sig.len - 80;
        sig.data[at] = sig.data[at] == 'A' ? 'B' : 'A';
        struct err err = {0};
        struct trusted trusted = TRUSTED_EMPTY;
        struct verify_spec spec = {.name = "base",
                                   .keyring = FIXTURES "keyring.gpg",
                                   .signature = sig.data,
                                   .signature_size = sig.len};
        assert_int_equal(verify_artifact(&artifact, &spec, NULL, &trusted, &err), -1);
        says(err.text, which == 0 ? "BAD signature" : "checksum of its ASCII armour");
        buf_free(&sig);
    }
}

static void large_sparse_files_are_verified(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_buf struct buf sig = fixture("huge.sig");
    cleanup_artifact struct artifact artifact = artifact_of("", 0);
    artifact.size = 256U << 20;
    assert_int_equal(ftruncate(artifact.fd, 256 << 20), 0);
    cleanup_trusted struct trusted trusted = TRUSTED_EMPTY;
    struct verify_spec spec = {.name = "base",
                               .sha256 = "a6d72ac7690f53be6ae46ba88506bd97302a093f7108472bd9efc3cefda06484",
                               .keyring = FIXTURES "keyring.gpg",
                               .signature = sig.data,
                               .signature_size = sig.len};
    if (verify_artifact(&artifact, &spec, NULL, &trusted, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(trusted.signer, fingerprint("good.fingerprint"));
}

static void digests_are_compared_in_full(void **state)
{
    (void)state;
    char good256[SHA256_HEX], good512[SHA512_HEX], bad[SHA512_HEX];
    uint8_t sum[SHA512_SIZE];
    struct err err = {0};
    cleanup_artifact struct artifact artifact = artifact_of(DATA, strlen(DATA));
    hex_encode(artifact.sha256.bytes, SHA256_SIZE, good256);
    cleanup_hasher struct hasher hasher = {0};
    assert_int_equal(hasher_init(&hasher, DIGEST_SHA512, &err), 0);
    assert_int_equal(hasher_add(&hasher, DATA, strlen(DATA), &err), 0);
    assert_int_equal(hasher_end(&hasher, sum, &err), 0);
    hex_encode(sum, sizeof sum, good512);
    for (unsigned i = 0; i < 4; i++) {
        struct trusted trusted = TRUSTED_EMPTY;
        struct verify_spec spec = {
            .name = "etcd", .sha256 = good256, .sha512 = good512, .from_lock = i % 2 == 1};
        memcpy(bad, i < 2 ? good256 : good512, i < 2 ? SHA256_HEX : SHA512_HEX);
        size_t last = strlen(bad) - 1;
        bad[last] = bad[last] == '0' ? '1' : '0';
        if (i < 2)
            spec.sha256 = bad;
        else
            spec.sha512 = bad;
        assert_int_equal(verify_artifact(&artifact, &spec, NULL, &trusted, &err), -1);
        assert_int_equal(err.kind, ERR_VERIFY);
        says(err.text, bad);
        says(err.text, i < 2 ? good256 : good512);
        says(err.text, i % 2 ? "bake lock --update" : "publisher");
    }
    struct verify_spec short_digest = {.name = "etcd", .sha256 = "abcd"};
    struct trusted trusted = TRUSTED_EMPTY;
    assert_int_equal(verify_artifact(&artifact, &short_digest, NULL, &trusted, &err), -1);
    assert_int_equal(err.kind, ERR_RECIPE);
    struct verify_spec size = {.name = "etcd", .sha256 = good256, .size = 5};
    assert_int_equal(verify_artifact(&artifact, &size, NULL, &trusted, &err), -1);
    says(err.text, "expected 5 bytes, found 21");
    struct verify_spec both = {.name = "etcd", .sha256 = good256, .sha512 = good512, .size = 21};
    assert_int_equal(verify_artifact(&artifact, &both, NULL, &trusted, &err), 0);
    assert_string_equal(trusted.signer, "");
    trusted_free(&trusted);
}

static void nothing_is_trusted_without_a_reason(void **state)
{
    (void)state;
    struct err err = {0};
    struct log log = {0};
    struct run run = {.on_event = listen, .ctx = &log};
    cleanup_artifact struct artifact artifact = artifact_of(DATA, strlen(DATA));
    struct trusted trusted = TRUSTED_EMPTY;
    struct verify_spec spec = {.name = "etcd"};
    assert_int_equal(verify_artifact(&artifact, &spec, &run, &trusted, &err), -1);
    says(err.text, "nothing vouches for it");
    spec.allow_unpinned = true;
    struct sha256 want = artifact.sha256;
    assert_int_equal(verify_artifact(&artifact, &spec, &run, &trusted, &err), 0);
    assert_true(sha256_equal(&trusted.sha256, &want));
    trusted_free(&trusted);
}

/* hashed_already is believed for the digest alone; otherwise a lie in the artifact does not count. */
static void the_content_counts_not_the_label(void **state)
{
    (void)state;
    struct err err = {0};
    char hex[SHA256_HEX];
    cleanup_artifact struct artifact artifact = artifact_of(DATA, strlen(DATA));
    memset(artifact.sha256.bytes, 7, SHA256_SIZE);
    hex_encode(artifact.sha256.bytes, SHA256_SIZE, hex);
    struct verify_spec spec = {.name = "etcd", .sha256 = hex};
    cleanup_trusted struct trusted trusted = TRUSTED_EMPTY;
    assert_int_equal(verify_artifact(&artifact, &spec, NULL, &trusted, &err), -1);
    assert_int_equal(ftruncate(artifact.fd, 5), 0);
    spec.hashed_already = true;
    assert_int_equal(verify_artifact(&artifact, &spec, NULL, &trusted, &err), -1);
    says(err.text, "changed since it was fetched");
}

static void a_stop_ends_the_hashing(void **state)
{
    (void)state;
    volatile sig_atomic_t stop = SIGINT;
    struct run run = {.stop = &stop};
    struct err err = {0};
    cleanup_artifact struct artifact artifact = artifact_of(DATA, strlen(DATA));
    struct trusted trusted = TRUSTED_EMPTY;
    struct verify_spec spec = {.name = "etcd", .allow_unpinned = true};
    assert_int_equal(verify_artifact(&artifact, &spec, &run, &trusted, &err), -1);
    assert_int_equal(err.kind, ERR_INTERRUPTED);
}

/* Services and cron run with a short PATH or none. What is not installed at all is io's test. */
static void gpgv_is_found_without_a_path(void **state)
{
    (void)state;
    char *path = strdup(getenv("PATH"));
    cleanup_buf struct buf sig = fixture("good.sig");
    struct err err = {0};
    cleanup_artifact struct artifact artifact = artifact_of(DATA, strlen(DATA));
    struct trusted trusted = TRUSTED_EMPTY;
    struct verify_spec spec = {
        .name = "base", .keyring = FIXTURES "keyring.gpg", .signature = sig.data, .signature_size = sig.len};
    setenv("PATH", "/nonexistent", 1);
    int r = verify_artifact(&artifact, &spec, NULL, &trusted, &err);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(r, 0);
    trusted_free(&trusted);
}

static void odd_answers_of_gpgv_are_not_trusted(void **state)
{
    (void)state;
#define FPR "8C7427191F046A2408D1BCD3F10E4587267FB990"
#define OK                                                                                                   \
    "[GNUPG:] GOODSIG F10E4587267FB990 x\n[GNUPG:] VALIDSIG " FPR                                            \
    " 2021-06-01 1622548800 0 4 0 1 10 00 " FPR "\n"
#define GOOD    "[GNUPG:] GOODSIG F10E4587267FB990 x\n"
#define EXPIRED "[GNUPG:] EXPKEYSIG F10E4587267FB990 x\n"
#define VALID(hash, class)                                                                                   \
    "[GNUPG:] VALIDSIG " FPR " 2021-06-01 1622548800 0 4 0 1 " hash " " class " " FPR "\n"
#define NOTE       "gpgv: Note: signature key F10E4587267FB990 "
#define ENDS(when) "[GNUPG:] KEYEXPIRED " when "\n"
    enum { NO = -1 }; /* refused, whatever stands beside it */
    static const struct {
        const char *status, *log;
        int verdict;
    } cases[] = {
        {OK, "", GPGV_GOOD},
        {"[GNUPG:] NEWSIG\n" OK, "", GPGV_GOOD},
        {"", "", GPGV_UNREADABLE},
        {GOOD, "", NO},
        {VALID("10", "00"), "", NO},
        {OK VALID("10", "00"), "", NO},
        {OK GOOD, "", NO},
        {"[GNUPG:] NEWSIG\n" OK "[GNUPG:] NEWSIG\n", "", NO},
        {OK "[GNUPG:] NEWSIG\n" OK, "", NO},
        {OK "[GNUPG:] BADSIG F10E4587267FB990 x\n", "", NO},
        {"[GNUPG:] BADSIG F10E4587267FB990 x\n", "", NO},
        {"[GNUPG:] ERRSIG 0 0 0 00 0 5 -\n[GNUPG:] BADSIG F10E4587267FB990 x\n", "", NO},
        {OK "[GNUPG:] EXPSIG F10E4587267FB990 x\n", "", NO},
        {OK "[GNUPG:] NODATA 4\n", "", NO},
        {OK "GOODSIG\n", "", NO},
        {OK "[GNUPG:] TRUNCA", "", NO},
        {"[GNUPG:] ERRSIG F10E4587267FB990 1 10 00 1 4 -\n", "", GPGV_UNREADABLE},
        {"[GNUPG:] ERRSIG F10E4587267FB990 1 10 00 1 9 -\n", "", GPGV_NO_KEY},
        {"[GNUPG:] ERRSIG F10E4587267FB990 1 10 00 1 9 -\n" OK, "", GPGV_NO_KEY},
        {"[GNUPG:] NODATA 4\n[GNUPG:] NODATA 4\n", "", GPGV_UNREADABLE},
        {"[GNUPG:] REVKEYSIG F10E4587267FB990 x\n" VALID("10", "00"), "", GPGV_INVALID},
        {"[GNUPG:] EXPSIG F10E4587267FB990 x\n" VALID("10", "00"), "", GPGV_INVALID},
        {GOOD VALID("1", "00"), "", GPGV_INVALID},
        {GOOD VALID("10", "01"), "", GPGV_INVALID},
        {GOOD "[GNUPG:] VALIDSIG " FPR " 2021-06-01 1622548800 0 4 0 1 10 00 ABC\n", "", NO},
        {GOOD "[GNUPG:] VALIDSIG " FPR " 2021-06-01 99999999999999999999 0 4 0 1 10 00 " FPR "\n", "", NO},
        /* an expired key's end is the log's line for it, and the two streams must agree */
        {ENDS("1640908800") EXPIRED VALID("10", "00"), NOTE "expired 2021\n", GPGV_GOOD},
        {ENDS("1600000000") EXPIRED VALID("10", "00"), NOTE "expired 2020\n", GPGV_INVALID},
        {ENDS("1622548800") EXPIRED VALID("10", "00"), NOTE "expired 2021\n", GPGV_INVALID},
        {ENDS("1640908800") EXPIRED VALID("10", "00"), NOTE "expired 2021\n" NOTE "has been revoked\n",
         GPGV_INVALID},
        {ENDS("1640908800") EXPIRED VALID("10", "00"), "", GPGV_INVALID},
        {ENDS("1640908800") EXPIRED VALID("10", "00"), NOTE "EXPIRED\n", GPGV_INVALID},
        {ENDS("1640908800") EXPIRED VALID("10", "00"), NOTE "expired 1\n" NOTE "expired 2\n", GPGV_INVALID},
        {ENDS("1640908800") ENDS("1640908800") EXPIRED VALID("10", "00"), NOTE "expired 1\n", GPGV_INVALID},
        {EXPIRED VALID("10", "00"), "", GPGV_INVALID},
        {ENDS("0") EXPIRED VALID("10", "00"), NOTE "expired 1970\n", GPGV_INVALID},
        {ENDS("soon") EXPIRED VALID("10", "00"), NOTE "expired soon\n", NO},
        {ENDS("1600000000") ENDS("1640908800") EXPIRED VALID("10", "00"),
         "gpgv: Note: signature key 0123456789ABCDEF expired 2020\n" NOTE "expired 2021\n", GPGV_GOOD},
        {ENDS("1600000000") OK, "gpgv: Note: signature key 0123456789ABCDEF expired 2020\n", GPGV_GOOD},
    };
    struct gpgv_job job = {.name = "base", .signature_name = "base.sig", .keyring_name = "ring"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        struct gpgv_answer answer = {.verdict = GPGV_UNCHECKED};
        int r = gpgv_judge(cases[i].status, strlen(cases[i].status), cases[i].log, &job, NULL, &answer, &err);
        if (r < 0 ? cases[i].verdict != NO : (int)answer.verdict != cases[i].verdict)
            fail_msg("case %zu gave %d, %d: %s", i, r, (int)answer.verdict,
                     r < 0 ? err.text : answer.reason.text);
        if (r == 0)
            assert_string_equal(answer.signer, answer.verdict == GPGV_GOOD ? FPR : "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_signatures_pass),
        cmocka_unit_test(the_signer_is_the_primary_key),
        cmocka_unit_test(expired_keys_count_only_for_what_they_signed_before),
        cmocka_unit_test(every_subkey_counts_by_its_own_end),
        cmocka_unit_test(one_good_signature_is_enough),
        cmocka_unit_test(new_keys_in_a_keyring_hide_no_other),
        cmocka_unit_test(bad_signatures_are_refused),
        cmocka_unit_test(bad_keyrings_are_refused),
        cmocka_unit_test(damaged_signatures_are_refused),
        cmocka_unit_test(large_sparse_files_are_verified),
        cmocka_unit_test(digests_are_compared_in_full),
        cmocka_unit_test(nothing_is_trusted_without_a_reason),
        cmocka_unit_test(the_content_counts_not_the_label),
        cmocka_unit_test(a_stop_ends_the_hashing),
        cmocka_unit_test(gpgv_is_found_without_a_path),
        cmocka_unit_test(odd_answers_of_gpgv_are_not_trusted),
    };
    return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
