/* How a member starts: the decision for every kind of answer, and what is on disk and in etcd's environment
 * after it. What several real members make of it is tests/kube/member-test. */
#include "tests/unit/agent/helper.h"

#include <sodium.h>

#include "agent/join/decide.h"
#include "agent/join/join.h"

static struct err last;

static struct node_metadata cluster(size_t count, size_t self)
{
    struct node_metadata m = {.node_count = count, .self = self, .cluster_name = "test"};
    for (size_t i = 0; i < count; i++) {
        /* c, b, a: the founder is not the first in the list */
        snprintf(m.nodes[i].name, sizeof m.nodes[i].name, "%c", (char)('a' + (int)(count - 1 - i)));
        snprintf(m.nodes[i].ip, sizeof m.nodes[i].ip, "10.0.0.%zu", i + 2);
    }
    memcpy(m.name, m.nodes[self].name, sizeof m.name);
    memcpy(m.ip, m.nodes[self].ip, sizeof m.ip);
    return m;
}

static const unsigned char mine[ROSTER_ID_SIZE] = {200};

/* All others wait, with incarnations 1, 2, ... */
static void all_wait(const struct node_metadata *m, struct peers_reply replies[NODE_MEMBERS_MAX])
{
    memset(replies, 0, sizeof *replies * NODE_MEMBERS_MAX);
    for (size_t i = 0; i < m->node_count; i++) {
        replies[i].got = replies[i].same_list = i != m->self;
        replies[i].phase = MEMBER_WAITING;
        replies[i].id[0] = (unsigned char)(i + 1);
    }
}

static struct member_roster roster_with(const struct node_metadata *m, const unsigned char *id)
{
    struct member_roster roster = {.count = m->node_count};
    for (size_t i = 0; i < m->node_count; i++) {
        snprintf(roster.entries[i].name, VALUE_NAME_CAP, "%s", m->nodes[i].name);
        snprintf(roster.entries[i].ip, VALUE_IP_CAP, "%s", m->nodes[i].ip);
        roster.entries[i].id[0] = (unsigned char)(100 + i);
        if (i == m->self)
            memcpy(roster.entries[i].id, id, ROSTER_ID_SIZE);
    }
    assert_int_equal(roster_settle(&roster, &last), 0);
    return roster;
}

static enum decision_kind kind(const struct node_metadata *m, const struct peers_reply *replies,
                               const struct peers_reply *before, const char *why)
{
    struct decision made;
    decide(m, mine, replies, before, &made);
    if (!strstr(made.why, why))
        fail_msg("\"%s\" does not say \"%s\"", made.why, why);
    return made.kind;
}

static void the_founder_needs_all_twice(void **state)
{
    (void)state;
    struct node_metadata m = cluster(3, 2);
    struct peers_reply replies[NODE_MEMBERS_MAX], before[NODE_MEMBERS_MAX];
    struct decision made;
    assert_int_equal(decide_founder(&m), 2);
    all_wait(&m, replies);
    all_wait(&m, before);
    assert_int_equal(kind(&m, replies, NULL, "once more"), DECISION_CONFIRM);
    decide(&m, mine, replies, before, &made);
    assert_int_equal(made.kind, DECISION_NEW);
    assert_int_equal(made.roster.count, 3);
    assert_string_equal(made.roster.entries[0].name, "a");
    assert_true(roster_holds(&made.roster, "a", "10.0.0.4", mine));
    assert_true(roster_holds(&made.roster, "b", "10.0.0.3", replies[1].id));
    before[0].id[0] = 77; /* its disk was lost between the rounds */
    assert_int_equal(kind(&m, replies, before, "once more"), DECISION_CONFIRM);
    replies[0].got = false;
    assert_int_equal(kind(&m, replies, before, "waiting for c:"), DECISION_WAIT);
    replies[1].got = false;
    assert_int_equal(kind(&m, replies, before, "waiting for c, b:"), DECISION_WAIT);
    all_wait(&m, replies);
    replies[1].same_list = false;
    assert_int_equal(kind(&m, replies, replies, "waiting for b to get the same cluster-nodes"),
                     DECISION_WAIT);
    all_wait(&m, replies);
    memcpy(replies[0].id, replies[1].id, ROSTER_ID_SIZE); /* a disk that was copied */
    assert_int_equal(kind(&m, replies, replies, "same disk"), DECISION_WAIT);
}

