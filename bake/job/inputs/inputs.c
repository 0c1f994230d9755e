#include "bake/job/inputs/inputs.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include "embedded/embedded.h"
#include "io/file.h"
#include "kube/versions.h"
#include "verify/verify.h"

enum { MAX_VARS = OPTION_LIST_MAX, SEEN_MAX = 8 << 20 };
static const char STANDIN[] = "recipes/standin.json";
#define DEFAULT_RECIPE "bake.json"

static void note_variable(struct buf *seen, const char *space, const char *name, const char *value)
{
    buf_printf(seen, "%s %s %zu ", space, name, value ? strlen(value) : 0);
    buf_add(seen, value ? value : "-", value ? strlen(value) : 1);
    buf_add(seen, "\n", 1);
}

/* Records what the recipe looks up: the same answers make it the same recipe. */
static const char *environment(void *ctx, const char *name)
{
    const char *value = getenv(name);
    note_variable(ctx, "env", name, value);
    return value;
}

/* ${bake.fixtures}: where the project's scripts put the stand-in base and the real payload. */
static int fixtures_dir(char **ret, struct err *err)
{
    const char *set = getenv("BAKE_FIXTURES");
    if (!set || !*set)
        return dir_default("XDG_CACHE_HOME", ".cache", "bake-fixtures", ret, err);
    *ret = strdup(set);
    return *ret ? 0 : err_oom(err);
}

static int split_vars(const struct option_list *list, struct arena *arena, struct recipe_pair *pairs,
                      struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *equals = strchr(list->values[i], '=');
        if (!equals || equals == list->values[i])
            return err_set(err, ERR_USAGE, 0, "--var needs NAME=VALUE, not \"%s\"", list->values[i]);
        pairs[i].name = arena_strndup(arena, list->values[i], (size_t)(equals - list->values[i]));
        pairs[i].value = equals + 1;
        if (!pairs[i].name)
            return err_oom(err);
    }
    return 0;
}

/* bake.json -> bake.lock.json, bake.TAG.lock.json */
static char *lock_path_of(const char *recipe, const char *tag)
{
    size_t len = strlen(recipe);
    if (len > 5 && strcmp(recipe + len - 5, ".json") == 0)
        len -= 5;
    char *path = NULL;
    return asprintf(&path, "%.*s%s%s.lock.json", (int)len, recipe, tag ? "." : "", tag ? tag : "") < 0 ? NULL
                                                                                                       : path;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup("");
}

int recipe_choose(struct common *common, struct recipe_options *options, struct err *err)
{
    char cwd[PATH_MAX];
    if (options->standin && options->path)
        return err_set(err, ERR_USAGE, 0, "%s and --standin contradict each other: one recipe at a time",
                       options->path);
    if (options->standin) {
        ui_step(&common->ui, "recipe", "the compiled-in stand-in");
        return 0;
    }
    if (!getcwd(cwd, sizeof cwd))
        return err_sys(err, errno, "the current folder");
    if (!options->path && access(DEFAULT_RECIPE, F_OK) < 0 && errno == ENOENT)
        return err_set(err, ERR_USAGE, 0,
                       "there is no " DEFAULT_RECIPE " in %s: name a recipe, or write one with \"bake init\"",
                       cwd);
    if (!options->path)
        options->path = DEFAULT_RECIPE;
    bool absolute = options->path[0] == '/';
    ui_step(&common->ui, "recipe", "%s%s%s", absolute ? "" : cwd, absolute ? "" : "/", options->path);
    return 0;
}

/* The text, and the paths of recipe and lock. */
static int read_recipe(const struct recipe_options *options, struct inputs *inputs, struct buf *text,
                       struct err *err)
{
    if (!options->standin) {
        if (file_read(options->path, RECIPE_TEXT_MAX, text, err) < 0) {
            if (err->kind != ERR_INTERNAL)
                err->kind = ERR_RECIPE;
            return err_wrap(err, "recipe");
        }
        inputs->recipe_path = strdup(options->path);
        inputs->lock_path = lock_path_of(options->path, options->lock_tag);
    } else {
        const struct embedded_file *standin = embedded_find(STANDIN);
        if (!standin)
            return err_set(err, ERR_INTERNAL, 0, "the compiled-in recipe is missing");
        buf_add(text, standin->start, (size_t)(standin->end - standin->start));
        inputs->recipe_path = strdup("");
        if (asprintf(&inputs->lock_path, "%s/standin.lock.json", options->out_dir) < 0)
            inputs->lock_path = NULL;
    }
    if (!inputs->recipe_path || !inputs->lock_path)
        return err_oom(err);
    return buf_check(text, "the recipe", err);
}

/* --lock-dir: the recipe's folder may be read-only. */
static int move_lock(const char *dir, struct inputs *inputs, struct err *err)
{
    cleanup_free char *beside = inputs->lock_path;
    const char *slash = strrchr(beside, '/');
    inputs->lock_path = NULL;
    if (asprintf(&inputs->lock_path, "%s/%s", dir, slash ? slash + 1 : beside) < 0) {
        inputs->lock_path = NULL;
        return err_oom(err);
    }
    return 0;
}

