/* Encrypted snapshots: whole ones open, and nothing else does. */
#include "tests/unit/agent/helper.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <sodium.h>

#include "agent/backup/cipher.h"
#include "agent/backup/names.h"

#define NAME "prod/20261129T054500Z.r1.a"

static struct err last;
static const struct cipher_key key = {{1, 2, 3}}, other = {{1, 2, 4}};

static int memory(const void *bytes, size_t len)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, 0), (ssize_t)len);
    return fd;
}

/* The sealed form of LEN bytes, and its length. */
static unsigned char *seal(size_t len, size_t *ret_len)
{
    cleanup_free unsigned char *plain = calloc(1, len + 1);
    assert_non_null(plain);
    cleanup_close int from = memory(plain, len), to = memory("", 0);
    if (cipher_seal(&key, NAME, from, to, &last) < 0)
        fail_msg("%s", last.text);
    *ret_len = (size_t)lseek(to, 0, SEEK_CUR);
    unsigned char *sealed = malloc(*ret_len);
    assert_non_null(sealed);
    assert_int_equal(pread(to, sealed, *ret_len, 0), (ssize_t)*ret_len);
    return sealed;
}

/* The length of what was in it, -1 when it is refused. */
static off_t opened(const struct cipher_key *with, const char *name, const void *sealed, size_t len)
{
    cleanup_close int from = memory(sealed, len), to = memory("", 0);
    return cipher_open(with, name, from, to, &last) < 0 ? -1 : lseek(to, 0, SEEK_CUR);
}

static void all_sizes_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, CIPHER_PIECE - 1, CIPHER_PIECE, CIPHER_PIECE + 1, 3 * CIPHER_PIECE};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t len = 0;
        cleanup_free unsigned char *sealed = seal(sizes[i], &len);
        if (opened(&key, NAME, sealed, len) != (off_t)sizes[i])
            fail_msg("%zu bytes: %s", sizes[i], last.text);
    }
}

static void another_key_or_name_is_refused(void **state)
{
    (void)state;
    size_t len = 0;
    cleanup_free unsigned char *sealed = seal(10, &len);
    assert_int_equal(opened(&other, NAME, sealed, len), -1);
    assert_non_null(strstr(last.text, "another cluster-secret"));
    assert_int_equal(opened(&key, "prod/20261129T054500Z.r2.a", sealed, len), -1);
    assert_non_null(strstr(last.text, "under another name"));
    assert_int_equal(opened(&key, NAME, "", 0), -1);
    assert_non_null(strstr(last.text, "not a snapshot"));
}

static void nothing_changed_or_cut_off_opens(void **state)
{
    (void)state;
    size_t len = 0;
    cleanup_free unsigned char *sealed = seal(2 * CIPHER_PIECE + 5, &len);
    for (size_t at = 0; at < len; at += at < 100 ? 1 : 4999) {
        sealed[at] ^= 0x40;
        assert_int_equal(opened(&key, NAME, sealed, len), -1);
        sealed[at] ^= 0x40;
        assert_int_equal(opened(&key, NAME, sealed, at), -1);
    }
    /* a whole piece less: the mark of the last one is missing */
    assert_int_equal(opened(&key, NAME, sealed, len - 5 - crypto_secretstream_xchacha20poly1305_ABYTES), -1);
    assert_non_null(strstr(last.text, "its end is missing"));
    assert_int_equal(opened(&key, NAME, sealed, len), 2 * CIPHER_PIECE + 5);
}

static void names_say_which_restore(void **state)
{
    (void)state;
    struct names_restore wanted;
    assert_string_equal(names_restore_of("20261129T054500Z.r1.a"), "");
    assert_string_equal(names_restore_of("20261129T054500Z.r1.a.first"), "first");
    names_restore_read("", &wanted);
    assert_true(wanted.id[0] == '\0' && !wanted.snapshot && !wanted.disk);
    names_restore_read("r1=disk@node-1", &wanted);
    assert_string_equal(wanted.id, "r1");
    assert_string_equal(wanted.disk, "node-1");
    assert_null(wanted.snapshot);
    names_restore_read("r2=newest", &wanted);
    assert_string_equal(wanted.snapshot, "newest");
    assert_null(wanted.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sizes_come_back),
        cmocka_unit_test(another_key_or_name_is_refused),
        cmocka_unit_test(nothing_changed_or_cut_off_opens),
        cmocka_unit_test(names_say_which_restore),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
