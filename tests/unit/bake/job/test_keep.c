/* Which packages --keep removes, and which files it never touches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bake/job/keep.h"

#define CURRENT "0123456789ab"

struct folder_rig {
    char dir[64], manifest[160];
};

static void touch(const struct folder_rig *rig, const char *file, time_t mtime)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", rig->dir, file);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    const struct timespec times[2] = {{.tv_sec = mtime}, {.tv_sec = mtime}};
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static bool exists(const struct folder_rig *rig, const char *file)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", rig->dir, file);
    return access(path, F_OK) == 0;
}

static void add_package(const struct folder_rig *rig, const char *name, time_t mtime)
{
    static const char *const suffixes[] = {".tar.gz", ".provenance.json", ".spdx.json", ".manifest.json"};
    char file[100];
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        snprintf(file, sizeof file, "%s%s", name, suffixes[i]);
        touch(rig, file, mtime);
    }
}

static int set_up(void **state)
{
    static struct folder_rig rig;
    snprintf(rig.dir, sizeof rig.dir, "/tmp/bake-keep-XXXXXX");
    assert_non_null(mkdtemp(rig.dir));
    snprintf(rig.manifest, sizeof rig.manifest, "%s/node-" CURRENT ".manifest.json", rig.dir);
    add_package(&rig, "node-" CURRENT, 1000);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    const struct folder_rig *rig = *state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", rig->dir);
    return system(command);
}

static struct kept keep(const struct folder_rig *rig, uint64_t count)
{
    struct err err = {0};
    struct kept kept;
    if (keep_newest(rig->manifest, count, NULL, &kept, &err) < 0)
        fail_msg("%s", err.text);
    return kept;
}

static void the_newest_stay_and_the_current_one_whatever_its_age(void **state)
{
    const struct folder_rig *rig = *state;
    add_package(rig, "node-aaaaaaaaaaaa", 4000);
    add_package(rig, "node-bbbbbbbbbbbb", 3000);
    add_package(rig, "node-cccccccccccc", 2000);
    assert_int_equal(keep(rig, 2).removed, 2);
    assert_true(exists(rig, "node-" CURRENT ".tar.gz"));
    assert_true(exists(rig, "node-aaaaaaaaaaaa.manifest.json"));
    assert_false(exists(rig, "node-bbbbbbbbbbbb.manifest.json"));
    assert_false(exists(rig, "node-bbbbbbbbbbbb.tar.gz"));
    assert_false(exists(rig, "node-cccccccccccc.spdx.json"));
    assert_int_equal(keep(rig, 2).removed, 0);
}

static void other_files_stay(void **state)
{
    static const char *const others[] = {"node2-aaaaaaaaaaaa.manifest.json", "node-aaaaaaaaaaa.manifest.json",
                                         "node-aaaaaaaaaaaa.txt", "node-AAAAAAAAAAAA.tar.gz",
                                         "bake.lock.json"};
    const struct folder_rig *rig = *state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        touch(rig, others[i], 1);
    assert_int_equal(keep(rig, 1).removed, 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(exists(rig, others[i]));
}

static void remains_of_a_killed_run_go(void **state)
{
    const struct folder_rig *rig = *state;
    touch(rig, "node-dddddddddddd.tar.gz", 9000);
    touch(rig, ".node-dddddddddddd.tar.gz.abcdef.part", 1);
    struct kept kept = keep(rig, 5);
    assert_int_equal(kept.removed, 0); /* it was not a complete package */
    assert_true(kept.bytes > 0);
    assert_false(exists(rig, "node-dddddddddddd.tar.gz"));
    assert_false(exists(rig, ".node-dddddddddddd.tar.gz.abcdef.part"));
    assert_true(exists(rig, "node-" CURRENT ".manifest.json"));
}

static void a_path_that_is_not_a_package_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"x", "node.manifest.json", "/tmp/node-0123.manifest.json",
                                      "node-0123456789ab.tar.gz"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {0};
        struct kept kept;
        assert_int_equal(keep_newest(bad[i], 1, NULL, &kept, &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_stay_and_the_current_one_whatever_its_age, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_files_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(remains_of_a_killed_run_go, set_up, tear_down),
        cmocka_unit_test(a_path_that_is_not_a_package_is_refused),
    };
    return cmocka_run_group_tests_name("job: --keep", tests, NULL, NULL);
}
