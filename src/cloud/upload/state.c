#include "cloud/upload/state.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "io/file.h"
#include "io/note.h"
#include "text/hex.h"

#define MAGIC "bake push 1"

static int path_of(const struct push_state *state, char **ret, struct err *err)
{
    return asprintf(ret, "%s/" CACHE_PARTIAL "/%s", cache_dir(state->cache), state->key) < 0 ? err_oom(err)
                                                                                             : 0;
}

int state_lock(struct cache *cache, const char *kind, const char *key, const char *note,
               const struct run *run, int *ret_fd, struct err *err)
{
    static const struct timespec nap = {.tv_nsec = 50000000};
    int fd = -1;
    for (bool warned = false;; nanosleep(&nap, NULL)) {
        if (run_check(run, err) < 0 || cache_try_lock(cache, kind, key, &fd, err) < 0)
            return -1;
        if (fd >= 0)
            break;
        if (!warned)
            run_warn(run, "push", "%s", note);
        warned = true;
    }
    *ret_fd = fd;
    return 0;
}

static void read_note(struct push_state *state, const char *path)
{
    struct err ignored;
    char attempt[24];
    cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
    const struct note_field fields[] = {{"session", state->session, sizeof state->session},
                                        {"object", state->object, sizeof state->object},
                                        {"attempt", attempt, sizeof attempt}};
    if (file_read(path, NOTE_MAX, &text, &ignored) < 0 ||
        !note_parse(text.data, text.len, MAGIC, fields, 3) || !note_uint(attempt, &state->attempt)) {
        state->session[0] = state->object[0] = '\0';
        state->attempt = 0;
    }
}

int state_open(struct cache *cache, const char *what, const struct run *run, struct push_state *ret,
               struct err *err)
{
    struct push_state made = {.cache = cache, .lock_fd = -1};
    struct sha256 sha256;
    char hex[SHA256_HEX];
    cleanup_free char *path = NULL;
    if (sha256_of(what, strlen(what), &sha256, err) < 0)
        return -1;
    hex_encode(sha256.bytes, SHA256_SIZE, hex);
    snprintf(made.key, sizeof made.key, "push-%s", hex);
    if (path_of(&made, &path, err) < 0 ||
        state_lock(cache, CACHE_PARTIAL, made.key, "waiting for another push of this package", run,
                   &made.lock_fd, err) < 0)
        return -1;
    read_note(&made, path);
    *ret = made;
    return 0;
}

int state_save(const struct push_state *state, struct err *err)
{
    struct push_state copy = *state;
    char attempt[24];
    cleanup_free char *path = NULL;
    cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
    snprintf(attempt, sizeof attempt, "%llu", (unsigned long long)state->attempt);
    const struct note_field fields[] = {{"session", copy.session, sizeof copy.session},
                                        {"object", copy.object, sizeof copy.object},
                                        {"attempt", attempt, sizeof attempt}};
    note_format(&text, MAGIC, fields, 3);
    if (buf_check(&text, "the note of a push", err) < 0 || path_of(state, &path, err) < 0)
        return -1;
    return file_put(path, text.data, text.len, 0600, err);
}

int state_drop(const struct push_state *state, struct err *err)
{
    cleanup_free char *path = NULL;
    if (path_of(state, &path, err) < 0)
        return -1;
    return unlink(path) < 0 && errno != ENOENT ? err_sys(err, errno, "remove %s", path) : 0;
}

void state_close(struct push_state *state)
{
    if (state->cache && state->lock_fd >= 0)
        cache_unlock(state->cache, CACHE_PARTIAL, state->key, &state->lock_fd);
    *state = (struct push_state)PUSH_STATE_EMPTY;
}
