#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "plan/install.h"

/* The lists of INSTALL as "key: a b; key: c". */
static void show(const struct install *install, struct buf *out)
{
    static const char *const names[] = {"W", "R", "U", "A", "+"};
    for (size_t key = 0; key < INSTALL_KEYS; key++)
        for (size_t i = 0; i < install->lists[key].count; i++)
            buf_printf(out, "%s:%s ", names[key], install->lists[key].names[i]);
    if (install->default_instance)
        buf_printf(out, "D:%s ", install->default_instance);
    buf_str(out, install->present ? "yes" : "no");
}

static const char *const cases[][2] = {
    {"", "no"},
    {"[Unit]\nWantedBy=x.target\n", "no"},
    {"[Install]", "yes"},
    {"[Install]\nWantedBy=a.target b.target\nWantedBy=c.target", "W:a.target W:b.target W:c.target yes"},
    {"[Install]\r\nWantedBy=a.target\r\n", "W:a.target yes"},
    {"[Install]\n  WantedBy =\t a.target \t\n", "W:a.target yes"},
    {"[Install]\nWantedBy=a.target\nWantedBy=\nRequiredBy=b.target\n", "R:b.target yes"},
    {"[Install]\nWantedBy=a.target \\\n# no\n; no\n   b.target\n", "W:a.target W:b.target yes"},
    {"[Install]\n#WantedBy=a.target\n;WantedBy=a.target\n", "yes"},
    {"[Install]\nWantedBy=a.target\n[Service]\nWantedBy=b.target\n[Install]\nAlso=c.socket\n",
     "W:a.target +:c.socket yes"},
    {"[Service]\nExecStart=/x \\\n[Install]\nWantedBy=a.target\n", "no"},
    {"[Install]\nAlias=dbus-x.service\nUpheldBy=u.service\nDefaultInstance=one\nOther=1\nnonsense\n",
     "U:u.service A:dbus-x.service D:one yes"},
};

static void install_sections(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cleanup_arena struct arena arena = {0};
        cleanup_buf struct buf out = BUF_INIT(10000);
        struct install install;
        struct err err = {0};
        assert_int_equal(install_parse(cases[i][0], strlen(cases[i][0]), &arena, &install, &err), 0);
        show(&install, &out);
        assert_string_equal(out.data, cases[i][1]);
    }
}

static const char *const bad[][2] = {
    {"[Install]\nWantedBy=%i.target\n",
     "WantedBy=%i.target: specifiers are not supported: write the name out"},
    {"[Install]\nWantedBy=../x.target\n", "WantedBy=../x.target is not a unit name"},
    {"[Install]\nAlias=nodot\n", "Alias=nodot is not a unit name"},
    {"[Install]\nAlias=.service\n", "Alias=.service is not a unit name"},
    {"[Install]\nAlso=\"a.service\"\n", "Also=\"a.service\" is not a unit name"},
    {"[Install]\nDefaultInstance=a/b\n", "DefaultInstance=a/b is not an instance name"},
};

static void what_cannot_be_known_is_refused(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    struct install install;
    struct err err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(install_parse(bad[i][0], strlen(bad[i][0]), &arena, &install, &err), -1);
        assert_string_equal(err.text, bad[i][1]);
        assert_int_equal(err.kind, ERR_RECIPE);
    }
    assert_int_equal(install_parse("[Install]\nAlias=a\0.service", 26, &arena, &install, &err), -1);
    static char big[20000];
    memset(big, 'x', sizeof big);
    assert_int_equal(install_parse(big, sizeof big, &arena, &install, &err), -1);
    assert_string_equal(err.text, "it has a line that is too long or contains a NUL");
    cleanup_buf struct buf many = BUF_INIT(10000);
    buf_str(&many, "[Install]\nWantedBy=");
    for (int i = 0; i < 65; i++)
        buf_printf(&many, "t%d.target ", i);
    assert_int_equal(install_parse(many.data, many.len, &arena, &install, &err), -1);
    assert_string_equal(err.text, "WantedBy= has more than 64 names");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(install_sections),
        cmocka_unit_test(what_cannot_be_known_is_refused),
    };
    return cmocka_run_group_tests_name("plan: [Install]", tests, NULL, NULL);
}
