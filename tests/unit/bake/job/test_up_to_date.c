/* "Is it up to date?": yes only while no input and no file of the package has changed. */
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

#include "bake/job/up_to_date.h"

#define PACKAGE "n-0123456789ab"

struct note_rig {
    char dir[64], out[80], cache_dir[80], input[80];
    struct common common;
    struct cache *cache;
    struct recipe_file file;
    struct lock_input pinned;
    struct inputs inputs;
    struct up_to_date_query query;
};

static void put_file(const char *dir, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int set_up(void **state)
{
    static struct note_rig rig;
    struct err err = {0};
    rig = (struct note_rig){0};
    snprintf(rig.dir, sizeof rig.dir, "/tmp/bake-utd-XXXXXX");
    assert_non_null(mkdtemp(rig.dir));
    snprintf(rig.out, sizeof rig.out, "%s/out", rig.dir);
    snprintf(rig.cache_dir, sizeof rig.cache_dir, "%s/cache", rig.dir);
    snprintf(rig.input, sizeof rig.input, "%s/input", rig.dir);
    assert_int_equal(mkdir(rig.out, 0755), 0);
    put_file(rig.dir, "input", "text");
    static const char *const files[] = {".tar.gz", ".manifest.json", ".provenance.json", ".spdx.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[64];
        snprintf(name, sizeof name, PACKAGE "%s", files[i]);
        put_file(rig.out, name, "x");
    }
    rig.common.cache_dir = rig.cache_dir;
    const struct cache_options options = {.dir = rig.cache_dir};
    assert_int_equal(cache_open(&options, &rig.cache, &err), 0);
    rig.file = (struct recipe_file){.source = {.kind = SOURCE_LOCAL, .name = rig.input}};
    rig.pinned = (struct lock_input){
        .name = RECIPE_BASE_NAME, .url = "https://example.org/base", .signer = "", .version = ""};
    rig.inputs = (struct inputs){.recipe_path = rig.dir,
                                 .recipe = {.name = "n", .files = &rig.file, .file_count = 1},
                                 .lock = {.recipe = "n", .inputs = &rig.pinned, .input_count = 1}};
    rig.query = (struct up_to_date_query){.out_dir = rig.out};
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    struct note_rig *rig = *state;
    char command[100];
    cache_close(rig->cache);
    snprintf(command, sizeof command, "rm -rf %s", rig->dir);
    return system(command);
}

/* SETTLED: as if all files, this program included, were older than they are. */
static void remember(struct note_rig *rig, bool settled, const char *new_input)
{
    struct err err = {0};
    cleanup_up_to_date struct up_to_date before = {0};
    assert_int_equal(up_to_date_begin(&rig->query, &rig->inputs, &before, &err), 0);
    before.settled = settled;
    if (new_input)
        put_file(rig->dir, "input", new_input);
    if (up_to_date_remember(&before, &rig->query, &rig->inputs, rig->cache, PACKAGE, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static bool is_up_to_date(const struct note_rig *rig)
{
    char expected[200];
    cleanup_free char *manifest = up_to_date_find(&rig->common, &rig->query, &rig->inputs);
    snprintf(expected, sizeof expected, "%s/" PACKAGE ".manifest.json", rig->out);
    if (manifest)
        assert_string_equal(manifest, expected);
    return manifest != NULL;
}

static void it_is_until_an_input_changes(void **state)
{
    struct note_rig *rig = *state;
    assert_false(is_up_to_date(rig));
    remember(rig, true, NULL);
    assert_true(is_up_to_date(rig));
    put_file(rig->dir, "input", "tex2");
    assert_false(is_up_to_date(rig));
}

static void it_is_until_the_package_changes(void **state)
{
    struct note_rig *rig = *state;
    remember(rig, true, NULL);
    put_file(rig->out, PACKAGE ".spdx.json", "y");
    assert_false(is_up_to_date(rig));
}

static void another_request_is_another_note(void **state)
{
    struct note_rig *rig = *state;
    remember(rig, true, NULL);
    rig->query.small = true;
    assert_false(is_up_to_date(rig));
    rig->query.small = false;
    rig->pinned.size = 1;
    assert_false(is_up_to_date(rig));
    rig->pinned.size = 0;
    assert_true(is_up_to_date(rig));
    rig->inputs.lock.input_count = 0; /* no lock */
    assert_false(is_up_to_date(rig));
}

static void what_changed_during_the_run_is_not_remembered(void **state)
{
    struct note_rig *rig = *state;
    remember(rig, true, "other");
    assert_false(is_up_to_date(rig));
    remember(rig, false, NULL);
    assert_false(is_up_to_date(rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_until_an_input_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_until_the_package_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_request_is_another_note, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_changed_during_the_run_is_not_remembered, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("job: up to date", tests, NULL, NULL);
}
