#include "recipe/lock.h"

#include <string.h>

#include "json/json.h"
#include "recipe/read/url.h"
#include "recipe/recipe.h"
#include "recipe/section/inputs.h"
#include "text/hex.h"

/* 9999-12-31T23:59:59Z, the last second with a four-digit year. */
static const uint64_t epoch_max = 253402300799;

static int compare_inputs(const void *a, const void *b)
{
    return strcmp(((const struct lock_input *)a)->name, ((const struct lock_input *)b)->name);
}

const struct lock_input *lock_find(const struct lock *lock, const char *name)
{
    struct lock_input key = {.name = name};
    if (lock->input_count == 0)
        return NULL;
    return bsearch(&key, lock->inputs, lock->input_count, sizeof key, compare_inputs);
}

int lock_begin(const struct recipe *recipe, int64_t epoch, struct lock *ret, struct err *err)
{
    if (epoch < 0 || (uint64_t)epoch > epoch_max)
        return err_set(err, ERR_USAGE, 0, "the time %lld is outside the years 1970 to 9999",
                       (long long)epoch);
    cleanup_lock struct lock lock = {.epoch = epoch};
    lock.recipe = arena_strdup(&lock.arena, recipe->name);
    if (!lock.recipe)
        return err_oom(err);
    if (recipe_inputs_digest(recipe, &lock.inputs_digest, err) < 0)
        return -1;
    *ret = lock;
    lock = (struct lock){0};
    return 0;
}

static int copy_input(struct arena *arena, const struct lock_input *from, struct lock_input *ret,
                      struct err *err)
{
    struct lock_input made = {
        .name = arena_strdup(arena, from->name),
        .url = recipe_url_clean(arena, from->url),
        .size = from->size,
        .sha256 = from->sha256,
        .signer = arena_strdup(arena, from->signer ? from->signer : ""),
        .version = arena_strdup(arena, from->version ? from->version : ""),
    };
    if (!made.name || !made.url || !made.signer || !made.version)
        return err_oom(err);
    *ret = made;
    return 0;
}

int lock_add(struct lock *lock, const struct lock_input *input, struct err *err)
{
    struct lock_input made;
    if (copy_input(&lock->arena, input, &made, err) < 0)
        return -1;
    for (size_t i = 0; i < lock->input_count; i++)
        if (strcmp(lock->inputs[i].name, made.name) == 0) {
            lock->inputs[i] = made;
            return 0;
        }
    if (lock->input_count == LOCK_INPUTS_MAX)
        return err_set(err, ERR_RECIPE, 0, "a lock has at most %d inputs", LOCK_INPUTS_MAX);
    struct lock_input *grown = arena_array(&lock->arena, lock->input_count + 1, sizeof *grown);
    if (!grown)
        return err_oom(err);
    if (lock->input_count > 0)
        memcpy(grown, lock->inputs, lock->input_count * sizeof *grown);
    grown[lock->input_count++] = made;
    qsort(grown, lock->input_count, sizeof *grown, compare_inputs);
    lock->inputs = grown;
    return 0;
}

/* Text that lock_parse() accepts; nothing else is written either. */
static bool text_ok(const char *text, bool empty)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return (empty || text[0]) && strlen(text) <= 4096;
}

static bool signer_ok(const char *signer)
{
    size_t len = strlen(signer);
    return (len == 0 || len == 40 || len == 64) && signer[strspn(signer, "0123456789ABCDEF")] == '\0';
}

static int lock_digest(const struct json_doc *doc, const cJSON *object, const char *key, struct sha256 *ret,
                       struct err *err)
{
    const char *hex;
    if (json_get_string(doc, object, key, true, &hex, err) < 0)
        return -1;
    if (!hex_decode(hex, ret->bytes, sizeof ret->bytes))
        return json_error(doc, cJSON_GetObjectItemCaseSensitive(object, key), err,
                          "\"%s\" must be 64 hex digits", key);
    return 0;
}

static int lock_text(const struct json_doc *doc, const cJSON *object, const char *key, bool empty,
                     const char **ret, struct err *err)
{
    if (json_get_string(doc, object, key, true, ret, err) < 0)
        return -1;
    if (!text_ok(*ret, empty))
        return json_error(doc, cJSON_GetObjectItemCaseSensitive(object, key), err,
                          "\"%s\" is empty, too long or holds control characters", key);
    return 0;
}

