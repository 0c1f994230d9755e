/* The HTTPS client and etcd's API against a TLS server with real certificates: whom it trusts, what it takes,
 * how long it waits. Against real etcd: tests/kube/member-test. */
#include "tests/unit/agent/helper.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <openssl/ssl.h>

#include "agent/etcd/kv.h"

static struct err last;

/* Certificates as `openssl` makes them: two CAs, a server for 127.0.0.1 and one for another address, a
 * client. */
static void make_certificates(const struct place *place)
{
    static const char script[] =
        "cd \"$0\" && exec >/dev/null 2>&1 && for ca in ca other; do"
        " openssl req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=$ca -keyout $ca.key -out $ca.crt || "
        "exit 1; done;"
        " leaf() { openssl req -newkey ed25519 -nodes -subj /CN=$1 -keyout $1.key -out $1.csr &&"
        " printf 'extendedKeyUsage=%s\\n%s\\n' $2 $3 >$1.ext &&"
        " openssl x509 -req -in $1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile $1.ext -out "
        "$1.crt; };"
        " leaf server serverAuth subjectAltName=IP:127.0.0.1 && leaf away serverAuth "
        "subjectAltName=IP:127.0.0.2 &&"
        " leaf named serverAuth subjectAltName=DNS:127.0.0.1 && leaf client clientAuth &&"
        " leaf wrong clientAuth subjectAltName=IP:127.0.0.1";
    const char *const argv[] = {"sh", "-c", script, place->dir, NULL};
    assert_int_equal(run(argv), 0);
}

static int make_all(void **state)
{
    if (make_place(state) < 0)
        return -1;
    make_certificates(*state);
    return 0;
}

struct server {
    pid_t pid;
    uint16_t port;
};

enum manner { ANSWER, SILENT, HANG_UP, CUT };

static void serve_one(SSL_CTX *ctx, int conn, enum manner manner, const char *answer)
{
    char request[8192];
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, conn);
    if (manner != HANG_UP && SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof request) > 0) {
        if (manner == SILENT)
            pause();
        (void)SSL_write(ssl, answer, (int)strlen(answer));
        if (manner != CUT)
            SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    close(conn);
}

/* Serves with the certificate NAME, to clients of the CA only, until killed. */
static struct server serve(const struct place *place, const char *name, enum manner manner,
                           const char *answer)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    char path[32];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    struct server server = {fork(), ntohs(addr.sin_port)};
    if (server.pid == 0) {
        signal(SIGPIPE, SIG_IGN);
        SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
        snprintf(path, sizeof path, "/%s.crt", name);
        bool ok = SSL_CTX_use_certificate_file(ctx, below(place, path), SSL_FILETYPE_PEM) == 1;
        snprintf(path, sizeof path, "/%s.key", name);
        ok = ok && SSL_CTX_use_PrivateKey_file(ctx, below(place, path), SSL_FILETYPE_PEM) == 1 &&
             SSL_CTX_load_verify_file(ctx, below(place, "/ca.crt")) == 1;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        for (int conn; ok && (conn = accept(fd, NULL, NULL)) >= 0;)
            serve_one(ctx, conn, manner, answer);
        _exit(1);
    }
    close(fd);
    return server;
}

static int post(const struct place *place, const struct server *server, const char *ca, const char *client,
                unsigned timeout_ms, int *status, struct buf *body)
{
    char cert[32], key[32];
    struct wire_peer peer = {"127.0.0.1", server->port};
    snprintf(cert, sizeof cert, "/%s.crt", client);
    snprintf(key, sizeof key, "/%s.key", client);
    struct tls_files files = {&place->root, ca, cert, key};
    struct tls_request request = {
        .files = &files, .peer = &peer, .path = "/v3/x", .body = "{}", .timeout_ms = timeout_ms};
    return tls_send(&request, status, body, &last);
}

