/* Command lines: what is given again replaces what was given before, whatever kind of option it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bake/command/image_job.h"
#include "bake/ui/options.h"

enum { WORDS_MAX = 16, WORD_CAP = 128 };

/* The values point into the words of the last call. */
static int parse(const struct option_spec *specs, const char *const *words, struct err *err)
{
    static char storage[WORDS_MAX][WORD_CAP];
    char *argv[WORDS_MAX];
    const char *positional[POSITIONAL_MAX];
    bool help = false;
    int argc = 0;
    for (; words[argc]; argc++) {
        snprintf(storage[argc], WORD_CAP, "%s", words[argc]);
        argv[argc] = storage[argc];
    }
    *err = (struct err){0};
    return options_parse(argc, argv, specs, positional, POSITIONAL_MAX, &help, err);
}

/* One of the options that a bake takes, given three times, the third time as --NAME=VALUE. */
static void give_thrice(const struct option_spec *specs, const struct option_spec *spec, const char *first,
                        const char *last)
{
    struct err err;
    char name[64], joined[WORD_CAP];
    snprintf(name, sizeof name, "--%s", spec->name);
    snprintf(joined, sizeof joined, "%s=%s", name, last);
    const char *const words[] = {name,   first, name, spec->kind == OPTION_PAIRS ? "k=middle" : "1",
                                 joined, NULL};
    if (parse(specs, words, &err) < 0)
        fail_msg("%s: %s", name, err.text);
}

static void the_last_counts_in_every_row(void **state)
{
    (void)state;
    struct common common = {0};
    struct image_job job = IMAGE_JOB_DEFAULT;
    const struct option_spec specs[] = {IMAGE_JOB_OPTIONS(&job), STANDIN_OPTION(&job.image.recipe),
                                        COMMON_CACHE_OPTIONS(&common), COMMON_OUTPUT_OPTIONS(&common),
                                        OPTIONS_END};
    unsigned seen[OPTION_PAIRS + 1] = {0};
    for (const struct option_spec *spec = specs; spec->name; spec++) {
        seen[spec->kind]++;
        switch (spec->kind) {
        case OPTION_FLAG: {
            struct err err;
            char name[64];
            snprintf(name, sizeof name, "--%s", spec->name);
            const char *const twice[] = {name, name, NULL};
            assert_int_equal(parse(specs, twice, &err), 0);
            assert_true(*(bool *)spec->to);
            break;
        }
        case OPTION_STRING:
            give_thrice(specs, spec, "first", "last");
            assert_string_equal(*(const char **)spec->to, "last");
            break;
        case OPTION_UINT:
        case OPTION_SIZE:
            give_thrice(specs, spec, "7", "9");
            assert_int_equal(*(uint64_t *)spec->to, 9);
            break;
        case OPTION_LIST: {
            const struct option_list *list = spec->to;
            give_thrice(specs, spec, "again", "again");
            assert_int_equal(list->count, 2);
            /* a value with a '=' in it is no pair here */
            assert_null(strchr(spec->arg, '='));
            break;
        }
        case OPTION_PAIRS: {
            const struct option_list *list = spec->to;
            give_thrice(specs, spec, "k=first", "k=last=more");
            assert_int_equal(list->count, 1);
            assert_string_equal(list->values[0], "k=last=more");
            break;
        }
        }
    }
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        assert_true(seen[i] > 0);
}

static void pairs_are_told_apart_by_their_whole_name(void **state)
{
    (void)state;
    struct err err;
    struct option_list vars = {.count = 0};
    const struct option_spec specs[] = {{"var", 'v', OPTION_PAIRS, &vars, "K=V", ""}, OPTIONS_END};
    const char *const words[] = {"-v", "a=1", "--var=ab=2", "-va=3", "--var", "b=", "-v", "ab=", NULL};
    assert_int_equal(parse(specs, words, &err), 0);
    assert_int_equal(vars.count, 3);
    assert_string_equal(vars.values[0], "a=3");
    assert_string_equal(vars.values[1], "ab=");
    assert_string_equal(vars.values[2], "b=");
}

static void a_full_list_still_takes_what_it_has(void **state)
{
    (void)state;
    struct err err;
    struct option_list list = {.count = OPTION_LIST_MAX};
    const struct option_spec specs[] = {{"feature", 0, OPTION_LIST, &list, "TYPE", ""}, OPTIONS_END};
    char names[OPTION_LIST_MAX][8];
    for (size_t i = 0; i < OPTION_LIST_MAX; i++) {
        snprintf(names[i], sizeof names[i], "F%zu", i);
        list.values[i] = names[i];
    }
    const char *const there[] = {"--feature", "F63", NULL};
    const char *const one_more[] = {"--feature", "G", NULL};
    assert_int_equal(parse(specs, one_more, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_string_equal(err.text, "--feature takes at most 64 values");
    assert_int_equal(parse(specs, there, &err), 0);
}

/* --kms-key "$KEY" where KEY is not set: an image without that key must not come of it. */
static void an_empty_value_is_no_option_left_out(void **state)
{
    (void)state;
    struct err err;
    struct common common = {0};
    struct image_job job = IMAGE_JOB_DEFAULT;
    const struct option_spec specs[] = {IMAGE_JOB_OPTIONS(&job), COMMON_CACHE_OPTIONS(&common),
                                        COMMON_OUTPUT_OPTIONS(&common), OPTIONS_END};
    for (const struct option_spec *spec = specs; spec->name; spec++) {
        char name[64], joined[64];
        snprintf(name, sizeof name, "--%s", spec->name);
        snprintf(joined, sizeof joined, "--%s=", spec->name);
        const char *const apart[] = {name, "", NULL}, *const one[] = {joined, NULL};
        if (spec->kind != OPTION_STRING)
            continue;
        bool text = strcmp(spec->name, "description") == 0; /* the one that may be empty */
        assert_int_equal(parse(specs, apart, &err), text ? 0 : -1);
        assert_int_equal(parse(specs, one, &err), text ? 0 : -1);
        assert_true(text || (err.kind == ERR_USAGE && strstr(err.text, name) && strstr(err.text, "empty")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_counts_in_every_row),
        cmocka_unit_test(pairs_are_told_apart_by_their_whole_name),
        cmocka_unit_test(an_empty_value_is_no_option_left_out),
        cmocka_unit_test(a_full_list_still_takes_what_it_has),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
