/* What the tests of fetch share: a cache in a fresh folder, a fetcher that does not wait long, nobody's
 * proxy. */
#ifndef BAKE_TESTS_UNIT_FETCH_FETCH_RIG_H
#define BAKE_TESTS_UNIT_FETCH_FETCH_RIG_H

#include <dirent.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fetch/fetch.h"
#include "io/file.h"

struct fetch_rig {
    char dir[64];
    struct cache *cache;
    struct fetcher *fetcher;
    unsigned warnings;
    char notes[8192];
    volatile sig_atomic_t stop;
    struct run run;
};

static inline void rig_tell(void *ctx, const struct event *event)
{
    struct fetch_rig *rig = ctx;
    if (event->kind == EVENT_PROGRESS)
        return;
    rig->warnings += event->kind == EVENT_WARN;
    size_t len = strlen(rig->notes);
    snprintf(rig->notes + len, sizeof rig->notes - len, "%s\n", event->what);
}

static inline void rig_open(struct fetch_rig *rig)
{
    struct err err = {0};
    struct cache_options options = {.dir = rig->dir};
    assert_int_equal(cache_open(&options, &rig->cache, &err), 0);
    struct fetch_options how = {.retries = 3, .backoff_ms = 20, .connect_timeout_ms = 3000, .low_speed_s = 5};
    assert_int_equal(fetcher_new(&how, &rig->fetcher, &err), 0);
    rig->run = (struct run){.stop = &rig->stop, .on_event = rig_tell, .ctx = rig};
}

static inline int rig_up(void **state)
{
    static const char *const proxies[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                          "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++)
        unsetenv(proxies[i]);
    struct fetch_rig *rig = calloc(1, sizeof *rig);
    if (!rig)
        return -1;
    snprintf(rig->dir, sizeof rig->dir, "/tmp/bake-test-fetch.XXXXXX");
    if (!mkdtemp(rig->dir))
        return -1;
    rig_open(rig);
    *state = rig;
    return 0;
}

static inline int rig_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int rig_down(void **state)
{
    struct fetch_rig *rig = *state;
    fetcher_free(rig->fetcher);
    cache_close(rig->cache);
    int removed = nftw(rig->dir, rig_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(rig);
    return removed;
}

static inline int rig_fetch(struct fetch_rig *rig, const struct fetch_request *req, struct artifact *ret,
                            struct err *err)
{
    return fetch_all(rig->fetcher, rig->cache, req, 1, &rig->run, ret, err);
}

/* The content, and that the digest and size are of it. */
static inline void rig_expect(const struct artifact *artifact, const void *bytes, size_t len)
{
    struct err err = {0};
    struct sha256 sha256;
    cleanup_buf struct buf got = BUF_INIT((size_t)64 << 20);
    assert_int_equal(lseek(artifact->fd, 0, SEEK_SET), 0);
    assert_int_equal(file_read_fd(artifact->fd, (size_t)64 << 20, &got, "artifact", &err), 0);
    assert_int_equal(got.len, len);
    assert_true(len == 0 || memcmp(got.data, bytes, len) == 0);
    assert_int_equal(artifact->size, len);
    assert_int_equal(sha256_of(bytes, len, &sha256, &err), 0);
    assert_true(sha256_equal(&sha256, &artifact->sha256));
}

static inline int rig_files(const struct fetch_rig *rig, const char *kind)
{
    char path[128];
    int n = 0;
    snprintf(path, sizeof path, "%s/%s", rig->dir, kind);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (dir)
        closedir(dir);
    return n;
}

/* Size of the only partial download, 0 if there is none. */
static inline uint64_t rig_partial(const struct fetch_rig *rig)
{
    char path[512];
    uint64_t size = 0;
    struct stat st;
    snprintf(path, sizeof path, "%s/partial", rig->dir);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strlen(e->d_name) == 64 && fstatat(dirfd(dir), e->d_name, &st, 0) == 0)
            size = (uint64_t)st.st_size;
    if (dir)
        closedir(dir);
    return size;
}

#endif
