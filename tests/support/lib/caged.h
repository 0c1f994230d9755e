/* The program of tests/support/caged.c, and whether this machine can run it in a cage at all. */
#ifndef BAKE_TEST_CAGED_H
#define BAKE_TEST_CAGED_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kube/cage/cage.h"

/* FILE of the build folder, where this test itself is below unit; or an absolute path. */
static void caged_blob(const char *file, struct blob *ret, int *ret_fd)
{
    char path[PATH_MAX], self[PATH_MAX] = "";
    struct err err = {0};
    uint64_t size = 0;
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    char *unit = NULL;
    for (char *at = strstr(self, "/unit/"); at; at = strstr(at + 1, "/unit/"))
        unit = at;
    if (!unit)
        fail_msg("%s is not below unit", self);
    else
        *unit = '\0';
    snprintf(path, sizeof path, "%.3000s/%s", file[0] == '/' ? "" : self, file);
    if (file_open(path, ret_fd, &size, &err) < 0)
        fail_msg("%s", err.text);
    *ret = (struct blob){.fd = *ret_fd, .size = size};
    assert_int_equal(file_sha256(*ret_fd, 0, size, NULL, &ret->sha256, &err), 0);
}

/* The same program for a PowerPC; *ret_bytes is the caller's. */
static void caged_foreign(const struct blob *program, struct blob *ret, char **ret_bytes)
{
    struct err err = {0};
    enum { E_MACHINE = 18, PPC64 = 21 };
    *ret_bytes = malloc((size_t)program->size);
    assert_non_null(*ret_bytes);
    assert_int_equal(blob_read(program, *ret_bytes, (size_t)program->size, 0, &err), 0);
    (*ret_bytes)[E_MACHINE] = PPC64;
    assert_int_equal(blob_from_memory(*ret_bytes, program->size, ret, &err), 0);
}

/* A message that says why a test was skipped. */
static bool caged_possible(void)
{
    cleanup_close int fd = -1;
    cleanup_cage struct cage cage = CAGE_EMPTY;
    cleanup_proc_result struct proc_result said = {0};
    struct blob blob;
    struct err err = {0};
    const char *const argv[] = {"caged", "look", NULL};
    caged_blob("caged", &blob, &fd);
    if (cage_open(&blob, NULL, &cage, &err) == 0 && cage_run(&cage, argv, NULL, &said, &err) == 0)
        return true;
    if (err.errnum != CAGE_NOT_HERE)
        fail_msg("%s", err.text);
    print_message("no cage on this machine: %s\n", err.text);
    return false;
}

#endif