static int lock_input(const struct json_doc *doc, const cJSON *node, struct lock *lock,
                      struct lock_input *ret, struct err *err)
{
    static const char *const keys[] = {"name", "url", "size", "sha256", "signer", "version", NULL};
    struct lock_input in = {0};
    if (!cJSON_IsObject(node))
        return json_error(doc, node, err, "each input must be an object");
    if (json_only(doc, node, keys, err) < 0 || lock_text(doc, node, "name", false, &in.name, err) < 0 ||
        lock_text(doc, node, "url", false, &in.url, err) < 0 ||
        json_get_uint(doc, node, "size", true, 0, (uint64_t)1 << 50, &in.size, err) < 0 ||
        lock_digest(doc, node, "sha256", &in.sha256, err) < 0 ||
        lock_text(doc, node, "signer", true, &in.signer, err) < 0 ||
        lock_text(doc, node, "version", true, &in.version, err) < 0)
        return -1;
    const cJSON *url = cJSON_GetObjectItemCaseSensitive(node, "url");
    if (strncmp(in.url, "file:/", 6) != 0 && strncasecmp(in.url, "http://", 7) != 0 &&
        strncasecmp(in.url, "https://", 8) != 0 && !strstr(in.url, "${"))
        return json_error(doc, url, err, "\"url\" must start with https:, http: or file:/");
    if (!signer_ok(in.signer))
        return json_error(doc, cJSON_GetObjectItemCaseSensitive(node, "signer"), err,
                          "\"signer\" must be a fingerprint of 40 or 64 upper-case hex digits, or \"\"");
    if (copy_input(&lock->arena, &in, ret, err) < 0)
        return -1;
    if (strcmp(ret->url, in.url) != 0)
        return json_error(doc, url, err, "\"url\" has credentials, which a lock must not hold");
    return 0;
}

static int lock_inputs(const struct json_doc *doc, const cJSON *root, struct lock *lock, struct err *err)
{
    const cJSON *array;
    if (json_get_array(doc, root, "inputs", true, &array, err) < 0)
        return -1;
    int count = cJSON_GetArraySize(array);
    if (count > LOCK_INPUTS_MAX)
        return json_error(doc, array, err, "more than %d inputs", LOCK_INPUTS_MAX);
    lock->inputs = arena_array(&lock->arena, (size_t)count + 1, sizeof *lock->inputs);
    if (!lock->inputs)
        return err_oom(err);
    for (const cJSON *node = array->child; node; node = node->next) {
        struct lock_input *in = &lock->inputs[lock->input_count];
        if (lock_input(doc, node, lock, in, err) < 0)
            return -1;
        /* sorted, so that a lock has only one text; this also finds duplicates */
        if (lock->input_count > 0 && strcmp(in[-1].name, in->name) >= 0)
            return json_error(
                doc, node, err, "input \"%.100s\" must come %s \"%.100s\": inputs are sorted by name",
                in->name, strcmp(in[-1].name, in->name) ? "before" : "once, not again after", in[-1].name);
        lock->input_count++;
    }
    return 0;
}

int lock_parse(const char *text, size_t len, const char *name, struct lock *ret, struct err *err)
{
    static const char *const keys[] = {"lock_version", "recipe", "inputs_digest", "epoch", "inputs", NULL};
    if (len > LOCK_TEXT_MAX)
        return err_set(err, ERR_RECIPE, 0, "%.300s: a lock has at most %d KiB", name, LOCK_TEXT_MAX >> 10);
    cleanup_json struct json_doc *doc = NULL;
    if (json_parse(text, len, name, JSON_STRICT, ERR_RECIPE, &doc, err) < 0)
        return -1;
    const cJSON *root = json_root(doc);
    if (!cJSON_IsObject(root))
        return json_error(doc, root, err, "a lock must be an object, as bake lock writes it");
    cleanup_lock struct lock lock = {0};
    uint64_t version = 0, epoch = 0;
    if (json_get_uint(doc, root, "lock_version", true, 1, (uint64_t)1 << 53, &version, err) < 0)
        return -1;
    if (version != LOCK_VERSION)
        return json_error(
            doc, cJSON_GetObjectItemCaseSensitive(root, "lock_version"), err,
            "lock version %llu is newer than this bake knows (%d): use a newer bake, or run bake lock "
            "--update",
            (unsigned long long)version, LOCK_VERSION);
    if (json_only(doc, root, keys, err) < 0 || lock_text(doc, root, "recipe", false, &lock.recipe, err) < 0 ||
        lock_digest(doc, root, "inputs_digest", &lock.inputs_digest, err) < 0 ||
        json_get_uint(doc, root, "epoch", true, 0, epoch_max, &epoch, err) < 0 ||
        lock_inputs(doc, root, &lock, err) < 0)
        return -1;
    lock.epoch = (int64_t)epoch;
    lock.recipe = arena_strdup(&lock.arena, lock.recipe);
    if (!lock.recipe)
        return err_oom(err);
    *ret = lock;
    lock = (struct lock){0};
    return 0;
}

