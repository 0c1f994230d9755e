/* What URLs are taken apart into, and which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/url.h"

static void urls_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *clean, *shown, *site, *user, *password, *path;
    } cases[] = {
        {"http://h/x", "http://h/x", "http://h/x", "http://h:80", NULL, NULL, NULL},
        {"HTTPS://H.example:444/a?sig=1#frag", "https://H.example:444/a?sig=1", "https://H.example:444/a?...",
         "https://H.example:444", NULL, NULL, NULL},
        {"https://u%3a:p%40@h/x", "https://h/x", "https://h/x", "https://h:443", "u:", "p@", NULL},
        {"http://[::1]:80/x", "http://[::1]:80/x", "http://[::1]:80/x", "http://[::1]:80", NULL, NULL, NULL},
        {"file:/a/b%20c", "file:/a/b%20c", "file:/a/b%20c", NULL, NULL, NULL, "/a/b c"},
        {"file:///a", "file:///a", "file:///a", NULL, NULL, NULL, "/a"},
        {"file://localhost/a%23", "file://localhost/a%23", "file://localhost/a%23", NULL, NULL, NULL, "/a#"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        cleanup_url struct url url = {0};
        if (url_parse(cases[i].text, &url, &err) < 0)
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_string_equal(url.clean, cases[i].clean);
        assert_string_equal(url.shown, cases[i].shown);
        const char *const pairs[][2] = {{url.site, cases[i].site},
                                        {url.user, cases[i].user},
                                        {url.password, cases[i].password},
                                        {url.path, cases[i].path}};
        for (size_t p = 0; p < 4; p++) {
            assert_int_equal(!pairs[p][0], !pairs[p][1]);
            if (pairs[p][0])
                assert_string_equal(pairs[p][0], pairs[p][1]);
        }
    }
}

static void other_text_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "x",
        "/etc/passwd",
        "ftp://h/x",
        "gopher://h/x",
        "http:",
        "http://",
        "http:///x",
        "http://h:99999/x",
        "http://h/a b",
        "http://h/\nx",
        "http://geheim@/x",
        "file:x",
        "file://h/x",
        "file:////x",
        "file:/a%00b",
        "file:/a%0ab",
        "file:/a%4",
        "file:/a?",
        "file:/a#b",
        "javascript:1",
        "http://u:geheim@h:99999/",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {0};
        struct url url = {0};
        if (url_parse(bad[i], &url, &err) == 0)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.kind, ERR_RECIPE);
        assert_null(strstr(err.text, "geheim"));
        assert_null(url.clean);
    }
    static char longest[HTTP_URL_MAX + 2];
    struct err err = {0};
    struct url url = {0};
    memset(longest, 'a', sizeof longest - 1);
    memcpy(longest, "http://h/", 9);
    assert_int_equal(url_parse(longest, &url, &err), -1);
}

static void hosts_are_classified(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        bool loopback, link_local, google;
    } cases[] = {
        {"https://oauth2.googleapis.com/token", "oauth2.googleapis.com", false, false, true},
        {"https://OAUTH2.GoogleAPIs.com/token", "oauth2.googleapis.com", false, false, true},
        {"https://googleapis.com", "googleapis.com", false, false, true},
        {"https://evilgoogleapis.com/", "evilgoogleapis.com", false, false, false},
        {"https://googleapis.com.evil.com/", "googleapis.com.evil.com", false, false, false},
        {"https://evil.com/googleapis.com", "evil.com", false, false, false},
        {"https://evil.com?.googleapis.com", "evil.com", false, false, false},
        {"http://127.8.9.1:80/", "127.8.9.1", true, false, false},
        {"http://2130706433/", "127.0.0.1", true, false, false},
        {"http://[::1]:80/", "::1", true, false, false},
        {"http://[::ffff:1.2.3.4]/", "::ffff:1.2.3.4", false, false, false},
        {"http://169.254.169.254/x", "169.254.169.254", false, true, false},
        {"http://[fd20:ce::254]/x", "fd20:ce::254", false, true, false},
        {"http://localhost.evil.com/", "localhost.evil.com", false, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct url_parts parts;
        struct err err;
        assert_int_equal(url_parts(cases[i].url, &parts, &err), 0);
        assert_string_equal(parts.host, cases[i].host);
        assert_int_equal(parts.loopback, cases[i].loopback);
        assert_int_equal(parts.link_local, cases[i].link_local);
        assert_int_equal(url_host_under(&parts, "googleapis.com"), cases[i].google);
    }
}

static void escapes(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT(100);
    url_escape(&buf, "a/b c~_-.\xc3\xa9+&=%");
    assert_string_equal(buf.data, "a%2Fb%20c~_-.%C3%A9%2B%26%3D%25");
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(other_text_is_refused),
        cmocka_unit_test(hosts_are_classified),
        cmocka_unit_test(escapes),
    };
    return cmocka_run_group_tests_name("http/url", tests, NULL, NULL);
}