static void nobody_else_founds(void **state)
{
    (void)state;
    struct peers_reply replies[NODE_MEMBERS_MAX];
    for (size_t self = 0; self < 2; self++) {
        struct node_metadata m = cluster(3, self);
        all_wait(&m, replies);
        assert_int_equal(kind(&m, replies, replies, "waiting for a to found the cluster"), DECISION_WAIT);
        replies[2].got = false;
        assert_int_equal(kind(&m, replies, replies, "waiting for a:"), DECISION_WAIT);
    }
}

static void who_is_named_takes_part(void **state)
{
    (void)state;
    struct peers_reply replies[NODE_MEMBERS_MAX];
    for (size_t self = 0; self < 3; self++)
        for (size_t from = 0; from < 3; from++)
            for (enum member_phase how = MEMBER_DECIDED; how <= MEMBER_JOINED; how++) {
                struct node_metadata m = cluster(3, self);
                all_wait(&m, replies);
                if (from == self)
                    continue;
                replies[from].phase = how;
                replies[from].roster = roster_with(&m, mine);
                replies[from].same_list = false; /* it is decided, whatever the list says now */
                assert_int_equal(kind(&m, replies, NULL, "a member of the new cluster"), DECISION_NEW);
            }
}

static void who_is_not_named_is_a_replacement(void **state)
{
    (void)state;
    struct peers_reply replies[NODE_MEMBERS_MAX];
    static const unsigned char lost[ROSTER_ID_SIZE] = {201};
    for (size_t self = 0; self < 3; self++)
        for (size_t from = 0; from < 3; from++)
            for (unsigned how = 0; how < 3; how++) {
                struct node_metadata m = cluster(3, self);
                all_wait(&m, replies);
                if (from == self)
                    continue;
                replies[from].phase = how == 0 ? MEMBER_DECIDED : MEMBER_JOINED;
                if (how != 2)
                    replies[from].roster = roster_with(&m, lost);
                assert_int_equal(kind(&m, replies, replies, "as a replacement"), DECISION_REPLACE);
                for (size_t i = 0; i < 3; i++) /* even if nobody else is there */
                    replies[i].got = i == from;
                assert_int_equal(kind(&m, replies, replies, "as a replacement"), DECISION_REPLACE);
            }
}

/* All states of all others: `new` only ever comes of a roster that names this disk, or of all waiting. */
static void every_combination(void **state)
{
    (void)state;
    static const unsigned char lost[ROSTER_ID_SIZE] = {201};
    for (size_t self = 0; self < 3; self++)
        for (unsigned code = 0; code < 36; code++) {
            struct node_metadata m = cluster(3, self);
            struct peers_reply replies[NODE_MEMBERS_MAX];
            struct decision made;
            bool named = false, all = self == 2;
            unsigned left = code;
            all_wait(&m, replies);
            for (size_t i = 0; i < 3; i++) {
                if (i == self)
                    continue;
                unsigned what =
                    left % 6; /* silent, waiting, decided with and without me, joined with and without */
                left /= 6;
                replies[i].got = what != 0;
                replies[i].phase = what < 2 ? MEMBER_WAITING : what < 4 ? MEMBER_DECIDED : MEMBER_JOINED;
                if (what >= 2)
                    replies[i].roster = roster_with(&m, what % 2 ? lost : mine);
                named = named || what == 2 || what == 4;
                all = all && what == 1;
            }
            decide(&m, mine, replies, replies, &made);
            assert_int_equal(made.kind == DECISION_NEW, named || all);
            if (made.kind == DECISION_NEW)
                assert_true(roster_holds(&made.roster, m.name, m.ip, mine));
        }
}

/* --- join_run() where no other member is needed --- */

static int join(const struct place *place, const struct node_metadata *m)
{
    struct join_options how = {.roster_port = 1, .client_port = 1, .peer_port = 2380, .limit_s = 1};
    return join_run(&place->root, m, &how, NULL, &last);
}

static void expect_env(const struct place *place, const char *want)
{
    cleanup_buf struct buf text = get_file(place, JOIN_ENV);
    if (strncmp(text.data, want, strlen(want)) != 0)
        fail_msg("got %s, wanted %s", text.data, want);
}

