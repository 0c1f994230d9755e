/* Whole objects, downloaded and uploaded. */
#include <unistd.h>

#include "cloud/storage/internal.h"
#include "cloud/storage/url.h"
#include "io/crc32c.h"
#include "io/file.h"

/* Where a download goes. */
struct media_sink {
    int (*begin)(struct media_sink *sink, struct err *err); /* discards what an interrupted answer left */
    int (*write)(void *sink, const void *bytes, size_t len, struct err *err);
    struct buf *to;
    int fd;
    uint64_t size, max; /* bytes */
    bool too_large;
    struct hasher hasher;
};

/* Succeeds with 200 only. *RET_STATUS is the answer's: 404 for a missing object. */
static int read_media(const struct storage *storage, const char *name, struct media_sink *sink,
                      int *ret_status, struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    char what[WHAT_CAP];
    if (storage_url_media(storage, name, &url, err) < 0)
        return -1;
    const struct http_request req = {.method = "GET",
                                     .url = url.data,
                                     .what = storage_what(storage, name, what),
                                     .sink = sink->write,
                                     .sink_ctx = sink};
    struct retry retry;
    retry_begin(&retry, "cloud", &storage->api.client->retry, storage->api.client->clock);
    for (;;) { /* not client_call(): the sink starts over for each attempt */
        cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
        if (sink->begin(sink, err) < 0)
            return -1;
        if (client_send(storage->api.client, &req, storage->api.run, &answer, err) < 0) {
            if (retry_error(&retry, what, storage->api.run, err) < 0)
                return -1;
            continue;
        }
        if (api_retry_wanted(&answer)) {
            if (api_retry_answer(&retry, what, &answer, storage->api.run, err) < 0)
                return -1;
            continue;
        }
        *ret_status = answer.status;
        if (answer.status == 200)
            return 0;
        struct api_result result = {.status = answer.status};
        api_error_read(&answer, &result.error);
        return storage_refused(storage, &result, what, err);
    }
}

static int begin_memory(struct media_sink *sink, struct err *err)
{
    (void)err;
    sink->to->len = 0;
    return 0;
}

static int write_memory(void *ctx, const void *bytes, size_t len, struct err *err)
{
    struct media_sink *sink = ctx;
    buf_add(sink->to, bytes, len);
    return buf_check(sink->to, "an object of the bucket", err);
}

int storage_read(const struct storage *storage, const char *name, struct buf *ret, struct err *err)
{
    cleanup_buf struct buf bytes = BUF_INIT(ret->max);
    struct media_sink sink = {.begin = begin_memory, .write = write_memory, .to = &bytes};
    int status;
    if (read_media(storage, name, &sink, &status, err) < 0)
        return -1;
    buf_add(ret, bytes.data, bytes.len);
    return buf_check(ret, name, err);
}

static int begin_file(struct media_sink *sink, struct err *err)
{
    hasher_free(&sink->hasher);
    sink->size = 0;
    if (ftruncate(sink->fd, 0) < 0 || lseek(sink->fd, 0, SEEK_SET) < 0)
        return err_sys(err, errno, "a file for an object of the bucket");
    return hasher_init(&sink->hasher, DIGEST_SHA256, err);
}

static int write_file(void *ctx, const void *bytes, size_t len, struct err *err)
{
    struct media_sink *sink = ctx;
    sink->size += len;
    sink->too_large = sink->size > sink->max;
    if (sink->too_large)
        return err_set(err, ERR_VERIFY, 0, "larger than %llu bytes", (unsigned long long)sink->max);
    return file_write(sink->fd, bytes, len, "an object of the bucket", err) < 0
               ? -1
               : hasher_add(&sink->hasher, bytes, len, err);
}

int storage_download(const struct storage *storage, const char *name, uint64_t max, int fd, bool *ret_there,
                     struct sha256 *ret, struct err *err)
{
    struct media_sink sink = {.begin = begin_file, .write = write_file, .fd = fd, .max = max};
    int status = 0;
    int r = read_media(storage, name, &sink, &status, err);
    *ret_there = status != 404 || sink.too_large;
    if (r == 0)
        r = hasher_end(&sink.hasher, ret->bytes, err);
    hasher_free(&sink.hasher);
    if (sink.too_large)
        *ret = (struct sha256){0};
    return status == 404 || sink.too_large ? 0 : r;
}

static int file_crc32c(int fd, uint64_t size, uint32_t *ret, struct err *err)
{
    enum { CHUNK = 256 << 10 };
    cleanup_free unsigned char *chunk = malloc(CHUNK);
    if (!chunk)
        return err_oom(err);
    *ret = 0;
    for (uint64_t at = 0; at < size; at += CHUNK) {
        size_t step = size - at < CHUNK ? (size_t)(size - at) : (size_t)CHUNK;
        if (file_pread(fd, chunk, step, at, "a file to upload", err) < 0)
            return -1;
        *ret = crc32c_add(*ret, chunk, step);
    }
    return 0;
}

int storage_upload(const struct storage *storage, const char *name, int fd, uint64_t size, struct object *ret,
                   struct err *err)
{
    cleanup_buf struct buf url = URL_INIT;
    struct object want = {.size = size};
    char what[WHAT_CAP], sum[CRC32C_TEXT], hash[16 + CRC32C_TEXT];
    if (storage_url_upload(storage, UPLOAD_MEDIA, name, 0, &url, err) < 0 ||
        file_crc32c(fd, size, &want.crc32c, err) < 0)
        return -1;
    crc32c_text(want.crc32c, sum);
    snprintf(hash, sizeof hash, "crc32c=%s", sum);
    const struct http_header headers[] = {{"Content-Type", "application/octet-stream"},
                                          {"x-goog-hash", hash}};
    const struct http_request req = {.method = "POST",
                                     .url = url.data,
                                     .what = storage_what(storage, name, what),
                                     .headers = headers,
                                     .header_count = sizeof headers / sizeof *headers,
                                     .body = HTTP_FILE,
                                     .fd = fd,
                                     .len = size};
    return storage_send(storage, name, &req, 0, &want, ret, err);
}
