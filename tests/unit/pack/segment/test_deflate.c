#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <zlib.h>

#include "io/proc.h"
#include "io/crc32c.h"
#include "pack/segment/deflate.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static struct err err;

static void fill(unsigned char *bytes, size_t len, uint32_t seed, unsigned spread)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT32_C(1664525) + UINT32_C(1013904223);
        bytes[i] = (unsigned char)((seed >> 24) % spread);
    }
}

static void inflates_to(const unsigned char *packed, size_t len, const unsigned char *raw, size_t raw_len,
                        int end)
{
    unsigned char *out = malloc(raw_len + 1);
    z_stream z = {.next_in = (Bytef *)(uintptr_t)packed,
                  .avail_in = (uInt)len,
                  .next_out = out,
                  .avail_out = (uInt)raw_len + 1};
    assert_non_null(out);
    assert_int_equal(inflateInit2(&z, -MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&z, Z_NO_FLUSH), end);
    assert_int_equal(z.total_out, raw_len);
    assert_int_equal(z.avail_in, 0);
    assert_memory_equal(out, raw, raw_len);
    inflateEnd(&z);
    free(out);
}

/* Segments of many sizes, from incompressible noise to a single byte, join into one stream. */
static void pieces_join(void **state)
{
    enum deflate_engine engine = *(enum deflate_engine *)*state;
    static const size_t sizes[] = {1, 2, 7, 511, 512, 4096, 65535, 65536, 65537, 1 << 20};
    unsigned char *raw = malloc(8 << 20), *packed = malloc(9 << 20);
    assert_true(raw && packed);
    struct deflater deflater = {0};
    assert_int_equal(deflater_init(&deflater, engine, &err), 0);
    size_t raw_len = 0, len = 0;
    for (unsigned spread = 1; spread <= 256; spread += 85)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t piece = 0;
            fill(raw + raw_len, sizes[i], spread + (uint32_t)i, spread);
            assert_int_equal(deflate_segment(&deflater, raw + raw_len, sizes[i], false, packed + len,
                                             deflate_bound(sizes[i]), &piece, &err),
                             0);
            piece = deflate_fill(packed + len, piece);
            assert_int_equal(piece % DEFLATE_ALIGN, 0);
            inflates_to(packed + len, piece, raw + raw_len, sizes[i], Z_OK);
            raw_len += sizes[i];
            len += piece;
        }
    size_t piece = 0;
    assert_int_equal(deflate_segment(&deflater, "end", 3, true, packed + len, deflate_bound(3), &piece, &err),
                     0);
    memcpy(raw + raw_len, "end", 3);
    inflates_to(packed, len + piece, raw, raw_len + 3, Z_STREAM_END);
    deflater_free(&deflater);
    free(raw);
    free(packed);
}

/* Padding of every length. */
static void fills_up(void **state)
{
    (void)state;
    static unsigned char out[3 * DEFLATE_ALIGN];
    for (size_t len = 1; len <= DEFLATE_ALIGN + 1; len++) {
        memset(out, 0xaa, sizeof out);
        size_t filled = deflate_fill(out, len);
        size_t want = (len + DEFLATE_ALIGN - 1) / DEFLATE_ALIGN * DEFLATE_ALIGN;
        assert_true(filled == want || filled == want + DEFLATE_ALIGN);
        assert_true(filled < len + DEFLATE_FILL_MAX);
        assert_int_equal(out[filled], 0xaa); /* nothing behind it was written */
        inflates_to(out + len, filled - len, out, 0, filled == len ? Z_BUF_ERROR : Z_OK);
    }
}

