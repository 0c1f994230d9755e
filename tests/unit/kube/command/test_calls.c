/* The command lines of units and pods. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "kube/command/pod.h"
#include "kube/command/unit.h"

/* The calls as text: words in brackets, a line a call. */
static char *text_of(const struct call_list *list)
{
    struct buf text = BUF_INIT(1 << 20);
    for (size_t i = 0; i < list->count; i++) {
        for (size_t j = 0; j < list->items[i].count; j++)
            buf_printf(&text, "[%s]", list->items[i].argv[j]);
        assert_null(list->items[i].argv[list->items[i].count]);
        buf_str(&text, "\n");
    }
    return buf_steal(&text);
}

static void check_unit(const char *unit, const char *dropin, const char *expected)
{
    cleanup_arena struct arena arena = {0};
    struct call_list list = {.arena = &arena};
    struct err err = {0};
    const struct unit_text texts[] = {{unit, strlen(unit)}, {dropin, strlen(dropin)}};
    if (unit_calls(texts, 2, &list, &err) < 0)
        fail_msg("%s: %s", unit, err.text);
    cleanup_free char *text = text_of(&list);
    assert_string_equal(text, expected);
}

static void test_unit_words(void **state)
{
    (void)state;
    check_unit("[Service]\nExecStart=/opt/bin/kubelet --a \\\n  --b=c\n# gone\nExecStartPost=/x\n", "",
               "[/opt/bin/kubelet][--a][--b=c]\n");
    check_unit("[Service]\nExecStart=/k --a \\\n# between\n; as well\n  --b\n", "", "[/k][--a][--b]\n");
    check_unit("[Unit]\nExecStart=/not\n[Service]\n ExecStart = -+/k\t--a  \r\n", "", "[/k][--a]\n");
    check_unit("[Service]\nExecStart=@/k called --a\n", "", "[/k][--a]\n");
    check_unit("[Service]\nExecStart=/k \"a b\" 'c \"d' e\"f g\"h \"\" \\x41\\tb\\q %% %H x%i\n", "",
               "[/k][a b][c \"d][ef gh][][A\tb\\q][%][stand-in][xstand-in]\n");
    check_unit("[Service]\nExecStart=/k a ; /l b\nExecStart=/m\n", "", "[/k][a]\n[/l][b]\n[/m]\n");
}

static void test_unit_variables(void **state)
{
    (void)state;
    check_unit("[Service]\nExecStart=/k $ARGS --n=${NODE_NAME} --i=${NODE_IP} --c=${A}x $NONE $$A\n"
               "Environment=\"ARGS=--a --b=1\" A=b\nEnvironment=GOGC=20\n",
               "", "[/k][--a][--b=1][--n=stand-in][--i=192.0.2.1][--c=bx][$A]\n");
    check_unit("[Service]\nEnvironment=A=1\nExecStart=/k ${A}\n", "[Service]\nEnvironment=A=2\n",
               "[/k][2]\n");
    check_unit("[Service]\nExecStart=/k\n", "[Service]\nExecStart=\nExecStart=/l\n", "[/l]\n");
    check_unit("", "[Service]\nExecStart=/l --a\n", "[/l][--a]\n");
}

static void test_unit_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"[Service]\nExecStart=/k \"a\n", "[Service]\nEnvironment='A=1\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cleanup_arena struct arena arena = {0};
        struct call_list list = {.arena = &arena};
        struct err err = {0};
        const struct unit_text text = {bad[i], strlen(bad[i])};
        assert_int_equal(unit_calls(&text, 1, &list, &err), -1);
        assert_int_equal(err.kind, ERR_RECIPE);
    }
}

static void check_pod(const char *manifest, const char *expected)
{
    cleanup_arena struct arena arena = {0};
    struct call_list list = {.arena = &arena};
    struct err err = {0};
    if (pod_calls(manifest, strlen(manifest), &list, &err) < 0)
        fail_msg("%s: %s", manifest, err.text);
    cleanup_free char *text = text_of(&list);
    assert_string_equal(text, expected);
}

static void test_pods(void **state)
{
    (void)state;
    check_pod("kind: Pod\nspec:\n  containers:\n  - command: [/k, kubelet]\n    args:\n    - --a=@POD_CIDR@\n"
              "    - \"--b=@NODE_NAME@,@\"\n  - image: x\n    args: [--no]\n",
              "[/k][kubelet][--a=192.0.2.0/24][--b=stand-in,@]\n");
    check_pod("kind: Pod\nspec:\n  initContainers:\n  - command: [i]\n  containers:\n  - command:\n    - c\n"
              "    - --ip=$(NODE_IP)\n    - $(NONE)$(A)$$(A)$(\n    env:\n    - {name: A, value: b}\n"
              "    - name: NODE_IP\n      valueFrom: {fieldRef: {fieldPath: status.hostIP}}\n",
              "[i]\n[c][--ip=192.0.2.1][$(NONE)b$(A)$(]\n");
    check_pod("{\"kind\":\"Pod\",\"spec\":{\"containers\":[{\"command\":[\"/k\",\"--a=1\"]}]}}",
              "[/k][--a=1]\n");
    check_pod("kind: Service\n---\nkind: Pod\nspec: {containers: [{command: [/k]}]}\n---\n", "[/k]\n");
    check_pod("", "");
    check_pod("just text", "");
    check_pod("kind: Pod\nspec: [1]\n", "");
    check_pod("kind: Pod\nspec: {containers: {command: [a]}}\n", "");
    check_pod("kind: Pod\nspec: {containers: [{command: [[a], b, {c: d}]}]}\n", "[b]\n");
    check_pod("kind: DaemonSet\nspec: {template: {spec: {containers: [{command: [/k]}]}}}\n", "");
    /* an alias is the same node, not a copy */
    check_pod("kind: Pod\nspec:\n  containers:\n  - command: &a [/k]\n    args: *a\n", "[/k][/k]\n");
}

static void test_pods_refused(void **state)
{
    (void)state;
    cleanup_arena struct arena arena = {0};
    struct call_list list = {.arena = &arena};
    struct err err = {0};
    static const char tab[] = "kind: Pod\nspec:\n\t- a\n";
    assert_int_equal(pod_calls(tab, sizeof tab - 1, &list, &err), -1);
    assert_int_equal(err.kind, ERR_RECIPE);
    assert_non_null(strstr(err.text, "line 3"));
    cleanup_buf struct buf many = BUF_INIT(1 << 20);
    buf_str(&many, "kind: Pod\nspec: {containers: [{command: [a");
    for (int i = 0; i < CALL_WORDS_MAX; i++)
        buf_str(&many, ",a");
    buf_str(&many, "]}]}\n");
    assert_int_equal(pod_calls(many.data, many.len, &list, &err), -1);
    assert_int_equal(err.kind, ERR_RECIPE);
    /* nested as deep as memory lasts */
    many.len = 0;
    for (int i = 0; i < 100000; i++)
        buf_str(&many, "[");
    (void)!pod_calls(many.data, many.len, &list, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unit_words),   cmocka_unit_test(test_unit_variables),
        cmocka_unit_test(test_unit_refused), cmocka_unit_test(test_pods),
        cmocka_unit_test(test_pods_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
