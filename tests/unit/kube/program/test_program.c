/* Programs: what ELF files of every kind say of themselves, and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "elf_maker.h"
#include "io/blob.h"
#include "kube/program/buildinfo.h"

static const char modules[] = "path\texample.org/node/hyperkube\n"
                              "mod\texample.org/node\t(devel)\t\n"
                              "dep\tk8s.io/kubernetes\tv1.36.3\th1:qDQ=\n"
                              "dep\tgo.etcd.io/etcd/api/v3\tv3.6.8\n"
                              "=>\t../api\t(devel)\t\n"
                              "dep\tk8s.io/api\tv0.0.0\n"
                              "=>\tk8s.io/api\tv0.36.3\th1:x=\n"
                              "dep\tk8s.io/utils\tv0.0.0-20260210185600-b8788abfbbc2\th1:y=\n"
                              "build\t-compiler=gc\n";

static int read_all(const struct buf *file, struct elf *elf, char *interp, struct buf *info, struct err *err)
{
    static struct blob blob;
    static struct program program;
    blob = (struct blob){.memory = file->data, .fd = -1, .size = file->len};
    program = program_of_blob(&blob);
    if (elf_read(&program, elf, err) < 0 || elf_interp(elf, interp, err) < 0)
        return -1;
    return buildinfo_read(elf, info, err);
}

static void check_versions(const struct buf *info)
{
    static const struct {
        const char *module, *version;
    } cases[] = {
        {"k8s.io/kubernetes", "1.36.3"},
        {"go.etcd.io/etcd/api/v3", "3.6.8"}, /* replaced by a folder: what was asked for */
        {"k8s.io/api", "0.36.3"},            /* replaced by a release */
        {"example.org/node", ""},
        {"k8s.io/utils", ""},
        {"k8s.io", ""},
        {"k8s.io/kubernetes/v2", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kube_number number = {0};
        char text[KUBE_NUMBER_CAP];
        assert_int_equal(buildinfo_version(info, cases[i].module, &number), cases[i].version[0] != '\0');
        assert_string_equal(kube_number_text(&number, text), cases[i].version);
    }
    assert_true(buildinfo_is(info, "example.org/node"));
    assert_true(buildinfo_is(info, "example.org/node/hyperkube"));
    assert_false(buildinfo_is(info, "example.org/nod"));
    assert_false(buildinfo_is(info, "k8s.io/kubernetes"));
}

static void every_kind_of_elf(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 8; kind++) {
        const struct elf_spec spec = {.narrow = kind & 1,
                                      .big = kind & 2,
                                      .machine = kind & 2 ? EM_S390 : EM_AARCH64,
                                      .no_sections = kind & 4,
                                      .info = modules};
        cleanup_buf struct buf file = BUF_INIT(1 << 20), info = BUF_INIT(BUILDINFO_MAX);
        char interp[ELF_INTERP_CAP], name[ELF_MACHINE_CAP];
        struct err err = {0};
        struct elf elf;
        elf_make(&spec, &file);
        if (read_all(&file, &elf, interp, &info, &err) < 0)
            fail_msg("%u: %s", kind, err.text);
        assert_true(elf.is_elf && elf.wide == !spec.narrow && elf.big == spec.big);
        assert_string_equal(elf_machine_name(elf.machine, name), spec.big ? "s390x" : "arm64");
        assert_string_equal(interp, "");
        assert_string_equal(info.data, modules);
        check_versions(&info);
    }
}

static void other_files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
    } cases[] = {{"#!/bin/sh\necho Kubernetes v1.36.0\n"}, {"\177EL"}, {"MZ"}, {""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_buf struct buf file = BUF_INIT(1 << 20), info = BUF_INIT(BUILDINFO_MAX);
        char interp[ELF_INTERP_CAP];
        struct err err = {0};
        struct elf elf;
        buf_str(&file, cases[i].text);
        assert_int_equal(read_all(&file, &elf, interp, &info, &err), 0);
        assert_false(elf.is_elf);
        assert_int_equal(info.len, 0);
    }
}

static void a_dynamic_program_without_go(void **state)
{
    (void)state;
    cleanup_buf struct buf file = BUF_INIT(1 << 20), info = BUF_INIT(BUILDINFO_MAX);
    const struct elf_spec spec = {.interp = "/lib64/ld-linux-x86-64.so.2"};
    char interp[ELF_INTERP_CAP];
    struct err err = {0};
    struct elf elf;
    elf_make(&spec, &file);
    assert_int_equal(read_all(&file, &elf, interp, &info, &err), 0);
    assert_string_equal(interp, spec.interp);
    assert_int_equal(info.len, 0);
}

/* Cut at every length, and with every byte changed: a result or an error, within the file. */
static void damaged(void **state)
{
    (void)state;
    cleanup_buf struct buf file = BUF_INIT(1 << 20);
    const struct elf_spec spec = {.interp = "/lib64/ld-linux-x86-64.so.2", .info = modules};
    size_t refused = 0;
    elf_make(&spec, &file);
    for (size_t i = 0; i < 2 * file.len; i++) {
        cleanup_buf struct buf info = BUF_INIT(BUILDINFO_MAX);
        char interp[ELF_INTERP_CAP];
        struct err err = {0};
        struct elf elf;
        size_t len = i < file.len ? i : file.len;
        char *copy = malloc(len + !len); /* of exactly this size: the sanitizer detects reads past the end */
        assert_non_null(copy);
        memcpy(copy, file.data, len);
        if (i >= file.len)
            copy[i - file.len] = (char)~copy[i - file.len];
        const struct buf part = {.data = copy, .len = len, .max = len};
        int r = read_all(&part, &elf, interp, &info, &err);
        free(copy);
        assert_int_equal(r < 0, err.kind == ERR_VERIFY);
        refused += r < 0;
    }
    assert_true(refused > file.len / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_elf),
        cmocka_unit_test(other_files),
        cmocka_unit_test(a_dynamic_program_without_go),
        cmocka_unit_test(damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
