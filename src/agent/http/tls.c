#include "agent/http/tls.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "agent/http/read.h"

enum { HEAD_MAX = 4096, RECORD_MAX = 16 << 10 };

static inline void free_ctx(SSL_CTX **ctx)
{
    SSL_CTX_free(*ctx);
}

static inline void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

static inline void free_x509(X509 **cert)
{
    X509_free(*cert);
}

static inline void free_pkey(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

/* TLS without a socket of its own: its records go through the two memory BIOs, and wire.h carries them. So
 * each send and receive is held to the deadline, and none raises SIGPIPE. */
struct channel {
    struct wire wire;
    SSL *ssl;
};

static inline void close_channel(struct channel *channel)
{
    SSL_free(channel->ssl);
    wire_close(&channel->wire);
}

/* Adds OpenSSL's reason and clears its error queue. */
static int fail(enum err_kind kind, const char *what, struct err *err)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return err_set(err, kind, 0, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
}

/* Encrypted keys are refused: without this callback OpenSSL would ask the terminal for a password. */
// NOLINTNEXTLINE(readability-non-const-parameter) ; the type is OpenSSL's
static int no_password(char *out, int cap, int writing, void *ctx)
{
    (void)out;
    (void)cap;
    (void)writing;
    (void)ctx;
    return -1;
}

/* Opens a file as a BIO over BUF's memory. */
static BIO *open_file(const struct root *root, const char *path, struct buf *buf, struct err *err)
{
    bool found = false;
    if (root_read(root, path, buf, &found, err) < 0)
        return NULL;
    BIO *bio = found && buf->len > 0 ? BIO_new_mem_buf(buf->data, (int)buf->len) : NULL;
    if (!bio)
        err_set(err, ERR_VERIFY, 0, "%s is %s", path, found ? "empty" : "missing");
    return bio;
}

static int use_ca(SSL_CTX *ctx, const struct tls_files *files, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(TLS_FILE_MAX);
    cleanup(free_bio) BIO *bio = open_file(files->root, files->ca, &text, err);
    if (!bio)
        return -1;
    for (size_t i = 0; i < 2; i++) {
        cleanup(free_x509) X509 *cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
        if (!cert && i > 0)
            break;
        if (!cert || X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) != 1)
            return fail(ERR_VERIFY, files->ca, err);
    }
    ERR_clear_error(); /* the end of the text is one */
    return 0;
}

static int use_cert(SSL_CTX *ctx, const struct tls_files *files, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(TLS_FILE_MAX);
    cleanup(free_bio) BIO *bio = open_file(files->root, files->cert, &text, err);
    if (!bio)
        return -1;
    cleanup(free_x509) X509 *cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    return cert && SSL_CTX_use_certificate(ctx, cert) == 1 ? 0 : fail(ERR_VERIFY, files->cert, err);
}

static int use_key(SSL_CTX *ctx, const struct tls_files *files, struct err *err)
{
    cleanup_buf_wipe struct buf text = BUF_INIT(TLS_FILE_MAX);
    cleanup(free_bio) BIO *bio = open_file(files->root, files->key, &text, err);
    if (!bio)
        return -1;
    cleanup(free_pkey) EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    return ok ? 0 : fail(ERR_VERIFY, files->key, err);
}

static int start(const struct tls_request *request, SSL_CTX *ctx, struct channel *ret, struct err *err)
{
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 || !(ret->ssl = SSL_new(ctx)))
        return fail(ERR_INTERNAL, "start TLS", err);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (!in || !out) {
        BIO_free(in);
        BIO_free(out);
        return err_oom(err);
    }
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ret->ssl, in, out);
    SSL_set_connect_state(ret->ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ret->ssl), request->peer->host) != 1)
        return fail(ERR_INTERNAL, "start TLS", err);
    return wire_dial(request->peer, request->timeout_ms, &ret->wire, err);
}

/* Sends the pending TLS records. */
static int flush(struct channel *channel, struct err *err)
{
    char bytes[RECORD_MAX];
    for (int n; (n = BIO_read(SSL_get_wbio(channel->ssl), bytes, sizeof bytes)) > 0;)
        if (wire_send(&channel->wire, bytes, (size_t)n, err) < 0)
            return -1;
    return 0;
}

