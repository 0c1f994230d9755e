/* Parts: how segments are grouped, named and composed; and the checksums of Cloud Storage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/crc32c.h"
#include "cloud/upload/parts.h"
#include "io/file.h"

enum { MANY = 1100 };

static void checksums_are_those_of_the_api(void **state)
{
    (void)state;
    char text[CRC32C_TEXT];
    uint32_t crc = crc32c_add(0, "123456789", 9);
    assert_int_equal(crc, 0xe3069283); /* RFC 3720's check value */
    crc32c_text(crc, text);
    assert_string_equal(text, "4waSgw==");
    assert_true(crc32c_read("4waSgw==", &crc));
    assert_int_equal(crc, 0xe3069283);
    static const char *const bad[] = {
        "", "4waSgw=", "4waSgw===", "4waSgx==", "4waS\ngw==", "4waSg ==", "AAAAAAAA"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(crc32c_read(bad[i], &crc));
}

static void checksums_join(void **state)
{
    (void)state;
    unsigned char bytes[5000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    uint32_t whole = crc32c_add(0, bytes, sizeof bytes);
    for (size_t at = 0; at <= sizeof bytes; at += 487)
        assert_int_equal(crc32c_join(crc32c_add(0, bytes, at), crc32c_add(0, bytes + at, sizeof bytes - at),
                                     sizeof bytes - at),
                         whole);
    assert_int_equal(crc32c_join(whole, 0, 0), whole);
}

/* A file of 100 bytes for each segment; segment i is at raw offset i * RAW and holds the bytes of
 * VALUE(i). */
struct fixture {
    int fd;
    struct segment segments[MANY];
    struct packed packed;
};

static void make(struct fixture *f, size_t count, uint64_t raw, const unsigned *values)
{
    struct err err = {0};
    unsigned char bytes[100];
    memset(f, 0, sizeof *f);
    assert_int_equal(file_scratch("/tmp", &f->fd, &err), 0);
    f->packed = (struct packed){.segments = f->segments, .segment_count = count, .archive_size = count * 100};
    for (size_t i = 0; i < count; i++) {
        unsigned value = values ? values[i] : (unsigned)i + 1;
        for (size_t j = 0; j < sizeof bytes; j++)
            bytes[j] = (unsigned char)(value * (j + 1) + (value >> 8));
        assert_int_equal(file_pwrite(f->fd, bytes, sizeof bytes, i * 100, "x", &err), 0);
        f->packed.archive_crc32c = crc32c_add(f->packed.archive_crc32c, bytes, sizeof bytes);
        f->segments[i] =
            (struct segment){.raw_off = i * raw, .raw_len = raw, .packed_off = i * 100, .packed_len = 100};
    }
}

static void neighbours_are_grouped_by_their_place_on_the_disk(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = {0};
    make(&f, 10, PART_RAW / 4, NULL);
    f.segments[0].raw_len = 0; /* the head */
    f.segments[9].raw_len = 0; /* the tail */
    cleanup_parts struct parts parts = {0};
    assert_int_equal(parts_make(&f.packed, f.fd, "s/", "a.tar.gz", NULL, &parts, &err), 0);
    /* head; 1-3; 4-7; 8; tail */
    static const uint64_t sizes[] = {100, 300, 400, 100, 100};
    assert_int_equal(parts.levels[0].count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(parts.nodes[i].size, sizes[i]);
    assert_int_equal(parts.level_count, 2);
    assert_string_equal(parts_root(&parts)->name, "a.tar.gz");
    assert_int_equal(parts_root(&parts)->size, 1000);
    assert_int_equal(parts_root(&parts)->crc32c, f.packed.archive_crc32c);
    close(f.fd);
}

static void an_unchanged_part_keeps_its_name(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = {0};
    unsigned values[6] = {1, 2, 3, 4, 5, 6};
    cleanup_parts struct parts one = {0}, two = {0};
    make(&f, 6, PART_RAW, values);
    assert_int_equal(parts_make(&f.packed, f.fd, "s/", "a", NULL, &one, &err), 0);
    close(f.fd);
    values[2] = 77;
    make(&f, 6, PART_RAW, values);
    f.segments[0].raw_off = 0;
    assert_int_equal(parts_make(&f.packed, f.fd, "s/", "b", NULL, &two, &err), 0);
    close(f.fd);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(strcmp(one.nodes[i].name, two.nodes[i].name) == 0, i != 2);
}

static void many_parts_are_composed_in_levels(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = {0};
    make(&f, MANY, PART_RAW, NULL);
    cleanup_parts struct parts parts = {0};
    assert_int_equal(parts_make(&f.packed, f.fd, "s/", "a", NULL, &parts, &err), 0);
    assert_int_equal(parts.level_count, 4);
    assert_int_equal(parts.levels[1].count, 35);
    assert_int_equal(parts.levels[2].count, 2);
    assert_int_equal(parts.levels[3].count, 1);
    for (size_t level = 1; level < parts.level_count; level++)
        for (size_t i = 0; i < parts.levels[level].count; i++) {
            const struct upload_part *node = &parts.nodes[parts.levels[level].first + i];
            unsigned char bytes[3200];
            assert_in_range(node->count, 1, COMPOSE_MAX);
            if (level > 1)
                continue;
            assert_int_equal(file_pread(f.fd, bytes, node->size, node->off, "x", &err), 0);
            assert_int_equal(node->crc32c, crc32c_add(0, bytes, node->size));
        }
    close(f.fd);
}

static void the_same_bytes_are_one_object(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = {0};
    static const unsigned values[5] = {9, 8, 9, 7, 9};
    make(&f, 5, PART_RAW, values);
    cleanup_parts struct parts parts = {0};
    assert_int_equal(parts_make(&f.packed, f.fd, "s/", "a", NULL, &parts, &err), 0);
    static const bool again[] = {false, false, true, false, true};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(parts.nodes[i].duplicate, again[i]);
    assert_string_equal(parts.nodes[0].name, parts.nodes[4].name);
    close(f.fd);
}

static void a_changed_file_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = {0};
    cleanup_parts struct parts parts = {0};
    make(&f, 5, PART_RAW, NULL);
    assert_int_equal(file_pwrite(f.fd, "?", 1, 250, "x", &err), 0);
    assert_int_equal(parts_make(&f.packed, f.fd, "s/", "a", NULL, &parts, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    assert_int_equal(ftruncate(f.fd, 450), 0);
    assert_int_equal(parts_make(&f.packed, f.fd, "s/", "a", NULL, &parts, &err), -1);
    f.packed.segment_count = 0;
    assert_int_equal(parts_make(&f.packed, f.fd, "s/", "a", NULL, &parts, &err), -1);
    close(f.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_those_of_the_api),
        cmocka_unit_test(checksums_join),
        cmocka_unit_test(neighbours_are_grouped_by_their_place_on_the_disk),
        cmocka_unit_test(an_unchanged_part_keeps_its_name),
        cmocka_unit_test(many_parts_are_composed_in_levels),
        cmocka_unit_test(the_same_bytes_are_one_object),
        cmocka_unit_test(a_changed_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
