/* file URLs: opened where they are, hashed once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetch_rig.h"
#include "cache/internal.h"

static char path[128], url[160];

static void place(const struct fetch_rig *rig, const char *name, const char *text)
{
    struct err err = {0};
    snprintf(path, sizeof path, "%s/%s", rig->dir, name);
    snprintf(url, sizeof url, "file:%s", path);
    assert_int_equal(file_put(path, text, strlen(text), 0644, &err), 0);
}

static void a_local_file_is_opened_where_it_is(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = {.name = "local", .url = url};
    place(rig, "input", "some bytes");
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, "some bytes", 10);
    assert_string_equal(artifact.origin, url);
    struct stat ours, named;
    assert_int_equal(fstat(artifact.fd, &ours), 0);
    assert_int_equal(stat(path, &named), 0);
    assert_int_equal(ours.st_ino, named.st_ino);
    assert_int_equal(rig_files(rig, "download"), 0);
    struct file_identity now;
    assert_int_equal(file_identify(artifact.fd, &now, &err), 0);
    assert_true(file_identity_equal(&now, &artifact.identity));
    assert_int_equal(unlink(path), 0);
    rig_expect(&artifact, "some bytes", 10); /* still there for who has it */
    artifact_free(&artifact);
}

/* How many bytes were hashed shows in the progress: one event for a file that was not read, more for one that
 * was. */
static unsigned events;
static void count_progress(void *ctx, const struct event *event)
{
    (void)ctx;
    events += event->kind == EVENT_PROGRESS;
}

static unsigned fetch_counted(struct fetch_rig *rig, const char *text)
{
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = {.name = "local", .url = url};
    struct run run = {.on_event = count_progress};
    events = 0;
    assert_int_equal(fetch_all(rig->fetcher, rig->cache, &req, 1, &run, &artifact, &err), 0);
    rig_expect(&artifact, text, strlen(text));
    artifact_free(&artifact);
    return events;
}

static void it_is_hashed_once_while_it_stays_the_same(void **state)
{
    struct fetch_rig *rig = *state;
    place(rig, "input", "some bytes");
    assert_int_equal(fetch_counted(rig, "some bytes"), 2);
    assert_int_equal(rig_files(rig, "file"), 2);
    assert_int_equal(fetch_counted(rig, "some bytes"), 1);
    rig->cache->recheck = true;
    assert_int_equal(fetch_counted(rig, "some bytes"), 2);
    rig->cache->recheck = false;
    for (int i = 0; i < 20;
         i++) { /* in place, at once, of the same length: within a tick of the file's clock */
        FILE *file = fopen(path, "r+");
        assert_non_null(file);
        assert_true(fputs(i % 2 ? "some bytes" : "other text", file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(fetch_counted(rig, i % 2 ? "some bytes" : "other text"), 2);
    }
}

static void what_is_no_good_file_is_refused(void **state)
{
    struct fetch_rig *rig = *state;
    struct artifact artifact = ARTIFACT_EMPTY;
    struct sha256 wrong = {{1}};
    char fifo[160], missing[160], folder[160];
    place(rig, "input", "some bytes");
    snprintf(fifo, sizeof fifo, "file:%s/fifo", rig->dir);
    snprintf(missing, sizeof missing, "file://%s/missing", rig->dir);
    snprintf(folder, sizeof folder, "file:%s", rig->dir);
    assert_int_equal(mkfifo(fifo + 5, 0600), 0);
    const struct {
        struct fetch_request req;
        enum err_kind kind;
        const char *says;
    } cases[] = {
        {{.name = "x", .url = fifo}, ERR_IO, "not a regular file"},
        {{.name = "x", .url = folder}, ERR_IO, "not a regular file"},
        {{.name = "x", .url = missing}, ERR_IO, "No such file"},
        {{.name = "x", .url = "file:relative"}, ERR_RECIPE, "absolute path"},
        {{.name = "x", .url = "ftp://h/x"}, ERR_RECIPE, "only http, https and file"},
        {{.name = "x", .url = url, .max_size = 9}, ERR_VERIFY, "more than the 9"},
        {{.name = "x", .url = url, .want_size = 9}, ERR_VERIFY, "the lock says 9"},
        {{.name = "x", .url = url, .want = &wrong}, ERR_VERIFY, "the lock says 01000000"},
        {{.name = "x", .url = url, .want = &wrong, .want_from = FETCH_PIN_RECIPE},
         ERR_VERIFY,
         "the recipe says 01000000"},
        {{.name = "x", .url = url, .want = &wrong, .want_from = FETCH_PIN_PUBLISHER},
         ERR_VERIFY,
         "its publisher says 01"},
        {{.name = "x", .url = "file:/nonexistent/%41"}, ERR_IO, "write %25 for a plain %"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        assert_int_equal(rig_fetch(rig, &cases[i].req, &artifact, &err), -1);
        if (err.kind != cases[i].kind || !strstr(err.text, cases[i].says))
            fail_msg("case %zu: %d %s", i, (int)err.kind, err.text);
        assert_int_equal(artifact.fd, -1);
    }
}

static void a_local_text_is_read(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    cleanup_buf struct buf text = BUF_INIT(100);
    place(rig, "version.txt", "VERSION=1\n");
    assert_int_equal(fetch_text(rig->fetcher, url, 100, &text, NULL, &err), 0);
    assert_string_equal(text.data, "VERSION=1\n");
    assert_int_equal(fetch_text(rig->fetcher, url, 5, &text, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(a_local_file_is_opened_where_it_is),
        WITH_RIG(it_is_hashed_once_while_it_stays_the_same),
        WITH_RIG(what_is_no_good_file_is_refused),
        WITH_RIG(a_local_text_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
