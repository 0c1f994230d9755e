/* Command lines: the last value counts, whatever kind of option it is; what is refused, and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bake/command/command.h"
#include "bake/command/image_job.h"

enum { WORDS_MAX = 16, WORD_CAP = 128 };

/* The values point into the words of the last call. */
static int parse(const struct command *command, struct common *common, void *values, const char *const *words,
                 struct err *err)
{
    static char storage[WORDS_MAX][WORD_CAP];
    char *argv[WORDS_MAX];
    const char *arguments[4];
    bool help = false;
    int argc = 0;
    assert_true(command->arguments_max <= 4);
    for (; words[argc]; argc++) {
        snprintf(storage[argc], WORD_CAP, "%s", words[argc]);
        argv[argc] = storage[argc];
    }
    *err = (struct err){0};
    return options_parse(command, common, values, argc, argv, arguments, &help, err);
}

/* A command of one table: what the rows set is in struct sample. */
struct sample {
    bool flag;
    const char *string;
    uint64_t number;
    struct option_list list, pairs;
};
static const struct option sample_rows[] = {
    {"flag", 'f', FLAG_OF(struct sample, flag), NULL, "a flag"},
    {"string", 's', STRING_OF(struct sample, string), "WORD", "a word"},
    {"number", 'n', UINT_OF(struct sample, number), "N", "a number"},
    {"size", 0, SIZE_OF(struct sample, number), "SIZE", "a size"},
    {"list", 'l', LIST_OF(struct sample, list), "TYPE", "a list"},
    {"var", 'v', PAIRS_OF(struct sample, pairs), "K=V", "pairs"},
    {0},
};
static const struct option_group sample_group = {.rows = sample_rows};
static const struct option_use sample_uses[] = {{&sample_group, 0}, {0}};
static const struct command sample_command = {.name = "sample", .options = sample_uses, .arguments_max = 1};

/* One of the options that a bake takes, given three times, the third time as --NAME=VALUE. */
static void give_thrice(struct common *common, struct image_job *job, const struct option *option,
                        const char *first, const char *last)
{
    struct err err;
    char name[64], joined[WORD_CAP];
    snprintf(name, sizeof name, "--%s", option->name);
    snprintf(joined, sizeof joined, "%s=%s", name, last);
    const char *middle = option->kind == OPTION_PAIRS ? "k=middle" : "1";
    const char *const words[] = {name, first, name, middle, joined, NULL};
    if (parse(&command_image, common, job, words, &err) < 0)
        fail_msg("%s: %s", name, err.text);
}

static void check_row(struct common *common, struct image_job *job, const struct option *option,
                      const void *target)
{
    const struct option_list *list = target;
    struct err err;
    char name[64];
    switch (option->kind) {
    case OPTION_FLAG:
        snprintf(name, sizeof name, "--%s", option->name);
        assert_int_equal(parse(&command_image, common, job, (const char *[]){name, name, NULL}, &err), 0);
        assert_true(*(const bool *)target);
        break;
    case OPTION_STRING:
        give_thrice(common, job, option, "first", "last");
        assert_string_equal(*(const char *const *)target, "last");
        break;
    case OPTION_UINT:
    case OPTION_SIZE:
        give_thrice(common, job, option, "7", "9");
        assert_int_equal(*(const uint64_t *)target, 9);
        break;
    case OPTION_LIST:
        give_thrice(common, job, option, "again", "again");
        assert_int_equal(list->count, 2);
        /* a value with a '=' in it is not a pair here */
        assert_null(strchr(option->value, '='));
        break;
    case OPTION_PAIRS:
        give_thrice(common, job, option, "k=first", "k=last=more");
        assert_int_equal(list->count, 1);
        assert_string_equal(list->values[0], "k=last=more");
        break;
    }
}

static void the_last_counts_in_every_row(void **state)
{
    (void)state;
    struct common common = {0};
    struct image_job job = IMAGE_JOB_DEFAULT;
    unsigned seen[OPTION_PAIRS + 1] = {0};
    for (const struct option_use *use = command_image.options; use->group; use++)
        for (const struct option *option = use->group->rows; option->name; option++) {
            const char *base =
                use->group->of_common ? (const char *)&common : (const char *)&job + use->offset;
            seen[option->kind]++;
            check_row(&common, &job, option, base + option->offset);
        }
    for (size_t i = 0; i < OPTION_PAIRS; i++)
        assert_true(seen[i] > 0);
}

/* A group's offset and its rows' struct are not checked by the compiler: one row of each group reaches its
 * member. */
static void every_group_sets_its_own_struct(void **state)
{
    (void)state;
    struct common common = {0};
    struct image_job job = IMAGE_JOB_DEFAULT;
    struct err err;
    const char *const words[] = {"--out=o",
                                 "--threads=3",
                                 "--key=k",
                                 "--test-timeout=5",
                                 "--uploads=7",
                                 "--bucket=b",
                                 "--project=p",
                                 "--ca-file=c",
                                 "--cache-size=1KiB",
                                 "--quiet",
                                 "--rate=1MiB",
                                 "--standin",
                                 "--shared-cache=gs://b",
                                 NULL};
    assert_int_equal(parse(&command_image, &common, &job, words, &err), 0);
    assert_string_equal(job.image.recipe.out_dir, "o");
    assert_true(job.image.recipe.standin);
    assert_string_equal(job.image.recipe.shared_cache, "gs://b");
    assert_int_equal(job.image.threads, 3);
    assert_string_equal(job.key_options.path, "k");
    assert_int_equal(job.publish.test_timeout_s, 5);
    assert_int_equal(job.publish.push.uploads, 7);
    assert_int_equal(job.publish.push.session.rate, 1 << 20);
    assert_string_equal(job.publish.push.session.bucket, "b");
    assert_string_equal(job.publish.push.session.project, "p");
    assert_string_equal(common.ca_file, "c");
    assert_int_equal(common.cache_size, 1024);
    assert_true(common.ui.quiet);
}