/* Called after an OpenSSL call returned RESULT. 1: call again; 0: the end of the stream. */
static int go_on(struct channel *channel, int result, const char *what, struct err *err)
{
    char bytes[RECORD_MAX];
    size_t len = 0;
    int error = SSL_get_error(channel->ssl, result);
    long verified = SSL_get_verify_result(channel->ssl);
    if (flush(channel, err) < 0) /* alerts too, so that the server can log the reason */
        return -1;
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (error == SSL_ERROR_WANT_READ) {
        if (wire_receive(&channel->wire, bytes, sizeof bytes, what, &len, err) < 0)
            return -1;
        if (len == 0)
            return err_set(err, ERR_NETWORK, 0, "the connection was broken off while %s", what);
        return BIO_write(SSL_get_rbio(channel->ssl), bytes, (int)len) == (int)len ? 1 : err_oom(err);
    }
    if (verified != X509_V_OK) {
        ERR_clear_error();
        return err_set(err, ERR_VERIFY, 0, "the server's certificate: %s",
                       X509_verify_cert_error_string(verified));
    }
    return fail(ERR_NETWORK, "TLS", err);
}

static int shake_hands(struct channel *channel, struct err *err)
{
    for (;;) {
        ERR_clear_error();
        int result = SSL_do_handshake(channel->ssl);
        if (result == 1)
            return flush(channel, err);
        int next = go_on(channel, result, "greeting the server", err);
        if (next <= 0)
            return next < 0 ? -1 : err_set(err, ERR_NETWORK, 0, "the server hung up");
    }
}

static int send_request(struct channel *channel, const struct tls_request *request, struct err *err)
{
    size_t len = request->body ? strlen(request->body) : 0;
    cleanup_buf_wipe struct buf text = BUF_INIT(len + HEAD_MAX);
    buf_printf(&text,
               "%s %s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: bake-agent/" BAKE_VERSION "\r\n"
               "Accept: %s\r\nConnection: close\r\n",
               request->method ? request->method
               : request->body ? "POST"
                               : "GET",
               request->path, request->peer->host, (unsigned)request->peer->port,
               request->accept ? request->accept : "application/json");
    if (request->body)
        buf_printf(&text, "Content-Type: application/json\r\nContent-Length: %zu\r\n", len);
    buf_str(&text, "\r\n");
    buf_add(&text, request->body ? request->body : "", len);
    if (buf_check(&text, "the request", err) < 0)
        return -1;
    ERR_clear_error();
    /* a memory BIO takes everything: a short write is a failure */
    if (SSL_write(channel->ssl, text.data, (int)text.len) != (int)text.len)
        return fail(ERR_NETWORK, "send the request", err);
    return flush(channel, err);
}

static int fill_from_channel(void *ctx, void *out, size_t cap, const char *what, size_t *ret_len,
                             struct err *err)
{
    struct channel *channel = ctx;
    for (;;) {
        ERR_clear_error();
        int n = SSL_read(channel->ssl, out, cap > RECORD_MAX ? RECORD_MAX : (int)cap);
        if (n > 0) {
            *ret_len = (size_t)n;
            return 0;
        }
        int next = go_on(channel, n, what, err);
        if (next > 0)
            continue;
        *ret_len = 0;
        return next;
    }
}

static int exchange(const struct tls_request *request, SSL_CTX *ctx, int *ret_status, struct buf *ret,
                    struct err *err)
{
    cleanup(close_channel) struct channel channel = {.wire = WIRE_INIT};
    cleanup_free struct agent_http_reader *reader = calloc(1, sizeof *reader);
    cleanup_buf struct buf body = BUF_INIT(ret->max - ret->len);
    struct agent_http_head head;
    if (!reader)
        return err_oom(err);
    reader->fill = fill_from_channel;
    reader->ctx = &channel;
    if (use_ca(ctx, request->files, err) < 0 || use_cert(ctx, request->files, err) < 0 ||
        use_key(ctx, request->files, err) < 0 || start(request, ctx, &channel, err) < 0 ||
        shake_hands(&channel, err) < 0 || send_request(&channel, request, err) < 0 ||
        agent_http_read_head(reader, &head, err) < 0 || agent_http_read_body(reader, &head, &body, err) < 0)
        return -1;
    buf_add(ret, body.data, body.len);
    if (buf_check(ret, "the answer", err) < 0)
        return -1;
    *ret_status = head.status;
    return 0;
}

int tls_send(const struct tls_request *request, int *ret_status, struct buf *ret_body, struct err *err)
{
    cleanup(free_ctx) SSL_CTX *ctx = NULL;
    /* without the machine's configuration, which may load modules (a static program cannot) or weaken the
     * rules */
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 || !(ctx = SSL_CTX_new(TLS_client_method())))
        return fail(ERR_INTERNAL, "start TLS", err);
    if (exchange(request, ctx, ret_status, ret_body, err) < 0)
        return err_wrap(err, "https://%s:%u%s", request->peer->host, (unsigned)request->peer->port,
                        request->path);
    return 0;
}