static void one_node_starts_at_once(void **state)
{
    const struct place *place = *state;
    struct node_metadata m = cluster(1, 0);
    if (join(place, &m) < 0)
        fail_msg("%s", last.text);
    expect_env(place, "ETCD_INITIAL_CLUSTER=a=https://10.0.0.2:2380\nETCD_INITIAL_CLUSTER_STATE=new\n"
                      "ETCD_INITIAL_CLUSTER_TOKEN=test-");
    cleanup_buf struct buf first = get_file(place, JOIN_ENV);
    assert_int_equal(join(place, &m), 0); /* killed before etcd had data: the same again */
    expect_env(place, first.data);
    put_text(place, MEMBER_STATE_DATA "/member/wal/0.wal", "x");
    assert_int_equal(join(place, &m), 0);
    expect_env(place, "ETCD_INITIAL_CLUSTER=a=https://10.0.0.2:2380\nETCD_INITIAL_CLUSTER_STATE=existing\n");
    assert_int_equal(joined_run(&place->root, &last), 0);
    assert_true(there(place, MEMBER_STATE_JOINED));
}

static void data_starts_as_it_is(void **state)
{
    const struct place *place = *state;
    struct node_metadata m = cluster(3, 0);
    put_text(place, MEMBER_STATE_DATA "/member/wal/0.wal", "x");
    if (join(place, &m) < 0)
        fail_msg("%s", last.text);
    expect_env(
        place,
        "ETCD_INITIAL_CLUSTER=c=https://10.0.0.2:2380,b=https://10.0.0.3:2380,a=https://10.0.0.4:2380\n"
        "ETCD_INITIAL_CLUSTER_STATE=existing\n");
}

static void a_disk_on_a_roster_asks_nobody(void **state)
{
    const struct place *place = *state;
    struct node_metadata m = cluster(3, 0);
    unsigned char id[ROSTER_ID_SIZE];
    assert_int_equal(member_state_incarnate(&place->root, id, &last), 0);
    struct member_roster roster = roster_with(&m, id);
    assert_int_equal(member_state_decide(&place->root, &roster, &last), 0);
    m.node_count = 2; /* the roster counts, not the list */
    if (join(place, &m) < 0)
        fail_msg("%s", last.text);
    expect_env(
        place,
        "ETCD_INITIAL_CLUSTER=a=https://10.0.0.4:2380,b=https://10.0.0.3:2380,c=https://10.0.0.2:2380\n"
        "ETCD_INITIAL_CLUSTER_STATE=new\n");
    assert_int_equal(member_state_incarnate(&place->root, id, &last), 0);
    assert_int_equal(join(place, &m), -1); /* a roster that is not this disk's */
    assert_says(last, "does not hold this disk");
}

static void a_disk_that_lost_its_data_never_starts_new(void **state)
{
    const struct place *place = *state;
    struct node_metadata m = cluster(3, 0);
    unsigned char id[ROSTER_ID_SIZE];
    struct member_state disk;
    assert_int_equal(member_state_incarnate(&place->root, id, &last), 0);
    struct member_roster roster = roster_with(&m, id);
    assert_int_equal(member_state_decide(&place->root, &roster, &last), 0);
    assert_int_equal(joined_run(&place->root, &last), 0);
    assert_int_equal(join(place, &m), -1); /* there is no member to add it */
    assert_says(last, "it took too long");
    assert_false(there(place, JOIN_ENV));
    assert_int_equal(member_state_load(&place->root, &disk, &last), 0);
    assert_int_equal(disk.phase, MEMBER_JOINED);
    assert_int_equal(disk.roster.count, 0);
    assert_int_not_equal(memcmp(disk.id, id, sizeof id), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_founder_needs_all_twice),
        cmocka_unit_test(nobody_else_founds),
        cmocka_unit_test(who_is_named_takes_part),
        cmocka_unit_test(who_is_not_named_is_a_replacement),
        cmocka_unit_test(every_combination),
        cmocka_unit_test_setup_teardown(one_node_starts_at_once, make_place, remove_place),
        cmocka_unit_test_setup_teardown(data_starts_as_it_is, make_place, remove_place),
        cmocka_unit_test_setup_teardown(a_disk_on_a_roster_asks_nobody, make_place, remove_place),
        cmocka_unit_test_setup_teardown(a_disk_that_lost_its_data_never_starts_new, make_place, remove_place),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
