#include "fetch/fetch.h"

#include <string.h>

#include "fetch/transfer.h"
#include "io/file.h"

enum { PARALLEL = 4, PARALLEL_MAX = 64, POLL_MS = 50, COUNT_MAX = 4096 };

static void fill_defaults(struct fetch_options *options)
{
    if (options->parallel == 0)
        options->parallel = PARALLEL;
    if (options->parallel > PARALLEL_MAX)
        options->parallel = PARALLEL_MAX;
    if (options->retries == 0)
        options->retries = 5;
    if (options->backoff_ms == 0)
        options->backoff_ms = 500;
    if (options->connect_timeout_ms == 0)
        options->connect_timeout_ms = 15000;
    if (options->low_speed == 0)
        options->low_speed = 1024;
    if (options->low_speed_s == 0)
        options->low_speed_s = 30;
}

int fetcher_new(const struct fetch_options *options, struct fetcher **ret, struct err *err)
{
    /* counts its calls and is thread-safe since libcurl 7.84; never undone, so libcurl stays initialised */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_INTERNAL, 0, "libcurl cannot start");
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (!fetcher)
        return err_oom(err);
    if (options)
        fetcher->options = *options;
    fill_defaults(&fetcher->options);
    fetcher->multi = curl_multi_init();
    if (!fetcher->multi) {
        fetcher_free(fetcher);
        return err_oom(err);
    }
    *ret = fetcher;
    return 0;
}

void fetcher_free(struct fetcher *fetcher)
{
    if (!fetcher)
        return;
    curl_multi_cleanup(fetcher->multi);
    free(fetcher);
}

struct transfers {
    struct transfer *items;
    size_t count;
};

static void transfers_free(struct transfers *all)
{
    for (size_t i = 0; i < all->count; i++)
        transfer_close(&all->items[i]);
    free(all->items);
}

static int with_name(const struct transfer *t, struct err *err)
{
    if (err->kind == ERR_INTERRUPTED)
        return -1;
    return t->cache ? err_wrap(err, "fetch %s", t->req.name) : err_wrap(err, "fetch");
}

/* Begins new transfers up to the limit, and waiting ones whose time has come. *ret_left counts those not
 * done. */
static int begin_some(const struct fetcher *fetcher, struct transfers *all, size_t *ret_left, struct err *err)
{
    size_t busy = 0, left = 0;
    int64_t now = clock_machine.now_ms(NULL);
    for (size_t i = 0; i < all->count; i++)
        busy += all->items[i].phase == TRANSFER_WAITS || all->items[i].phase == TRANSFER_ACTIVE;
    for (size_t i = 0; i < all->count; i++) {
        struct transfer *t = &all->items[i];
        bool fresh = t->phase == TRANSFER_NEW && busy < fetcher->options.parallel;
        if (fresh || (t->phase == TRANSFER_WAITS && t->wake_ms <= now)) {
            if (run_check(t->run, err) < 0)
                return -1;
            if (transfer_begin(t, err) < 0)
                return with_name(t, err);
            busy += fresh && t->phase != TRANSFER_DONE;
        }
        left += t->phase != TRANSFER_DONE;
    }
    *ret_left = left;
    return 0;
}

/* Handles the transfers that libcurl has finished; *ret_ended says whether there were any. */
static int end_some(struct fetcher *fetcher, bool *ret_ended, struct err *err)
{
    *ret_ended = false;
    CURLMsg *message;
    int queued;
    while ((message = curl_multi_info_read(fetcher->multi, &queued))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result; /* the message does not outlive the handle's removal */
        char *private = NULL;
        if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private) != CURLE_OK || !private)
            return err_set(err, ERR_INTERNAL, 0, "libcurl: an unknown transfer ended");
        struct transfer *t = (struct transfer *)(void *)private;
        curl_multi_remove_handle(fetcher->multi, easy);
        if (transfer_ended(t, code, err) < 0)
            return with_name(t, err);
        *ret_ended = true;
    }
    return 0;
}

static int run_all(struct fetcher *fetcher, struct transfers *all, const struct run *run, struct err *err)
{
    for (;;) {
        size_t left = 0;
        int running = 0;
        if (run_check(run, err) < 0 || begin_some(fetcher, all, &left, err) < 0)
            return -1;
        if (left == 0)
            return 0;
        CURLMcode code = curl_multi_perform(fetcher->multi, &running);
        if (code != CURLM_OK)
            return err_set(err, ERR_INTERNAL, 0, "libcurl: %s", curl_multi_strerror(code));
        bool ended = false;
        if (end_some(fetcher, &ended, err) < 0)
            return -1;
        if (ended) /* all may be done, or a transfer may have begun its next request: do not wait yet */
            continue;
        code = curl_multi_poll(fetcher->multi, NULL, 0, POLL_MS, NULL);
        if (code != CURLM_OK)
            return err_set(err, ERR_INTERNAL, 0, "libcurl: %s", curl_multi_strerror(code));
    }
}

int fetch_all(struct fetcher *fetcher, struct cache *cache, const struct fetch_request *reqs, size_t count,
              const struct run *run, struct artifact *ret, struct err *err)
{
    if (count > COUNT_MAX)
        return err_set(err, ERR_RECIPE, 0, "more than %d inputs", COUNT_MAX);
    cleanup(transfers_free) struct transfers all = {.items = calloc(count ? count : 1, sizeof *all.items)};
    if (!all.items)
        return err_oom(err);
    for (size_t i = 0; i < count; i++) {
        all.count = i + 1;
        if (transfer_init(&all.items[i], fetcher, cache, &reqs[i], run, err) < 0)
            return with_name(&all.items[i], err);
        all.items[i].err = err;
    }
    if (run_all(fetcher, &all, run, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        ret[i] = all.items[i].result;
        all.items[i].result = (struct artifact)ARTIFACT_EMPTY;
    }
    return 0;
}

int fetch_text(struct fetcher *fetcher, const char *url, size_t max, struct buf *ret, const struct run *run,
               struct err *err)
{
    struct fetch_request req = {.name = url, .url = url, .max_size = max};
    struct transfer one;
    cleanup_url struct url parsed = {0};
    if (url_parse(url, &parsed, err) < 0)
        return err_wrap(err, "fetch");
    if (parsed.scheme == URL_FILE)
        return file_read(parsed.path, max, ret, err);
    req.name = parsed.shown;
    size_t before = ret->len;
    if (transfer_init(&one, fetcher, NULL, &req, run, err) < 0) {
        transfer_close(&one);
        return -1;
    }
    one.text = ret;
    one.text_start = before;
    one.err = err;
    struct transfers all = {.items = &one, .count = 1};
    int done = run_all(fetcher, &all, run, err);
    transfer_close(&one);
    if (done < 0 && ret->data) {
        ret->len = before;
        ret->data[before] = '\0';
    }
    return done;
}
