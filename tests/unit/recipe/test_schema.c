/* The JSON Schema and the parser have the same keys and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "json/json.h"
#include "io/file.h"
#include "recipe/section/keys.h"

static struct json_doc *schema;

static const cJSON *get(const cJSON *object, const char *key)
{
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!found)
        print_error("the schema has no \"%s\"\n", key);
    assert_non_null(found);
    return found;
}

static bool has(const char *const *words, const char *word)
{
    for (; *words; words++)
        if (strcmp(*words, word) == 0)
            return true;
    return false;
}

static size_t count(const char *const *words)
{
    size_t n = 0;
    while (words[n])
        n++;
    return n;
}

static const cJSON *definition(const char *name)
{
    return strcmp(name, "recipe") == 0 ? json_root(schema) : get(get(json_root(schema), "$defs"), name);
}

static void objects_have_the_parsers_keys(void **state)
{
    (void)state;
    for (const struct recipe_table *t = recipe_key_tables; t->name; t++) {
        const cJSON *object = definition(t->name), *properties = get(object, "properties");
        assert_true(cJSON_IsFalse(get(object, "additionalProperties")));
        for (const char *const *key = t->words; *key; key++)
            assert_non_null(get(properties, *key));
        for (const cJSON *p = properties->child; p; p = p->next) {
            if (!has(t->words, p->string))
                print_error("the parser does not know \"%s\" of %s\n", p->string, t->name);
            assert_true(has(t->words, p->string));
        }
    }
}

static void enums_have_the_parsers_words(void **state)
{
    (void)state;
    for (const struct recipe_table *t = recipe_word_tables; t->name; t++) {
        const cJSON *words = get(definition(t->name), "enum");
        assert_int_equal(cJSON_GetArraySize(words), count(t->words));
        for (const cJSON *w = words->child; w; w = w->next)
            assert_true(has(t->words, w->valuestring));
    }
}

static void every_definition_is_the_parsers(void **state)
{
    (void)state;
    for (const cJSON *d = get(json_root(schema), "$defs")->child; d; d = d->next) {
        bool known = false;
        for (const struct recipe_table *t = recipe_key_tables; t->name; t++)
            known = known || strcmp(t->name, d->string) == 0;
        for (const struct recipe_table *t = recipe_word_tables; t->name; t++)
            known = known || strcmp(t->name, d->string) == 0;
        if (!known)
            print_error("no table of the parser is named \"%s\"\n", d->string);
        assert_true(known);
    }
}

static void references_lead_somewhere(const cJSON *node)
{
    static const char prefix[] = "#/$defs/";
    for (const cJSON *child = node->child; child; child = child->next) {
        if (child->string && strcmp(child->string, "$ref") == 0) {
            assert_memory_equal(child->valuestring, prefix, sizeof prefix - 1);
            definition(child->valuestring + sizeof prefix - 1);
        }
        references_lead_somewhere(child);
    }
}

static void references_are_whole(void **state)
{
    (void)state;
    references_lead_somewhere(json_root(schema));
}

static int load(void **state)
{
    (void)state;
    static const char path[] = "manifests/recipes/recipe.schema.json";
    struct err err = {0};
    cleanup_buf struct buf text = BUF_INIT(1 << 20);
    if (file_read(path, 1 << 20, &text, &err) < 0 ||
        json_parse(text.data, text.len, path, JSON_STRICT, ERR_RECIPE, &schema, &err) < 0) {
        print_error("%s\n", err.text);
        return -1;
    }
    return 0;
}

static int unload(void **state)
{
    (void)state;
    json_free(schema);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_have_the_parsers_keys),
        cmocka_unit_test(enums_have_the_parsers_words),
        cmocka_unit_test(every_definition_is_the_parsers),
        cmocka_unit_test(references_are_whole),
    };
    return cmocka_run_group_tests_name("recipe: schema", tests, load, unload);
}
