/* Which versions may follow which in a family. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cloud/lifecycle/skew.h"
#include "cloud/push/names.h"

enum { UP, BACK, SKIP, BACK_AND_SKIP, WAYS };

static const struct skew_rules rules_of[WAYS] = {
    [BACK] = {.rollback = true}, [SKIP] = {.skip_minors = true}, [BACK_AND_SKIP] = {true, true}};

static const char *const skipped = "more than one minor version at once", *const lower = "use --rollback";

static void on_event(void *ctx, const struct event *event)
{
    if (event->kind == EVENT_WARN)
        snprintf(ctx, 256, "%s", event->what);
}

static int check_labels(const char *key, const char *had, const char *has, struct skew_rules rules,
                        char warned[static 256], struct err *err)
{
    const struct run run = {.on_event = on_event, .ctx = warned};
    const struct label from[] = {{"a", "b"}, {key, had ? had : ""}}, to[] = {{key, has ? has : ""}};
    const struct image head = {.name = "old", .labels = from, .label_count = had ? 2 : 1};
    const struct image image = {.name = "new", .labels = to, .label_count = has ? 1 : 0};
    warned[0] = '\0';
    return skew_check(&head, &image, rules, &run, err);
}

static void one_minor_at_a_time(void **state)
{
    (void)state;
    static const struct {
        const char *had, *has;
        const char *says[WAYS]; /* NULL: it may */
    } cases[] = {
        {"1-36-3", "1-36-3", {NULL}},
        {"1-36-3", "1-36-0", {NULL}},
        {"1-35-9", "1-36-0", {NULL}},
        {"1-35", "1-36-1", {NULL}},
        {"1-34-0", "1-36-0", {skipped, skipped, NULL, NULL}},
        {"1-9-0", "1-36-0", {skipped, skipped, NULL, NULL}},
        {"1-36-0", "1-35-9", {lower, NULL, lower, NULL}},
        {"1-36-0", "1-34-0", {lower, skipped, lower, NULL}},
        {"1-36-0", "2-0-0", {skipped, skipped, NULL, NULL}},
        {"2-0-0", "1-36-0", {lower, skipped, lower, NULL}},
        {"1-34-0", "9999-9999", {skipped, skipped, NULL, NULL}},
        /* nothing is known */
        {NULL, "1-36-0", {NULL}},
        {"1-34-0", NULL, {NULL}},
        {NULL, NULL, {NULL}},
        {"1-34-0", "1", {NULL}},
        {"1-34-0", "", {NULL}},
        {"1-34-0", "v1-36-0", {NULL}},
        {"1-34-0", "1_36_0", {NULL}},
        {"1-34-0", "1--36", {NULL}},
        {"1-34-0", "1-36x", {NULL}},
        {"1-34-0", "1-99999", {NULL}},
        {"1-34-0", "1-36-00000000000000000000000000000000000", {NULL}},
    };
    static const char *const keys[] = {LABEL_KUBERNETES, LABEL_ETCD};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned key = 0; key < 2; key++)
            for (unsigned way = 0; way < WAYS; way++) {
                const char *says = cases[i].says[way];
                struct err err = {0};
                char warned[256];
                int r = check_labels(keys[key], cases[i].had, cases[i].has, rules_of[way], warned, &err);
                if ((r < 0) != (says != NULL) ||
                    (r < 0 && (err.kind != ERR_REMOTE || !strstr(err.text, says))))
                    fail_msg("%s %s to %s, %u: %s", keys[key], cases[i].had, cases[i].has, way, err.text);
            }
}

static void what_it_says(void **state)
{
    (void)state;
    struct err err = {0};
    char warned[256];
    assert_int_equal(check_labels(LABEL_KUBERNETES, "1-34-2", "1-36-3", rules_of[UP], warned, &err), -1);
    assert_string_equal(
        err.text,
        "image new has Kubernetes 1.36.3, and the family's head old has 1.34.2: more than one minor version "
        "at once. While the nodes of a cluster are replaced, both run side by side, which Kubernetes "
        "supports "
        "for neighboring minor versions only. First promote an image of the one between, and replace all "
        "nodes; if no cluster runs from the family, use --skip-minors");
    assert_int_equal(check_labels(LABEL_ETCD, "3-6-16", "3-5-24", rules_of[UP], warned, &err), -1);
    assert_string_equal(err.text, "image new has etcd 3.5.24, an older minor version than 3.6.16 of the "
                                  "family's head old: use --rollback to go back to it");
    assert_string_equal(warned, "");
    assert_int_equal(check_labels(LABEL_ETCD, "3-6-16", "3-5-24", rules_of[BACK], warned, &err), 0);
    assert_string_equal(warned, "etcd 3.5.24 joins a cluster only while a member of it runs etcd 3.5 still, "
                                "or after \"etcdctl downgrade enable 3.5\"");
    assert_int_equal(check_labels(LABEL_ETCD, "3-5-24", "3-6-16", rules_of[UP], warned, &err), 0);
    assert_string_equal(warned, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_minor_at_a_time),
        cmocka_unit_test(what_it_says),
    };
    return cmocka_run_group_tests_name("skew", tests, NULL, NULL);
}
