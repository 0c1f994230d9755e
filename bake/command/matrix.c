/* bake matrix: many images of one recipe. */
#include <string.h>

#include "bake/command/command.h"
#include "bake/command/image_job.h"
#include "io/file.h"
#include "recipe/matrix.h"

#define NO_CELL UINT64_MAX

struct matrix_options {
    const char *path;
    bool list, lock;
    uint64_t cell; /* NO_CELL: all */
};

struct matrix_command {
    struct matrix_options matrix;
    struct image_job job;
};

static const struct option matrix_rows[] = {
    {"list", 'l', FLAG_OF(struct matrix_options, list), NULL, "print the images' numbers and names"},
    {"cell", 'c', UINT_OF(struct matrix_options, cell), "N", "only image N, counted from 0"},
    {"lock", 0, FLAG_OF(struct matrix_options, lock), NULL, "only make the locks"},
    {0},
};
static const struct option_group matrix_group = {.rows = matrix_rows};

struct matrix_run {
    struct common *common;
    const struct matrix *matrix;
    struct image_job *job; /* as the command line describes it */
    const struct session_options *given;
    struct option_list vars;
    uint64_t keep;        /* --keep, for each combination */
    const char *done_tag; /* of the last combination that a run of this process finished */
    bool update, do_test;
    unsigned results[IMAGE_DRY + 1], failed;
    struct err first; /* of the failures */
};

static int read_matrix(const char *path, struct matrix *ret, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(MATRIX_TEXT_MAX);
    cleanup_free char *dir = NULL;
    const char *slash = strrchr(path, '/');
    if (file_read(path, MATRIX_TEXT_MAX, &text, err) < 0) {
        if (err->kind != ERR_INTERNAL)
            err->kind = ERR_RECIPE;
        return -1;
    }
    dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup("");
    if (!dir)
        return err_oom(err);
    return matrix_parse(text.data ? text.data : "", text.len, path, dir, ret, err);
}

static void open_cell(struct ui *ui, const struct matrix *matrix, size_t index, struct ui_line *line)
{
    const struct matrix_cell *cell = &matrix->cells[index];
    ui_line_open(line, ui, "cell");
    json_uint(&line->json, "cell", index);
    json_string(&line->json, "name", cell->name);
    json_open(&line->json, "vars", '{');
    for (size_t i = 0; i < matrix->axis_count; i++)
        json_string(&line->json, cell->vars[i].name, cell->vars[i].value);
    json_close(&line->json, '}');
    if (cell->target->project)
        json_string(&line->json, "project", cell->target->project);
    if (cell->target->bucket)
        json_string(&line->json, "bucket", cell->target->bucket);
}

/* The selected cells: FIRST up to END. */
static int select_cells(const struct matrix *matrix, const struct matrix_options *options, size_t *ret_first,
                        size_t *ret_end, struct err *err)
{
    bool all = options->cell == NO_CELL;
    if (!all && options->cell >= matrix->cell_count)
        return err_set(err, ERR_USAGE, 0, "--cell %llu: this matrix has %zu, the first is 0",
                       (unsigned long long)options->cell, matrix->cell_count);
    *ret_first = all ? 0 : (size_t)options->cell;
    *ret_end = all ? matrix->cell_count : *ret_first + 1;
    return 0;
}

static int list_cells(struct common *common, const struct matrix *matrix,
                      const struct matrix_options *options, struct err *err)
{
    size_t first = 0, end = 0;
    if (select_cells(matrix, options, &first, &end, err) < 0)
        return -1;
    for (size_t i = first; i < end; i++) {
        struct ui_line line;
        open_cell(&common->ui, matrix, i, &line);
        ui_line_print(&line);
        ui_text(&common->ui, "%zu %s\n", i, matrix->cells[i].name);
    }
    return 0;
}

/* Sets the job's options to those of one cell. ARENA holds the strings. */
static int set_cell(const struct matrix_run *run, const struct matrix_cell *cell, struct arena *arena,
                    struct err *err)
{
    struct recipe_options *recipe = &run->job->image.recipe;
    struct session_options *session = &run->job->publish.push.session;
    recipe->path = run->matrix->recipe;
    recipe->lock_tag = cell->tag;
    recipe->vars = run->vars;
    recipe->session = session;
    /* further targets of a combination get the same package, which was resolved and booted for the first */
    bool again = run->done_tag && strcmp(run->done_tag, cell->tag) == 0;
    recipe->update = run->update && !again;
    run->job->publish.do_test = run->do_test && !again;
    for (size_t i = 0; i < run->matrix->axis_count; i++) {
        if (recipe->vars.count == OPTION_LIST_MAX)
            return err_set(err, ERR_USAGE, 0, "more than %d variables", OPTION_LIST_MAX);
        char *text = arena_printf(arena, "%s=%s", cell->vars[i].name, cell->vars[i].value);
        if (!text)
            return err_oom(err);
        recipe->vars.values[recipe->vars.count++] = text;
    }
    *session = *run->given;
    session->project = cell->target->project ? cell->target->project : session->project;
    session->bucket = cell->target->bucket ? cell->target->bucket : session->bucket;
    session->prefix = cell->target->prefix ? cell->target->prefix : session->prefix;
    return image_job_check(run->job, err);
}

