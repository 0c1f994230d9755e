/* Whose list counts: who is removed, and who may join, for every kind of disagreement. With real members:
 * tests/kube/lists-test. */
#include "tests/unit/agent/helper.h"

#include "agent/join/agree.h"

/* Members by one letter each, in order; upper case: a learner. Lists by member, NULL: none; "-": none, but
 * something answers. A list is letters, too: "ab" is a=10.0.0.1,b=10.0.0.2. */
static struct agree cluster(const char *members, const char *const *lists)
{
    struct agree agree = {0};
    agree.members.count = strlen(members);
    for (size_t i = 0; i < agree.members.count; i++) {
        struct etcd_member *member = &agree.members.members[i];
        bool learner = members[i] < 'a';
        char name = (char)(learner ? members[i] + 32 : members[i]);
        member->is_learner = learner;
        snprintf(member->name, sizeof member->name, "%c", name);
        snprintf(member->peer_url, sizeof member->peer_url, "https://10.0.0.%d:2380", name - 'a' + 1);
        agree.views[i].answers = lists[i] && lists[i][0] == '-';
        cleanup_buf struct buf list = BUF_INIT(AGREE_LIST_CAP - 1);
        for (const char *at = lists[i]; at && *at && *at != '-'; at++)
            buf_printf(&list, "%s%c=10.0.0.%d", list.len > 0 ? "," : "", *at, *at - 'a' + 1);
        snprintf(agree.views[i].list, sizeof agree.views[i].list, "%s", list.data ? list.data : "");
    }
    return agree;
}

