/* Fetching from a real nginx. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "fetch_rig.h"
#include "tests/support/lib/nginx.h"

static struct nginx server;
static const char snippet[] =
    "location = /r1 { return 302 /r2?signature=geheim; }\n"
    "location = /r2 { return 307 /hello; }\n"
    "location = /loop { return 302 /loop; }\n"
    "location = /down { return 301 http://127.0.0.1:@PORT@/hello; }\n"
    "location = /up { return 301 https://127.0.0.1:@TLS_PORT@/hello; }\n"
    "location = /leak { return 302 http://localhost:@PORT@/echo; }\n"
    "location = /same { return 302 /echo; }\n"
    "location = /echo { return 200 \"[$http_authorization]\"; }\n"
    "location = /none { return 302; }\n"
    "location = /forbidden { return 403; }\n"
    "location = /busy { return 503; }\n"
    "location = /auth { auth_basic x; auth_basic_user_file @DIR@/users; alias @DIR@/www/hello; }\n"
    "location /slow/ { alias @DIR@/www/; limit_rate 256k; }\n";

static int serve(void **state)
{
    struct err err = {0};
    char path[128];
    (void)state;
    if (nginx_start(&server, snippet, true) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/users", server.dir);
    return nginx_put(&server, "hello", "hello, world", 12) < 0 ||
                   file_put(path, "u:{PLAIN}p@ss\n", 14, 0600, &err) < 0
               ? -1
               : 0;
}

static int unserve(void **state)
{
    (void)state;
    nginx_stop(&server);
    return 0;
}

static const char *url_of(const char *path)
{
    static char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server.port, path);
    return url;
}

static void a_file_is_fetched_once(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    unsigned before = nginx_requests(&server, "/hello", 0);
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = {.name = "hello", .url = url_of("/hello"), .want_size = 12};
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, "hello, world", 12);
    assert_string_equal(artifact.origin, req.url);
    assert_int_equal(nginx_requests(&server, "/hello", before + 1), before + 1);

    /* digest known: the network is not asked, and the artifact is the same */
    struct sha256 want = artifact.sha256;
    req.want = &want;
    artifact_free(&artifact);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, "hello, world", 12);
    assert_string_equal(artifact.origin, req.url);
    artifact_free(&artifact);
    assert_int_equal(nginx_requests(&server, "/hello", before + 1), before + 1);

    /* not known: asked, but not sent again */
    int status = 0;
    req.want = NULL;
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, "hello, world", 12);
    artifact_free(&artifact);
    assert_int_equal(nginx_sent(&server, "/hello", before + 1, &status), 0);
    assert_int_equal(status, 304);
    assert_int_equal(rig_files(rig, "partial"), 0);
    assert_int_equal(rig_files(rig, "download"), 2);
}

static void a_changed_file_is_fetched_again(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = {.name = "v", .url = url_of("/version")};
    assert_int_equal(nginx_put(&server, "version", "one", 3), 0);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    artifact_free(&artifact);
    assert_int_equal(nginx_put(&server, "version", "three", 5), 0);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, "three", 5);
    artifact_free(&artifact);
}

static void an_empty_file_is_a_file(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = {.name = "empty", .url = url_of("/empty")};
    assert_int_equal(nginx_put(&server, "empty", "", 0), 0);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, "", 0);
    artifact_free(&artifact);
}

static void redirects_are_followed_within_limits(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = {.name = "hello", .url = url_of("/r1")};
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, "hello, world", 12);
    assert_string_equal(artifact.origin, req.url);
    artifact_free(&artifact);
    assert_null(strstr(rig->notes, "geheim")); /* a query may be a signature */
    assert_non_null(strstr(rig->notes, "/r2"));

    unsigned before = nginx_requests(&server, "/loop", 0);
    req.url = url_of("/loop");
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), -1);
    assert_int_equal(err.kind, ERR_REMOTE);
    assert_non_null(strstr(err.text, "more than 10 redirects"));
    assert_int_equal(nginx_requests(&server, "/loop", before + 11), before + 11);

    req.url = url_of("/none");
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), -1);
    assert_int_equal(err.kind, ERR_REMOTE);
}

static void refusals_say_what_to_do_and_are_not_retried(void **state)
{
    struct fetch_rig *rig = *state;
    static const struct {
        const char *path, *says;
    } cases[] = {
        {"/missing", "check the version"}, {"/forbidden", "access is denied"}, {"/auth", "credentials"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        struct artifact artifact = ARTIFACT_EMPTY;
        struct fetch_request req = {.name = "base", .url = url_of(cases[i].path)};
        assert_int_equal(rig_fetch(rig, &req, &artifact, &err), -1);
        assert_int_equal(err.kind, ERR_REMOTE);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_non_null(strstr(err.text, req.url));
        assert_int_equal(nginx_requests(&server, cases[i].path, 1), 1);
        assert_int_equal(artifact.fd, -1);
    }
    assert_int_equal(rig_files(rig, "partial"), 0);
}

static void a_busy_server_is_asked_again(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = {.name = "base", .url = url_of("/busy")};
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), -1);
    assert_int_equal(err.kind, ERR_REMOTE);
    assert_non_null(strstr(err.text, "gave up after 4 attempts"));
    assert_int_equal(nginx_requests(&server, "/busy", 4), 4);
    assert_int_equal(rig->warnings, 3);
}

