/* A view against a plain array that went through the same: writes, extents over one another, growth, what may
 * be data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk/disk.h"
#include "io/file.h"
#include "disk/overlay.h"
#include "disk/ranges.h"

enum { KIB = 1 << 10, SIZE = 512 * KIB, GROWN = 768 * KIB, SOURCE = 300 * KIB, ROUNDS = 3000 };

static uint64_t seed = 1;
static uint64_t draw(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

static void fill(unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)draw(256);
}

static int scratch(const unsigned char *bytes, size_t len)
{
    struct err err = {0};
    int fd = -1;
    assert_int_equal(file_scratch("/tmp", &fd, &err), 0);
    assert_int_equal(file_pwrite(fd, bytes, len, 0, "scratch", &err), 0);
    return fd;
}

/* The base: data at both ends, a hole between. */
static int make_base(unsigned char *model)
{
    struct err err = {0};
    fill(model, 64 * KIB);
    fill(model + SIZE - 64 * KIB, 64 * KIB);
    int fd = scratch(model, 64 * KIB);
    assert_int_equal(file_pwrite(fd, model + SIZE - 64 * KIB, 64 * KIB, SIZE - 64 * KIB, "base", &err), 0);
    return fd;
}

static void same_bytes(const struct disk *disk, const unsigned char *model, uint64_t off, size_t len)
{
    static unsigned char got[GROWN];
    struct err err = {0};
    assert_int_equal(disk_read(disk, got, len, off, &err), 0);
    assert_memory_equal(got, model + off, len);
}

/* What the two iterators leave out is as it must be. */
static void ranges_hold(const struct disk *disk, const unsigned char *model, const unsigned char *base)
{
    static const unsigned char zeros[GROWN];
    uint64_t off, end, at;
    for (at = 0; disk_next_data(disk, at, &off, &end); at = end) {
        assert_true(off >= at && end > off && end <= disk->size);
        assert_memory_equal(model + at, zeros, off - at);
    }
    assert_memory_equal(model + at, zeros, disk->size - at);
    for (at = 0; disk_next_change(disk, at, &off, &end); at = end) {
        assert_true(off >= at && end > off && end <= disk->size);
        assert_memory_equal(model + at, base + at, off - at);
    }
    assert_memory_equal(model + at, base + at, disk->size - at);
}

static int extent(struct disk *disk, uint64_t off, uint64_t len, int fd, uint64_t from, struct err *err)
{
    const struct extent_source source = {.fd = fd, .from = from};
    return disk_map_extent(disk, off, len, &source, err);
}

static void like_an_array(void **state)
{
    (void)state;
    struct err err = {0};
    static unsigned char model[GROWN], base[GROWN], source[2][SOURCE], bytes[100 * KIB];
    int fds[2];
    cleanup_disk struct disk disk = DISK_EMPTY;
    for (int i = 0; i < 2; i++) {
        fill(source[i], SOURCE);
        fds[i] = scratch(source[i], SOURCE);
    }
    int base_fd = make_base(model), check = dup(base_fd);
    memcpy(base, model, SIZE);
    assert_int_equal(disk_over(base_fd, &disk, &err), 0);
    assert_int_equal(disk_view_fd(&disk), base_fd);
    uint64_t off, end;
    assert_false(disk_next_change(&disk, 0, &off, &end));
    for (int round = 0; round < ROUNDS; round++) {
        if (round == ROUNDS / 2)
            assert_int_equal(disk_grow(&disk, GROWN, &err), 0);
        size_t len = 1 + (size_t)draw(draw(8) ? 3000 : sizeof bytes);
        off = draw(disk.size - len);
        if (draw(3) == 0) {
            size_t source_index = (size_t)draw(2);
            uint64_t from = draw(SOURCE - sizeof bytes - 512);
            len = (len + 511) / 512 * 512;
            off = draw((disk.size - len) / 512) * 512;
            assert_int_equal(extent(&disk, off, len, fds[source_index], from, &err), 0);
            memcpy(model + off, source[source_index] + from, len);
        } else {
            fill(bytes, len);
            if (draw(4) == 0) /* as it was */
                memcpy(bytes, model + off, len);
            assert_int_equal(disk_write(&disk, bytes, len, off, &err), 0);
            memcpy(model + off, bytes, len);
        }
        len = 1 + (size_t)draw(sizeof bytes);
        same_bytes(&disk, model, draw(disk.size - len), len);
        if (round % 50 == 0)
            ranges_hold(&disk, model, base);
    }
    same_bytes(&disk, model, 0, GROWN);
    ranges_hold(&disk, model, base);
    assert_int_equal(disk_view_fd(&disk), -1);
    assert_int_equal(disk_check_files(&disk, &err), 0);
    assert_int_equal(file_pread(check, bytes, 64 * KIB, 0, "the base", &err), 0);
    assert_memory_equal(bytes, base, 64 * KIB); /* unwritten */
    assert_int_equal(disk_read(&disk, bytes, 2, GROWN - 1, &err), -1);
    assert_int_equal(err.kind, ERR_LAYOUT);
    close(check);
    close(fds[0]);
    close(fds[1]);
}

