/* A recipe, from its text to the printed plan, with contents as a hostile archive could have them; the same
 * bytes as a lock and as a matrix. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"
#include "recipe/release/release.h"
#include "recipe/lock.h"
#include "recipe/matrix.h"
#include "recipe/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int map(const struct layout *layout, const char *image_path, unsigned *ret_number,
               char ret_path[PATH_CAP], struct err *err)
{
    (void)layout;
    (void)err;
    bool oem = path_under(image_path, "/oem");
    const char *path = oem ? image_path + 4 : image_path;
    snprintf(ret_path, PATH_CAP, "%s", *path ? path : "/");
    *ret_number = oem ? 6 : 9;
    return 0;
}

static void use_plan(const struct plan *plan, const struct layout *layout)
{
    struct err err = {0};
    cleanup_buf struct buf text = BUF_INIT(64 << 20);
    struct json_writer json = {.buf = &text};
    plan_print_json(plan, &json);
    if (json_write_end(&json, "plan", &err) < 0 || plan_print_text(plan, layout, &text, &err) < 0)
        abort();
    cleanup_plan struct plan same = {0};
    if (plan_with(plan, layout, map, NULL, 0, &same, &err) < 0 || !sha256_equal(&same.digest, &plan->digest))
        abort();
}

static void use_recipe(const struct recipe *recipe, const uint8_t *data, size_t size)
{
    static const struct layout layout;
    struct err err = {0};
    cleanup_plan_wants struct plan_wants wants = {0};
    cleanup_arena struct arena arena = {0};
    struct release_urls urls;
    struct sha256 digest;
    if (plan_wants(recipe, &layout, &wants, &err) < 0 || recipe_inputs_digest(recipe, &digest, &err) < 0)
        abort();
    (void)!release_resolve(recipe, (const char *)data, size, &arena, &urls, &err);
    cleanup_free struct plan_content *contents = calloc(wants.count + 1, sizeof *contents);
    /* A name and a link target from the input, as if from an archive. */
    char name[64] = "";
    memcpy(name, data, size < 63 ? size : 63);
    const struct plan_tree_entry entries[] = {{.path = "a", .type = TREE_FILE, .meta = {.mode = 04777}},
                                              {.path = name, .type = TREE_SYMLINK, .target = name}};
    for (size_t i = 0; contents && i < wants.count; i++) {
        const char *text = wants.items[i].source.text ? wants.items[i].source.text : (const char *)data;
        size_t len = wants.items[i].source.text ? strlen(text) : size;
        if (blob_from_memory(text, len, &contents[i].blob, &err) < 0)
            abort();
        contents[i].entries = entries;
        contents[i].entry_count = 1 + (size & 1);
    }
    struct plan_args args = {
        .recipe = recipe, .layout = &layout, .map = map, .wants = &wants, .contents = contents, .epoch = 1};
    cleanup_plan struct plan plan = {0};
    if (contents && plan_make(&args, &plan, &err) == 0)
        use_plan(&plan, &layout);
}

static void use_matrix(const struct matrix *matrix)
{
    for (size_t i = 0; i < matrix->cell_count; i++) {
        const char *tag = matrix->cells[i].tag;
        if (!*tag || strlen(tag) > MATRIX_TAG_MAX || strchr(tag, '/'))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct recipe_pair builtins[] = {{"fixtures", "/f"}};
    const struct recipe_vars vars = {.builtins = builtins, .builtin_count = 1};
    cleanup_recipe struct recipe recipe = {0};
    cleanup_lock struct lock lock = {0};
    struct err err = {0};
    if (recipe_parse((const char *)data, size, "fuzz", "dir", &vars, &recipe, &err) == 0)
        use_recipe(&recipe, data, size);
    else if (err.kind != ERR_RECIPE)
        abort();
    if (lock_parse((const char *)data, size, "fuzz", &lock, &err) == 0) {
        cleanup_buf struct buf text = BUF_INIT(4 << 20);
        cleanup_lock struct lock back = {0};
        if (lock_write(&lock, &text, &err) < 0 || lock_parse(text.data, text.len, "fuzz", &back, &err) < 0)
            abort();
    }
    cleanup_matrix struct matrix matrix = {0};
    if (matrix_parse((const char *)data, size, "fuzz", "dir", &matrix, &err) == 0)
        use_matrix(&matrix);
    else if (err.kind != ERR_RECIPE)
        abort();
    return 0;
}
