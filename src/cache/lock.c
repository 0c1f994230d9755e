/* Locks of the cache: flock(2) on a file for each key, so that the kernel releases the lock when its process
 * ends. */
#include "cache/internal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

enum { NAP_FIRST_MS = 1, NAP_MAX_MS = 50, NOTE_AFTER_MS = 300 };

/* Sets *ret to whether the locked file still has its name. The previous holder may have removed it: then the
 * lock protects nothing. */
static int still_named(struct cache *cache, const char *rel, int fd, bool *ret, struct err *err)
{
    struct stat ours, named;
    if (fstat(fd, &ours) < 0)
        return err_sys(err, errno, "stat %s/%s", cache->dir, rel);
    if (fstatat(cache->fd, rel, &named, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT)
            return err_sys(err, errno, "stat %s/%s", cache->dir, rel);
        *ret = false;
        return 0;
    }
    *ret = ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
    return 0;
}

int cache_try_lock(struct cache *cache, const char *kind, const char *key, int *ret_fd, struct err *err)
{
    char rel[CACHE_REL_CAP];
    if (cache_rel(kind, key, ".lock", rel, err) < 0)
        return -1;
    for (;;) {
        cleanup_close int fd = openat(cache->fd, rel, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno == ENOENT) {
            if (cache_make_kind(cache, kind, err) < 0)
                return -1;
            continue;
        }
        if (fd < 0)
            return err_sys(err, errno, "lock %s/%s", cache->dir, rel);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EWOULDBLOCK)
                return err_sys(err, errno, "lock %s/%s (a cache needs a file system with locks: --cache-dir)",
                               cache->dir, rel);
            *ret_fd = -1;
            return 0;
        }
        bool named = false;
        if (still_named(cache, rel, fd, &named, err) < 0)
            return -1;
        if (named) {
            *ret_fd = steal_fd(&fd);
            return 0;
        }
    }
}

/* Removes the name while still holding the lock: a process that then locks the nameless file finds out in
 * still_named(), and one that makes a new file may go ahead, since this holder is done. */
void cache_unlock(struct cache *cache, const char *kind, const char *key, int *fd)
{
    if (*fd < 0)
        return;
    int saved = errno;
    char rel[CACHE_REL_CAP];
    struct err ignored;
    if (cache_rel(kind, key, ".lock", rel, &ignored) == 0)
        unlinkat(cache->fd, rel, 0);
    close(*fd);
    *fd = -1;
    errno = saved;
}

/* Polls, because a signal must end the wait: one that arrives just before a blocking flock() would not. */
int cache_lock(struct cache *cache, const char *kind, const char *key, int *ret_fd, const struct run *run,
               struct err *err)
{
    long nap_ms = NAP_FIRST_MS, waited_ms = 0;
    bool noted = false;
    for (;;) {
        int fd = -1;
        if (run_check(run, err) < 0 || cache_try_lock(cache, kind, key, &fd, err) < 0)
            return -1;
        if (fd >= 0) {
            *ret_fd = fd;
            return 0;
        }
        if (!noted && waited_ms >= NOTE_AFTER_MS) {
            run_note(run, "cache", "waiting for another run that is making %s %.16s", kind, key);
            noted = true;
        }
        struct timespec nap = {.tv_nsec = nap_ms * 1000000};
        nanosleep(&nap, NULL);
        waited_ms += nap_ms;
        nap_ms = nap_ms * 2 < NAP_MAX_MS ? nap_ms * 2 : (long)NAP_MAX_MS;
    }
}