static void credentials_stay_with_their_host(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    char url[256];
    static const struct {
        const char *path, *body;
    } cases[] = {{"/echo", "[Basic dTpwQHNz]"}, {"/same", "[Basic dTpwQHNz]"}, {"/leak", "[]"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_buf struct buf text = BUF_INIT(4096);
        snprintf(url, sizeof url, "http://u:p%%40ss@127.0.0.1:%u%s", server.port, cases[i].path);
        assert_int_equal(fetch_text(rig->fetcher, url, 1000, &text, &rig->run, &err), 0);
        assert_string_equal(text.data, cases[i].body);
    }
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = {.name = "hello", .url = url};
    snprintf(url, sizeof url, "http://u:p%%40ss@127.0.0.1:%u/auth#part", server.port);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    assert_string_equal(artifact.origin, url_of("/auth"));
    artifact_free(&artifact);
    snprintf(url, sizeof url, "http://u:geheim@127.0.0.1:%u/auth", server.port);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), -1);
    assert_null(strstr(err.text, "geheim"));
    assert_null(strstr(rig->notes, "geheim"));
}

static void tls_is_verified_and_never_left(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    char url[256], ca[128];
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = {.name = "hello", .url = url};
    snprintf(url, sizeof url, "https://127.0.0.1:%u/hello", server.tls_port);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    assert_non_null(strstr(err.text, "certificate"));
    assert_int_equal(rig->warnings, 0); /* another try would not help */

    fetcher_free(rig->fetcher);
    snprintf(ca, sizeof ca, "%s/tls.crt", server.dir);
    struct fetch_options options = {.ca = ca_choose(ca)};
    assert_int_equal(fetcher_new(&options, &rig->fetcher, &err), 0);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, "hello, world", 12);
    artifact_free(&artifact);

    req.url = url_of("/up");
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    artifact_free(&artifact);

    req.url = url;
    snprintf(url, sizeof url, "https://127.0.0.1:%u/down", server.tls_port);
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), -1);
    assert_int_equal(err.kind, ERR_REMOTE);
    assert_non_null(strstr(err.text, "without encryption"));

    snprintf(url, sizeof url, "https://localhost:%u/hello",
             server.tls_port); /* the certificate is for 127.0.0.1 */
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
}

static void a_proxy_from_the_environment_is_used(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    char proxy[64];
    struct artifact artifact = ARTIFACT_EMPTY;
    /* no such host: only a proxy can answer, and nginx takes the absolute URI a proxy gets */
    struct fetch_request req = {.name = "hello", .url = "http://mirror.invalid/hello?by=proxy"};
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", server.port);
    setenv("http_proxy", proxy, 1);
    int fetched = rig_fetch(rig, &req, &artifact, &err);
    unsetenv("http_proxy");
    assert_int_equal(fetched, 0);
    rig_expect(&artifact, "hello, world", 12);
    artifact_free(&artifact);
    assert_int_equal(nginx_requests(&server, "/hello?by=proxy", 1), 1);
}

static void sizes_and_digests_are_held_to(void **state)
{
    struct fetch_rig *rig = *state;
    struct artifact artifact = ARTIFACT_EMPTY;
    struct sha256 wrong = {{1}};
    const struct {
        struct fetch_request req;
        const char *says;
    } cases[] = {
        {{.name = "hello", .url = url_of("/hello"), .want_size = 11}, "has 12 bytes, but the lock says 11"},
        {{.name = "hello", .url = url_of("/hello"), .want_size = 13}, "has 12 bytes, but the lock says 13"},
        {{.name = "hello", .url = url_of("/hello"), .max_size = 11}, "more than the 11 that are allowed"},
        {{.name = "hello", .url = url_of("/hello"), .want = &wrong},
         "09ca7e4eaa6e8ae9c7d261167129184883644d07dfba7cbfbc4c8a2e08360d5b, but the lock says 0100000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        assert_int_equal(rig_fetch(rig, &cases[i].req, &artifact, &err), -1);
        assert_int_equal(err.kind, ERR_VERIFY);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_non_null(strstr(err.text, "fetch hello: "));
    }
    assert_int_equal(artifact.fd, -1);
    assert_int_equal(rig_files(rig, "download"), 0);
    assert_int_equal(rig_files(rig, "partial"), 0);
}

static void inputs_come_in_parallel_and_in_order(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    enum { FILES = 9, SIZE = 300 << 10 };
    static unsigned char bytes[FILES][SIZE];
    char urls[FILES][128], name[32];
    struct fetch_request reqs[FILES + 1];
    struct artifact artifacts[FILES + 1];
    for (unsigned i = 0; i < FILES; i++) {
        memset(bytes[i], (int)('a' + i), SIZE);
        snprintf(name, sizeof name, "par%u", i);
        assert_int_equal(nginx_put(&server, name, bytes[i], SIZE), 0);
        /* the first one at 256 KiB/s: others overtake it */
        snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%u/%s%s", server.port, i == 0 ? "slow/" : "",
                 name);
        reqs[i] = (struct fetch_request){.name = "part", .url = urls[i]};
        artifacts[i] = (struct artifact)ARTIFACT_EMPTY;
    }
    reqs[FILES] = reqs[2]; /* one URL twice */
    assert_int_equal(fetch_all(rig->fetcher, rig->cache, reqs, FILES + 1, &rig->run, artifacts, &err), 0);
    for (unsigned i = 0; i <= FILES; i++) {
        rig_expect(&artifacts[i], bytes[i == FILES ? 2 : i], SIZE);
        artifact_free(&artifacts[i]);
    }
    assert_int_equal(rig_files(rig, "partial"), 0);
    /* one bad one and none is given */
    reqs[4].url = url_of("/missing-too");
    assert_int_equal(fetch_all(rig->fetcher, rig->cache, reqs, FILES, &rig->run, artifacts, &err), -1);
    assert_int_equal(err.kind, ERR_REMOTE);
    for (unsigned i = 0; i < FILES; i++)
        assert_int_equal(artifacts[i].fd, -1);
}