/* A deflater keeps no state: a segment's bytes depend only on its content. */
static void no_memory(void **state)
{
    enum deflate_engine engine = *(enum deflate_engine *)*state;
    enum { SIZE = 1 << 20 };
    unsigned char *raw = malloc(SIZE), *other = malloc(SIZE), *a = malloc(2 * SIZE), *b = malloc(2 * SIZE);
    assert_true(raw && other && a && b);
    fill(raw, SIZE, 1, 7);
    fill(other, SIZE, 1, 7);
    fill(other + SIZE / 2, SIZE / 2, 5, 200);
    struct deflater deflater = {0}, fresh = {0};
    size_t la = 0, lb = 0;
    assert_int_equal(deflater_init(&deflater, engine, &err), 0);
    assert_int_equal(deflater_init(&fresh, engine, &err), 0);
    assert_int_equal(deflate_segment(&fresh, raw, SIZE, false, a, 2 * SIZE, &la, &err), 0);
    for (size_t cut = 1; cut <= SIZE; cut *= 4)
        assert_int_equal(deflate_segment(&deflater, other, cut, false, b, 2 * SIZE, &lb, &err), 0);
    assert_int_equal(deflate_segment(&deflater, raw, SIZE, false, b, 2 * SIZE, &lb, &err), 0);
    assert_int_equal(la, lb);
    assert_memory_equal(a, b, la);
    deflater_free(&deflater);
    deflater_free(&fresh);
    free(raw);
    free(other);
    free(a);
    free(b);
}

