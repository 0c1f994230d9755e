/* Where a node is between two secrets, and what the metadata's secrets ask of it. */
#include "tests/unit/agent/helper.h"

#include <string.h>

#include "agent/config/rotation.h"

static struct err last;
static const struct node_metadata metadata = {.cluster_name = "prod"};

/* NOW and NEXT: 'A', 'B', 'C', or 0 for none. */
static struct cluster_secret secrets(char now, char next)
{
    struct cluster_secret made = {.set = true, .has_next = next != 0};
    memset(made.bytes, now, sizeof made.bytes);
    memset(made.next, next, sizeof made.next);
    return made;
}

static enum rotation_step ask(const struct rotation *at, char now, char next)
{
    struct cluster_secret secret = secrets(now, next);
    enum rotation_step step = ROTATION_STAY;
    if (rotation_ask(at, &metadata, &secret, &step, &last) < 0)
        fail_msg("%s", last.text);
    return step;
}

static void refused(const struct rotation *at, char now, char next, const char *says)
{
    struct cluster_secret secret = secrets(now, next);
    enum rotation_step step;
    assert_int_equal(rotation_ask(at, &metadata, &secret, &step, &last), -1);
    assert_int_equal(last.kind, ERR_VERIFY);
    assert_says(last, says);
}

static struct rotation after(const struct rotation *at, char now, char next, enum rotation_step step)
{
    struct cluster_secret secret = secrets(now, next);
    struct rotation made;
    rotation_after(at, &metadata, &secret, step, &made);
    return made;
}

static void from_one_secret_to_the_next(void **state)
{
    (void)state;
    struct rotation at = {0};
    char keys[4][ROTATION_KEYS_CAP];
    at = after(&at, 'A', 0, ask(&at, 'A', 0));
    rotation_keys(&at, keys[0]);
    assert_int_equal(ask(&at, 'A', 0), ROTATION_STAY);
    refused(&at, 'B', 0, "give the new one as cluster-secret-next");
    refused(&at, 'B', 'A', "Nothing is rewritten");
    assert_int_equal(ask(&at, 'A', 'B'), ROTATION_BEGIN);
    at = after(&at, 'A', 'B', ROTATION_BEGIN);
    rotation_keys(&at, keys[1]);
    assert_int_equal(at.stage, ROTATION_TRUST);
    assert_int_equal(ask(&at, 'A', 'B'), ROTATION_STAY);
    assert_int_equal(ask(&at, 'A', 0), ROTATION_GIVE_UP);
    refused(&at, 'B', 0, "not all Secrets are written");
    refused(&at, 'B', 'A', "not the two");
    refused(&at, 'A', 'C', "not the two");
    refused(&at, 'C', 0, "not the two");
    struct rotation given_up = after(&at, 'A', 0, ROTATION_GIVE_UP);
    rotation_keys(&given_up, keys[2]);
    assert_string_equal(keys[2], keys[0]);
    at.stage = ROTATION_USE;
    rotation_keys(&at, keys[2]);
    assert_int_equal(ask(&at, 'A', 'B'), ROTATION_STAY);
    refused(&at, 'A', 0, "it is in use");
    refused(&at, 'B', 0, "not all Secrets are written");
    at.stage = ROTATION_DONE;
    assert_int_equal(ask(&at, 'A', 'B'), ROTATION_STAY);
    refused(&at, 'A', 0, "it is in use");
    assert_int_equal(ask(&at, 'B', 0), ROTATION_FINISH);
    at = after(&at, 'B', 0, ROTATION_FINISH);
    rotation_keys(&at, keys[3]);
    assert_int_equal(at.stage, ROTATION_NONE);
    assert_int_equal(ask(&at, 'B', 0), ROTATION_STAY);
    refused(&at, 'A', 0, "Nothing is rewritten");
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[i], keys[k]);
}

static void it_is_kept_and_a_changed_file_is_found(void **state)
{
    struct place *place = *state;
    struct rotation start = {0}, read;
    struct rotation at = after(&start, 'A', 'B', ROTATION_BEGIN);
    assert_int_equal(rotation_load(&place->root, &read, &last), 0);
    assert_string_equal(read.from, "");
    for (enum rotation_stage stage = ROTATION_TRUST; stage < ROTATION_STAGES; stage++) {
        at.stage = stage;
        assert_int_equal(rotation_save(&place->root, &at, &last), 0);
        assert_int_equal(rotation_load(&place->root, &read, &last), 0);
        assert_memory_equal(&read, &at, sizeof at);
    }
    cleanup_buf struct buf good = get_file(place, ROTATION_FILE);
    for (size_t i = 0; i < good.len; i++) {
        cleanup_buf struct buf bad = get_file(place, ROTATION_FILE);
        bad.data[i] = (char)~bad.data[i];
        put(place, ROTATION_FILE, bad.data, bad.len, 0600);
        assert_int_equal(rotation_load(&place->root, &read, &last), -1);
        put(place, ROTATION_FILE, good.data, i, 0600);
        assert_int_equal(rotation_load(&place->root, &read, &last), -1);
        assert_says(last, ROTATION_FILE);
        put(place, ROTATION_FILE, good.data, good.len, 0600);
    }
    put_text(place, ROTATION_FILE, "bake-rotation 1\nfrom 0123456789abcdef\nstage use\n");
    assert_int_equal(rotation_load(&place->root, &read, &last), -1);
}

static void fingerprints_are_the_clusters(void **state)
{
    (void)state;
    struct rotation none = {0};
    struct rotation one = after(&none, 'A', 0, ROTATION_STAY);
    struct node_metadata other = {.cluster_name = "test"};
    struct cluster_secret secret = secrets('A', 0);
    enum rotation_step step;
    assert_int_equal(strlen(one.from), ROTATION_PRINT_CAP - 1);
    assert_int_equal(rotation_ask(&one, &other, &secret, &step, &last), -1);
    assert_says(last, "cluster-name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_one_secret_to_the_next),
        cmocka_unit_test_setup_teardown(it_is_kept_and_a_changed_file_is_found, make_place, remove_place),
        cmocka_unit_test(fingerprints_are_the_clusters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