/* --- before anything runs: one family, one package --- */

struct claimed {
    const char *family, *project; /* NULL project: the command's */
    size_t cell;
};

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static int refuse_same_family(const struct matrix *matrix, const struct claimed *claims, size_t count,
                              struct err *err)
{
    const struct claimed *last = &claims[count];
    for (size_t i = 0; i < count; i++)
        if (same(claims[i].family, last->family) && same(claims[i].project, last->project) &&
            strcmp(matrix->cells[claims[i].cell].tag, matrix->cells[last->cell].tag) != 0)
            return err_set(err, ERR_RECIPE, 0,
                           "%zu (%.100s) and %zu (%.100s) would both be of the family %.63s: use "
                           "${var.NAME} in the recipe's \"family\"",
                           claims[i].cell, matrix->cells[claims[i].cell].name, last->cell,
                           matrix->cells[last->cell].name, last->family);
    return 0;
}

static int check_families(const struct matrix_run *run, struct err *err)
{
    const struct matrix *matrix = run->matrix;
    const struct push_options *push = &run->job->publish.push;
    cleanup_arena struct arena arena = {0};
    cleanup_free struct claimed *claims = calloc(matrix->cell_count + 1, sizeof *claims);
    if (!claims)
        return err_oom(err);
    for (size_t i = 0; i < matrix->cell_count; i++) {
        cleanup_inputs struct inputs inputs = INPUTS_EMPTY;
        if (set_cell(run, &matrix->cells[i], &arena, err) < 0)
            return -1;
        if (inputs_recipe(&run->job->image.recipe, &inputs, err) < 0)
            return err_wrap(err, "%zu (%.100s)", i, matrix->cells[i].name);
        const char *family = push->family ? push->family : inputs.recipe.image.family;
        claims[i] = (struct claimed){family ? arena_strdup(&arena, family) : NULL,
                                     run->job->publish.push.session.project, i};
        if (family && !claims[i].family)
            return err_oom(err);
        if (family && refuse_same_family(matrix, claims, i, err) < 0)
            return -1;
    }
    return 0;
}

/* How many combinations share the cell's name: their packages lie in one folder, and --keep counts for each
 * combination. */
static int count_siblings(const struct matrix_run *run, const struct matrix_cell *cell, uint64_t *ret,
                          struct err *err)
{
    const struct matrix *matrix = run->matrix;
    cleanup_arena struct arena arena = {0};
    cleanup_inputs struct inputs mine = INPUTS_EMPTY;
    uint64_t count = 0;
    if (set_cell(run, cell, &arena, err) < 0 || inputs_recipe(&run->job->image.recipe, &mine, err) < 0)
        return -1;
    for (size_t i = 0; i < matrix->cell_count; i++) {
        cleanup_inputs struct inputs other = INPUTS_EMPTY;
        if (i > 0 && strcmp(matrix->cells[i].tag, matrix->cells[i - 1].tag) == 0)
            continue; /* another target of the same combination */
        if (set_cell(run, &matrix->cells[i], &arena, err) < 0 ||
            inputs_recipe(&run->job->image.recipe, &other, err) < 0)
            return -1;
        count += strcmp(mine.recipe.name, other.recipe.name) == 0;
    }
    *ret = count > 0 ? count : 1;
    return 0;
}

/* --- runs --- */

static int lock_cell(const struct matrix_run *run, struct err *err)
{
    cleanup_free char *path = NULL;
    bool written;
    struct recipe_options *options = &run->job->image.recipe;
    if (recipe_choose(run->common, options, err) < 0 ||
        bake_lock(run->common, options, &path, &written, err) < 0)
        return -1;
    ui_text(&run->common->ui, "%s\n", path);
    return 0;
}

static void report_cell(const struct matrix_run *run, size_t index, const char *result, const struct err *why)
{
    struct ui_line line;
    open_cell(&run->common->ui, run->matrix, index, &line);
    json_string(&line.json, "result", result);
    if (why)
        json_string(&line.json, "error", why->text);
    ui_line_print(&line);
}

/* A failure is reported at once, kept, and does not stop the others; -1 only when interrupted. */
static int run_cell(struct matrix_run *run, size_t index, bool lock, struct err *err)
{
    struct err why = {0};
    enum image_result result = IMAGE_BUILT;
    cleanup_arena struct arena arena = {0};
    const struct matrix_cell *cell = &run->matrix->cells[index];
    ui_step(&run->common->ui, "matrix", "%zu of %zu: %s", index, run->matrix->cell_count, cell->name);
    uint64_t siblings = 1;
    int r = run->keep == KEEP_ALL || lock ? 0 : count_siblings(run, cell, &siblings, &why);
    run->job->image.keep = run->keep > KEEP_ALL / siblings ? KEEP_ALL : run->keep * siblings;
    if (r == 0)
        r = set_cell(run, cell, &arena, &why);
    if (r == 0)
        r = lock ? lock_cell(run, &why) : image_job_run(run->common, run->job, &result, &why);
    if (r == 0) {
        run->results[result]++;
        run->done_tag = cell->tag;
        report_cell(run, index, lock ? "locked" : image_result_word(result), NULL);
        return 0;
    }
    (void)err_wrap(&why, "%zu (%.100s)", index, cell->name);
    if (why.kind == ERR_INTERRUPTED) {
        *err = why;
        return -1;
    }
    report_cell(run, index, "failed", &why);
    if (run->failed++ == 0)
        run->first = why;
    else
        run_warn(&run->common->run, "matrix", "%s", why.text);
    return 0;
}