static void who_is_removed(void **state)
{
    static const struct {
        const char *members, *lists[6], *removed; /* "": nobody */
    } cases[] = {
        {"abc", {"abc", "abc", "abc"}, ""},
        {"abc", {"abc", "abc", NULL}, ""},                 /* dead and listed: its own replacement does it */
        {"abcde", {"abc", "abc", "abc", NULL, NULL}, "d"}, /* one after the other */
        {"abce", {"abc", "abc", "abc", NULL}, "e"},
        {"abcde", {"abc", "abc", "abc", "abcde", NULL}, "e"},    /* three of four */
        {"abcde", {"abc", "abc", "abc", "-", "-"}, ""},          /* they live, and have no voice */
        {"abcde", {"abc", "abc", "abc", "abcde", "abcde"}, ""},  /* they live */
        {"abcde", {"abcde", "abcde", "abc", "abcde", NULL}, ""}, /* one old list */
        {"abcde", {"abcd", "abcd", "abcde", "abcde", NULL}, ""}, /* half is not enough */
        {"abcde", {"bcde", "bcde", "bcde", "bcde", NULL}, ""},   /* a is not listed, and lives */
        {"abcde", {NULL, "bcde", "bcde", "bcde", "-"}, "a"},     /* the leader died */
        {"abcde", {"ab", "ab", NULL, NULL, NULL}, ""},           /* no quorum without the dead */
        {"abcde",
         {"ab", "ab", "abcde", NULL, NULL},
         "d"},                                         /* the list is shorter than the quorum: two of three */
        {"abcde", {"ab", "ab", "-", NULL, NULL}, ""},  /* two of five that serve */
        {"abcde", {"abc", "abc", "-", "-", NULL}, ""}, /* two of four that live */
        {"abcd", {"", "", "", NULL}, ""},              /* empty lists */
        {"abcd", {"xyz", "xyz", "xyz", NULL}, ""},     /* lists of nobody that lives */
        {"abcd", {"abc", "xyz", "xyz", NULL}, ""},
        {"abcD", {"abc", "abc", "abc", NULL}, "d"}, /* a learner that died */
        {"abcD", {"abc", "abc", "abc", "-"}, ""},
        {"abcD", {"abcd", "abcd", "abc", NULL}, ""},
        {"abCDd", {"ab", "abd", "ab", "ab", NULL}, ""}, /* learners have no voice */
        {"ab", {"a", NULL}, ""},                        /* it has no quorum itself, and cannot ask */
        {"a", {"a"}, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agree agree = cluster(cases[i].members, cases[i].lists);
        int index = agree_removal(&agree);
        const char *removed = index == AGREE_NOBODY ? "" : agree.members.members[index].name;
        if (strcmp(removed, cases[i].removed) != 0)
            fail_msg("case %zu: removed \"%s\", wanted \"%s\"", i, removed, cases[i].removed);
    }
}

/* Who has not started has no name yet: the address counts. */
static void an_unstarted_member_is_found_by_its_address(void **state)
{
    static const char *const listed[] = {"abcd", "abcd", "abcd", NULL}, *const gone[] = {"abc", "abc", "abc",
                                                                                         NULL};
    (void)state;
    struct agree agree = cluster("abcd", listed);
    agree.members.members[3].name[0] = '\0';
    assert_int_equal(agree_removal(&agree), AGREE_NOBODY);
    agree = cluster("abcd", gone);
    agree.members.members[3].name[0] = '\0';
    assert_int_equal(agree_removal(&agree), 3);
    snprintf(agree.members.members[3].peer_url, ETCD_URL_CAP, "https://10.0.0.1:2380"); /* a's */
    assert_int_equal(agree_removal(&agree), AGREE_NOBODY);
}

/* All lists, dead or alive, of five: what must hold whoever is removed. */
static void every_combination(void **state)
{
    static const char *const kinds[] = {NULL, "-", "abcde", "abc", "ab"};
    size_t removals = 0;
    (void)state;
    for (unsigned code = 0; code < 5 * 5 * 5 * 5 * 5; code++) {
        const char *lists[5];
        size_t serving = 0;
        for (unsigned i = 0, rest = code; i < 5; i++, rest /= 5) {
            lists[i] = kinds[rest % 5];
            /* d and e are on no list but the first, and have no voice without themselves on it */
            serving += lists[i] && lists[i][0] != '-' && strchr(lists[i], (char)('a' + i)) != NULL;
        }
        struct agree agree = cluster("abcde", lists);
        int gone = agree_removal(&agree);
        if (gone == AGREE_NOBODY)
            continue;
        removals++;
        assert_null(lists[gone]);
        assert_true(2 * serving > 5);
        assert_true(gone > 1); /* everyone lists a and b */
    }
    assert_true(removals > 0);
}

static void who_may_join(void **state)
{
    static const struct {
        const char *members, *lists[5];
        char newcomer;
        bool may;
    } cases[] = {
        {"abc", {"abcd", "abcd", "abc"}, 'd', true},
        {"abc", {"abcd", "abc", "abc"}, 'd', false},
        {"ab", {"abd", "ab"}, 'd', false},
        {"abc", {NULL, NULL, NULL}, 'd', true}, /* none published yet */
        {"abc", {"abcd", NULL, NULL}, 'd', true},
        {"abc", {"abc", "-", "-"}, 'd', false},
        {"abc", {"abc", "abc", NULL}, 'c', true},
        {"abc", {"ab", "ab", "abc"}, 'c', false}, /* its own old list */
        {"abcD", {"abcd", "abc", "abc", "abcd"}, 'd', false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct agree agree = cluster(cases[i].members, cases[i].lists);
        struct node_member newcomer = {{cases[i].newcomer}, ""};
        snprintf(newcomer.ip, sizeof newcomer.ip, "10.0.0.%d", cases[i].newcomer - 'a' + 1);
        if (agree_admits(&agree, &newcomer) != cases[i].may)
            fail_msg("case %zu", i);
    }
    static const char *const lists[] = {"abc", "abc", "abc"};
    struct agree agree = cluster("abc", lists);
    assert_false(agree_admits(&agree, &(struct node_member){"c", "10.0.0.9"})); /* c has another address */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_removed),
        cmocka_unit_test(an_unstarted_member_is_found_by_its_address),
        cmocka_unit_test(every_combination),
        cmocka_unit_test(who_may_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
