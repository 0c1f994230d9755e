#include "fetch/transfer.h"

#include <string.h>

#include "fetch/local.h"
#include "text/hex.h"

enum {
    LOCK_POLL_MS = 40,
    BACKOFF_MAX_MS = 30000,
    RETRY_AFTER_MAX_S = 60,
    HOPS_MAX = 10,
    PROGRESS_MIN = 1 << 20 /* an attempt that gains this many bytes counts as progress */
};

/* Centered jitter: a run sends few requests, and repeating one immediately seldom helps. */
static void begin_retries(struct retry *retry, const struct fetch_options *options)
{
    const struct retry_policy policy = {.attempts = options->retries < 0 ? 1 : (unsigned)options->retries + 1,
                                        .first_ms = options->backoff_ms,
                                        .max_ms = BACKOFF_MAX_MS,
                                        .retry_after_max_s = RETRY_AFTER_MAX_S,
                                        .deadline_s = RETRY_NO_DEADLINE,
                                        .jitter = RETRY_CENTERED_JITTER};
    retry_begin(retry, "fetch", &policy, NULL);
}

int transfer_init(struct transfer *t, const struct fetcher *fetcher, struct cache *cache,
                  const struct fetch_request *req, const struct run *run, struct err *err)
{
    *t = (struct transfer){.fetcher = fetcher,
                           .cache = cache,
                           .run = run,
                           .req = *req,
                           .part = PARTIAL_EMPTY,
                           .result = ARTIFACT_EMPTY};
    begin_retries(&t->retry, &fetcher->options);
    if (url_parse(req->url, &t->url, err) < 0)
        return -1;
    return cache ? partial_init(&t->part, cache, t->url.clean, err) : 0;
}

/* Takes the result from the cache, by digest, if it is there. Its origin is the requested URL, not a
 * redirect's target: provenance must not depend on whether the content was cached. */
static int try_cache(struct transfer *t, const struct sha256 *sha256, struct err *err)
{
    char hex[SHA256_HEX];
    struct stat st;
    cleanup_close int fd = -1;
    hex_encode(sha256->bytes, SHA256_SIZE, hex);
    if (cache_find(t->cache, "download", hex, &fd, NULL, t->run, err) < 0)
        return -1;
    if (fd < 0)
        return 0;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "stat a cached download");
    if (fetch_check_size(&t->req, request_where(t), (uint64_t)st.st_size, err) < 0)
        return -1;
    if (!(t->result.origin = strdup(t->url.clean)))
        return err_oom(err);
    t->result.fd = steal_fd(&fd);
    t->result.size = (uint64_t)st.st_size;
    t->result.sha256 = *sha256;
    t->phase = TRANSFER_DONE;
    run_progress(t->run, "fetch", t->req.name, t->result.size, t->result.size);
    return 0;
}

static void wait_ms(struct transfer *t, int64_t ms)
{
    t->phase = TRANSFER_WAITS;
    t->wake_ms = clock_machine.now_ms(NULL) + ms;
}

/* What an earlier run stored about the URL counts only while the cache holds the content. */
static int recall(struct transfer *t, struct err *err)
{
    char hex[SHA256_HEX];
    cleanup_close int fd = -1;
    if (t->req.want)
        return 0;
    if (fetch_index_read(t->cache, "url", t->part.key, &t->known, &t->index, t->run, err) < 0)
        return -1;
    if (!t->known)
        return 0;
    hex_encode(t->index.sha256.bytes, SHA256_SIZE, hex);
    if (cache_find(t->cache, "download", hex, &fd, NULL, t->run, err) < 0)
        return -1;
    t->known = fd >= 0 && (t->index.etag[0] || t->index.modified[0]);
    return 0;
}

/* Needs the lock, so that nothing else writes the partial file. Its last holder may have finished the
 * download. */
static int open_partial(struct transfer *t, struct err *err)
{
    if (t->req.want && try_cache(t, t->req.want, err) < 0)
        return -1;
    if (t->phase == TRANSFER_DONE)
        return 0;
    if (recall(t, err) < 0 || partial_open(&t->part, t->req.name, t->run, err) < 0)
        return -1;
    if (t->part.done > 0)
        progress_advance(t->req.progress, t->part.fd, t->part.done);
    return 0;
}

