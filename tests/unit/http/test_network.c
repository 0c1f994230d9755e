/* Both HTTP clients on networks that fail, in a namespace of the test's own: no name server, no route,
 * packets that vanish, connections that are refused, cut or stall, proxies that are wrong. Real dnsmasq and
 * nginx where one can be made to do it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netdb.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cloud/client/client.h"
#include "fetch/fetch.h"
#include "http/transport.h"
#include "io/file.h"
#include "io/proc.h"
#include "tests/support/lib/nginx.h"
#include "tests/support/lib/rawserver.h"

/* bake.test is 127.0.0.1 and in nginx's certificate; other.test is 127.0.0.1 too. Packets to HOLE vanish. */
#define HOLE "127.0.0.9"

enum { ATTEMPTS = 3, WAIT_S = 20 };

struct net {
    char dir[64], resolv[96];
    struct nginx nginx, mute; /* mute refuses every handshake */
    struct rawserver raw;
    struct clients {
        struct fetcher *fetcher;
        struct http *http;
    } patient, hasty, *clients;
    struct credentials *credentials;
    struct cloud_env env;
    struct proc dns;
    int dns_out;
    struct ca_source ca;
    char ca_path[96];
    /* of one condition */
    struct run run;
    unsigned warnings;
    bool heals;
    struct err err;
};

static struct net net;

/* --- the namespace --- */

static int run_tool(const char *const *argv)
{
    struct err err = {0};
    const struct proc_spec spec = {
        .argv = argv, .stdin_fd = -1, .timeout_ms = WAIT_S * 1000, .max_output = 4096};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, NULL, &result, &err) == 0 && result.status == 0)
        return 0;
    fprintf(stderr, "%s: %s%s\n", argv[0], err.text, result.err.data ? result.err.data : "");
    return -1;
}
#define RUN(...) run_tool((const char *const[]){__VA_ARGS__, NULL})

static int write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return -1;
    int r = fputs(text, file) < 0 ? -1 : 0;
    return fclose(file) == 0 ? r : -1;
}

/* An ordinary user gets a user namespace around it, in which he may do the same. */
static int become_root(void)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (uid == 0)
        return 0;
    if (unshare(CLONE_NEWUSER) < 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return -1;
    snprintf(map, sizeof map, "0 %u 1", uid);
    if (write_text("/proc/self/setgroups", "deny") < 0 || write_text("/proc/self/uid_map", map) < 0)
        return -1;
    snprintf(map, sizeof map, "0 %u 1", gid);
    return write_text("/proc/self/gid_map", map);
}

static int over(const char *path, const char *text, char *made, size_t cap)
{
    snprintf(made, cap, "%s/%s", net.dir, strrchr(path, '/') + 1);
    return write_text(made, text) < 0 || mount(made, path, NULL, MS_BIND, NULL) < 0 ? -1 : 0;
}

static int enter(void)
{
    char nsswitch[96];
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    snprintf(net.dir, sizeof net.dir, "/tmp/bake-test-network.XXXXXX");
    if (!mkdtemp(net.dir) || become_root() < 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        perror("no namespace");
        return -1;
    }
    if (over("/etc/resolv.conf", "", net.resolv, sizeof net.resolv) < 0 ||
        over("/etc/nsswitch.conf", "hosts: files dns\n", nsswitch, sizeof nsswitch) < 0 ||
        RUN("ip", "link", "set", "lo", "up") < 0 ||
        RUN("iptables", "-A", "INPUT", "-d", HOLE, "-j", "DROP") < 0)
        return -1;
    return 0;
}

static void ask_dns_at(const char *address)
{
    char text[128];
    snprintf(text, sizeof text, "nameserver %s\noptions timeout:1 attempts:1\n", address);
    assert_int_equal(write_text(net.resolv, text), 0);
}

static void dns_stop(void)
{
    proc_kill(&net.dns);
    cleanup_close_fn(&net.dns_out);
    net.dns_out = -1;
}

/* Returns once it answers. */
static void dns_start(void)
{
    static const char *const argv[] = {"dnsmasq",
                                       "--conf-file=/dev/null",
                                       "--no-resolv",
                                       "--no-hosts",
                                       "--pid-file=",
                                       "--listen-address=127.0.0.1",
                                       "--bind-interfaces",
                                       "--port=53",
                                       "--user=root",
                                       "--group=root",
                                       "--address=/test/metadata.google.internal/127.0.0.1",
                                       "--local=/invalid/",
                                       "--no-daemon",
                                       "--log-facility=/dev/null",
                                       NULL};
    const struct proc_spec spec = {.argv = argv, .stdin_fd = -1};
    const struct timespec step = {.tv_nsec = 50000000};
    struct addrinfo *found = NULL;
    assert_int_equal(proc_start(&spec, &net.dns, &net.dns_out, &net.err), 0);
    for (unsigned i = 0; i < WAIT_S * 20 && getaddrinfo("bake.test", NULL, NULL, &found) != 0; i++)
        nanosleep(&step, NULL);
    assert_non_null(found);
    freeaddrinfo(found);
}

