/* What each of libcurl's codes comes to, and which CAs are trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/transport.h"
#include "io/file.h"

#define WHERE "https://host.example/file"

struct rig {
    char why[CURL_ERROR_SIZE];
    struct ca_source ca;
    struct transport how;
    CURL *easy;
    struct err err;
};

static const char *const variables[] = {"http_proxy",     "https_proxy",   "HTTPS_PROXY",
                                        "all_proxy",      "ALL_PROXY",     "no_proxy",
                                        "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"};

static int up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    rig->how = (struct transport){.url = WHERE, .why = rig->why, .ca = &rig->ca, .connect_timeout_ms = 1000};
    assert_int_equal(transport_begin(&rig->how, &rig->easy, &rig->err), 0);
    *state = rig;
    return 0;
}

static int down(void **state)
{
    struct rig *rig = *state;
    curl_easy_cleanup(rig->easy);
    free(rig);
    return 0;
}

static bool among(CURLcode code, const CURLcode *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i] == code)
            return true;
    return false;
}
#define AMONG(code, codes) among(code, codes, sizeof(codes) / sizeof *(codes))

/* Clients try ERR_NETWORK again and nothing else, so this is the list of what is final. */
static void only_what_cannot_pass_is_final(void **state)
{
    struct rig *rig = *state;
    static const CURLcode certificate[] = {CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR,
                                           CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_PINNEDPUBKEYNOTMATCH};
    static const CURLcode machine[] = {CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE};
    static const CURLcode refused[] = {CURLE_SSL_CLIENTCERT, CURLE_AUTH_ERROR, CURLE_BAD_CONTENT_ENCODING};
    static const CURLcode own[] = {
        CURLE_FAILED_INIT,           CURLE_NOT_BUILT_IN,        CURLE_FUNCTION_NOT_FOUND,
        CURLE_BAD_FUNCTION_ARGUMENT, CURLE_UNKNOWN_OPTION,      CURLE_RECURSIVE_API_CALL,
        CURLE_UNRECOVERABLE_POLL,    CURLE_READ_ERROR,          CURLE_WRITE_ERROR,
        CURLE_ABORTED_BY_CALLBACK,   CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
        CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_CERTPROBLEM,     CURLE_SSL_CIPHER,
        CURLE_OUT_OF_MEMORY};
    for (unsigned i = 1; i < CURL_LAST; i++) {
        CURLcode code = (CURLcode)i;
        enum err_kind kind = AMONG(code, certificate)      ? ERR_VERIFY
                             : AMONG(code, machine)        ? ERR_IO
                             : AMONG(code, refused)        ? ERR_REMOTE
                             : AMONG(code, own)            ? ERR_INTERNAL
                             : code == CURLE_URL_MALFORMAT ? ERR_RECIPE
                                                           : ERR_NETWORK;
        assert_int_equal(transport_failed(&rig->how, rig->easy, code, WHERE, &rig->err), -1);
        if (rig->err.kind != kind)
            fail_msg("%u (%s): kind %d, not %d", i, curl_easy_strerror(code), (int)rig->err.kind, (int)kind);
        assert_int_equal(rig->err.errnum, 0);
        if (code != CURLE_OUT_OF_MEMORY)
            assert_int_equal(strncmp(rig->err.text, WHERE ": ", strlen(WHERE) + 2), 0);
    }
}

static void the_message_names_the_host_and_what_to_do(void **state)
{
    struct rig *rig = *state;
    snprintf(rig->why, sizeof rig->why, "Recv failure: Connection reset by peer");
    rig->how.url = "https://u:geheim@host.example:8443/o?sig=geheim";
    transport_failed(&rig->how, rig->easy, CURLE_RECV_ERROR, "upload of part 3", &rig->err);
    assert_string_equal(rig->err.text,
                        "upload of part 3: host.example:8443: Recv failure: Connection reset by peer; the "
                        "connection was cut: check the network and any proxy on the way, or try again later");
    snprintf(rig->why, sizeof rig->why, "self-signed certificate");
    transport_failed(&rig->how, rig->easy, CURLE_PEER_FAILED_VERIFICATION, "x", &rig->err);
    assert_non_null(strstr(rig->err.text, "not trusted"));
    assert_non_null(strstr(rig->err.text, "--ca-file"));
    assert_non_null(strstr(rig->err.text, "SSL_CERT_FILE"));
}

