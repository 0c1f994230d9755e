/* Where kube-proxy may use nftables: the versions of nft and of the kernel, as they write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/net/services.h"
#include "tests/unit/agent/helper.h"

static void versions_are_compared(void **state)
{
    static const struct {
        const char *text, *prefix;
        unsigned wanted[3];
        bool is;
    } rows[] = {
        {"6.18.44-flatcar", "", {5, 13, 0}, true},
        {"5.13.0", "", {5, 13, 0}, true},
        {"5.13", "", {5, 13, 0}, false},
        {"5.14-rc1", "", {5, 13, 0}, true},
        {"5.12.19", "", {5, 13, 0}, false},
        {"4.19.123-coreos", "", {5, 13, 0}, false},
        {"10.0.0", "", {5, 13, 0}, true},
        {"", "", {5, 13, 0}, false},
        {"linux", "", {5, 13, 0}, false},
        {"nftables v1.0.6 (Lester Gooch #5)\n", "nftables v", {1, 0, 1}, true},
        {"nftables v1.1.3 (Commodore Bullmoose #4)\n", "nftables v", {1, 0, 1}, true},
        {"nftables v1.0.1 (Fearless Fosdick #3)\n", "nftables v", {1, 0, 1}, true},
        {"nftables v1.0.0 (Fearless Fosdick #2)\n", "nftables v", {1, 0, 1}, false},
        {"nftables v0.9.8 (E.D.S.)\n", "nftables v", {1, 0, 1}, false},
        {"nft 2.0.0\n", "nftables v", {1, 0, 1}, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (services_at_least(rows[i].text, rows[i].prefix, rows[i].wanted) != rows[i].is)
            fail_msg("\"%s\" is taken for %s", rows[i].text, rows[i].is ? "too old" : "new enough");
}

static void mode_is(const struct place *place, const char *wanted)
{
    struct err err = {0};
    const char *mode = NULL;
    assert_int_equal(services_mode(&place->root, &mode, &err), 0);
    assert_string_equal(mode, wanted);
}

/* What is decided stays, whatever nft says later; what is damaged is decided again. */
static void the_first_decision_stays(void **state)
{
    const struct place *place = *state;
    mode_is(place, "iptables"); /* there is no nft */
    put(place, SERVICES_MODE, "nftables", 8, 0600);
    mode_is(place, "nftables");
    put(place, SERVICES_MODE, "nftab", 5, 0600);
    mode_is(place, "iptables");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_compared),
        cmocka_unit_test_setup_teardown(the_first_decision_stays, make_place, remove_place),
    };
    return cmocka_run_group_tests_name("agent/net/services", tests, NULL, NULL);
}
