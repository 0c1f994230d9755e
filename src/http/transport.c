#include "http/transport.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http/retry.h"
#include "http/url.h"

enum { DOWNLOAD_BUFFER = 256 << 10 };

#define CHECK_HOST  "check the host name, and this machine's network and DNS"
#define CHECK_ROUTE "check this machine's network and firewall, and whether a proxy is needed (https_proxy)"
#define TRY_LATER   "the connection was cut: check the network and any proxy on the way, or try again later"
#define CHECK_TLS   "the TLS handshake failed: check that this is an https server, and any proxy on the way"
#define TRUST       "to trust a company's or a proxy's CA, name its certificate with --ca-file or SSL_CERT_FILE"
#define INSTALL_CA                                                                                           \
    "install the system's CA certificates (package ca-certificates), or name a file with --ca-file"
#define OWN_TLS "this machine's TLS library lacks something that bake needs"

struct meaning {
    CURLcode code;
    enum err_kind kind;
    const char *advice; /* NULL: libcurl's message is enough */
};

/* The errors that http and https can lead to. Codes not listed count as temporary. */
static const struct meaning meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERR_NETWORK, CHECK_HOST},
    {CURLE_COULDNT_CONNECT, ERR_NETWORK, CHECK_ROUTE},
    {CURLE_OPERATION_TIMEDOUT, ERR_NETWORK,
     "no data arrived, or too slowly: check the network, or try again later"},
    {CURLE_SSL_CONNECT_ERROR, ERR_NETWORK, CHECK_TLS},
    {CURLE_GOT_NOTHING, ERR_NETWORK, TRY_LATER},
    {CURLE_PARTIAL_FILE, ERR_NETWORK, TRY_LATER},
    {CURLE_SEND_ERROR, ERR_NETWORK, TRY_LATER},
    {CURLE_SEND_FAIL_REWIND, ERR_NETWORK, TRY_LATER},
    {CURLE_RECV_ERROR, ERR_NETWORK, TRY_LATER},
    {CURLE_HTTP2, ERR_NETWORK, TRY_LATER},
    {CURLE_HTTP2_STREAM, ERR_NETWORK, TRY_LATER},
    {CURLE_HTTP3, ERR_NETWORK, TRY_LATER},
    {CURLE_QUIC_CONNECT_ERROR, ERR_NETWORK, TRY_LATER},
    {CURLE_AGAIN, ERR_NETWORK, TRY_LATER},
    {CURLE_SSL_SHUTDOWN_FAILED, ERR_NETWORK, TRY_LATER},
    {CURLE_WEIRD_SERVER_REPLY, ERR_NETWORK, "the answer is not HTTP: check the URL's port"},
    {CURLE_UNSUPPORTED_PROTOCOL, ERR_NETWORK, "the answer is not HTTP: check the URL's port"},

    {CURLE_PEER_FAILED_VERIFICATION, ERR_VERIFY, TRUST},
    {CURLE_SSL_ISSUER_ERROR, ERR_VERIFY, TRUST},
    {CURLE_SSL_INVALIDCERTSTATUS, ERR_VERIFY, TRUST},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, ERR_VERIFY, TRUST},

    {CURLE_SSL_CACERT_BADFILE, ERR_IO, INSTALL_CA},
    {CURLE_SSL_CRL_BADFILE, ERR_IO, INSTALL_CA},

    {CURLE_SSL_CLIENTCERT, ERR_REMOTE,
     "the server requires a client certificate, which bake does not support"},
    {CURLE_AUTH_ERROR, ERR_REMOTE, NULL},
    {CURLE_BAD_CONTENT_ENCODING, ERR_REMOTE, NULL},
    {CURLE_URL_MALFORMAT, ERR_RECIPE, "libcurl rejects this URL"},

    {CURLE_FAILED_INIT, ERR_INTERNAL, NULL},
    {CURLE_NOT_BUILT_IN, ERR_INTERNAL, NULL},
    {CURLE_FUNCTION_NOT_FOUND, ERR_INTERNAL, NULL},
    {CURLE_BAD_FUNCTION_ARGUMENT, ERR_INTERNAL, NULL},
    {CURLE_UNKNOWN_OPTION, ERR_INTERNAL, NULL},
    {CURLE_RECURSIVE_API_CALL, ERR_INTERNAL, NULL},
    {CURLE_UNRECOVERABLE_POLL, ERR_INTERNAL, NULL},
    {CURLE_READ_ERROR, ERR_INTERNAL, NULL}, /* these three: a callback failed and gave no reason */
    {CURLE_WRITE_ERROR, ERR_INTERNAL, NULL},
    {CURLE_ABORTED_BY_CALLBACK, ERR_INTERNAL, NULL},
    {CURLE_SSL_ENGINE_NOTFOUND, ERR_INTERNAL, OWN_TLS},
    {CURLE_SSL_ENGINE_SETFAILED, ERR_INTERNAL, OWN_TLS},
    {CURLE_SSL_ENGINE_INITFAILED, ERR_INTERNAL, OWN_TLS},
    {CURLE_SSL_CERTPROBLEM, ERR_INTERNAL, OWN_TLS},
    {CURLE_SSL_CIPHER, ERR_INTERNAL, OWN_TLS},
};

static struct meaning meaning_of(CURLcode code)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].code == code)
            return meanings[i];
    return (struct meaning){code, ERR_NETWORK, TRY_LATER};
}

int transport_set(CURLcode code, struct err *err)
{
    if (code == CURLE_OK)
        return 0;
    if (code == CURLE_OUT_OF_MEMORY)
        return err_oom(err);
    return err_set(err, ERR_INTERNAL, 0, "libcurl: %s", curl_easy_strerror(code));
}

