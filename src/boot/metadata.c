#include "boot/metadata.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <microhttpd.h>

#include "base/digest.h"
#include "boot/tree.h"

enum {
    ETAG_CAP = 17,
    /* twice what values may hold: JSON escapes and keys */
    ANSWER_MAX = 4 << 20,
    CONNECTIONS_MAX = 256,
    IDLE_S = 120,
    /* A request that waits for a change is answered after this long at most: who asked has gone, or asks again. */
    WAIT_MAX_S = 300,
};

/* Requests run on a thread each, since those that wait for a change must not hold up others. */
struct metadata {
    struct MHD_Daemon *daemon;
    uint16_t port;
    const struct run *run;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    cJSON *root; /* under lock */
    bool stopping;
};

struct request {
    struct metadata *server;
    struct MHD_Connection *connection;
    const char *path; /* below /computeMetadata/v1/ */
    bool recursive, json, text, wait;
    const char *last_etag; /* NULL: wait for the next change */
    unsigned timeout_s;
};

static const char v1[] = "/computeMetadata/v1/";

/* The values that this client may see. One instance: the same for all; with several it is the source address that tells
 * them apart. */
static const cJSON *root_for(const struct request *request)
{
    return request->server->root;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              const char *etag, const char *text, size_t len)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, "Metadata-Flavor", "Google");
    MHD_add_response_header(response, "Server", "Metadata Server for VM");
    if (type)
        MHD_add_response_header(response, "Content-Type", type);
    if (etag)
        MHD_add_response_header(response, "ETag", etag);
    enum MHD_Result r = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return r;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *why)
{
    return answer(connection, status, "text/plain", NULL, why, strlen(why));
}

/* GET a/directory: its name ends in a slash, and whoever asked is sent there, query and all. */
static enum MHD_Result redirect(const struct request *request)
{
    struct buf to = BUF_INIT(8192);
    const char *host = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Host");
    buf_printf(&to, "http://%s%s%s/", host ? host : "metadata.google.internal", v1, request->path);
    if (request->recursive)
        buf_str(&to, "?recursive=true");
    if (request->json || request->text)
        buf_printf(&to, "%calt=%s", request->recursive ? '&' : '?', request->json ? "json" : "text");
    struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result r = MHD_NO;
    if (response && !to.failed && MHD_add_response_header(response, "Location", to.data) == MHD_YES &&
        MHD_add_response_header(response, "Metadata-Flavor", "Google") == MHD_YES)
        r = MHD_queue_response(request->connection, MHD_HTTP_MOVED_PERMANENTLY, response);
    if (response)
        MHD_destroy_response(response);
    buf_free(&to);
    return r;
}

/* An ETag stands for what is at a place and below it, whatever form it is shown in. */
static bool etag_of(const struct tree_place *place, char out[static ETAG_CAP])
{
    struct buf all = BUF_INIT(ANSWER_MAX);
    struct sha256 digest;
    struct err ignored;
    tree_show(place, TREE_RECURSIVE_JSON, &all);
    bool ok = !all.failed && sha256_of(all.data, all.len, &digest, &ignored) == 0;
    buf_free(&all);
    if (ok)
        hex_encode(digest.bytes, (ETAG_CAP - 1) / 2, out);
    return ok;
}

static struct timespec deadline_in(unsigned seconds)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += seconds;
    return at;
}

/* Under the lock: returns once the place differs from what the client knows, is gone, time is up, or the server stops.
 * False when there is nothing at that path. */
static bool wait_for_change(const struct request *request, struct tree_place *ret, char etag[static ETAG_CAP],
                            bool *ret_ok)
{
    struct metadata *server = request->server;
    char known[ETAG_CAP] = "";
    struct timespec until = deadline_in(request->timeout_s);
    bool late = false;
    for (bool first = true;; first = false) {
        if (!tree_find(root_for(request), request->path, ret))
            return false;
        if (!etag_of(ret, etag)) {
            *ret_ok = false;
            return true;
        }
        if (first && !request->last_etag)
            memcpy(known, etag, sizeof known);
        if (strcmp(request->last_etag ? request->last_etag : known, etag) != 0 || late || server->stopping)
            return true;
        late = pthread_cond_timedwait(&server->changed, &server->lock, &until) != 0;
    }
}