static int finish(struct transfer *t, struct err *err);

int transfer_begin(struct transfer *t, struct err *err)
{
    if (t->url.scheme == URL_FILE) {
        t->phase = TRANSFER_DONE;
        return fetch_local(t->cache, &t->req, t->url.path, t->url.clean, t->run, &t->result, err);
    }
    if (t->cache && t->part.fd < 0) {
        bool locked = false;
        if (t->req.want && try_cache(t, t->req.want, err) < 0)
            return -1;
        if (t->phase == TRANSFER_DONE)
            return 0;
        if (partial_try_lock(&t->part, &locked, err) < 0)
            return -1;
        if (!locked) {
            if (!t->wait_logged)
                run_note(t->run, "fetch", "waiting for another download of %s", t->url.clean);
            t->wait_logged = true;
            wait_ms(t, LOCK_POLL_MS);
            return 0;
        }
        if (open_partial(t, err) < 0)
            return -1;
        if (t->phase == TRANSFER_DONE) {
            partial_close(&t->part);
            return 0;
        }
        if (t->part.total && t->part.done == t->part.total) /* killed before it could be stored */
            return finish(t, err);
    }
    return request_start(t, err);
}

static int again(struct transfer *t, struct err *err)
{
    url_free(&t->hop);
    t->hops = 0;
    return request_start(t, err);
}

static int store(struct transfer *t, const struct sha256 *sha256, struct err *err)
{
    struct fetch_index index = {.sha256 = *sha256};
    struct err why;
    memcpy(index.etag, t->head.etag, sizeof index.etag);
    memcpy(index.modified, t->head.modified, sizeof index.modified);
    t->result.size = t->part.done;
    t->result.sha256 = *sha256;
    if (!(t->result.origin = strdup(t->url.clean)))
        return err_oom(err);
    if (partial_store(&t->part, sha256, &t->result.fd, t->run, err) < 0)
        return err_wrap(err, "%s", t->req.name);
    if ((index.etag[0] || index.modified[0]) &&
        fetch_index_write(t->cache, "url", t->part.key, &index, t->run, &why) < 0)
        run_note(t->run, "fetch", "cannot remember %s: %s", t->url.clean, why.text);
    progress_end(t->req.progress, true);
    partial_close(&t->part);
    t->phase = TRANSFER_DONE;
    return 0;
}

/* All bytes are here. */
static int finish(struct transfer *t, struct err *err)
{
    struct sha256 sha256;
    if (!t->cache) {
        t->phase = TRANSFER_DONE;
        return 0;
    }
    bool old = t->part.old;
    int checked = fetch_check_size(&t->req, request_where(t), t->part.done, err);
    if (checked == 0 && partial_digest(&t->part, &sha256, err) < 0)
        return -1;
    if (checked == 0)
        checked = fetch_check_digest(&t->req, request_where(t), &sha256, err);
    if (checked == 0)
        return store(t, &sha256, err);
    /* an earlier run's bytes may have been lost in a power failure: start over, once */
    bool once_more = old && !t->renewed;
    if (!once_more) {
        partial_discard(&t->part);
        return -1;
    }
    t->renewed = true;
    run_note(t->run, "fetch", "%s does not match after resuming: starting over", t->req.name);
    return request_restart(t, "", 0, err) < 0 ? -1 : again(t, err);
}

/* Schedules another attempt, or fails after the last one. ERR says why this attempt failed. */
static int retry_later(struct transfer *t, struct err *err)
{
    int64_t ms = 0;
    uint64_t done = request_done(t);
    if (done > t->best && done - t->best >= PROGRESS_MIN) {
        retry_progress(&t->retry);
        t->best = done; /* bytes that are downloaded again after a restart do not count as progress */
    }
    if (retry_delay(&t->retry, t->req.name, t->head.retry_after, t->run, &ms, err) < 0)
        return -1;
    url_free(&t->hop); /* a redirect's target may have expired by then */
    t->hops = 0;
    wait_ms(t, ms);
    return 0;
}

