#include "http/http.h"

#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "http/exchange.h"

enum { POLL_MS = 50 };

int http_new(const struct http_options *options, struct http **ret, struct err *err)
{
    /* counts its calls and is thread-safe since libcurl 7.84; never undone, so libcurl stays initialised */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_INTERNAL, 0, "libcurl cannot start");
    if (options && ca_check(&options->ca, err) < 0)
        return -1;
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        return err_oom(err);
    if (options)
        http->options = *options;
    struct http_options *set = &http->options;
    set->connect_timeout_ms = set->connect_timeout_ms ? set->connect_timeout_ms : 15000;
    set->low_speed = set->low_speed ? set->low_speed : 1024;
    set->low_speed_s = set->low_speed_s ? set->low_speed_s : 30;
    set->answer_s = set->answer_s ? set->answer_s : 180;
    pthread_mutex_init(&http->lock, NULL);
    *ret = http;
    return 0;
}

static void slot_free(struct http_slot *slot)
{
    curl_multi_cleanup(slot->multi);
    free(slot);
}

void http_free(struct http *http)
{
    if (!http)
        return;
    while (http->idle) {
        struct http_slot *slot = http->idle;
        http->idle = slot->next;
        slot_free(slot);
    }
    pthread_mutex_destroy(&http->lock);
    free(http);
}

static struct http_slot *slot_take(struct http *http, struct err *err)
{
    pthread_mutex_lock(&http->lock);
    struct http_slot *slot = http->idle;
    if (slot)
        http->idle = slot->next;
    pthread_mutex_unlock(&http->lock);
    if (slot)
        return slot;
    slot = calloc(1, sizeof *slot);
    if (slot && (slot->multi = curl_multi_init()))
        return slot;
    free(slot);
    err_oom(err);
    return NULL;
}

static void slot_give(struct http *http, struct http_slot *slot)
{
    pthread_mutex_lock(&http->lock);
    slot->next = http->idle;
    http->idle = slot;
    pthread_mutex_unlock(&http->lock);
}

/* Detects a stalled transfer: counts what moves in windows of low_speed_s. */
struct watch {
    int64_t tick_ns;      /* when it was last checked */
    int64_t active_ns;    /* length of this window so far, without waits for the rate limit */
    int64_t requested_ns; /* when the last byte of the request went out; 0: not yet */
    curl_off_t mark;      /* bytes moved when the window began */
};

static curl_off_t off_info(CURL *easy, CURLINFO what)
{
    curl_off_t n = 0;
    return curl_easy_getinfo(easy, what, &n) == CURLE_OK ? n : 0;
}