static int finish(struct matrix_run *run, size_t count, struct err *err)
{
    struct ui *ui = &run->common->ui;
    struct ui_line line;
    ui_line_open(&line, ui, "matrix");
    json_uint(&line.json, "cells", count);
    for (int i = 0; i <= IMAGE_DRY; i++)
        json_uint(&line.json, image_result_word((enum image_result)i), run->results[i]);
    json_uint(&line.json, "failed", run->failed);
    ui_line_print(&line);
    if (run->failed > 0) {
        *err = run->first;
        return count == 1 ? -1 : err_wrap(err, "%u of %zu failed, the first", run->failed, count);
    }
    if (run->results[IMAGE_UNCHANGED] == count)
        run->common->exit_code = (int)run->job->publish.unchanged_exit;
    return 0;
}

/* --var for a variable of the matrix would make all cells the same. */
static int check_vars(const struct matrix *matrix, const struct option_list *vars, struct err *err)
{
    for (size_t i = 0; i < vars->count; i++)
        for (size_t k = 0; matrix->cell_count > 0 && k < matrix->axis_count; k++) {
            const char *name = matrix->cells[0].vars[k].name;
            size_t len = strlen(name);
            if (strncmp(vars->values[i], name, len) == 0 && vars->values[i][len] == '=')
                return err_set(err, ERR_USAGE, 0, "--var %.100s: the matrix has values for it", name);
        }
    return 0;
}

static int run_all(struct common *common, const struct matrix *matrix, const struct matrix_options *options,
                   struct image_job *job, struct err *err)
{
    const struct session_options given = job->publish.push.session;
    struct matrix_run run = {.common = common, .matrix = matrix, .job = job, .given = &given};
    run.vars = job->image.recipe.vars;
    run.update = job->image.recipe.update;
    run.do_test = job->publish.do_test;
    run.keep = job->image.keep;
    size_t first = 0, end = 0;
    if (select_cells(matrix, options, &first, &end, err) < 0 || check_vars(matrix, &run.vars, err) < 0)
        return -1;
    if (job->publish.do_push && check_families(&run, err) < 0)
        return -1;
    for (size_t i = first; i < end; i++)
        if (run_cell(&run, i, options->lock, err) < 0)
            return -1;
    return finish(&run, end - first, err);
}

static int run_matrix(struct common *common, int argc, char **argv, struct err *err)
{
    struct matrix_command options = {.matrix.cell = NO_CELL, .job = IMAGE_JOB_DEFAULT};
    cleanup_matrix struct matrix matrix = {0};
    bool done;
    if (common_parse(common, &command_matrix, &options, argc, argv, &options.matrix.path, &done, err) < 0 ||
        done)
        return done ? 0 : -1;
    if (!options.matrix.path)
        return err_set(err, ERR_USAGE, 0, "no matrix: use bake matrix FILE");
    if (read_matrix(options.matrix.path, &matrix, err) < 0)
        return -1;
    if (options.matrix.list)
        return list_cells(common, &matrix, &options.matrix, err);
    int r = run_all(common, &matrix, &options.matrix, &options.job, err);
    image_job_free(&options.job);
    return r;
}

static const struct option_use matrix_options[] = {
    {&matrix_group, offsetof(struct matrix_command, matrix)},
    {&recipe_group, offsetof(struct matrix_command, job.image.recipe)},
    {&image_group, offsetof(struct matrix_command, job.image)},
    {&key_group, offsetof(struct matrix_command, job.key_options)},
    {&publish_group, offsetof(struct matrix_command, job.publish)},
    {&push_group, offsetof(struct matrix_command, job.publish.push)},
    {&bucket_group, offsetof(struct matrix_command, job.publish.push.session)},
    {&session_group, offsetof(struct matrix_command, job.publish.push.session)},
    {&common_network_group, 0},
    {&common_cache_group, 0},
    {&common_output_group, 0},
    {0},
};

const struct command command_matrix = {
    .name = "matrix",
    .title = "bake many images of one recipe",
    .usage = "bake matrix FILE [options]",
    .summary = "Bakes one recipe for each combination of values that FILE gives its variables,\n"
               "and pushes each into every target. A failed one does not stop the others.",
    .more = "{ \"recipe\": \"bake.json\", \"vars\": { \"channel\": [\"stable\", \"beta\"] },\n"
            "  \"targets\": [{ \"project\": \"p\", \"bucket\": \"b\" }] }",
    .options = matrix_options,
    .arguments_max = 1,
    .run = run_matrix,
};
