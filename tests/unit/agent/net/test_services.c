/* Where kube-proxy may use nftables: the versions of nft and of the kernel, as they write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/net/services.h"

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

static void a_base_without_nft_uses_iptables(void **state)
{
    cleanup_root struct root empty = ROOT_INIT;
    struct err err = {0};
    (void)state;
    assert_int_equal(root_open("/proc/self/task", &empty, &err), 0);
    assert_string_equal(services_mode(&empty), "iptables");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_compared),
        cmocka_unit_test(a_base_without_nft_uses_iptables),
    };
    return cmocka_run_group_tests_name("agent/net/services", tests, NULL, NULL);
}