static void no_room_is_an_error(void **state)
{
    enum deflate_engine engine = *(enum deflate_engine *)*state;
    unsigned char raw[4096], out[64];
    fill(raw, sizeof raw, 3, 256);
    struct deflater deflater = {0};
    size_t len = 77;
    assert_int_equal(deflater_init(&deflater, engine, &err), 0);
    assert_int_equal(deflate_segment(&deflater, raw, sizeof raw, false, out, sizeof out, &len, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_int_equal(len, 77);
    deflater_free(&deflater);
}

/* The engines' bytes do not depend on the processor. */
static void reference(void **state)
{
    bool is = false;
    assert_int_equal(deflate_is_reference(*(enum deflate_engine *)*state, &is, &err), 0);
    assert_true(is);
}

/* ISA-L takes a hash from the address of its stream when a stream begins with more than 16 bytes at once.
 * With bytes that repeat from the very beginning, one address in three thousand changes the result. These
 * addresses make the hash equal those of the first, the second and the third byte, and none. */
static uint32_t software_crc32c(uint32_t value)
{
    for (int i = 0; i < 32; i++)
        value = value >> 1 ^ (value & 1 ? 0x82F63B78 : 0);
    return value;
}

static void address_does_not_matter(void **state)
{
    (void)state;
    enum { SIZE = 4096, HASHES = 8192, TRIES = 40 };
    unsigned char raw[SIZE], first[2 * SIZE], out[2 * SIZE];
    fill(raw, SIZE, 77, 256);
    memcpy(raw + 506, raw, 6);
    memcpy(raw + 1012, raw, 6);
    memcpy(raw + 1518, raw + 1, 6);
    size_t first_len = 0, len = 0;
    uint32_t random = 5;
    for (unsigned t = 0; t < TRIES; t++) {
        struct deflater deflater = {0};
        assert_int_equal(deflater_init(&deflater, DEFLATE_FAST, &err), 0);
        struct isal_zstream *own = deflater.stream;
        size_t room = (sizeof *own + 4095) & ~(size_t)4095;
        uintptr_t address = 0;
        for (int hit = -1; hit != (int)(t % 4);) {
            random = random * UINT32_C(1664525) + UINT32_C(1013904223);
            address = UINT64_C(0x100000000000) + ((uint64_t)(random >> 8) << 16);
            uint32_t hash = software_crc32c((uint32_t)(address >> 16)) % HASHES;
            hit = 3;
            for (int i = 0; i < 3; i++) {
                uint32_t word;
                memcpy(&word, raw + i, sizeof word);
                hit = hash == software_crc32c(word) % HASHES ? i : hit;
            }
        }
        void *at = mmap((void *)address, room, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (at == MAP_FAILED) {
            deflater_free(&deflater);
            continue;
        }
        deflater.stream = at;
        assert_int_equal(deflate_segment(&deflater, raw, SIZE, false, out, sizeof out, &len, &err), 0);
        if (first_len == 0) {
            first_len = len;
            memcpy(first, out, len);
        }
        assert_int_equal(len, first_len);
        assert_memory_equal(out, first, len);
        deflater.stream = own;
        deflater_free(&deflater);
        munmap(at, room);
    }
    assert_int_not_equal(first_len, 0);
}

/* Verifies segments with changed bits. */
static void verify_sees_changes(void **state)
{
    enum deflate_engine engine = *(enum deflate_engine *)*state;
    enum { SIZE = 70000 };
    static unsigned char raw[SIZE], out[2 * SIZE], scratch[SIZE + 1];
    fill(raw, SIZE, 3, 20);
    struct deflater deflater = {0};
    size_t len = 0;
    assert_int_equal(deflater_init(&deflater, engine, &err), 0);
    assert_int_equal(deflate_segment(&deflater, raw, SIZE, false, out, sizeof out, &len, &err), 0);
    assert_int_equal(deflate_verify(out, len, raw, SIZE, scratch, &err), 0);
    for (size_t at = 0; at < len - 5; at += 997) {
        out[at] ^= 0x10;
        assert_int_equal(deflate_verify(out, len, raw, SIZE, scratch, &err), -1);
        out[at] ^= 0x10;
    }
    raw[SIZE - 1] ^= 1;
    assert_int_equal(deflate_verify(out, len, raw, SIZE, scratch, &err), -1);
    deflater_free(&deflater);
}

/* Runs this program on other processors: each must give the recorded samples. */
static void other_processors(void **state)
{
    (void)state;
#ifdef SANITIZED
    skip(); /* an emulated process has no address space for the sanitizer's shadow */
#endif
    static const char *const cpus[] = {"Nehalem", "Westmere", "SandyBridge", "Haswell", "max"};
    char self[4096];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(len > 0);
    self[len] = '\0';
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        const char *argv[] = {"qemu-x86_64", "-E", "BAKE_TEST_EMULATED=1", "-cpu", cpus[i], self, NULL};
        const struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 64 << 10};
        struct proc_result result = {0};
        if (proc_run(&spec, NULL, &result, &err) < 0)
            fail_msg("%s (Debian package qemu-user)", err.text);
        if (result.status != 0)
            fail_msg("on %s: %s", cpus[i], result.err.data ? result.err.data : "");
        proc_result_free(&result);
    }
}

/* CRC-32C (RFC 3720 B.4) against the well-known check value, and joined from parts of all lengths. */
static void crc32c_vector(void **state)
{
    (void)state;
    unsigned char digits[] = "123456789";
    assert_int_equal(crc32c_add(0, digits, 9), 0xE3069283U);
    assert_int_equal(crc32c_add(0, "", 0), 0);
    assert_int_equal(crc32_gzip_refl(0, digits, 9), crc32(0, digits, 9));
    enum { SIZE = 70000 };
    static unsigned char bytes[SIZE];
    fill(bytes, SIZE, 9, 251);
    uint32_t whole = crc32c_add(0, bytes, SIZE);
    for (size_t cut = 0; cut <= SIZE; cut += 1 + cut / 3)
        assert_int_equal(
            crc32c_join(crc32c_add(0, bytes, cut), crc32c_add(0, bytes + cut, SIZE - cut), SIZE - cut),
            whole);
}

int main(void)
{
    static enum deflate_engine fast = DEFLATE_FAST, small = DEFLATE_SMALL;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(pieces_join, &fast),
        cmocka_unit_test_prestate(pieces_join, &small),
        cmocka_unit_test_prestate(no_memory, &fast),
        cmocka_unit_test_prestate(no_memory, &small),
        cmocka_unit_test_prestate(no_room_is_an_error, &fast),
        cmocka_unit_test_prestate(no_room_is_an_error, &small),
        cmocka_unit_test_prestate(reference, &fast),
        cmocka_unit_test_prestate(reference, &small),
        cmocka_unit_test_prestate(verify_sees_changes, &fast),
        cmocka_unit_test_prestate(verify_sees_changes, &small),
        cmocka_unit_test(fills_up),
        cmocka_unit_test(address_does_not_matter),
        cmocka_unit_test(crc32c_vector),
        cmocka_unit_test(other_processors),
    };
    const struct CMUnitTest emulated[] = {
        cmocka_unit_test_prestate(reference, &fast),
        cmocka_unit_test_prestate(reference, &small),
    };
    if (getenv("BAKE_TEST_EMULATED"))
        return cmocka_run_group_tests(emulated, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
