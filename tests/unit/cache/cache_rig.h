/* What the cache's tests share: a fresh cache in a fresh folder for each test. */
#ifndef BAKE_TESTS_UNIT_IO_CACHE_RIG_H
#define BAKE_TESTS_UNIT_IO_CACHE_RIG_H

#include <dirent.h>
#include <ftw.h>
#include <string.h>

#include "cache/internal.h"
#include "io/file.h"

struct cache_rig {
    char dir[64];
    struct cache *cache;
};

static inline int rig_up(void **state)
{
    struct cache_rig *rig = calloc(1, sizeof *rig);
    struct err err;
    snprintf(rig->dir, sizeof rig->dir, "/tmp/bake-test-cache.XXXXXX");
    if (!mkdtemp(rig->dir))
        return -1;
    struct cache_options options = {.dir = rig->dir};
    *state = rig;
    return cache_open(&options, &rig->cache, &err);
}

/* The same on a file system that knows no unnamed files. */
static inline int rig_up_named(void **state)
{
    if (rig_up(state) < 0)
        return -1;
    struct cache_rig *rig = *state;
    rig->cache->named_temps = true;
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
    struct cache_rig *rig = *state;
    cache_close(rig->cache);
    int removed = nftw(rig->dir, rig_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(rig);
    return removed;
}

static inline int rig_find(struct cache_rig *rig, const char *kind, const char *key)
{
    struct err err = {0};
    int fd = -1;
    assert_int_equal(cache_find(rig->cache, kind, key, &fd, NULL, NULL, &err), 0);
    return fd;
}

static inline void rig_expect(int fd, const char *text)
{
    struct err err = {0};
    cleanup_buf struct buf got = BUF_INIT(1 << 20);
    assert_true(fd >= 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(file_read_fd(fd, 1 << 20, &got, "entry", &err), 0);
    assert_int_equal(got.len, strlen(text));
    assert_memory_equal(got.data, text, got.len);
}

static inline void rig_commit(struct cache_entry *entry, const char *text)
{
    struct err err = {0};
    struct sha256 sha256;
    int fd = -1;
    assert_int_equal(sha256_of(text, strlen(text), &sha256, &err), 0);
    assert_int_equal(file_write(entry->fd, text, strlen(text), "entry", &err), 0);
    assert_int_equal(cache_commit(entry, &sha256, &fd, &err), 0);
    rig_expect(fd, text);
    close(fd);
}

static inline void rig_store(struct cache_rig *rig, const char *kind, const char *key, const char *text)
{
    struct err err = {0};
    struct cache_entry entry = CACHE_ENTRY_EMPTY;
    assert_int_equal(cache_begin_anew(rig->cache, kind, key, &entry, NULL, &err), 0);
    rig_commit(&entry, text);
}

/* Files of a kind, side files included. */
static inline int rig_files(struct cache_rig *rig, const char *kind)
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

static inline void rig_chown(struct cache_rig *rig, unsigned user)
{
    char path[512];
    const char *const kinds[] = {"base", "base/k", "base/k.meta", "base/doubted", "base/doubted.meta", "."};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        snprintf(path, sizeof path, "%s/%s", rig->dir, kinds[i]);
        assert_int_equal(chown(path, user, user), 0);
    }
}

#endif