static enum MHD_Result serve(const struct request *request)
{
    struct metadata *server = request->server;
    struct tree_place place;
    char etag[ETAG_CAP] = "";
    struct buf text = BUF_INIT(ANSWER_MAX);
    bool ok = true, directory = false, found;
    pthread_mutex_lock(&server->lock);
    if (request->wait)
        found = wait_for_change(request, &place, etag, &ok);
    else if ((found = tree_find(root_for(request), request->path, &place)))
        ok = etag_of(&place, etag);
    bool json = request->json || (request->recursive && !request->text);
    if (found && ok) {
        directory = tree_is_directory(&place);
        if (request->recursive && directory)
            tree_show(&place, json ? TREE_RECURSIVE_JSON : TREE_RECURSIVE_TEXT, &text);
        else
            tree_show(&place, request->json ? TREE_JSON : TREE_TEXT, &text);
        json = directory ? json : request->json;
    }
    pthread_mutex_unlock(&server->lock);
    size_t len = strlen(request->path);
    enum MHD_Result r;
    if (!found)
        r = refuse(request->connection, MHD_HTTP_NOT_FOUND, "not found\n");
    else if (!ok || text.failed)
        r = refuse(request->connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
    else if (directory && len > 0 && request->path[len - 1] != '/')
        r = redirect(request);
    else
        r = answer(request->connection, MHD_HTTP_OK, json ? "application/json" : "application/text", etag,
                   text.data ? text.data : "", text.len);
    buf_free(&text);
    return r;
}

/* False with a sentence for whoever asked. */
static bool read_query(struct request *request, const char **ret_why)
{
    struct MHD_Connection *connection = request->connection;
    const char *recursive = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "recursive");
    const char *alt = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "alt");
    const char *wait = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "wait_for_change");
    const char *timeout = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "timeout_sec");
    request->last_etag = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "last_etag");
    request->recursive = recursive && strcasecmp(recursive, "true") == 0;
    request->wait = wait && strcasecmp(wait, "true") == 0;
    request->json = alt && strcmp(alt, "json") == 0;
    request->text = alt && strcmp(alt, "text") == 0;
    request->timeout_s = WAIT_MAX_S;
    if (alt && !request->json && !request->text) {
        *ret_why = "alt is json or text\n";
        return false;
    }
    if (timeout) {
        if (!*timeout || strlen(timeout) > 6 || strspn(timeout, "0123456789") != strlen(timeout)) {
            *ret_why = "timeout_sec is a number of seconds\n";
            return false;
        }
        unsigned long seconds = strtoul(timeout, NULL, 10);
        /* 0 is "no limit", as on Compute Engine */
        if (seconds > 0 && seconds < WAIT_MAX_S)
            request->timeout_s = (unsigned)seconds;
    }
    return true;
}

static enum MHD_Result below_compute(struct metadata *server, struct MHD_Connection *connection,
                                     const char *url, const char *method)
{
    const char *flavor = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Metadata-Flavor");
    if (!flavor || strcasecmp(flavor, "Google") != 0)
        return refuse(connection, MHD_HTTP_FORBIDDEN,
                      "missing required header \"Metadata-Flavor\": \"Google\"\n");
    /* a proxy in between would answer for another instance */
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Forwarded-For"))
        return refuse(connection, MHD_HTTP_FORBIDDEN, "requests through a proxy are not served\n");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "metadata is read only\n");
    if (strcmp(url, "/computeMetadata/") == 0)
        return answer(connection, MHD_HTTP_OK, "application/text", NULL, "v1/\n", 4);
    struct request request = {.server = server, .connection = connection};
    const char *why = "";
    if (strncmp(url, v1, sizeof v1 - 1) != 0)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "not found\n");
    request.path = url + sizeof v1 - 1;
    if (!read_query(&request, &why))
        return refuse(connection, MHD_HTTP_BAD_REQUEST, why);
    return serve(&request);
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload, size_t *upload_len,
                              void **state)
{
    static const char root_listing[] = "computeMetadata/\n";
    struct metadata *server = ctx;
    (void)version;
    (void)upload;
    /* First call: headers only. What a body holds is of no interest, but it must be taken. */
    if (!*state) {
        *state = server;
        return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    run_note(server->run, "boot", "metadata: %.16s %.200s", method, url);
    if (strncmp(url, "/computeMetadata/", 17) == 0)
        return below_compute(server, connection, url, method);
    if (strcmp(url, "/") == 0 && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0))
        return answer(connection, MHD_HTTP_OK, "application/text", NULL, root_listing,
                      sizeof root_listing - 1);
    return refuse(connection, MHD_HTTP_NOT_FOUND, "not found\n");
}

static int listen_on_loopback(struct metadata *server, struct err *err)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    server->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle, server,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
    if (!server->daemon)
        return err_set(err, ERR_IO, errno, "start a metadata server on 127.0.0.1");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    if (!info || info->port == 0)
        return err_set(err, ERR_IO, 0, "the metadata server got no port");
    server->port = info->port;
    return 0;
}

int metadata_start(const struct metadata_values *values, const struct run *run, struct metadata **ret,
                   struct err *err)
{
    struct metadata *server = calloc(1, sizeof *server);
    pthread_condattr_t attributes;
    if (!server)
        return err_oom(err);
    server->run = run;
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (tree_build(values, &server->root, err) < 0 || listen_on_loopback(server, err) < 0) {
        metadata_stop(server);
        return -1;
    }
    *ret = server;
    return 0;
}

uint16_t metadata_port(const struct metadata *server)
{
    return server->port;
}

int metadata_set(struct metadata *server, const struct metadata_values *values, struct err *err)
{
    cJSON *root = NULL;
    if (tree_build(values, &root, err) < 0)
        return -1;
    pthread_mutex_lock(&server->lock);
    cJSON *old = server->root;
    server->root = root;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    cJSON_Delete(old);
    return 0;
}

void metadata_stop(struct metadata *server)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    cJSON_Delete(server->root);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
