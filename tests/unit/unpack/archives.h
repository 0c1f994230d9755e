/* What the tests of unpack share: a folder, a cache, a shell to make archives with, artifacts from files. */
#ifndef TESTS_UNPACK_ARCHIVES_H
#define TESTS_UNPACK_ARCHIVES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache/cache.h"
#include "io/file.h"
#include "io/proc.h"
#include "verify/types.h"

static char dir[] = "/tmp/test_unpack.XXXXXX";
static struct cache *cache;
static struct err err;

#define OK(call)                                                                                             \
    do {                                                                                                     \
        if ((call) < 0)                                                                                      \
            fail_msg("%s: %s", #call, err.text);                                                             \
    } while (0)

static void shell(const char *script)
{
    char whole[8192];
    snprintf(whole, sizeof whole, "cd %s\n%s", dir, script);
    const char *argv[] = {"bash", "-euo", "pipefail", "-c", whole, NULL};
    const struct proc_spec spec = {.argv = argv, .stdin_fd = -1, .max_output = 64 << 10};
    struct proc_result result = {0};
    OK(proc_run(&spec, NULL, &result, &err));
    if (result.status != 0)
        fail_msg("%s\n-> %d\n%s%s", script, result.status, result.out.data ? result.out.data : "",
                 result.err.data ? result.err.data : "");
    proc_result_free(&result);
}

/* The permit, as verify makes it after checking the digest. */
static void artifact(const char *name, struct trusted *ret)
{
    char path[256];
    uint64_t size = 0;
    struct trusted made = TRUSTED_EMPTY;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    OK(file_open(path, &made.fd, &size, &err));
    OK(file_sha256(made.fd, 0, size, NULL, &made.sha256, &err));
    made.size = size;
    made.origin = strdup(name);
    *ret = made;
}

static int set_up(const char *script)
{
    if (!mkdtemp(dir))
        return -1;
    char path[64];
    snprintf(path, sizeof path, "%s/cache", dir);
    const struct cache_options options = {.dir = path};
    OK(cache_open(&options, &cache, &err));
    shell(script);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    cache_close(cache);
    shell("rm -rf -- \"$PWD\"");
    return 0;
}

#endif
