#include "recipe/recipe.h"

#include <string.h>

#include "base/buf.h"
#include "recipe/read/reader.h"
#include "recipe/section/keys.h"
#include "recipe/section/sections.h"

/* In the order in which they are read: variables before their uses, inputs before what refers to them. */
static int (*const sections[])(struct recipe_reader *r, const cJSON *root) = {
    read_vars,       read_general, read_base,  read_disk,      read_inputs,
    read_kubernetes, read_files,   read_units, read_manifests, read_image,
};

static int read_recipe(struct recipe_reader *r)
{
    const cJSON *root = json_root(r->doc), *schema = read_node(root, "$schema");
    if (!cJSON_IsObject(root))
        return read_error(r, root, "a recipe is an object: { \"name\": ..., \"base\": ... }");
    if (read_only(r, root, recipe_keys) < 0)
        return -1;
    if (schema && !cJSON_IsString(schema)) /* only editors use it */
        return read_error(r, schema, "\"$schema\" must be a string");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (sections[i](r, root) < 0)
            return -1;
    return 0;
}

int recipe_parse(const char *text, size_t len, const char *name, const char *dir,
                 const struct recipe_vars *vars, struct recipe *ret, struct err *err)
{
    static const struct recipe_vars none;
    if (len > RECIPE_TEXT_MAX)
        return err_set(err, ERR_RECIPE, 0, "%.300s: a recipe has at most %d MiB", name,
                       RECIPE_TEXT_MAX >> 20);
    cleanup_json struct json_doc *doc = NULL;
    if (json_parse(text, len, name, JSON_COMMENTS, ERR_RECIPE, &doc, err) < 0)
        return -1;
    cleanup_recipe struct recipe recipe = {0};
    recipe.file = arena_strdup(&recipe.arena, name);
    if (!recipe.file)
        return err_oom(err);
    struct recipe_reader reader = {
        .doc = doc, .recipe = &recipe, .dir = dir, .scope.given = vars ? vars : &none, .err = err};
    if (read_recipe(&reader) < 0)
        return -1;
    *ret = recipe;
    recipe = (struct recipe){0};
    return 0;
}

static void add_line(struct buf *out, const char *key, const char *value)
{
    /* length first, so that no value can look like another line */
    buf_printf(out, "%s %zu %s\n", key, strlen(value ? value : ""), value ? value : "");
}

static void add_input(struct buf *out, const struct recipe_input *in)
{
    add_line(out, "input", in->name);
    add_line(out, "url", in->portable_url);
    add_line(out, "sha256", in->sha256);
    add_line(out, "sha512", in->sha512);
    add_line(out, "signature", in->portable_signature);
    add_line(out, "keyring", in->keyring_given);
}

int recipe_inputs_digest(const struct recipe *recipe, struct sha256 *ret, struct err *err)
{
    cleanup_buf struct buf out = BUF_INIT(64 << 20);
    buf_str(&out, "bake inputs 1\n");
    add_line(&out, "os", recipe->base.os);
    add_line(&out, "channel", recipe->base.channel);
    add_line(&out, "version", recipe->base.version);
    add_line(&out, "arch", recipe->base.arch);
    add_input(&out, &recipe->base.from);
    for (size_t i = 0; i < recipe->input_count; i++)
        add_input(&out, &recipe->inputs[i]);
    if (buf_check(&out, "the recipe's inputs", err) < 0)
        return -1;
    return sha256_of(out.data, out.len, ret, err);
}