static CURLcode set_needed(CURL *easy, const struct transport *how)
{
    bool https = strncasecmp(how->url, "https:", 6) == 0;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, how->url);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (code == CURLE_OK && how->direct)
        code = curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (code == CURLE_OK) /* a proxy's answer to CONNECT is not the server's */
        code = curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)how->connect_timeout_ms);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, how->why);
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_USERAGENT, "bake/" BAKE_VERSION);
    return code == CURLE_OK ? ca_apply(how->ca, easy) : code;
}

int transport_begin(const struct transport *how, CURL **easy, struct err *err)
{
    if (*easy)
        curl_easy_cleanup(*easy);
    *easy = curl_easy_init();
    if (!*easy)
        return err_oom(err);
    how->why[0] = '\0';
    /* These are optional: a libcurl that rejects one works without it. QUICK_EXIT: an interrupted run does
     * not wait for the resolver's thread. DNS_CACHE_TIMEOUT: a cached address may have caused the failure. */
    (void)curl_easy_setopt(*easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(*easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(*easy, CURLOPT_BUFFERSIZE, (long)DOWNLOAD_BUFFER);
    if (how->again)
        (void)curl_easy_setopt(*easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    return transport_set(set_needed(*easy, how), err);
}

/* The variable from which libcurl takes the proxy for the URL, before it looks at no_proxy; NULL: none. */
static const char *proxy_variable(const struct transport *how)
{
    static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"};
    bool https = strncasecmp(how->url, "https:", 6) == 0;
    for (size_t i = https ? 0 : 2; !how->direct && i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && value[0] && !(https && i == 2))
            return names[i];
    }
    return NULL;
}

/* The proxy answered CONNECT, but opened no tunnel. */
static int proxy_refused(long status, const char *variable, const char *where, struct err *err)
{
    bool passes = retry_status((int)status);
    const char *advice = passes          ? "it cannot reach the server now"
                         : status == 407 ? "put USER:PASSWORD@ before its host name"
                                         : "ask its operator, or list the server in no_proxy";
    return err_set(err, passes ? ERR_NETWORK : ERR_REMOTE, 0,
                   "%s: the proxy that %s names answered HTTP %ld: %s", where, variable, status, advice);
}

/* libcurl's message; for a failed connect also the system's, which tells a refusal from a missing route. */
static void reason_of(const struct transport *how, CURL *easy, CURLcode code, char to[static CURL_ERROR_SIZE])
{
    long number = 0;
    char text[64];
    int n = snprintf(to, CURL_ERROR_SIZE, "%s", how->why[0] ? how->why : curl_easy_strerror(code));
    if (code == CURLE_COULDNT_CONNECT && n > 0 && n < CURL_ERROR_SIZE &&
        curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &number) == CURLE_OK && number > 0)
        snprintf(to + n, (size_t)(CURL_ERROR_SIZE - n), " (%s)", strerror_r((int)number, text, sizeof text));
}

/* Whether libcurl's message names the server; it does so without port and brackets. */
static bool names_host(const char *reason, const char *host)
{
    char name[URL_HOST_CAP];
    bool v6 = host[0] == '[';
    snprintf(name, sizeof name, "%.*s", (int)strcspn(host + v6, v6 ? "]" : ":"), host + v6);
    return strstr(reason, name) != NULL;
}

/* False when it was not about a proxy; else err is filled. */
static bool proxy_failed(const struct transport *how, CURL *easy, CURLcode code, const char *host,
                         const char *reason, const char *where, struct err *err)
{
    const char *variable = proxy_variable(how);
    long status = 0;
    if (!variable)
        return false;
    if (strncmp(reason, "Unsupported proxy", 17) == 0) /* libcurl's message continues with its password */
        err_set(err, ERR_USAGE, 0,
                "%s: %s in the environment is not a usable proxy: it must look like http://HOST:PORT", where,
                variable);
    else if (curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status) == CURLE_OK && status >= 300)
        proxy_refused(status, variable, where, err);
    else if (code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_PROXY ||
             (strncmp(reason, "Failed to connect", 17) == 0 && !names_host(reason, host)))
        err_set(err, ERR_NETWORK, 0,
                "%s: cannot connect through the proxy: %s; check %s (and no_proxy) in the environment", where,
                reason, variable);
    else
        return false;
    return true;
}

int transport_failed(const struct transport *how, CURL *easy, CURLcode code, const char *where,
                     struct err *err)
{
    char host[URL_HOST_CAP], reason[CURL_ERROR_SIZE];
    curl_off_t looked_up = 1;
    if (code == CURLE_OUT_OF_MEMORY)
        return err_oom(err);
    reason_of(how, easy, code, reason);
    if (code == CURLE_OPERATION_TIMEDOUT &&
        curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up) == CURLE_OK && looked_up == 0)
        code = CURLE_COULDNT_RESOLVE_HOST; /* a silent name server counts as unreachable */
    const struct meaning meaning = meaning_of(code);
    url_host(how->url, host);
    if (proxy_failed(how, easy, code, host, reason, where, err))
        return -1;
    bool named = strstr(where, host) || names_host(reason, host);
    return err_set(err, meaning.kind, 0, "%s: %s%s%s%s%s%s", where, named ? "" : host, named ? "" : ": ",
                   meaning.kind == ERR_VERIFY ? "the server's certificate is not trusted: " : "", reason,
                   meaning.advice ? "; " : "", meaning.advice ? meaning.advice : "");
}