static int redirect(struct transfer *t, struct err *err)
{
    char *target = NULL;
    struct url next = {0};
    struct err why;
    const char *from = request_where(t);
    const struct url *now = t->hop.clean ? &t->hop : &t->url;
    if (++t->hops > HOPS_MAX)
        return err_set(err, ERR_REMOTE, 0, "%s: more than %d redirects, the last one to %s", t->url.clean,
                       HOPS_MAX, from);
    if (curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &target) != CURLE_OK || !target)
        return err_set(err, ERR_REMOTE, 0, "%s: HTTP %d without a redirect target", from, t->head.status);
    if (url_parse(target, &next, &why) < 0)
        return err_set(err, ERR_REMOTE, 0, "%s redirects to a URL that is refused: %s", from, why.text);
    bool down = now->scheme == URL_HTTPS && next.scheme == URL_HTTP;
    if (next.scheme == URL_FILE || down) {
        err_set(err, ERR_REMOTE, 0, "%s redirects to %s, which is refused: %s", from, next.shown,
                down ? "the connection would be without encryption" : "servers may not name local files");
        url_free(&next);
        return -1;
    }
    run_note(t->run, "fetch", "%s: redirected to %s", t->req.name, next.shown);
    url_free(&t->hop);
    t->hop = next;
    return request_start(t, err);
}

static const char *hint(int status)
{
    switch (status) {
    case 401:
    case 407:
        return "credentials are required: put them into the URL's user part, or the proxy's";
    case 403:
        return "access is denied: check the URL and your permissions";
    case 404:
    case 410:
        return "there is no such file: check the version and the channel";
    default:
        return "the server refused the request";
    }
}

static int on_status(struct transfer *t, struct err *err)
{
    int status = t->head.status;
    if (status == 304 && t->asked_if_new) {
        if (try_cache(t, &t->index.sha256, err) < 0)
            return -1;
        if (t->phase == TRANSFER_DONE) {
            partial_close(&t->part);
            return 0;
        }
        t->known = false; /* another run has pruned it since */
        return again(t, err);
    }
    if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308)
        return redirect(t, err);
    if (status == 416 && t->asked_range)
        return request_restart(t, "", 0, err) < 0 ? -1 : again(t, err);
    err_set(err, ERR_REMOTE, 0, "%s: HTTP %d", request_where(t), status);
    if (retry_status(status))
        return retry_later(t, err);
    return err_set(err, ERR_REMOTE, 0, "%s: HTTP %d: %s", request_where(t), status, hint(status));
}

static int on_curl_error(struct transfer *t, CURLcode code, struct err *err)
{
    const struct transport transport = request_transport(t);
    transport_failed(&transport, t->easy, code, request_where(t), err);
    return err->kind == ERR_NETWORK ? retry_later(t, err) : -1;
}

int transfer_ended(struct transfer *t, CURLcode code, struct err *err)
{
    if (t->failed)
        return -1; /* a callback filled err */
    if (t->body == BODY_BAD_RANGE) {
        if (t->no_range)
            return err_set(err, ERR_REMOTE, 0, "%s: the server sends ranges that were not requested",
                           request_where(t));
        t->no_range = true;
        run_note(t->run, "fetch", "%s: the server sent a range other than the one requested: starting over",
                 t->req.name);
        return request_restart(t, "", 0, err) < 0 ? -1 : again(t, err);
    }
    if (t->body == BODY_IGNORED)
        return on_status(t, err);
    if (code == CURLE_OK && t->body == BODY_NONE)
        code = CURLE_GOT_NOTHING;
    if (code != CURLE_OK)
        return on_curl_error(t, code, err);
    uint64_t done = request_done(t);
    uint64_t total = t->cache ? t->part.total : 0;
    if (!total)
        total = t->req.want_size;
    if (done < total) {
        err_set(err, ERR_NETWORK, 0, "%s ended after %llu of %llu bytes", request_where(t),
                (unsigned long long)done, (unsigned long long)total);
        return retry_later(t, err);
    }
    return finish(t, err);
}

void transfer_close(struct transfer *t)
{
    if (t->easy) {
        curl_multi_remove_handle(t->fetcher->multi, t->easy);
        curl_easy_cleanup(t->easy);
    }
    t->easy = NULL;
    progress_end(t->req.progress, false); /* no effect if it has ended already */
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    partial_close(&t->part);
    artifact_free(&t->result);
    url_free(&t->url);
    url_free(&t->hop);
}
