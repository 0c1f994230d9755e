/* What the agent's tests share: a root in /tmp, made for each test. */
#ifndef BAKE_TESTS_UNIT_AGENT_HELPER_H
#define BAKE_TESTS_UNIT_AGENT_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/os/root.h"
#include "io/proc.h"
#include "text/path.h"

struct place {
    char dir[64];
    struct root root;
};

/* Its exit status; -1 when it cannot be run. */
static inline int run(const char *const *argv)
{
    struct err err = {0};
    struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 1 << 16};
    cleanup_proc_result struct proc_result result = {0};
    return proc_run(&spec, NULL, &result, &err) < 0 ? -1 : result.status;
}

static inline int make_place(void **state)
{
    struct err err = {0};
    struct place *place = calloc(1, sizeof *place);
    if (!place)
        return -1;
    snprintf(place->dir, sizeof place->dir, "/tmp/bake-test-agent.XXXXXX");
    if (!mkdtemp(place->dir) || root_open(place->dir, &place->root, &err) < 0)
        return -1;
    *state = place;
    return 0;
}

static inline int remove_place(void **state)
{
    struct place *place = *state;
    const char *const argv[] = {"rm", "-rf", place->dir, NULL};
    int status = run(argv);
    root_close(&place->root);
    free(place);
    return status;
}

/* The next call but seven reuses the memory. */
static inline const char *below(const struct place *place, const char *path)
{
    static char paths[8][512];
    static unsigned at;
    char *out = paths[at++ % 8];
    snprintf(out, sizeof paths[0], "%s%s", place->dir, path);
    return out;
}

static inline void put(const struct place *place, const char *path, const void *bytes, size_t len,
                       mode_t mode)
{
    struct err err = {0};
    if (root_write(&place->root, path, bytes, len, mode, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void put_text(const struct place *place, const char *path, const char *text)
{
    put(place, path, text, strlen(text), 0644);
}

static inline struct buf get_file(const struct place *place, const char *path)
{
    struct err err = {0};
    bool found = false;
    struct buf made = BUF_INIT(1 << 20);
    if (root_read(&place->root, path, &made, &found, &err) < 0 || !found)
        fail_msg("%s: %s", path, err.text);
    return made;
}

static inline bool there(const struct place *place, const char *path)
{
    struct stat st;
    return lstat(below(place, path), &st) == 0;
}

#define assert_says(err, part)                                                                               \
    do {                                                                                                     \
        if (!strstr((err).text, (part)))                                                                     \
            fail_msg("\"%s\" does not say \"%s\"", (err).text, (part));                                      \
    } while (0)

#endif