static void stop(const struct server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static void refuse(const struct place *place, const char *name, enum manner manner, const char *answer,
                   const char *part)
{
    int status = -7;
    cleanup_buf struct buf body = BUF_INIT(100);
    struct server server = serve(place, name, manner, answer);
    int result = post(place, &server, "/ca.crt", "client", 1500, &status, &body);
    stop(&server);
    assert_int_equal(result, -1);
    assert_says(last, part);
    assert_int_equal(status, -7);
    assert_int_equal(body.len, 0);
}

static void a_good_server_is_asked(void **state)
{
    const struct place *place = *state;
    int status = 0;
    cleanup_buf struct buf body = BUF_INIT(100);
    struct server server = serve(place, "server", ANSWER, OK_ANSWER);
    if (post(place, &server, "/ca.crt", "client", 10000, &status, &body) < 0)
        fail_msg("%s", last.text);
    stop(&server);
    assert_int_equal(status, 200);
    assert_string_equal(body.data, "hello");
}

static void a_refusal_has_its_body(void **state)
{
    const struct place *place = *state;
    struct tls_files files = {&place->root, "/ca.crt", "/client.crt", "/client.key"};
    static const char *const bodies[] = {
        "{\"error\":\"etcdserver: unhealthy\\u0001 cluster\",\"code\":14}",
        "{\"code\":14,\"message\":\"etcdserver: unhealthy\\u0001 cluster\",\"details\":[]}", /* etcd 3.6 */
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char answer[256];
        snprintf(answer, sizeof answer, "HTTP/1.1 503 No\r\nConnection: close\r\n\r\n%s", bodies[i]);
        struct server server = serve(place, "server", ANSWER, answer);
        struct etcd_api api = {&files, {"127.0.0.1", server.port}};
        assert_int_equal(etcd_member_remove(&api, "17", &last), -1);
        stop(&server);
        assert_int_equal(last.kind, ERR_REMOTE);
        assert_string_equal(last.text, "etcdserver: unhealthy? cluster");
    }
}

static void servers_that_are_not_trusted(void **state)
{
    const struct place *place = *state;
    refuse(place, "away", ANSWER, OK_ANSWER, "IP address mismatch");
    assert_int_equal(last.kind, ERR_VERIFY);
    refuse(place, "named", ANSWER, OK_ANSWER, "IP address mismatch");
    refuse(place, "wrong", ANSWER, OK_ANSWER, "certificate: ");
    int status = 0;
    cleanup_buf struct buf body = BUF_INIT(100);
    struct server server = serve(place, "server", ANSWER, OK_ANSWER);
    assert_int_equal(post(place, &server, "/other.crt", "client", 5000, &status, &body), -1);
    assert_int_equal(last.kind, ERR_VERIFY);
    assert_int_equal(post(place, &server, "/ca.crt", "server", 5000, &status, &body), -1); /* no client's */
    assert_int_equal(last.kind, ERR_NETWORK);
    assert_int_equal(post(place, &server, "/ca.key", "client", 5000, &status, &body), -1);
    assert_says(last, "/ca.key");
    assert_int_equal(post(place, &server, "/ca.crt", "none", 5000, &status, &body), -1);
    assert_says(last, "/none.crt is missing");
    stop(&server);
}

static void answers_that_are_not_taken(void **state)
{
    const struct place *place = *state;
    refuse(place, "server", SILENT, "", "too slow");
    refuse(place, "server", HANG_UP, "", "");
    /* an end that is not signed may be anyone's who can break the connection */
    refuse(place, "server", CUT, "HTTP/1.1 200 OK\r\n\r\nhello", "broken off");
    refuse(place, "server", ANSWER, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "early");
    refuse(place, "server", ANSWER, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nhello", "over 100 bytes");
    refuse(place, "server", ANSWER, "hello\r\n\r\n", "not HTTP");
}

#define MEMBER(id, name, urls) "{\"ID\":\"" id "\",\"name\":\"" name "\",\"peerURLs\":[" urls "]}"

static void members_are_read(void **state)
{
    (void)state;
    static const char text[] =
        "{\"header\":{\"cluster_id\":\"1\"},\"members\":["
        "{\"ID\":\"18446744073709551615\",\"name\":\"a\",\"peerURLs\":[\"https://"
        "10.0.0.2:2380\"],\"clientURLs\":[]},"
        "{\"ID\":\"7\",\"peerURLs\":[\"https://10.0.1.2:2380\"],\"isLearner\":true}," MEMBER(
            "8", "Bad Name", "\"http://x:1\"") "]}";
    struct etcd_members m;
    if (etcd_members_parse(text, strlen(text), &m, &last) < 0)
        fail_msg("%s", last.text);
    assert_int_equal(m.count, 3);
    assert_string_equal(m.members[0].id, "18446744073709551615");
    assert_string_equal(m.members[0].name, "a");
    assert_string_equal(m.members[1].name, "");
    assert_string_equal(m.members[1].peer_url, "https://10.0.1.2:2380");
    assert_string_equal(m.members[2].name, "?");
    for (size_t len = 0; len < strlen(text); len++)
        assert_int_equal(etcd_members_parse(text, len, &m, &last), -1);
}

static void bad_members_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"members\":[]}",
        "{\"members\":[{}]}",
        "{\"members\":[" MEMBER("", "a", "\"https://x:1\"") "]}",
        "{\"members\":[" MEMBER("1x", "a", "\"https://x:1\"") "]}",
        "{\"members\":[" MEMBER("18446744073709551616", "a", "\"https://x:1\"") "]}",
        "{\"members\":[" MEMBER("1", "a", "") "]}",
        "{\"members\":[" MEMBER("1", "a", "\"https://x:1\",\"https://y:1\"") "]}",
        "{\"members\":[" MEMBER("1", "a", "\"https://x:1,b=https://y:1\"") "]}",
        "{\"members\":[" MEMBER("1", "a", "\"https://x:1\\nETCD_NAME=y\"") "]}",
        "{\"members\":[" MEMBER("1", "a", "\"ftp://x:1\"") "]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct etcd_members m = {.count = 77};
        if (etcd_members_parse(bad[i], strlen(bad[i]), &m, &last) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(m.count, 77);
    }
    cleanup_buf struct buf many = BUF_INIT(1 << 16);
    struct etcd_members m;
    buf_str(&many, "{\"members\":[" MEMBER("1", "a", "\"https://x:1\""));
    for (int i = 1; i <= ETCD_MEMBERS_MAX; i++)
        buf_str(&many, "," MEMBER("1", "a", "\"https://x:1\""));
    buf_str(&many, "]}");
    assert_int_equal(etcd_members_parse(many.data, many.len, &m, &last), -1);
    assert_says(last, "too many");
}

/* Serves BODY to one call after the other, until stop(). */
static struct server answers(const struct place *place, const char *body)
{
    char answer[1024];
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    return serve(place, "server", ANSWER, answer);
}

static void add_pair(void *ctx, const char *key, const char *value, size_t len)
{
    buf_printf(ctx, "%s=%s/%zu;", key, value, len);
}

static void keys_are_read(void **state)
{
    const struct place *place = *state;
    struct tls_files files = {&place->root, "/ca.crt", "/client.crt", "/client.key"};
    cleanup_buf struct buf value = BUF_INIT(16), pairs = BUF_INIT(100);
    bool found = false;
    struct server server =
        answers(place, "{\"header\":{\"revision\":\"5\"},\"kvs\":[{\"key\":\"L2IvYQ==\","
                       "\"version\":\"1\",\"value\":\"eA==\"},{\"key\":\"L2IvYg==\"}],\"count\":\"2\"}");
    struct etcd_api api = {&files, {"127.0.0.1", server.port}};
    assert_int_equal(etcd_each(&api, "/b/", add_pair, &pairs, &last), 0);
    assert_string_equal(pairs.data, "/b/a=x/1;/b/b=/0;");
    assert_int_equal(etcd_get(&api, "/b/a", &value, &found, &last), 0);
    assert_true(found);
    stop(&server);
    server = answers(place, "{\"header\":{}}");
    api.peer.port = server.port;
    assert_int_equal(etcd_get(&api, "/b/a", &value, &found, &last), 0);
    assert_false(found);
    stop(&server);
    server = answers(place, "{\"kvs\":[{\"key\":\"not base64\"}]}");
    api.peer.port = server.port;
    assert_int_equal(etcd_get(&api, "/b/a", &value, &found, &last), -1);
    assert_int_equal(last.kind, ERR_VERIFY);
    stop(&server);
}

static void comparisons_and_leases_say_how_they_went(void **state)
{
    const struct place *place = *state;
    struct tls_files files = {&place->root, "/ca.crt", "/client.crt", "/client.key"};
    struct etcd_lease lease;
    bool yes = false;
    struct server server =
        answers(place, "{\"ID\":\"77\",\"TTL\":\"20\",\"succeeded\":true,\"result\":{\"TTL\":\"20\"}}");
    struct etcd_api api = {&files, {"127.0.0.1", server.port}};
    assert_int_equal(etcd_lease_grant(&api, 20, &lease, &last), 0);
    assert_string_equal(lease.id, "77");
    assert_int_equal(etcd_lease_keep(&api, &lease, &yes, &last), 0);
    assert_true(yes);
    yes = false;
    assert_int_equal(etcd_create(&api, "/b/a", "x", 1, &lease, &yes, &last), 0);
    assert_true(yes);
    stop(&server);
    server = answers(place, "{\"responses\":[],\"result\":{\"ID\":\"77\"}}");
    api.peer.port = server.port;
    assert_int_equal(etcd_swap(&api, "/b/a", "x", 1, "y", 1, &yes, &last), 0);
    assert_false(yes);
    yes = true;
    assert_int_equal(etcd_lease_keep(&api, &lease, &yes, &last), 0);
    assert_false(yes);
    assert_int_equal(etcd_lease_grant(&api, 20, &lease, &last), -1);
    stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_server_is_asked, make_all, remove_place),
        cmocka_unit_test_setup_teardown(a_refusal_has_its_body, make_all, remove_place),
        cmocka_unit_test_setup_teardown(servers_that_are_not_trusted, make_all, remove_place),
        cmocka_unit_test_setup_teardown(answers_that_are_not_taken, make_all, remove_place),
        cmocka_unit_test_setup_teardown(keys_are_read, make_all, remove_place),
        cmocka_unit_test_setup_teardown(comparisons_and_leases_say_how_they_went, make_all, remove_place),
        cmocka_unit_test(members_are_read),
        cmocka_unit_test(bad_members_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
