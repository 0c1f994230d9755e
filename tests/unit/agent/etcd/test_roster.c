/* The roster's text, and what a disk keeps: one spelling, and nothing that is damaged is taken. */
#include "tests/unit/agent/helper.h"

#include "agent/etcd/member_state.h"

#define ID_A "00112233445566778899aabbccddeeff"
#define ID_B "10112233445566778899aabbccddeeff"
#define HEAD "bake-roster 1\n"
#define GOOD HEAD "a 10.0.0.2 " ID_A "\nb 10.0.1.2 " ID_B "\n"

static struct err last;

static void a_good_one_reads_back_the_same(void **state)
{
    (void)state;
    struct member_roster roster;
    cleanup_buf struct buf text = BUF_INIT(ROSTER_TEXT_MAX);
    if (roster_parse(GOOD, strlen(GOOD), &roster, &last) < 0)
        fail_msg("%s", last.text);
    roster_write(&roster, &text);
    assert_string_equal(text.data, GOOD);
    assert_int_equal(roster.count, 2);
    unsigned char id[ROSTER_ID_SIZE];
    assert_true(roster_read_id(ID_B, ROSTER_ID_HEX, id));
    assert_true(roster_holds(&roster, "b", "10.0.1.2", id));
    assert_false(roster_holds(&roster, "a", "10.0.0.2", id));
    assert_false(roster_holds(&roster, "b", "10.0.0.2", id));
    assert_false(roster_holds(&roster, "c", "10.0.1.2", id));
    id[15] ^= 1;
    assert_false(roster_holds(&roster, "b", "10.0.1.2", id));
}

static void bad_ones_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "bake-roster 2\na 10.0.0.2 " ID_A "\n",
        HEAD,
        HEAD "a 10.0.0.2 " ID_A,
        HEAD "a 10.0.0.2 " ID_A "\n\n",
        HEAD "a 10.0.0.2  " ID_A "\n",
        HEAD "a 10.0.0.2 " ID_A " \n",
        HEAD "a 10.0.0.2 " ID_A "0\n",
        HEAD "a 10.0.0.2 00112233445566778899AABBCCDDEEFF\n",
        HEAD "A 10.0.0.2 " ID_A "\n",
        HEAD "a 10.0.0.02 " ID_A "\n",
        HEAD "a 127.0.0.1 " ID_A "\n",
        HEAD "b 10.0.1.2 " ID_B "\na 10.0.0.2 " ID_A "\n",
        HEAD "a 10.0.0.2 " ID_A "\na 10.0.1.2 " ID_B "\n",
        HEAD "a 10.0.0.2 " ID_A "\nb 10.0.0.2 " ID_B "\n",
        HEAD "a 10.0.0.2 " ID_A "\nb 10.0.1.2 " ID_A "\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct member_roster roster = {.count = 77};
        if (roster_parse(bad[i], strlen(bad[i]), &roster, &last) == 0)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(roster.count, 77);
    }
    struct member_roster roster;
    for (size_t len = 0; len < strlen(GOOD); len++) /* one whole line less is a whole roster */
        if (len != strlen(HEAD "a 10.0.0.2 " ID_A "\n"))
            assert_int_equal(roster_parse(GOOD, len, &roster, &last), -1);
    char nul[] = GOOD;
    nul[strlen(HEAD) + 1] = '\0';
    assert_int_equal(roster_parse(nul, strlen(GOOD), &roster, &last), -1);
}

static void at_most_nine(void **state)
{
    (void)state;
    struct member_roster roster;
    cleanup_buf struct buf text = BUF_INIT(ROSTER_TEXT_MAX);
    buf_str(&text, HEAD);
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(i <= 9 || roster_parse(text.data, text.len, &roster, &last) == 0, 1);
        buf_printf(&text, "n%d 10.0.0.%d %032x\n", i - 1, i, (unsigned)i);
    }
    assert_int_equal(roster_parse(text.data, text.len, &roster, &last), -1);
    assert_says(last, "line 11");
}

static struct member_state load(const struct place *place)
{
    struct member_state disk;
    if (member_state_load(&place->root, &disk, &last) < 0)
        fail_msg("%s", last.text);
    return disk;
}

static void a_disk_goes_forward_only(void **state)
{
    const struct place *place = *state;
    struct member_roster roster;
    unsigned char id[ROSTER_ID_SIZE], other[ROSTER_ID_SIZE];
    struct member_state disk = load(place);
    assert_int_equal(disk.phase, MEMBER_WAITING);
    assert_false(disk.has_id);
    assert_int_equal(member_state_incarnate(&place->root, id, &last), 0);
    disk = load(place);
    assert_true(disk.has_id);
    assert_memory_equal(disk.id, id, sizeof id);
    assert_int_equal(disk.phase, MEMBER_WAITING);
    assert_int_equal(roster_parse(GOOD, strlen(GOOD), &roster, &last), 0);
    assert_int_equal(member_state_decide(&place->root, &roster, &last), 0);
    assert_int_equal(load(place).phase, MEMBER_DECIDED);
    assert_int_equal(member_state_mark_joined(&place->root, "joined", &last), 0);
    assert_int_equal(load(place).phase, MEMBER_JOINED);
    assert_int_equal(member_state_start_over(&place->root, &last), 0);
    disk = load(place);
    memcpy(other, disk.id, sizeof other);
    assert_int_equal(disk.phase, MEMBER_JOINED);
    assert_int_equal(disk.roster.count, 0);
    assert_int_not_equal(memcmp(other, id, sizeof id), 0);
}

static void only_a_log_is_data(void **state)
{
    const struct place *place = *state;
    put_text(place, MEMBER_STATE_DATA "/member/snap/db", "x");
    assert_int_equal(load(place).phase, MEMBER_WAITING);
    put_text(place, MEMBER_STATE_DATA "/member/wal/0.tmp", "x");
    assert_int_equal(load(place).phase, MEMBER_WAITING);
    put_text(place, MEMBER_STATE_DATA "/member/wal/0000000000000000-0000000000000000.wal", "x");
    assert_int_equal(load(place).phase, MEMBER_JOINED);
    assert_int_equal(member_state_set_aside(&place->root, 17, &last), 0);
    assert_int_equal(load(place).phase, MEMBER_WAITING);
    assert_true(there(place, MEMBER_STATE_DATA "/member.removed-17/snap/db"));
}

static void damaged_files_stop_it(void **state)
{
    const struct place *place = *state;
    static const char *const ids[] = {"", ID_A, ID_A "\n\n", "g" ID_A "\n",
                                      "00112233445566778899AABBCCDDEEFF\n"};
    struct member_state disk;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        put_text(place, MEMBER_STATE_INCARNATION, ids[i]);
        assert_int_equal(member_state_load(&place->root, &disk, &last), -1);
        assert_says(last, MEMBER_STATE_INCARNATION);
    }
    put_text(place, MEMBER_STATE_INCARNATION, ID_A "\n");
    put_text(place, MEMBER_STATE_ROSTER, "");
    assert_int_equal(member_state_load(&place->root, &disk, &last), -1);
    assert_says(last, MEMBER_STATE_ROSTER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_reads_back_the_same),
        cmocka_unit_test(bad_ones_are_refused),
        cmocka_unit_test(at_most_nine),
        cmocka_unit_test_setup_teardown(a_disk_goes_forward_only, make_place, remove_place),
        cmocka_unit_test_setup_teardown(only_a_log_is_data, make_place, remove_place),
        cmocka_unit_test_setup_teardown(damaged_files_stop_it, make_place, remove_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
