/* What the seal tests share. */
#ifndef BAKE_TESTS_UNIT_SEAL_HELPER_H
#define BAKE_TESTS_UNIT_SEAL_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/file.h"
#include "io/proc.h"
#include "seal/sign/key.h"

#define FIXTURES "tests/unit/seal/fixtures/"
#define DATA     "the quick brown disk\n"

static char dir[] = "/tmp/bake-test-seal.XXXXXX";

static inline int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static inline int remove_dir(void **state)
{
    (void)state;
    struct err err = {0};
    const char *const argv[] = {"rm", "-rf", dir, NULL};
    struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 4096};
    cleanup_proc_result struct proc_result result = {0};
    return proc_run(&spec, NULL, &result, &err);
}

/* The fourth call from now reuses the memory. */
static inline char *in_dir(const char *name)
{
    static char paths[4][512];
    static unsigned at;
    char *path = paths[at++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static inline struct buf load(const char *path)
{
    struct err err = {0};
    struct buf made = BUF_INIT(16 << 20);
    if (file_read(path, 16 << 20, &made, &err) < 0)
        fail_msg("%s (run the tests from the top folder)", err.text);
    return made;
}

static inline void save(const char *path, const void *bytes, size_t len, mode_t mode)
{
    struct err err = {0};
    if (file_put(path, bytes, len, mode, &err) < 0 || chmod(path, mode) < 0)
        fail_msg("%s", err.text);
}

static inline void says(const char *message, const char *text)
{
    if (!strstr(message, text))
        fail_msg("\"%s\" does not say \"%s\"", message, text);
}

/* The fixture key, in a struct. */
static inline void load_plain(struct minisign_secret *secret, struct minisign_public *public)
{
    struct err err = {0};
    cleanup_buf struct buf key = load(FIXTURES "plain.key");
    if (minisign_read_secret(key.data, key.len, "plain.key", NULL, 0, secret, &err) < 0)
        fail_msg("%s", err.text);
    minisign_public_of(secret, public);
}

/* Runs a real program with INPUT as its standard input; its exit status. */
static inline int run_program(const char *const *argv, const char *input, char *output, size_t room)
{
    struct err err = {0};
    cleanup_close int in = -1;
    if (file_scratch(dir, &in, &err) < 0 || file_write(in, input, strlen(input), "input", &err) < 0 ||
        lseek(in, 0, SEEK_SET) != 0)
        fail_msg("%s", err.text);
    struct proc_spec spec = {.argv = argv, .stdin_fd = in, .max_output = 64 << 10, .timeout_ms = 60000};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, NULL, &result, &err) < 0)
        fail_msg("%s", err.text);
    if (output)
        snprintf(output, room, "%s%s", result.out.data ? result.out.data : "",
                 result.err.data ? result.err.data : "");
    return result.status;
}

#endif
