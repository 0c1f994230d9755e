#include "metadata_server/server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <microhttpd.h>

#include "base/digest.h"
#include "metadata_server/tree.h"
#include "text/hex.h"

enum {
    ETAG_CAP = 17,
    /* values, with JSON escapes and keys */
    ANSWER_MAX = 4 << 20,
    CONNECTIONS_MAX = 256,
    IDLE_S = 120,
    /* The longest wait for a change: the client has gone, or asks again. */
    WAIT_MAX_S = 300,
};

/* All instances, replaced as a whole. */
struct instance_list {
    size_t count;
    struct {
        struct in_addr ip;
        cJSON *root;
    } list[];
};

/* A thread per request: one that waits for a change must not block others. */
struct metadata_server {
    struct MHD_Daemon *daemon;
    uint16_t port;
    bool by_address;
    const struct run *run;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct instance_list *instances; /* under lock */
    bool stopping;                   /* likewise */
};

struct request {
    struct metadata_server *server;
    struct MHD_Connection *connection;
    struct in_addr client;
    const char *path; /* below /computeMetadata/v1/ */
    bool recursive, json, text, wait;
    const char *last_etag; /* NULL: wait for the next change */
    unsigned timeout_s;
};

static const char v1[] = "/computeMetadata/v1/";

static void instance_list_free(struct instance_list *instances)
{
    if (!instances)
        return;
    for (size_t i = 0; i < instances->count; i++)
        cJSON_Delete(instances->list[i].root);
    free(instances);
}

static void instance_list_free_fn(struct instance_list **instances)
{
    instance_list_free(*instances);
}
#define cleanup_instance_list cleanup(instance_list_free_fn)

static int instance_list_make(const struct metadata_server_instance *instances, size_t count, bool by_address,
                              struct instance_list **ret, struct err *err)
{
    if (count == 0 || count > METADATA_INSTANCES_MAX)
        return err_set(err, ERR_USAGE, 0, "metadata: %zu instances; there must be 1 to %d", count,
                       METADATA_INSTANCES_MAX);
    if (!by_address && count > 1)
        return err_set(err, ERR_INTERNAL, 0, "several instances without by_address");
    cleanup_instance_list struct instance_list *made = calloc(1, sizeof *made + count * sizeof *made->list);
    if (!made)
        return err_oom(err);
    for (; made->count < count; made->count++) {
        const struct metadata_server_instance *values = &instances[made->count];
        struct in_addr ip = {0};
        if (by_address && (!values->ip || inet_pton(AF_INET, values->ip, &ip) != 1))
            return err_set(err, ERR_USAGE, 0, "metadata: an instance's address is not an IPv4 address");
        for (size_t i = 0; by_address && i < made->count; i++)
            if (made->list[i].ip.s_addr == ip.s_addr)
                return err_set(err, ERR_USAGE, 0, "metadata: two instances have the address %s", values->ip);
        made->list[made->count].ip = ip;
        if (tree_build(values, &made->list[made->count].root, err) < 0)
            return -1;
    }
    *ret = steal_ptr(made);
    return 0;
}

/* With the lock held: the values of this client's instance; NULL if the client is not an instance. */
static const cJSON *root_for(const struct request *request)
{
    const struct metadata_server *server = request->server;
    for (size_t i = 0; i < server->instances->count; i++)
        if (!server->by_address || server->instances->list[i].ip.s_addr == request->client.s_addr)
            return server->instances->list[i].root;
    return NULL;
}

static bool find_place(const struct request *request, struct tree_place *ret)
{
    const cJSON *root = root_for(request);
    return root && tree_find(root, request->path, ret);
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

static enum MHD_Result answer_error(struct MHD_Connection *connection, unsigned status, const char *why)
{
    return answer(connection, status, "text/plain", NULL, why, strlen(why));
}

/* A directory was requested without the final slash: redirects to its name with it, with the same query. */
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

/* The ETag covers everything at and below a place and does not depend on the form requested. */
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

/* With the lock held: returns once the place differs from what the client knows, is gone, time is up, or the
 * server stops. False if there is nothing at that path. */
static bool wait_for_change(const struct request *request, struct tree_place *ret, char etag[static ETAG_CAP],
                            bool *ret_ok)
{
    struct metadata_server *server = request->server;
    char known[ETAG_CAP] = "";
    struct timespec until = deadline_in(request->timeout_s);
    bool late = false;
    for (bool first = true;; first = false) {
        if (!find_place(request, ret))
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
    struct metadata_server *server = request->server;
    struct tree_place place;
    char etag[ETAG_CAP] = "";
    struct buf text = BUF_INIT(ANSWER_MAX);
    bool ok = true, directory = false, found;
    pthread_mutex_lock(&server->lock);
    if (request->wait)
        found = wait_for_change(request, &place, etag, &ok);
    else if ((found = find_place(request, &place)))
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
        r = answer_error(request->connection, MHD_HTTP_NOT_FOUND, "not found\n");
    else if (!ok || text.failed)
        r = answer_error(request->connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
    else if (directory && len > 0 && request->path[len - 1] != '/')
        r = redirect(request);
    else
        r = answer(request->connection, MHD_HTTP_OK, json ? "application/json" : "application/text", etag,
                   text.data ? text.data : "", text.len);
    buf_free(&text);
    return r;
}

/* False with a message for the client. */
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
        *ret_why = "alt must be json or text\n";
        return false;
    }
    if (timeout) {
        if (!*timeout || strlen(timeout) > 6 || strspn(timeout, "0123456789") != strlen(timeout)) {
            *ret_why = "timeout_sec must be a number of seconds\n";
            return false;
        }
        unsigned long seconds = strtoul(timeout, NULL, 10);
        /* 0 is "no limit", as on Compute Engine */
        if (seconds > 0 && seconds < WAIT_MAX_S)
            request->timeout_s = (unsigned)seconds;
    }
    return true;
}

static struct in_addr address_of(struct MHD_Connection *connection)
{
    struct sockaddr_in from = {0};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info && info->client_addr && info->client_addr->sa_family == AF_INET)
        memcpy(&from, info->client_addr, sizeof from);
    return from.sin_addr;
}