/* --- the two clients --- */

static void tell(void *ctx, const struct event *event)
{
    (void)ctx;
    net.warnings += event->kind == EVENT_WARN;
    if (event->kind == EVENT_WARN && net.heals && net.warnings == 2)
        dns_start();
}

static int by_fetch(const char *url)
{
    cleanup_buf struct buf text = BUF_INIT(64 << 10);
    return fetch_text(net.clients->fetcher, url, 4096, &text, &net.run, &net.err);
}

static int by_cloud(const char *url)
{
    cleanup_http_answer struct http_answer answer = HTTP_ANSWER_EMPTY;
    const struct client client = {.http = net.clients->http,
                                  .credentials = net.credentials,
                                  .retry = {.attempts = ATTEMPTS, .first_ms = 20}};
    const struct http_request req = {.method = "GET", .url = url, .what = "the list"};
    if (client_call(&client, &req, &net.run, &answer, &net.err) < 0)
        return -1;
    assert_int_equal(answer.status, 200);
    return 0;
}

static const struct way {
    const char *name;
    int (*get)(const char *url);
} ways[] = {{"fetch", by_fetch}, {"cloud", by_cloud}};
enum { WAYS = sizeof ways / sizeof *ways };

/* KIND ERR_NONE: it must succeed. SAYS must be in the message. */
static void expect(const struct way *way, const char *url, enum err_kind kind, unsigned attempts,
                   const char *says)
{
    net.warnings = 0;
    net.err = (struct err){0};
    int r = way->get(url);
    if (r < 0)
        print_message("# %s, %s\n#   %u attempts, kind %d: %s\n", way->name, url, net.warnings + 1,
                      (int)net.err.kind, net.err.text);
    if (r == 0) /* what a retry was about may still be in it */
        net.err = (struct err){0};
    if (net.err.kind != kind || net.warnings + 1 != attempts)
        fail_msg("%s, %s: kind %d instead of %d, %u attempts instead of %u: %s", way->name, url,
                 (int)net.err.kind, (int)kind, net.warnings + 1, attempts, net.err.text);
    if (kind != ERR_NONE && !strstr(net.err.text, says))
        fail_msg("%s, %s: \"%s\" is not in: %s", way->name, url, says, net.err.text);
    if (kind == ERR_NETWORK)
        assert_non_null(strstr(net.err.text, "gave up after 3 attempts"));
}

static void both(const char *url, enum err_kind kind, unsigned attempts, const char *says)
{
    for (size_t i = 0; i < WAYS; i++)
        expect(&ways[i], url, kind, attempts, says);
}

/* What never answers. The patient clients would wait for it; on a busy machine the hasty ones give up on what
 * does answer. */
static void in_vain(const char *url, const char *says)
{
    net.clients = &net.hasty;
    both(url, ERR_NETWORK, ATTEMPTS, says);
    net.clients = &net.patient;
}

/* --- conditions --- */

static void names_that_do_not_resolve(void **state)
{
    (void)state;
    ask_dns_at("127.0.0.1"); /* no server listens there */
    both("https://mirror.invalid/x", ERR_NETWORK, ATTEMPTS, "Could not resolve host: mirror.invalid; check");
    ask_dns_at(HOLE);
    in_vain("https://mirror.invalid/x", "Resolving timed out");
    in_vain("https://mirror.invalid/x", "and DNS");
    ask_dns_at("127.0.0.1");
    dns_start();
    both("https://mirror.invalid/x", ERR_NETWORK, ATTEMPTS, "Could not resolve host: mirror.invalid; check");
    dns_stop();
}

static void a_name_server_that_comes_back_is_enough(void **state)
{
    char url[64];
    (void)state;
    snprintf(url, sizeof url, "https://bake.test:%u/x", net.nginx.tls_port);
    for (size_t i = 0; i < WAYS; i++) {
        net.heals = true;
        expect(&ways[i], url, ERR_NONE, ATTEMPTS, "");
        net.heals = false;
        dns_stop();
    }
}

static void hosts_that_are_not_reached(void **state)
{
    (void)state;
    both("https://198.51.100.1/x", ERR_NETWORK, ATTEMPTS, "Network is unreachable");
    in_vain("https://" HOLE "/x", HOLE);
    both("https://127.0.0.1:1/x", ERR_NETWORK, ATTEMPTS, "Connection refused");
}

