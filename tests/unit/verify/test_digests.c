#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "verify/pgp.h"
#include "verify/verify.h"

#define A64       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64       "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define NOT_HEX   "gaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FILE_NAME "coreos_production_gce.tar.gz"

static const char sample[] = "# MD5 HASH\nd41d8cd98f00b204e9800998ecf8427e  " FILE_NAME "\n"
                             "# SHA1 HASH\nda39a3ee5e6b4b0d3255bfef95601890afd80709  " FILE_NAME "\n"
                             "# SHA512 HASH\n" B64 B64 "  other.tar.gz\n" A64 B64 "  " FILE_NAME "\n";

static void the_sha512_of_the_named_file_is_found(void **state)
{
    (void)state;
    struct err err = {0};
    uint8_t sum[SHA512_SIZE];
    assert_int_equal(verify_digests_parse(sample, strlen(sample), FILE_NAME, sum, &err), 0);
    assert_int_equal(sum[0], 0xaa);
    assert_int_equal(sum[63], 0xbb);
    assert_int_equal(verify_digests_parse(sample, strlen(sample) - 1, FILE_NAME, sum, &err), 0);
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "# SHA512 HASH\n",
        A64 A64 "  " FILE_NAME "\n",                                               /* before any heading */
        "# SHA256 HASH\n" A64 A64 "  " FILE_NAME "\n",                             /* of the wrong block */
        "# SHA512 HASH\n" A64 A64 "  x" FILE_NAME "\n",                            /* another name */
        "# SHA512 HASH\n" A64 "  " FILE_NAME "\n",                                 /* too short */
        "# SHA512 HASH\n" A64 A64 "a  " FILE_NAME "\n",                            /* too long */
        "# SHA512 HASH\n" NOT_HEX B64 "  " FILE_NAME "\n",                         /* not hex */
        "# SHA512 HASH\n" A64 A64 "  " FILE_NAME "\n" A64 B64 "  " FILE_NAME "\n", /* two that differ */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        uint8_t sum[SHA512_SIZE] = {1};
        assert_int_equal(verify_digests_parse(cases[i], strlen(cases[i]), FILE_NAME, sum, &err), -1);
        assert_int_equal(err.kind, ERR_VERIFY);
        assert_non_null(strstr(err.text, FILE_NAME));
        assert_int_equal(sum[0], 1);
    }
}

static int dearmour(const char *text, size_t len, struct buf *to)
{
    struct err err = {0};
    return pgp_dearmour(text, len, "SIGNATURE", "x.asc", to, &err);
}

static void armour_is_read_strictly(void **state)
{
    (void)state;
    /* "hello" with the CRC-24 of RFC 4880 */
    static const char good[] =
        "text before\n-----BEGIN PGP SIGNATURE-----\r\nVersion: 1\r\n\r\naGVs\r\nbG8=\r\n=R/WK\r\n"
        "-----END PGP SIGNATURE-----\r\n";
    cleanup_buf struct buf out = BUF_INIT(64);
    struct err err = {0};
    if (pgp_dearmour(good, strlen(good), "SIGNATURE", "x.asc", &out, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(out.len, 5);
    assert_memory_equal(out.data, "hello", 5);
    for (size_t cut = 1; cut < strlen(good) - 2; cut++) {
        cleanup_buf struct buf part = BUF_INIT(64);
        assert_int_equal(dearmour(good, cut, &part), -1);
    }
    static const char *const bad[] = {
        "-----BEGIN PGP SIGNATURE-----\n\naGVs\nbG8=\n=1bqq\n-----END PGP SIGNATURE-----\n",
        "-----BEGIN PGP SIGNATURE-----\n\naGVs\nb=G8\n-----END PGP SIGNATURE-----\n",
        "-----BEGIN PGP SIGNATURE-----\n\naGVs\nb===\n-----END PGP SIGNATURE-----\n",
        "-----BEGIN PGP SIGNATURE-----\n\naG*s\n-----END PGP SIGNATURE-----\n",
        "-----BEGIN PGP SIGNATURE-----\n\n=twTO\n-----END PGP SIGNATURE-----\n", /* the checksum of nothing */
        "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n",
        "-----BEGIN PGP MESSAGE-----\n\naGVs\n-----END PGP MESSAGE-----\n",
        "-----BEGIN PGP SIGNATURE-----\n\naGVs\n-----END PGP MESSAGE-----\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cleanup_buf struct buf part = BUF_INIT(64);
        if (dearmour(bad[i], strlen(bad[i]), &part) == 0)
            fail_msg("case %zu passed", i);
    }
    cleanup_buf struct buf small = BUF_INIT(4);
    assert_int_equal(dearmour(good, strlen(good), &small), -1);
}

static void only_signature_packets_pass(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        int result;
    } cases[] = {
        {"\x88\x01x", 3, 0},
        {"\x88\x02x", 3, -1},
        {"\x89\x00\x01x", 4, 0},
        {"\xc2\x01x", 3, 0},
        {"\xc2\xe1x", 3, -1},
        {"\xc2\xff\xff\xff\xff\xffx", 7, -1},
        {"\x8a\xff\xff\xff\xffx", 6, -1},
        {"\x8bx", 2, -1},
        {"\x98\x01x", 3, -1},
        {"\x88", 1, -1},
        {"\xc2\xff\x00", 3, -1},
        {"\x08\x01x", 3, -1},
        {"\x88\x00\xcb\x00", 4, -1},
        /* packets to skip: a marker, padding, a type that is not critical */
        {"\xca\x03PGP\x88\x01x", 8, 0},
        {"\x88\x01x\xd5\x02zz", 7, 0},
        {"\x88\x01x\xe8\x01z", 6, 0},
        {"\xca\x03PGP", 5, -1},
        {"", 0, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        struct pgp_signature each[PGP_SIGNATURES_MAX];
        unsigned count = 0;
        if (pgp_split_signatures(cases[i].bytes, cases[i].len, "x.sig", each, &count, &err) !=
            cases[i].result)
            fail_msg("case %zu: %s", i, err.text);
        if (cases[i].result == 0)
            assert_int_equal(count, 1);
    }
    char many[2 * 17];
    for (size_t i = 0; i < sizeof many; i += 2)
        memcpy(many + i, "\x88\x00", 2);
    struct err err = {0};
    struct pgp_signature each[PGP_SIGNATURES_MAX];
    unsigned count = 0;
    assert_int_equal(pgp_split_signatures(many, 32, "x.sig", each, &count, &err), 0);
    assert_int_equal(count, 16);
    assert_ptr_equal(each[15].bytes, many + 30);
    assert_int_equal(each[15].len, 2);
    assert_int_equal(pgp_split_signatures(many, 34, "x.sig", each, &count, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sha512_of_the_named_file_is_found),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(armour_is_read_strictly),
        cmocka_unit_test(only_signature_packets_pass),
    };
    return cmocka_run_group_tests_name("verify text", tests, NULL, NULL);
}