print_like(3, 4) static int stalled(const struct exchange *x, struct err *err, const char *fmt, ...)
{
    char host[URL_HOST_CAP], what[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    url_host(x->req->url, host);
    return err_set(err, ERR_NETWORK, 0, "%s: %s: %s; check the network, or try again later", x->where, host,
                   what);
}

static int check_time(struct exchange *x, struct watch *watch, struct err *err)
{
    const struct http_options *options = &x->http->options;
    unsigned answer_s = x->req->answer_s ? x->req->answer_s : options->answer_s;
    curl_off_t up = off_info(x->easy, CURLINFO_SIZE_UPLOAD_T);
    curl_off_t down = off_info(x->easy, CURLINFO_SIZE_DOWNLOAD_T);
    int64_t now = clock_now_ns();
    if (off_info(x->easy, CURLINFO_PRETRANSFER_TIME_T) ==
        0) { /* not connected yet: that has its own time limit */
        watch->tick_ns = now;
        return 0;
    }
    if (!x->paused)
        watch->active_ns += now - watch->tick_ns;
    watch->tick_ns = now;
    uint64_t len = x->req->body == HTTP_NO_BODY ? 0 : x->req->len;
    if (!watch->requested_ns && (uint64_t)up >= len) {
        watch->requested_ns = now;
        watch->active_ns = 0;
        watch->mark = up + down;
    }
    if (watch->requested_ns && !x->in_sink) {
        if (now - watch->requested_ns < (int64_t)answer_s * 1000000000)
            return 0;
        return stalled(x, err, "no answer within %u s", answer_s);
    }
    if (watch->active_ns < (int64_t)options->low_speed_s * 1000000000)
        return 0;
    if (up + down - watch->mark < (curl_off_t)options->low_speed * options->low_speed_s)
        return stalled(x, err, "fewer than %u bytes a second for %u s", options->low_speed,
                       options->low_speed_s);
    watch->active_ns = 0;
    watch->mark = up + down;
    return 0;
}

static void report_sent(struct exchange *x)
{
    uint64_t up = (uint64_t)off_info(x->easy, CURLINFO_SIZE_UPLOAD_T);
    if (!x->req->sent || up <= x->reported)
        return;
    x->reported = up;
    x->req->sent(x->req->sent_ctx, up);
}

/* Runs the transfer to its end; *ret_code is libcurl's result. */
static int drive(struct exchange *x, CURLM *multi, CURLcode *ret_code, struct err *err)
{
    struct watch watch = {.tick_ns = clock_now_ns()};
    for (;;) {
        int running = 0, queued = 0, wait_ms = POLL_MS;
        if (run_check(x->run, err) < 0)
            return -1;
        CURLMcode code = curl_multi_perform(multi, &running);
        report_sent(x);
        const CURLMsg *message = code == CURLM_OK ? curl_multi_info_read(multi, &queued) : NULL;
        if (message && message->msg == CURLMSG_DONE) {
            *ret_code = message->data.result;
            return 0;
        }
        if (code == CURLM_OK && check_time(x, &watch, err) < 0)
            return -1;
        if (x->paused) {
            int64_t left_ms = (x->grant_ns - clock_now_ns()) / 1000000;
            wait_ms = left_ms < 0 ? 0 : left_ms < POLL_MS ? (int)left_ms + 1 : POLL_MS;
        }
        if (code == CURLM_OK)
            code = curl_multi_poll(multi, NULL, 0, wait_ms, NULL);
        if (code != CURLM_OK)
            return err_set(err, ERR_INTERNAL, 0, "libcurl: %s", curl_multi_strerror(code));
        if (x->paused && clock_now_ns() >= x->grant_ns) {
            x->paused = false;
            curl_easy_pause(x->easy, CURLPAUSE_CONT);
        }
    }
}

static int exchange_run(struct exchange *x, CURLM *multi, struct err *err)
{
    long status = 0;
    CURLcode code = CURLE_OK;
    if (exchange_begin(x, err) < 0)
        return -1;
    CURLMcode added = curl_multi_add_handle(multi, x->easy);
    if (added != CURLM_OK)
        return err_set(err, ERR_INTERNAL, 0, "libcurl: %s", curl_multi_strerror(added));
    int driven = drive(x, multi, &code, err);
    if (driven == 0 && curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
        status = 0;
    curl_multi_remove_handle(multi, x->easy);
    if (x->failed) { /* the callback's own error is more specific */
        *err = x->why;
        return -1;
    }
    if (driven < 0)
        return -1;
    /* libcurl takes a truncated header for a complete one */
    if (code == CURLE_OK && (status < 200 || !x->head_whole))
        code = CURLE_GOT_NOTHING;
    if (code != CURLE_OK)
        return transport_failed(&x->transport, x->easy, code, x->where, err);
    if (buf_check(&x->answer.head, "an answer's header", err) < 0)
        return -1;
    x->answer.status = (int)status;
    return 0;
}

int http_exchange(struct http *http, const struct http_request *req, const struct run *run,
                  struct http_answer *ret, struct err *err)
{
    struct http_slot *slot = slot_take(http, err);
    if (!slot)
        return -1;
    struct exchange x = {.http = http, .req = req, .run = run};
    int done = exchange_run(&x, slot->multi, err);
    if (done == 0) {
        *ret = x.answer;
        x.answer = (struct http_answer)HTTP_ANSWER_EMPTY;
    }
    exchange_end(&x);
    if (done == 0)
        slot_give(http, slot);
    else /* cached addresses or connections may be the cause: the next attempt starts without them */
        slot_free(slot);
    return done;
}
