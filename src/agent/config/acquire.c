#include "agent/config/acquire.h"

#include <string.h>
#include <time.h>

#define BASE     "/computeMetadata/v1/"
#define QUERY    "?recursive=true&alt=json"
#define INSTANCE BASE "instance/" QUERY
#define PROJECT  BASE "project/attributes/" QUERY

/* for a server that has waited as long as it was told to answer in */
enum { WAIT_GRACE_S = 15 };

struct source {
    const struct http_peer *peer;
    int64_t deadline; /* of http_now_ms() */
    const struct say *say;
};

/* True when asking again may help: the server is not up yet in early boot, restarts, or limits its rate. */
static bool passing(int status)
{
    return status >= 500 || status == 429 || status == 408;
}

static int get_once(const struct source *source, const char *path, int *ret_status, struct buf *ret,
                    struct err *err)
{
    int64_t left = source->deadline - http_now_ms();
    if (left <= 0)
        return err_set(err, ERR_NETWORK, 0, "no time is left");
    struct http_request request = {.peer = source->peer,
                                   .path = path,
                                   .metadata = true,
                                   .timeout_ms =
                                       left < ACQUIRE_REQUEST_MS ? (unsigned)left : ACQUIRE_REQUEST_MS};
    if (http_get(&request, ret_status, ret, err) < 0)
        return -1;
    if (passing(*ret_status))
        return err_set(err, ERR_NETWORK, 0, "http://%s:%u%s: the server answered %d", source->peer->host,
                       (unsigned)source->peer->port, path, *ret_status);
    return 0;
}

static void pause_ms(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

/* Until there is a final answer or the time is over. */
static int get(const struct source *source, const char *path, int *ret_status, struct buf *ret,
               struct err *err)
{
    unsigned pause = ACQUIRE_PAUSE_MIN_MS;
    struct err failed = {0};
    for (unsigned tries = 0;; tries++) {
        if (get_once(source, path, ret_status, ret, err) == 0)
            return 0;
        int64_t left = source->deadline - http_now_ms();
        /* "no time is left" says less than what went wrong before */
        if (left <= 0 && tries > 0 && failed.kind != ERR_NONE)
            *err = failed;
        if (left <= 0)
            return -1;
        failed = *err;
        if (tries == 0)
            say_line(source->say, "waiting for the metadata server");
        pause_ms(left < pause ? (unsigned)left : pause);
        pause = pause * 2 < ACQUIRE_PAUSE_MAX_MS ? pause * 2 : ACQUIRE_PAUSE_MAX_MS;
    }
}

static int fetch(const struct source *source, struct buf *instance, struct buf *project, struct err *err)
{
    int status = 0;
    if (get(source, INSTANCE, &status, instance, err) < 0)
        return -1;
    if (status != 200)
        return err_set(err, ERR_REMOTE, 0, "the metadata server answered %d to %s", status, INSTANCE);
    if (get(source, PROJECT, &status, project, err) < 0)
        return -1;
    if (status == 404) /* a project without attributes */
        buf_str(project, "{}");
    else if (status != 200)
        return err_set(err, ERR_REMOTE, 0, "the metadata server answered %d to %s", status, PROJECT);
    return buf_check(project, "metadata", err);
}

int metadata_save(const struct root *root, const struct metadata *metadata, struct err *err)
{
    cleanup_buf struct buf copy = BUF_INIT(METADATA_COPY_MAX);
    metadata_write(metadata, &copy);
    if (buf_check(&copy, "the copy of the metadata", err) < 0)
        return -1;
    return root_write(root, ACQUIRE_COPY, copy.data, copy.len, 0600, err);
}

int metadata_last(const struct root *root, struct metadata *ret, bool *ret_found, struct err *err)
{
    cleanup_buf struct buf copy = BUF_INIT(METADATA_COPY_MAX);
    if (root_read(root, ACQUIRE_COPY, &copy, ret_found, err) < 0)
        return -1;
    if (*ret_found && metadata_parse(&(struct metadata_text){copy.data, copy.len},
                                     &(struct metadata_text){"{}", 2}, ret, NULL, err) < 0)
        return err_wrap(err, "%s", ACQUIRE_COPY);
    return 0;
}

/* The answers hold the secret, so they do not stay in memory. */
static void free_answer(struct buf *answer)
{
    if (answer->data)
        explicit_bzero(answer->data, answer->len);
    buf_free(answer);
}

int metadata_fetch(const struct http_peer *peer, unsigned limit_s, const struct say *say,
                   struct metadata *ret, struct secret *ret_secret, bool *ret_wrong, struct err *err)
{
    struct source source = {.peer = peer, .deadline = http_now_ms() + (int64_t)limit_s * 1000, .say = say};
    cleanup(free_answer) struct buf instance = BUF_INIT(HTTP_BODY_MAX);
    cleanup(free_answer) struct buf project = BUF_INIT(HTTP_BODY_MAX);
    *ret_wrong = false;
    if (fetch(&source, &instance, &project, err) < 0)
        return -1;
    *ret_wrong = true;
    if (metadata_parse(&(struct metadata_text){instance.data, instance.len},
                       &(struct metadata_text){project.data, project.len}, ret, ret_secret, err) < 0)
        return -1;
    if (!ret_secret->set)
        return err_set(
            err, ERR_VERIFY, 0,
            "metadata: cluster-secret is missing: it must be 32 random bytes in base64, the same on all "
            "members (`bake metadata` makes one)");
    return 0;
}

int metadata_acquire(const struct root *root, const struct http_peer *peer, unsigned limit_s,
                     const struct say *say, struct metadata *ret, struct secret *ret_secret, struct err *err)
{
    struct metadata made;
    struct err unread;
    bool wrong, found = false;
    /* what was kept is good enough to start from, and watch sees to what changed since */
    if (metadata_last(root, &made, &found, &unread) == 0 && found && limit_s > ACQUIRE_KEPT_S)
        limit_s = ACQUIRE_KEPT_S;
    if (metadata_fetch(peer, limit_s, say, &made, ret_secret, &wrong, err) == 0) {
        /* a full disk is no reason to keep a node down whose metadata is here and good */
        struct err unsaved;
        if (metadata_save(root, &made, &unsaved) < 0)
            say_line(say, unsaved.text);
        *ret = made;
        return 0;
    }
    if (wrong)
        return -1;
    if (metadata_last(root, &made, &found, &unread) < 0) {
        char why[ERR_TEXT_MAX];
        snprintf(why, sizeof why, "%s", err->text);
        *err = unread;
        return err_wrap(err, "%.900s; and the last good metadata is of no use", why);
    }
    if (!found)
        return err_wrap(err, "no metadata, and none was kept from an earlier boot");
    say_line(say, err->text);
    *ret = made;
    *ret_secret = (struct secret){0};
    return 0;
}

int metadata_wait(const struct http_peer *peer, unsigned limit_s, struct err *err)
{
    cleanup(free_answer) struct buf answer = BUF_INIT(HTTP_BODY_MAX);
    char path[HTTP_PATH_MAX];
    int status = 0;
    snprintf(path, sizeof path, "%s&wait_for_change=true&timeout_sec=%u", INSTANCE, limit_s);
    struct http_request request = {
        .peer = peer, .path = path, .metadata = true, .timeout_ms = (limit_s + WAIT_GRACE_S) * 1000};
    if (http_get(&request, &status, &answer, err) < 0)
        return -1;
    if (status != 200)
        return err_set(err, ERR_NETWORK, 0, "the metadata server answered %d to %s", status, path);
    return 0;
}