/* Unless it is configured, a metadata server may not exist, but one failed look-up does not prove that. */
static void a_metadata_server_is_looked_for_more_than_once(void **state)
{
    const struct credentials_options options = {.env = &(struct cloud_env){.home = net.dir}};
    cleanup_credentials struct credentials *found = NULL;
    struct err err = {0};
    (void)state;
    net.warnings = 0;
    assert_int_equal(credentials_open(&options, net.patient.http, &net.run, &found, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE); /* it says which credentials to give */
    assert_int_equal(net.warnings, 2);

    net.warnings = 0;
    net.heals = true;
    if (credentials_open(&options, net.patient.http, &net.run, &found, &err) < 0)
        fail_msg("%s", err.text);
    net.heals = false;
    dns_stop();
    assert_int_equal(net.warnings, 2);
    assert_non_null(strstr(credentials_who(found), "vm@example.com"));
}

static void reset(int conn)
{
    const struct linger now = {.l_onoff = 1};
    setsockopt(conn, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(conn);
}

static void until_it_leaves(int conn)
{
    char byte;
    while (read(conn, &byte, 1) > 0)
        ;
}

#define HALF_HEAD "HTTP/1.1 200 OK\r\nContent-Len"
#define HALF_BODY "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbytes"

static const struct breach {
    const char *name, *text;
    void (*end)(int conn); /* NULL: closed */
} breaches[] = {
    {"reset", "", reset},
    {"reset in the header", HALF_HEAD, reset},
    {"reset in the body", HALF_BODY, reset},
    {"closed", "", NULL},
    {"closed in the header", HALF_HEAD, NULL},
    {"closed in the body", HALF_BODY, NULL},
    {"silent", "", until_it_leaves},
    {"silent in the body", HALF_BODY, until_it_leaves},
    {"not HTTP", "220 mail.example ESMTP\r\n", NULL},
};
enum { BREACHES = sizeof breaches / sizeof *breaches };

/* The request's path says which: "GET /3 HTTP/1.1". */
static void breach(int conn, unsigned nth, const char *request)
{
    const char *digit = strchr(request, '/');
    (void)nth;
    if (!digit || digit[1] < '0' || digit[1] >= '0' + BREACHES)
        return;
    const struct breach *how = &breaches[digit[1] - '0'];
    raw_text(conn, how->text);
    if (how->end)
        how->end(conn);
}

static void answers_that_are_cut(void **state)
{
    char url[64], host[32];
    (void)state;
    for (unsigned i = 0; i < BREACHES; i++) {
        assert_int_equal(rawserver_start(&net.raw, breach), 0);
        snprintf(host, sizeof host, "127.0.0.1:%u", net.raw.port);
        snprintf(url, sizeof url, "http://%s/%u", host, i);
        print_message("# %s\n", breaches[i].name);
        in_vain(url, host);
        assert_int_equal(net.raw.log->count, WAYS * ATTEMPTS);
        rawserver_stop(&net.raw);
    }
}

static void handshakes_that_fail(void **state)
{
    char url[64];
    (void)state;
    dns_start();
    snprintf(url, sizeof url, "https://127.0.0.1:%u/x", net.mute.tls_port);
    both(url, ERR_NETWORK, ATTEMPTS, "https server");
    snprintf(url, sizeof url, "https://127.0.0.1:%u/x", net.nginx.port); /* speaks plain HTTP */
    both(url, ERR_NETWORK, ATTEMPTS, "https server");
    assert_int_equal(rawserver_start(&net.raw, breach), 0); /* says nothing to a ClientHello */
    snprintf(url, sizeof url, "https://127.0.0.1:%u/x", net.raw.port);
    in_vain(url, "SSL connection timeout");
    rawserver_stop(&net.raw);
    snprintf(url, sizeof url, "https://other.test:%u/x", net.nginx.tls_port);
    both(url, ERR_VERIFY, 1, "certificate is not trusted");
    snprintf(url, sizeof url, "https://bake.test:%u/x", net.nginx.tls_port);
    both(url, ERR_NONE, 1, "");
    dns_stop();
}

static void proxy_says(int conn, unsigned nth, const char *request)
{
    const char *status = strstr(request, "Host: s"); /* the host's name is the status */
    (void)nth;
    if (strncmp(request, "CONNECT ", 8) != 0 || !status)
        return;
    raw_text(conn, "HTTP/1.1 ");
    raw_text(conn, (char[]){status[7], status[8], status[9], '\0'});
    raw_text(conn, " No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

static void proxies_that_are_wrong(void **state)
{
    char url[64], proxy[64];
    (void)state;
    dns_start();
    setenv("https_proxy", "http://u:geheim@proxy.invalid:3128", 1);
    both("https://s200.test/x", ERR_NETWORK, ATTEMPTS,
         "proxy: Could not resolve proxy: proxy.invalid; check https_proxy");
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    both("https://s200.test/x", ERR_NETWORK, ATTEMPTS, "check https_proxy");
    setenv("https_proxy", "http://" HOLE ":3128", 1);
    in_vain("https://s200.test/x", "check https_proxy");
    assert_int_equal(rawserver_start(&net.raw, proxy_says), 0);
    snprintf(proxy, sizeof proxy, "http://u:geheim@127.0.0.1:%u", net.raw.port);
    setenv("https_proxy", proxy, 1);
    both("https://s502.test/x", ERR_NETWORK, ATTEMPTS, "the proxy that https_proxy names answered HTTP 502");
    both("https://s407.test/x", ERR_REMOTE, 1, "USER:PASSWORD@");
    both("https://s403.test/x", ERR_REMOTE, 1, "no_proxy");
    both("https://cut.test/x", ERR_NETWORK, ATTEMPTS, "cut.test");
    rawserver_stop(&net.raw);
    setenv("https_proxy", "foo://u:geheim@bar:1", 1);
    both("https://s200.test/x", ERR_USAGE, 1, "https_proxy in the environment is not a usable proxy");
    assert_null(strstr(net.err.text, "geheim"));
    setenv("no_proxy", "bake.test", 1); /* then none of this matters */
    snprintf(url, sizeof url, "https://bake.test:%u/x", net.nginx.tls_port);
    both(url, ERR_NONE, 1, "");
    unsetenv("no_proxy");
    unsetenv("https_proxy");
    dns_stop();
}

static int clients_new(struct clients *ret, unsigned connect_ms, unsigned silence_s)
{
    const struct fetch_options how = {.retries = ATTEMPTS - 1,
                                      .backoff_ms = 20,
                                      .connect_timeout_ms = connect_ms,
                                      .low_speed_s = silence_s,
                                      .ca = net.ca};
    const struct http_options http = {
        .connect_timeout_ms = connect_ms, .low_speed_s = silence_s, .answer_s = silence_s, .ca = net.ca};
    return fetcher_new(&how, &ret->fetcher, &net.err) < 0 || http_new(&http, &ret->http, &net.err) < 0 ? -1
                                                                                                       : 0;
}

static void clients_free(struct clients *clients)
{
    http_free(clients->http);
    fetcher_free(clients->fetcher);
}

static int up(void **state)
{
    static const char *const variables[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                            "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    static const char site[] =
        "location = /x { return 200 hello; }\n"
        "location /computeMetadata/v1/ { add_header Metadata-Flavor Google always; return 404; }\n"
        "location /computeMetadata/v1/instance/service-accounts/ { add_header Metadata-Flavor Google "
        "always;\n"
        "  return 200 '{\"email\":\"vm@example.com\"}'; }\n";
    char token[96], port[16];
    (void)state;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    if (nginx_start(&net.nginx, site, true) < 0 ||
        nginx_start(&net.mute, "ssl_reject_handshake on;", true) < 0)
        return -1;
    snprintf(port, sizeof port, "%u", net.nginx.port);
    if (RUN("iptables", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "-d", "127.0.0.1", "--dport", "80", "-j",
            "REDIRECT", "--to-ports", port) < 0)
        return -1;
    snprintf(net.ca_path, sizeof net.ca_path, "%s/tls.crt", net.nginx.dir);
    snprintf(token, sizeof token, "%s/token", net.dir);
    net.ca = ca_choose(net.ca_path);
    net.run = (struct run){.on_event = tell};
    net.env = (struct cloud_env){.home = net.dir, .no_gce_check = "true"};
    const struct credentials_options credentials = {.token_file = token, .env = &net.env};
    return file_put(token, "ya29.t\n", 7, 0600, &net.err) < 0 || clients_new(&net.hasty, 600, 1) < 0 ||
                   clients_new(&net.patient, WAIT_S * 1000, WAIT_S) < 0 ||
                   credentials_open(&credentials, net.patient.http, NULL, &net.credentials, &net.err) < 0
               ? -1
               : 0;
}

static int down(void **state)
{
    (void)state;
    dns_stop();
    credentials_free(net.credentials);
    clients_free(&net.patient);
    clients_free(&net.hasty);
    nginx_stop(&net.nginx);
    nginx_stop(&net.mute);
    return RUN("rm", "-rf", net.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_do_not_resolve),
        cmocka_unit_test(a_name_server_that_comes_back_is_enough),
        cmocka_unit_test(a_metadata_server_is_looked_for_more_than_once),
        cmocka_unit_test(hosts_that_are_not_reached),
        cmocka_unit_test(answers_that_are_cut),
        cmocka_unit_test(handshakes_that_fail),
        cmocka_unit_test(proxies_that_are_wrong),
    };
    net.dns_out = -1;
    net.clients = &net.patient;
    if (enter() < 0) /* before there are threads: they would stay outside */
        return 1;
    return cmocka_run_group_tests_name("http/network", tests, up, down);
}
