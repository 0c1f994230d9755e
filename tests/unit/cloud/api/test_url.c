/* URLs and forms: what is percent-encoded, and what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/api/url.h"

static void a_path_ends_at_the_first_segment_that_is_missing(void **state)
{
    (void)state;
    cleanup_buf struct buf whole = URL_INIT, short_one = URL_INIT;
    struct err err;
    const char *name = NULL;
    url_path(&whole, "https://a/v1", "b", "x.y_z-1", "o", "dir/na me?#");
    assert_int_equal(url_check(&whole, &err), 0);
    assert_string_equal(whole.data, "https://a/v1/b/x.y_z-1/o/dir%2Fna%20me%3F%23");
    url_path(&short_one, "https://a/v1", "b", name, "o");
    assert_string_equal(short_one.data, "https://a/v1/b");
}

static void a_query_begins_once(void **state)
{
    (void)state;
    cleanup_buf struct buf url = URL_INIT;
    url_path(&url, "https://a", "o");
    url_query(&url, "prefix", "a b&c=d");
    url_query_uint(&url, "maxResults", 1000);
    url_query_raw(&url, "fields", "items(name,size)");
    assert_string_equal(url.data, "https://a/o?prefix=a%20b%26c%3Dd&maxResults=1000&fields=items(name,size)");
}

static void a_form_is_encoded(void **state)
{
    (void)state;
    cleanup_buf struct buf form = BUF_INIT(64);
    url_form_add(&form, "grant_type", "urn:x");
    url_form_add(&form, "scope", "https://a/");
    assert_string_equal(form.data, "grant_type=urn%3Ax&scope=https%3A%2F%2Fa%2F");
}

static void a_url_has_a_cap(void **state)
{
    (void)state;
    cleanup_buf struct buf url = URL_INIT;
    struct err err;
    char name[HTTP_URL_MAX];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    url_path(&url, "https://a", name);
    assert_int_equal(url_check(&url, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_ends_at_the_first_segment_that_is_missing),
        cmocka_unit_test(a_query_begins_once),
        cmocka_unit_test(a_form_is_encoded),
        cmocka_unit_test(a_url_has_a_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