static void write_string(struct buf *out, const char *text)
{
    buf_str(out, "\"");
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_str(out, "\\");
        buf_add(out, c, 1);
    }
    buf_str(out, "\"");
}

static void write_member(struct buf *out, const char *key, const char *value, const char *end)
{
    buf_printf(out, "      \"%s\": ", key);
    write_string(out, value);
    buf_str(out, end);
}

int lock_write(const struct lock *lock, struct buf *ret, struct err *err)
{
    cleanup_arena struct arena arena = {0};
    char hex[SHA256_HEX];
    hex_encode(lock->inputs_digest.bytes, SHA256_SIZE, hex);
    buf_printf(ret, "{\n  \"lock_version\": %d,\n  \"recipe\": ", LOCK_VERSION);
    write_string(ret, lock->recipe);
    buf_printf(ret, ",\n  \"inputs_digest\": \"%s\",\n  \"epoch\": %lld,\n  \"inputs\": [", hex,
               (long long)lock->epoch);
    for (size_t i = 0; i < lock->input_count; i++) {
        const struct lock_input *in = &lock->inputs[i];
        char *url = recipe_url_clean(&arena, in->url);
        if (!url)
            return err_oom(err);
        if (!text_ok(in->name, false) || !text_ok(url, false) || !signer_ok(in->signer) ||
            !text_ok(in->version, true))
            return err_set(err, ERR_INTERNAL, 0, "lock: input %.100s cannot be written", in->name);
        hex_encode(in->sha256.bytes, SHA256_SIZE, hex);
        buf_printf(ret, "%s\n    {\n", i ? "," : "");
        write_member(ret, "name", in->name, ",\n");
        write_member(ret, "url", url, ",\n");
        buf_printf(ret, "      \"size\": %llu,\n      \"sha256\": \"%s\",\n", (unsigned long long)in->size,
                   hex);
        write_member(ret, "signer", in->signer, ",\n");
        write_member(ret, "version", in->version, "\n    }");
    }
    buf_str(ret, lock->input_count ? "\n  ]\n}\n" : "]\n}\n");
    return buf_check(ret, "lock", err);
}

static int match_input(const struct recipe_input *in, const struct lock *lock, const char *file,
                       struct err *err)
{
    static const char advice[] = "run bake lock --update";
    const struct lock_input *pin = lock_find(lock, in->name);
    if (!pin)
        return err_set(err, ERR_RECIPE, 0, "%.300s: input %s is not in the lock: %s", file, in->name, advice);
    const char *url = in->portable_url;
    if (url && strcmp(url, pin->url) != 0)
        return err_set(err, ERR_RECIPE, 0,
                       "%.300s: input %s is locked to %.400s, but the recipe says %.400s: %s", file, in->name,
                       pin->url, url, advice);
    char hex[SHA256_HEX];
    hex_encode(pin->sha256.bytes, SHA256_SIZE, hex);
    if (in->sha256 && strcmp(in->sha256, hex) != 0)
        return err_set(err, ERR_RECIPE, 0,
                       "%.300s: input %s is locked to sha256 %s, but the recipe says %s: %s", file, in->name,
                       hex, in->sha256, advice);
    return 0;
}

int lock_matches(const struct recipe *recipe, const struct lock *lock, const char *name, struct err *err)
{
    if (match_input(&recipe->base.from, lock, name, err) < 0)
        return -1;
    for (size_t i = 0; i < recipe->input_count; i++)
        if (match_input(&recipe->inputs[i], lock, name, err) < 0)
            return -1;
    for (size_t i = 0; i < lock->input_count; i++) {
        const char *pinned = lock->inputs[i].name;
        if (strcmp(pinned, RECIPE_BASE_NAME) != 0 && !recipe_find_input(recipe, pinned))
            return err_set(
                err, ERR_RECIPE, 0,
                "%.300s: the lock pins %.100s, which the recipe does not have: run bake lock --update", name,
                pinned);
    }
    if (strcmp(lock->recipe, recipe->name) != 0)
        return err_set(err, ERR_RECIPE, 0,
                       "%.300s: the lock is for recipe %.100s, not %s: run bake lock --update", name,
                       lock->recipe, recipe->name);
    struct sha256 digest;
    if (recipe_inputs_digest(recipe, &digest, err) < 0)
        return -1;
    if (!sha256_equal(&digest, &lock->inputs_digest))
        return err_set(err, ERR_RECIPE, 0,
                       "%.300s: the base or the inputs of the recipe have changed since the lock was made: "
                       "run bake lock --update",
                       name);
    return 0;
}