int inputs_recipe(const struct recipe_options *options, struct inputs *inputs, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(RECIPE_TEXT_MAX);
    if (read_recipe(options, inputs, &text, err) < 0 ||
        (options->lock_dir && move_lock(options->lock_dir, inputs, err) < 0))
        return -1;
    cleanup_free char *fixtures = NULL;
    if (fixtures_dir(&fixtures, err) < 0)
        return -1;
    cleanup_arena struct arena arena = {0};
    struct recipe_pair vars[MAX_VARS];
    if (split_vars(&options->vars, &arena, vars, err) < 0)
        return -1;
    const struct recipe_pair builtins[] = {{"fixtures", fixtures}, {"version", BAKE_VERSION}};
    cleanup_buf struct buf seen = BUF_INIT(SEEN_MAX);
    for (size_t i = 0; i < options->vars.count; i++)
        note_variable(&seen, "var", vars[i].name, vars[i].value);
    note_variable(&seen, "bake", builtins[0].name, builtins[0].value);
    const struct recipe_vars all = {.vars = vars,
                                    .var_count = options->vars.count,
                                    .builtins = builtins,
                                    .builtin_count = sizeof builtins / sizeof *builtins,
                                    .env = environment,
                                    .ctx = &seen};
    cleanup_free char *dir = folder_of(inputs->recipe_path);
    if (!dir)
        return err_oom(err);
    const char *name = *inputs->recipe_path ? inputs->recipe_path : "the compiled-in recipe";
    const char *start = text.data ? text.data : "";
    if (sha256_of(start, text.len, &inputs->recipe_sha256, err) < 0)
        return -1;
    if (recipe_parse(start, text.len, name, dir, &all, &inputs->recipe, err) < 0 ||
        kube_check_recipe(&inputs->recipe, options->untested_kubernetes, err) < 0 ||
        buf_check(&seen, "the values of variables", err) < 0)
        return -1;
    return sha256_of(seen.data, seen.len, &inputs->variables_sha256, err);
}

/* *ret_found: there is a lock. */
static int read_lock(const char *path, struct lock *ret, bool *ret_found, struct err *err)
{
    *ret_found = false;
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return 0;
    cleanup_buf struct buf text = BUF_INIT(LOCK_TEXT_MAX);
    if (file_read(path, LOCK_TEXT_MAX, &text, err) < 0)
        return err_wrap(err, "lock");
    if (lock_parse(text.data ? text.data : "", text.len, path, ret, err) < 0)
        return -1;
    *ret_found = true;
    return 0;
}

static bool has_digest(const struct recipe_input *input)
{
    return input->sha256 || input->sha512 || input->keyring;
}

static int check_digests(const struct recipe *recipe, struct err *err)
{
    cleanup_buf struct buf names = BUF_INIT(2000);
    for (size_t i = 0; i < recipe->input_count; i++)
        if (!has_digest(&recipe->inputs[i]))
            buf_printf(&names, "%s%s", names.len ? ", " : "", recipe->inputs[i].name);
    if (names.len == 0 && !names.failed)
        return 0;
    return err_set(err, ERR_VERIFY, 0,
                   "%s: digests are required, but no digest or signature vouches for %s: give each its "
                   "\"sha256\" or \"sha512\", or a "
                   "\"signature\" and its \"keyring\"",
                   recipe->file, names.data ? names.data : "");
}

/* What would make locking fail later: missing digests, unreadable keyrings. */
static int check_vouchers(const struct recipe_options *options, const struct recipe *recipe, struct err *err)
{
    if ((options->require_digests || recipe->require_digests) && check_digests(recipe, err) < 0)
        return -1;
    for (size_t i = 0; i <= recipe->input_count; i++) {
        const struct recipe_input *input = i == 0 ? &recipe->base.from : &recipe->inputs[i - 1];
        cleanup_buf struct buf keyring = BUF_INIT(KEYRING_MAX);
        bool armoured = false;
        if (input->keyring && verify_read_keyring(input->keyring, &keyring, &armoured, err) < 0)
            return err_wrap(err, "%s", input->name);
    }
    return 0;
}

int inputs_open(const struct recipe_options *options, struct inputs *ret, struct err *err)
{
    cleanup_inputs struct inputs made = INPUTS_EMPTY;
    if (inputs_recipe(options, &made, err) < 0)
        return -1;
    bool found = false;
    if (read_lock(made.lock_path, &made.lock, &found, err) < 0)
        return -1;
    if (found && !options->update && lock_matches(&made.recipe, &made.lock, made.lock_path, err) < 0)
        return -1;
    if ((!found || options->update) && check_vouchers(options, &made.recipe, err) < 0)
        return -1;
    *ret = made;
    made = (struct inputs)INPUTS_EMPTY;
    return 0;
}

void inputs_free(struct inputs *inputs)
{
    lock_free(&inputs->lock);
    recipe_free(&inputs->recipe);
    free(inputs->recipe_path);
    free(inputs->lock_path);
    *inputs = (struct inputs)INPUTS_EMPTY;
}