static bool is_instance(const struct request *request)
{
    pthread_mutex_lock(&request->server->lock);
    bool known = root_for(request) != NULL;
    pthread_mutex_unlock(&request->server->lock);
    return known;
}

static enum MHD_Result below_compute(struct metadata_server *server, struct MHD_Connection *connection,
                                     const char *url, const char *method)
{
    const char *flavor = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Metadata-Flavor");
    if (!flavor || strcasecmp(flavor, "Google") != 0)
        return answer_error(connection, MHD_HTTP_FORBIDDEN,
                            "missing required header \"Metadata-Flavor\": \"Google\"\n");
    /* a proxy hides which instance asks */
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "X-Forwarded-For"))
        return answer_error(connection, MHD_HTTP_FORBIDDEN, "requests through a proxy are not served\n");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "metadata is read only\n");
    struct request request = {.server = server, .connection = connection, .client = address_of(connection)};
    const char *why = "";
    if (!is_instance(&request))
        return answer_error(connection, MHD_HTTP_FORBIDDEN, "no instance has the client's address\n");
    if (strcmp(url, "/computeMetadata/") == 0)
        return answer(connection, MHD_HTTP_OK, "application/text", NULL, "v1/\n", 4);
    if (strncmp(url, v1, sizeof v1 - 1) != 0)
        return answer_error(connection, MHD_HTTP_NOT_FOUND, "not found\n");
    request.path = url + sizeof v1 - 1;
    if (!read_query(&request, &why))
        return answer_error(connection, MHD_HTTP_BAD_REQUEST, why);
    return serve(&request);
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload, size_t *upload_len,
                              void **state)
{
    static const char root_listing[] = "computeMetadata/\n";
    struct metadata_server *server = ctx;
    (void)version;
    (void)upload;
    /* First call: headers only. A body is read and ignored. */
    if (!*state) {
        *state = server;
        return MHD_YES;
    }
    if (*upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    struct in_addr client = address_of(connection);
    char from[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &client, from, sizeof from);
    run_note(server->run, "boot", "metadata: %s: %.16s %.200s", from, method, url);
    if (strncmp(url, "/computeMetadata/", 17) == 0)
        return below_compute(server, connection, url, method);
    if (strcmp(url, "/") == 0 && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0))
        return answer(connection, MHD_HTTP_OK, "application/text", NULL, root_listing,
                      sizeof root_listing - 1);
    return answer_error(connection, MHD_HTTP_NOT_FOUND, "not found\n");
}

static int start_listening(struct metadata_server *server, const struct metadata_server_options *options,
                           struct err *err)
{
    const char *address = options->listen ? options->listen : "127.0.0.1";
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
        return err_set(err, ERR_USAGE, 0, "listen on \"%s\": not an IPv4 address", address);
    errno = 0;
    server->daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle, server,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
    if (!server->daemon)
        return err_set(err, ERR_IO, errno, "start a metadata server on %s port %u", address,
                       (unsigned)options->port);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    if (!info || info->port == 0)
        return err_set(err, ERR_IO, 0, "the metadata server got no port");
    server->port = info->port;
    return 0;
}

int metadata_server_start(const struct metadata_server_options *options, const struct run *run,
                          struct metadata_server **ret, struct err *err)
{
    struct metadata_server *server = calloc(1, sizeof *server);
    pthread_condattr_t attributes;
    if (!server)
        return err_oom(err);
    server->run = run;
    server->by_address = options->by_address;
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (instance_list_make(options->instances, options->instance_count, options->by_address,
                           &server->instances, err) < 0 ||
        start_listening(server, options, err) < 0) {
        metadata_server_stop(server);
        return -1;
    }
    *ret = server;
    return 0;
}

uint16_t metadata_server_port(const struct metadata_server *server)
{
    return server->port;
}

int metadata_server_set(struct metadata_server *server, const struct metadata_server_instance *instances,
                        size_t count, struct err *err)
{
    struct instance_list *made = NULL;
    if (instance_list_make(instances, count, server->by_address, &made, err) < 0)
        return -1;
    pthread_mutex_lock(&server->lock);
    struct instance_list *old = server->instances;
    server->instances = made;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    instance_list_free(old);
    return 0;
}

void metadata_server_stop(struct metadata_server *server)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    instance_list_free(server->instances);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