static void small_texts_are_capped(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    cleanup_buf struct buf text = BUF_INIT(4096);
    buf_str(&text, "> ");
    assert_int_equal(fetch_text(rig->fetcher, url_of("/r1"), 12, &text, &rig->run, &err), 0);
    assert_string_equal(text.data, "> hello, world");
    assert_int_equal(fetch_text(rig->fetcher, url_of("/hello"), 11, &text, &rig->run, &err), -1);
    assert_int_equal(err.kind, ERR_VERIFY);
    assert_string_equal(text.data, "> hello, world");
    assert_int_equal(fetch_text(rig->fetcher, url_of("/missing-text"), 11, &text, &rig->run, &err), -1);
    assert_int_equal(err.kind, ERR_REMOTE);
    assert_string_equal(text.data, "> hello, world");
}

static void nobody_there_is_a_network_error(void **state)
{
    struct fetch_rig *rig = *state;
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY;
    struct fetch_request req = {.name = "x", .url = "http://127.0.0.1:1/x"};
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), -1);
    assert_int_equal(err.kind, ERR_NETWORK);
    assert_int_equal(rig->warnings, 3);
}

/* The limit on file size stands for a full disk, as it needs no root: the kernel says EFBIG instead of
 * ENOSPC. */
static void a_full_disk_is_no_space(void **state)
{
    struct fetch_rig *rig = *state;
    static unsigned char bytes[256 << 10];
    assert_int_equal(nginx_put(&server, "large", bytes, sizeof bytes), 0);
    struct fetch_request req = {.name = "large", .url = url_of("/large")};
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {.rlim_cur = 65536, .rlim_max = 65536};
        struct err err = {0};
        struct artifact artifact = ARTIFACT_EMPTY;
        signal(SIGXFSZ, SIG_IGN);
        rig->cache = NULL;
        rig->fetcher = NULL;
        rig_open(rig);
        if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || rig_fetch(rig, &req, &artifact, &err) == 0)
            _exit(1);
        _exit(err.kind == ERR_SPACE && rig->warnings == 0 ? 0 : 2);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(rig_files(rig, "download"), 0);
    struct err err = {0};
    struct artifact artifact = ARTIFACT_EMPTY; /* room again: it goes on where it was */
    assert_int_equal(rig_fetch(rig, &req, &artifact, &err), 0);
    rig_expect(&artifact, bytes, sizeof bytes);
    artifact_free(&artifact);
    assert_int_equal(nginx_sent(&server, "/large", 1, &status), sizeof bytes - 65536);
    assert_int_equal(status, 206);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, rig_up, rig_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(a_file_is_fetched_once),
        WITH_RIG(a_changed_file_is_fetched_again),
        WITH_RIG(an_empty_file_is_a_file),
        WITH_RIG(redirects_are_followed_within_limits),
        WITH_RIG(refusals_say_what_to_do_and_are_not_retried),
        WITH_RIG(a_busy_server_is_asked_again),
        WITH_RIG(credentials_stay_with_their_host),
        WITH_RIG(tls_is_verified_and_never_left),
        WITH_RIG(a_proxy_from_the_environment_is_used),
        WITH_RIG(sizes_and_digests_are_held_to),
        WITH_RIG(inputs_come_in_parallel_and_in_order),
        WITH_RIG(small_texts_are_capped),
        WITH_RIG(a_full_disk_is_no_space),
        WITH_RIG(nobody_there_is_a_network_error),
    };
    return cmocka_run_group_tests(tests, serve, unserve);
}