static void pairs_are_distinguished_by_their_whole_name(void **state)
{
    (void)state;
    struct err err;
    struct sample sample = {0};
    const char *const words[] = {"-v", "a=1", "--var=ab=2", "-va=3", "--var", "b=", "-v", "ab=", NULL};
    assert_int_equal(parse(&sample_command, NULL, &sample, words, &err), 0);
    assert_int_equal(sample.pairs.count, 3);
    assert_string_equal(sample.pairs.values[0], "a=3");
    assert_string_equal(sample.pairs.values[1], "ab=");
    assert_string_equal(sample.pairs.values[2], "b=");
}

static void a_full_list_still_accepts_its_own_values(void **state)
{
    (void)state;
    struct err err;
    struct sample sample = {.list.count = OPTION_LIST_MAX};
    char names[OPTION_LIST_MAX][8];
    for (size_t i = 0; i < OPTION_LIST_MAX; i++) {
        snprintf(names[i], sizeof names[i], "F%zu", i);
        sample.list.values[i] = names[i];
    }
    const char *const there[] = {"--list", "F63", NULL};
    const char *const one_more[] = {"--list", "G", NULL};
    assert_int_equal(parse(&sample_command, NULL, &sample, one_more, &err), -1);
    assert_int_equal(err.kind, ERR_USAGE);
    assert_string_equal(err.text, "--list takes at most 64 values");
    assert_int_equal(parse(&sample_command, NULL, &sample, there, &err), 0);
}

/* --kms-key "$KEY" where KEY is not set must not make an image without that key. */
static void an_empty_value_is_refused(void **state)
{
    (void)state;
    struct err err;
    struct common common = {0};
    struct image_job job = IMAGE_JOB_DEFAULT;
    for (const struct option_use *use = command_image.options; use->group; use++)
        for (const struct option *option = use->group->rows; option->name; option++) {
            char name[64], joined[64];
            snprintf(name, sizeof name, "--%s", option->name);
            snprintf(joined, sizeof joined, "--%s=", option->name);
            const char *const apart[] = {name, "", NULL}, *const one[] = {joined, NULL};
            if (option->kind != OPTION_STRING)
                continue;
            bool text = strcmp(option->name, "description") == 0; /* the one that may be empty */
            assert_int_equal(parse(&command_image, &common, &job, apart, &err), text ? 0 : -1);
            assert_int_equal(parse(&command_image, &common, &job, one, &err), text ? 0 : -1);
            assert_true(text ||
                        (err.kind == ERR_USAGE && strstr(err.text, name) && strstr(err.text, "empty")));
        }
}

static void what_is_refused_says_what_is_needed(void **state)
{
    (void)state;
    static const struct {
        const char *words[3], *text;
    } rows[] = {
        {{"--string"}, "--string needs a value (WORD)"},
        {{"-s"}, "-s needs a value (WORD)"},
        {{"a", "b"}, "unexpected argument \"b\": see --help"},
        {{"--flag=1"}, "--flag takes no value: \"--flag=1\""},
        {{"-fx"}, "--flag takes no value: \"-fx\""},
        {{"--strin", "x"}, "unknown option \"--strin\": see --help"},
        {{"-x"}, "unknown option \"-x\": see --help"},
        {{"--number", "-1"}, "--number needs a whole number, not \"-1\""},
        {{"--number=1x"}, "--number needs a whole number, not \"1x\""},
        {{"--number=18446744073709551616"}, "--number needs a whole number, not \"18446744073709551616\""},
        {{"--size=1gib"}, "--size needs a size such as 10GiB or 512MiB, not \"1gib\""},
        {{"--size=16777216TiB"}, "--size needs a size such as 10GiB or 512MiB, not \"16777216TiB\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err;
        struct sample sample = {0};
        const char *const words[] = {rows[i].words[0], rows[i].words[1], NULL};
        assert_int_equal(parse(&sample_command, NULL, &sample, words, &err), -1);
        assert_int_equal(err.kind, ERR_USAGE);
        assert_string_equal(err.text, rows[i].text);
    }
}

static void after_two_dashes_all_are_arguments(void **state)
{
    (void)state;
    struct err err;
    struct sample sample = {0};
    assert_int_equal(parse(&sample_command, NULL, &sample, (const char *[]){"--", "--flag", NULL}, &err), 0);
    assert_false(sample.flag);
    assert_int_equal(parse(&sample_command, NULL, &sample, (const char *[]){"-", "-f", NULL}, &err), 0);
    assert_true(sample.flag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_counts_in_every_row),
        cmocka_unit_test(every_group_sets_its_own_struct),
        cmocka_unit_test(pairs_are_distinguished_by_their_whole_name),
        cmocka_unit_test(an_empty_value_is_refused),
        cmocka_unit_test(a_full_list_still_accepts_its_own_values),
        cmocka_unit_test(what_is_refused_says_what_is_needed),
        cmocka_unit_test(after_two_dashes_all_are_arguments),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
