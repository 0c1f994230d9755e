#include "agent/config/acquire.h"

#include <string.h>

#include "base/clock.h"

#define BASE     "/computeMetadata/v1/"
#define QUERY    "?recursive=true&alt=json"
#define INSTANCE BASE "instance/" QUERY
#define PROJECT  BASE "project/attributes/" QUERY

/* The server waits up to timeout_sec, and needs time to answer after that. */
enum { WAIT_GRACE_S = 15 };

struct acquire_source {
    const struct wire_peer *peer;
    int64_t deadline; /* of clock_now_ms() */
    const struct log *log;
};

/* True if retrying may help: the server is not up yet in early boot, is restarting, or limits its rate. */
static bool is_temporary(int status)
{
    return status >= 500 || status == 429 || status == 408;
}

static int get_once(const struct acquire_source *source, const char *path, int *ret_status, struct buf *ret,
                    struct err *err)
{
    int64_t left = source->deadline - clock_now_ms();
    if (left <= 0)
        return err_set(err, ERR_NETWORK, 0, "timed out");
    struct agent_http_request request = {.peer = source->peer,
                                         .path = path,
                                         .metadata = true,
                                         .timeout_ms =
                                             left < ACQUIRE_REQUEST_MS ? (unsigned)left : ACQUIRE_REQUEST_MS};
    if (agent_http_get(&request, ret_status, ret, err) < 0)
        return -1;
    if (is_temporary(*ret_status))
        return err_set(err, ERR_NETWORK, 0, "http://%s:%u%s: the server answered %d", source->peer->host,
                       (unsigned)source->peer->port, path, *ret_status);
    return 0;
}

/* Retries until there is a final answer or the deadline has passed. */
static int get_answer(const struct acquire_source *source, const char *path, int *ret_status, struct buf *ret,
                      struct err *err)
{
    unsigned pause = ACQUIRE_PAUSE_MIN_MS;
    struct err failed = {0};
    for (unsigned tries = 0;; tries++) {
        if (get_once(source, path, ret_status, ret, err) == 0)
            return 0;
        int64_t left = source->deadline - clock_now_ms();
        /* the earlier error says more than "timed out" */
        if (left <= 0 && tries > 0 && failed.kind != ERR_NONE)
            *err = failed;
        if (left <= 0)
            return -1;
        failed = *err;
        if (tries == 0)
            log_line(source->log, "waiting for the metadata server");
        clock_sleep_ms(left < pause ? (unsigned)left : pause);
        pause = pause * 2 < ACQUIRE_PAUSE_MAX_MS ? pause * 2 : ACQUIRE_PAUSE_MAX_MS;
    }
}

static int fetch_documents(const struct acquire_source *source, struct buf *instance, struct buf *project,
                           struct err *err)
{
    int status = 0;
    if (get_answer(source, INSTANCE, &status, instance, err) < 0)
        return -1;
    if (status != 200)
        return err_set(err, ERR_REMOTE, 0, "the metadata server answered %d to %s", status, INSTANCE);
    if (get_answer(source, PROJECT, &status, project, err) < 0)
        return -1;
    if (status == 404) /* the project has no attributes */
        buf_str(project, "{}");
    else if (status != 200)
        return err_set(err, ERR_REMOTE, 0, "the metadata server answered %d to %s", status, PROJECT);
    return buf_check(project, "metadata", err);
}

int acquire_save(const struct root *root, const struct node_metadata *metadata, struct err *err)
{
    cleanup_buf struct buf copy = BUF_INIT(NODE_METADATA_COPY_MAX);
    node_metadata_write(metadata, &copy);
    if (buf_check(&copy, "the copy of the metadata", err) < 0)
        return -1;
    return root_write(root, ACQUIRE_COPY, copy.data, copy.len, 0600, err);
}

int acquire_last(const struct root *root, struct node_metadata *ret, bool *ret_found, struct err *err)
{
    cleanup_buf struct buf copy = BUF_INIT(NODE_METADATA_COPY_MAX);
    if (root_read(root, ACQUIRE_COPY, &copy, ret_found, err) < 0)
        return -1;
    if (*ret_found && node_metadata_parse(&(struct node_metadata_text){copy.data, copy.len},
                                          &(struct node_metadata_text){"{}", 2}, ret, NULL, err) < 0)
        return err_wrap(err, "%s", ACQUIRE_COPY);
    return 0;
}

int acquire_fetch(const struct wire_peer *peer, unsigned limit_s, const struct log *log,
                  struct node_metadata *ret, struct cluster_secret *ret_secret, bool *ret_wrong,
                  struct err *err)
{
    struct acquire_source source = {
        .peer = peer, .deadline = clock_now_ms() + (int64_t)limit_s * 1000, .log = log};
    /* these hold the secret */
    cleanup_buf_wipe struct buf instance = BUF_INIT(AGENT_HTTP_BODY_MAX);
    cleanup_buf_wipe struct buf project = BUF_INIT(AGENT_HTTP_BODY_MAX);
    *ret_wrong = false;
    if (fetch_documents(&source, &instance, &project, err) < 0)
        return -1;
    *ret_wrong = true;
    if (node_metadata_parse(&(struct node_metadata_text){instance.data, instance.len},
                            &(struct node_metadata_text){project.data, project.len}, ret, ret_secret,
                            err) < 0)
        return -1;
    if (!ret_secret->set)
        return err_set(
            err, ERR_VERIFY, 0,
            "metadata: cluster-secret is missing: it must be 32 random bytes in base64, the same on all "
            "members (`bake metadata` makes one)");
    return 0;
}

int acquire_metadata(const struct root *root, const struct wire_peer *peer, unsigned limit_s,
                     const struct log *log, struct node_metadata *ret, struct cluster_secret *ret_secret,
                     struct err *err)
{
    struct node_metadata made;
    struct err unread;
    bool wrong, found = false;
    /* the copy is good enough to start from; watch applies later changes */
    if (acquire_last(root, &made, &found, &unread) == 0 && found && limit_s > ACQUIRE_KEPT_S)
        limit_s = ACQUIRE_KEPT_S;
    if (acquire_fetch(peer, limit_s, log, &made, ret_secret, &wrong, err) == 0) {
        *ret = made;
        return 0;
    }
    if (wrong)
        return -1;
    if (acquire_last(root, &made, &found, &unread) < 0) {
        char why[ERR_TEXT_MAX];
        snprintf(why, sizeof why, "%s", err->text);
        *err = unread;
        return err_wrap(err, "%.900s; and the last good metadata is unusable", why);
    }
    if (!found)
        return err_wrap(err, "no metadata, and no copy from an earlier boot");
    log_line(log, err->text);
    *ret = made;
    *ret_secret = (struct cluster_secret){0};
    return 0;
}

int acquire_wait(const struct wire_peer *peer, unsigned limit_s, struct err *err)
{
    cleanup_buf_wipe struct buf answer = BUF_INIT(AGENT_HTTP_BODY_MAX);
    char path[AGENT_HTTP_PATH_MAX];
    int status = 0;
    snprintf(path, sizeof path, "%s&wait_for_change=true&timeout_sec=%u", INSTANCE, limit_s);
    struct agent_http_request request = {
        .peer = peer, .path = path, .metadata = true, .timeout_ms = (limit_s + WAIT_GRACE_S) * 1000};
    if (agent_http_get(&request, &status, &answer, err) < 0)
        return -1;
    if (status != 200)
        return err_set(err, ERR_NETWORK, 0, "the metadata server answered %d to %s", status, path);
    return 0;
}