static void a_proxy_that_is_none_is_named_without_its_password(void **state)
{
    struct rig *rig = *state;
    static const char *const urls[] = {"foo://u:geheim@bar:1", "http://u:geheim@b r:1",
                                       "http://u:geheim@bar:99999"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        setenv("https_proxy", urls[i], 1);
        assert_int_equal(transport_begin(&rig->how, &rig->easy, &rig->err), 0);
        CURLcode code = curl_easy_perform(rig->easy);
        transport_failed(&rig->how, rig->easy, code, WHERE, &rig->err);
        if (rig->err.kind != ERR_USAGE || !strstr(rig->err.text, "https_proxy"))
            fail_msg("%s: kind %d: %s", urls[i], (int)rig->err.kind, rig->err.text);
        assert_null(strstr(rig->err.text, "geheim"));
    }
    unsetenv("https_proxy");
}

static void the_option_and_the_variables_name_cas(void **state)
{
    (void)state;
    struct ca_source ca = ca_choose(NULL);
    assert_int_equal(ca.count, 0);
    assert_null(ca.dir);
    setenv("SSL_CERT_FILE", "", 1);
    assert_int_equal(ca_choose(NULL).count, 0);
    setenv("SSL_CERT_FILE", "/a.pem", 1);
    setenv("SSL_CERT_DIR", "/certs", 1);
    setenv("CURL_CA_BUNDLE", "/b.pem", 1);
    ca = ca_choose(NULL);
    assert_int_equal(ca.count, 2);
    assert_string_equal(ca.files[0].path, "/b.pem");
    assert_string_equal(ca.files[1].path, "/a.pem");
    assert_string_equal(ca.dir, "/certs");
    ca_add(&ca, "/a.pem", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE");
    ca_add(&ca, NULL, "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE");
    assert_int_equal(ca.count, 2);
    ca = ca_choose("/own.pem"); /* then nothing that is wrong in the environment stands in the way */
    assert_int_equal(ca.count, 1);
    assert_string_equal(ca.files[0].from, "--ca-file");
    assert_null(ca.dir);
}

static void a_ca_that_cannot_be_used_is_named(void **state)
{
    struct rig *rig = *state;
    char dir[] = "/tmp/bake-test-ca.XXXXXX", file[64], list[160];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/ca.pem", dir);
    const struct {
        const char *path, *text; /* text NULL: not there */
        enum err_kind kind;
    } cases[] = {{file, NULL, ERR_IO},
                 {dir, NULL, ERR_IO},
                 {file, "", ERR_USAGE},
                 {file, "\x30\x82\x01\x01 a certificate in DER", ERR_USAGE},
                 {file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ERR_USAGE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct ca_source ca = ca_choose(cases[i].path);
        if (cases[i].text)
            assert_int_equal(file_put(file, cases[i].text, strlen(cases[i].text), 0600, &rig->err), 0);
        assert_int_equal(ca_check(&ca, &rig->err), -1);
        if (rig->err.kind != cases[i].kind || !strstr(rig->err.text, "--ca-file") ||
            !strstr(rig->err.text, cases[i].path))
            fail_msg("case %zu: kind %d: %s", i, (int)rig->err.kind, rig->err.text);
    }
    snprintf(list, sizeof list, "/nosuch:%s", file); /* a file is not a folder */
    struct ca_source folders = {.dir = list};
    assert_int_equal(ca_check(&folders, &rig->err), -1);
    assert_int_equal(rig->err.kind, ERR_IO);
    assert_non_null(strstr(rig->err.text, list));
    snprintf(list, sizeof list, "/nosuch:%s", dir);
    assert_int_equal(ca_check(&folders, &rig->err), 0);
    unlink(file);
    rmdir(dir);
}

#define with_rig(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_rig(only_what_cannot_pass_is_final),
        with_rig(the_message_names_the_host_and_what_to_do),
        with_rig(a_proxy_that_is_none_is_named_without_its_password),
        with_rig(the_option_and_the_variables_name_cas),
        with_rig(a_ca_that_cannot_be_used_is_named),
    };
    return cmocka_run_group_tests_name("http/transport", tests, NULL, NULL);
}
