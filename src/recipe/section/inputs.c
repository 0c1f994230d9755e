#include "recipe/section/inputs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "recipe/read/url.h"
#include "recipe/section/keys.h"
#include "recipe/section/sections.h"
#include "text/hex.h"

enum { INPUTS_MAX = 500 };

bool recipe_input_word_ok(const char *text)
{
    return text[0] != '\0' && text[0] != '.' && strlen(text) <= 64 &&
           recipe_only_chars(text, LOWER UPPER DIGITS "._-+");
}

static int read_hex(struct recipe_reader *r, const cJSON *object, const char *key, size_t digits,
                    const char **ret)
{
    const char *hex;
    if (read_text(r, object, key, 0, &hex) < 0)
        return -1;
    *ret = NULL;
    if (!hex)
        return 0;
    uint8_t bytes[DIGEST_MAX_SIZE];
    if (!hex_decode(hex, bytes, digits / 2))
        return read_error(r, read_node(object, key), "\"%s\" must be %zu hex digits, it has %zu characters",
                          key, digits, strlen(hex));
    char *lower = arena_strdup(&r->recipe->arena, hex);
    if (!lower)
        return err_oom(r->err);
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *ret = lower;
    return 0;
}

/* "signature": a URL, or what to append to the input's URL (".sig"). */
static int read_signature(struct recipe_reader *r, const cJSON *object, struct recipe_input *in)
{
    if (read_text(r, object, "signature", TEXT_URL, &in->signature) < 0)
        return -1;
    if (!in->signature)
        return 0;
    const cJSON *node = read_node(object, "signature");
    if (!in->url)
        return read_error(r, node,
                          "\"signature\" needs a \"url\": a release's own signature is found without it");
    bool suffix = in->signature[0] == '.';
    if (suffix) {
        in->portable_signature = arena_printf(&r->recipe->arena, "%s%s", in->portable_url, node->valuestring);
        in->signature = arena_printf(&r->recipe->arena, "%s%s", in->url, in->signature);
        if (!in->signature || !in->portable_signature)
            return err_oom(r->err);
    }
    if (recipe_check_url(r, node, in->signature) < 0)
        return -1;
    return suffix ? 0 : recipe_portable_url(r, node, in->signature, &in->portable_signature);
}

int read_trust(struct recipe_reader *r, const cJSON *object, struct recipe_input *in)
{
    const cJSON *url = read_node(object, "url"), *keyring = read_node(object, "keyring");
    in->where = read_where(r, object);
    if (read_text(r, object, "url", TEXT_URL, &in->url) < 0 ||
        (in->url && recipe_check_url(r, url, in->url) < 0) ||
        (in->url && recipe_portable_url(r, url, in->url, &in->portable_url) < 0) ||
        read_hex(r, object, "sha256", 64, &in->sha256) < 0 ||
        read_hex(r, object, "sha512", 128, &in->sha512) < 0 || read_signature(r, object, in) < 0 ||
        read_text(r, object, "keyring", 0, &in->keyring) < 0)
        return -1;
    if (in->keyring && read_local(r, in->keyring, &in->keyring) < 0)
        return -1;
    if (keyring && read_copy(r, keyring->valuestring, &in->keyring_given) < 0)
        return -1;
    if (in->signature && !in->keyring)
        return read_error(
            r, read_node(object, "signature"),
            "\"signature\" needs a \"keyring\": the file with the public keys to check it with");
    if (in->keyring && in->url && !in->signature)
        return read_error(
            r, read_node(object, "keyring"),
            "\"keyring\" needs a \"signature\" to check: a URL, or \".sig\" for the input's URL with .sig");
    return 0;
}

static int read_input(struct recipe_reader *r, const cJSON *node, struct recipe_input *in)
{
    if (!cJSON_IsObject(node))
        return read_error(r, node, "input \"%.100s\" must be an object", node->string);
    if (read_only(r, node, input_keys) < 0 || read_copy(r, node->string, &in->name) < 0)
        return -1;
    if (!recipe_input_word_ok(in->name))
        return read_error(
            r, node,
            "input name \"%.100s\": use 1 to 64 letters, digits, '.', '_', '-', '+', not starting with '.'",
            in->name);
    if (strcmp(in->name, RECIPE_BASE_NAME) == 0)
        return read_error(r, node, "an input cannot be named \"base\": that is the base's name in a lock");
    if (read_trust(r, node, in) < 0)
        return -1;
    if (!in->url)
        return read_error(r, node, "\"url\" is missing here");
    if (strncasecmp(in->url, "http:", 5) == 0 && !in->sha256 && !in->sha512 && !in->signature)
        return read_error(r, read_node(node, "url"),
                          "http: can be changed on the way: add \"sha256\", \"sha512\" or a \"signature\", "
                          "or use https:");
    return 0;
}

static int compare_inputs(const void *a, const void *b)
{
    return strcmp(((const struct recipe_input *)a)->name, ((const struct recipe_input *)b)->name);
}

int read_inputs(struct recipe_reader *r, const cJSON *root)
{
    const cJSON *inputs;
    if (read_object(r, root, "inputs", false, NULL, &inputs) < 0)
        return -1;
    size_t count = inputs ? (size_t)cJSON_GetArraySize(inputs) : 0;
    if (count > INPUTS_MAX)
        return read_error(r, inputs, "more than %d inputs", INPUTS_MAX);
    struct recipe_input *made = arena_array(&r->recipe->arena, count + 1, sizeof *made);
    if (!made)
        return err_oom(r->err);
    size_t i = 0;
    for (const cJSON *node = inputs ? inputs->child : NULL; node; node = node->next)
        if (read_input(r, node, &made[i++]) < 0)
            return -1;
    if (count > 1)
        qsort(made, count, sizeof *made, compare_inputs);
    r->recipe->inputs = made;
    r->recipe->input_count = count;
    return 0;
}

const struct recipe_input *recipe_find_input(const struct recipe *recipe, const char *name)
{
    struct recipe_input key = {.name = name};
    if (recipe->input_count == 0)
        return NULL;
    return bsearch(&key, recipe->inputs, recipe->input_count, sizeof key, compare_inputs);
}

int read_input_ref(struct recipe_reader *r, const cJSON *object, const struct recipe_input **ret)
{
    const char *name;
    if (read_text(r, object, "input", TEXT_NEEDED, &name) < 0)
        return -1;
    const struct recipe_input *found = recipe_find_input(r->recipe, name);
    if (found) {
        *ret = found;
        return 0;
    }
    cleanup_free const char **words = calloc(r->recipe->input_count + 1, sizeof *words);
    if (!words)
        return err_oom(r->err);
    for (size_t i = 0; i < r->recipe->input_count; i++)
        words[i] = r->recipe->inputs[i].name;
    char hint[READ_HINT_CAP];
    return read_error(r, read_node(object, "input"), "there is no input \"%.100s\"%s", name,
                      read_hint(name, words, hint));
}