static void what_is_there_already_is_no_change(void **state)
{
    (void)state;
    struct err err = {0};
    static unsigned char model[SIZE];
    cleanup_disk struct disk disk = DISK_EMPTY;
    uint64_t off, end;
    assert_int_equal(disk_over(make_base(model), &disk, &err), 0);
    assert_int_equal(disk_write(&disk, model, SIZE, 0, &err), 0);
    assert_false(disk_next_change(&disk, 0, &off, &end));
    model[70000] ^= 1;
    assert_int_equal(disk_write(&disk, model, SIZE, 0, &err), 0);
    assert_true(disk_next_change(&disk, 0, &off, &end));
    assert_int_equal(off, 70000 / 512 * 512);
    assert_int_equal(end, off + 512);
    assert_false(disk_next_change(&disk, end, &off, &end));
}

static void a_source_that_changes_is_found(void **state)
{
    (void)state;
    struct err err = {0};
    static unsigned char model[SIZE], source[SOURCE];
    fill(source, SOURCE);
    cleanup_close int fd = scratch(source, SOURCE);
    cleanup_disk struct disk disk = DISK_EMPTY;
    assert_int_equal(disk_over(make_base(model), &disk, &err), 0);
    assert_int_equal(extent(&disk, 512, 4096, fd, 0, &err), 0);
    assert_int_equal(disk_check_files(&disk, &err), 0);
    assert_int_equal(file_pwrite(fd, "x", 1, 100000, "source", &err), 0);
    assert_int_equal(disk_check_files(&disk, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    /* what no file can give, or no disk can take */
    assert_int_equal(extent(&disk, 512, 4096, fd, SOURCE - 512, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    assert_int_equal(extent(&disk, 100, 512, fd, 0, &err), -1);
    assert_int_equal(extent(&disk, SIZE - 512, 1024, fd, 0, &err), -1);
    assert_int_equal(extent(&disk, UINT64_MAX - 511, 512, fd, 0, &err), -1);
    cleanup_disk struct disk memory = DISK_EMPTY;
    assert_int_equal(disk_in_memory(4096, &memory, &err), 0);
    assert_int_equal(extent(&memory, 0, 512, fd, 0, &err), -1);
}

/* Content is named by its digest and its own offsets, wherever its file has it and however it was put
 * there. */
static void names_of_ranges(void **state)
{
    (void)state;
    struct err err = {0};
    static unsigned char model[SIZE], source[SOURCE];
    fill(source, SOURCE);
    cleanup_close int fd = scratch(source, SOURCE);
    cleanup_close int copy =
        scratch(source + 512, SOURCE - 512); /* the content, which begins 1024 bytes into FD */
    const struct extent_source whole = {
        .fd = fd, .from = 1024, .content = {{7}}, .content_from = 1024, .named = true};
    struct extent_source part = {
        .fd = copy, .from = 512 + 8192, .content = {{7}}, .content_from = 512, .named = true};
    struct sha256 base, a, b;
    cleanup_disk struct disk one = DISK_EMPTY;
    cleanup_disk struct disk two = DISK_EMPTY;
    int base_fd = make_base(model);
    assert_int_equal(disk_over(dup(base_fd), &one, &err), 0);
    assert_int_equal(disk_over(base_fd, &two, &err), 0);
    assert_true(disk_origin(&one, 0, 65536, &base));
    assert_true(disk_origin(&two, 0, 65536, &b));
    assert_memory_equal(&base, &b, sizeof base);
    assert_true(disk_origin(&two, 4096, 65536, &b));
    assert_memory_not_equal(&base, &b, sizeof base);
    /* one piece, or a small one in the middle of it, of the same content */
    assert_int_equal(disk_map_extent(&one, 4096, 32768, &whole, &err), 0);
    assert_int_equal(disk_map_extent(&two, 4096, 32768, &whole, &err), 0);
    assert_true(disk_origin(&one, 0, 65536, &a));
    assert_true(disk_origin(&two, 0, 65536, &b));
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&base, &a, sizeof a);
    assert_true(disk_origin(&one, 8192, 4096, &a));
    assert_int_equal(disk_map_extent(&two, 8192, 4096, &part, &err), 0);
    assert_true(disk_origin(&two, 8192, 4096, &b));
    assert_memory_not_equal(&a, &b, sizeof a); /* 8192 bytes into the content, where 4096 are meant */
    part.from = 512 + 4096;
    assert_int_equal(disk_map_extent(&two, 8192, 4096, &part, &err), 0);
    assert_true(disk_origin(&two, 8192, 4096, &b));
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(disk_origin(&one, 12288, 4096, &a)); /* behind the cut */
    assert_true(disk_origin(&two, 12288, 4096, &b));
    assert_memory_equal(&a, &b, sizeof a);
    /* what was written has no name, and neither has a file that is not vouched for */
    assert_int_equal(disk_write(&one, "new", 3, 20000, &err), 0);
    assert_false(disk_origin(&one, 16384, 4096, &a));
    assert_true(disk_origin(&one, 8192, 8192, &a));
    part.named = false;
    assert_int_equal(disk_map_extent(&two, 40960, 4096, &part, &err), 0);
    assert_false(disk_origin(&two, 32768, 16384, &a));
    part.named = true;
    part.content_from = part.from + 1;
    assert_int_equal(disk_map_extent(&two, 40960, 4096, &part, &err), -1);
}

static void units_come_and_go(void **state)
{
    (void)state;
    enum { UNITS = 4096 };
    static bool there[UNITS];
    cleanup_overlay struct overlay overlay = {0};
    unsigned char unit[OVERLAY_UNIT], got[OVERLAY_UNIT];
    for (int round = 0; round < 20000; round++) {
        uint64_t at = draw(UNITS), count = 1 + draw(draw(50) ? 4 : 3000);
        count = count < UNITS - at ? count : UNITS - at;
        if (draw(3) == 0) {
            overlay_drop(&overlay, count * OVERLAY_UNIT, at * OVERLAY_UNIT);
            memset(there + at, false, (size_t)count);
        } else {
            memset(unit, (int)(at % 251) + 1, sizeof unit);
            assert_true(overlay_write(&overlay, unit, sizeof unit, at * OVERLAY_UNIT));
            there[at] = true;
        }
        at = draw(UNITS);
        memset(got, 0, sizeof got);
        overlay_read(&overlay, got, sizeof got, at * OVERLAY_UNIT);
        assert_int_equal(got[5], there[at] ? (int)(at % 251) + 1 : 0);
    }
    size_t count = 0;
    for (size_t i = 0; i < UNITS; i++)
        count += there[i];
    assert_int_equal(overlay.count, count);
}

static void ranges_join(void **state)
{
    (void)state;
    enum { BYTES = 2000 };
    static bool there[BYTES + 1];
    cleanup(ranges_free) struct ranges spans = {0};
    for (int round = 0; round < 500; round++) {
        uint64_t off = draw(BYTES), len = draw(20);
        len = len < BYTES - off ? len : BYTES - off;
        assert_true(ranges_add(&spans, off, len));
        memset(there + off, true, (size_t)len);
        uint64_t at = 0;
        for (const struct range *range; (range = ranges_from(&spans, at)); at = range->end + 1) {
            for (uint64_t i = at; i < range->off; i++)
                assert_false(there[i]);
            for (uint64_t i = range->off; i < range->end; i++)
                assert_true(there[i]);
            assert_false(there[range->end]); /* those that touch are one */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_an_array),
        cmocka_unit_test(what_is_there_already_is_no_change),
        cmocka_unit_test(names_of_ranges),
        cmocka_unit_test(units_come_and_go),
        cmocka_unit_test(a_source_that_changes_is_found),
        cmocka_unit_test(ranges_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
