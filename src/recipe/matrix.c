#include "recipe/matrix.h"

#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "json/json.h"
#include "text/hex.h"

enum {
    VALUES_MAX = 256,
    VALUE_MAX = 4096, /* bytes */
    TAG_DIGEST = 8,   /* digits */
    TAG_TEXT_MAX = (VALUE_MAX + 32) * MATRIX_AXES_MAX
};

const char *const matrix_keys[] = {"$schema", "recipe", "vars", "targets", "exclude", NULL};
const char *const matrix_target_keys[] = {"project", "bucket", "prefix", NULL};

static const char tag_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";

struct axis {
    const cJSON *node; /* named as the variable */
    size_t count;
};

struct matrix_maker {
    const struct json_doc *doc;
    struct matrix *matrix;
    struct axis axes[MATRIX_AXES_MAX];
    const struct matrix_target *targets;
    size_t target_count;
    const cJSON *exclude; /* array, or NULL */
    struct matrix_cell *cells;
    struct err *err;
};

static int get_text(struct matrix_maker *m, const cJSON *node, const char *what, const char **ret)
{
    if (!cJSON_IsString(node))
        return json_error(m->doc, node, m->err, "%s must be a string", what);
    size_t len = strlen(node->valuestring);
    if (len == 0 || len > VALUE_MAX)
        return json_error(m->doc, node, m->err, "%s must have 1 to %d bytes", what, VALUE_MAX);
    for (const char *c = node->valuestring; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return json_error(m->doc, node, m->err, "%s holds a control character", what);
    *ret = node->valuestring;
    return 0;
}

static int read_axis(struct matrix_maker *m, const cJSON *node)
{
    if (!cJSON_IsArray(node) || !node->child)
        return json_error(m->doc, node, m->err, "\"%.100s\" must be a list of values: [\"one\", \"other\"]",
                          node->string);
    struct axis *axis = &m->axes[m->matrix->axis_count++];
    *axis = (struct axis){.node = node};
    for (const cJSON *value = node->child; value; value = value->next) {
        const char *text;
        if (++axis->count > VALUES_MAX)
            return json_error(m->doc, value, m->err, "more than %d values", VALUES_MAX);
        if (get_text(m, value, "a value", &text) < 0)
            return -1;
        for (const cJSON *other = node->child; other != value; other = other->next)
            if (strcmp(other->valuestring, text) == 0)
                return json_error(m->doc, value, m->err, "\"%.100s\" is given twice", text);
    }
    return 0;
}

static int read_axes(struct matrix_maker *m, const cJSON *root)
{
    const cJSON *vars;
    if (json_get_object(m->doc, root, "vars", false, &vars, m->err) < 0)
        return -1;
    for (const cJSON *node = vars ? vars->child : NULL; node; node = node->next) {
        if (m->matrix->axis_count == MATRIX_AXES_MAX)
            return json_error(m->doc, node, m->err, "more than %d variables", MATRIX_AXES_MAX);
        if (!node->string[0] || strchr(node->string, '='))
            return json_error(m->doc, node, m->err, "\"%.100s\" is not a variable's name", node->string);
        if (read_axis(m, node) < 0)
            return -1;
    }
    return 0;
}

static int read_target(struct matrix_maker *m, const cJSON *node, struct matrix_target *to)
{
    const char **fields[] = {&to->project, &to->bucket, &to->prefix};
    if (!cJSON_IsObject(node))
        return json_error(m->doc, node, m->err,
                          "a target is an object: { \"project\": ..., \"bucket\": ... }");
    if (json_only(m->doc, node, matrix_target_keys, m->err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const cJSON *given = cJSON_GetObjectItemCaseSensitive(node, matrix_target_keys[i]);
        const char *text = NULL;
        if (given && get_text(m, given, matrix_target_keys[i], &text) < 0)
            return -1;
        *fields[i] = text ? arena_strdup(&m->matrix->arena, text) : NULL;
        if (text && !*fields[i])
            return err_oom(m->err);
    }
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static int read_targets(struct matrix_maker *m, const cJSON *root)
{
    const cJSON *list;
    if (json_get_array(m->doc, root, "targets", false, &list, m->err) < 0)
        return -1;
    size_t count = list ? (size_t)cJSON_GetArraySize(list) : 1;
    if (count == 0 || count > VALUES_MAX)
        return json_error(m->doc, list, m->err, "\"targets\" must have 1 to %d entries or be left out",
                          VALUES_MAX);
    struct matrix_target *targets = arena_array(&m->matrix->arena, count, sizeof *targets);
    if (!targets)
        return err_oom(m->err);
    size_t i = 0;
    for (const cJSON *node = list ? list->child : NULL; node; node = node->next, i++) {
        if (read_target(m, node, &targets[i]) < 0)
            return -1;
        for (size_t k = 0; k < i; k++)
            if (same_text(targets[k].project, targets[i].project) &&
                same_text(targets[k].bucket, targets[i].bucket) &&
                same_text(targets[k].prefix, targets[i].prefix))
                return json_error(m->doc, node, m->err, "this target is given twice");
    }
    m->targets = targets;
    m->target_count = count;
    return 0;
}

static const cJSON *value_at(const struct axis *axis, size_t index)
{
    const cJSON *value = axis->node->child;
    while (index-- > 0)
        value = value->next;
    return value;
}

/* Each entry must name existing values; is_excluded() then matches it with every combination. */
static int read_exclude(struct matrix_maker *m, const cJSON *root)
{
    const char *known[MATRIX_AXES_MAX + 1] = {0};
    if (json_get_array(m->doc, root, "exclude", false, &m->exclude, m->err) < 0)
        return -1;
    for (size_t i = 0; i < m->matrix->axis_count; i++)
        known[i] = m->axes[i].node->string;
    for (const cJSON *entry = m->exclude ? m->exclude->child : NULL; entry; entry = entry->next) {
        if (!cJSON_IsObject(entry) || !entry->child)
            return json_error(m->doc, entry, m->err,
                              "an exclusion must be an object: { \"variable\": \"value\" }");
        if (json_only(m->doc, entry, known, m->err) < 0)
            return -1;
        for (const cJSON *given = entry->child; given; given = given->next) {
            const char *text;
            size_t axis = 0, i = 0;
            if (get_text(m, given, given->string, &text) < 0)
                return -1;
            while (strcmp(known[axis], given->string) != 0)
                axis++;
            while (i < m->axes[axis].count && strcmp(value_at(&m->axes[axis], i)->valuestring, text) != 0)
                i++;
            if (i == m->axes[axis].count)
                return json_error(m->doc, given, m->err, "\"%.100s\" is not among the values of \"%.100s\"",
                                  text, given->string);
        }
    }
    return 0;
}

static bool is_excluded(const struct matrix_maker *m, const struct recipe_pair *vars)
{
    for (const cJSON *entry = m->exclude ? m->exclude->child : NULL; entry; entry = entry->next) {
        bool all = true;
        for (size_t i = 0; i < m->matrix->axis_count && all; i++) {
            const cJSON *given = cJSON_GetObjectItemCaseSensitive(entry, vars[i].name);
            all = !given || strcmp(given->valuestring, vars[i].value) == 0;
        }
        if (all)
            return true;
    }
    return false;
}

/* The values, joined by '_'. A digest makes the tag unique where a character had to be replaced or it would
 * be too long. */
static const char *make_tag(struct matrix_maker *m, const struct recipe_pair *vars)
{
    cleanup_buf struct buf tag = BUF_INIT(TAG_TEXT_MAX);
    cleanup_buf struct buf exact = BUF_INIT(TAG_TEXT_MAX);
    char hex[SHA256_HEX];
    struct sha256 digest;
    bool plain = true;
    for (size_t i = 0; i < m->matrix->axis_count; i++) {
        buf_printf(&exact, "%zu %s\n", strlen(vars[i].value), vars[i].value);
        if (i > 0)
            buf_str(&tag, "_");
        for (const char *c = vars[i].value; *c; c++) {
            bool ok = strchr(tag_chars, *c) != NULL;
            buf_add(&tag, ok ? c : "-", 1);
            plain = plain && ok;
        }
    }
    if (buf_check(&tag, "a combination's name", m->err) < 0 ||
        buf_check(&exact, "a combination", m->err) < 0 ||
        sha256_of(exact.data, exact.len, &digest, m->err) < 0)
        return NULL;
    hex_encode(digest.bytes, SHA256_SIZE, hex);
    if (plain && tag.len <= MATRIX_TAG_MAX)
        return arena_strdup(&m->matrix->arena, tag.len ? tag.data : "all");
    return arena_printf(&m->matrix->arena, "%.*s_%.*s", MATRIX_TAG_MAX - TAG_DIGEST - 1, tag.data, TAG_DIGEST,
                        hex);
}

/* The cells of one combination, one for each target. */
static int add_cells(struct matrix_maker *m, const struct recipe_pair *vars)
{
    struct matrix *matrix = m->matrix;
    const char *tag = make_tag(m, vars);
    if (!tag)
        return m->err->kind ? -1 : err_oom(m->err);
    for (size_t t = 0; t < m->target_count; t++) {
        const struct matrix_target *target = &m->targets[t];
        const char *where = target->project ? target->project : target->bucket;
        if (matrix->cell_count == MATRIX_CELLS_MAX)
            return json_error(m->doc, json_root(m->doc), m->err, "more than %d images", MATRIX_CELLS_MAX);
        struct matrix_cell *cell = &m->cells[matrix->cell_count++];
        *cell = (struct matrix_cell){.vars = vars, .target = target, .tag = tag};
        cell->name = where ? arena_printf(&matrix->arena, "%s to %s", tag, where) : tag;
        if (!cell->name)
            return err_oom(m->err);
    }
    matrix->combination_count++;
    return 0;
}

static int copy_vars(struct matrix_maker *m, const size_t *digits, struct recipe_pair **ret)
{
    struct arena *arena = &m->matrix->arena;
    struct recipe_pair *vars = arena_array(arena, m->matrix->axis_count + 1, sizeof *vars);
    if (!vars)
        return err_oom(m->err);
    for (size_t i = 0; i < m->matrix->axis_count; i++) {
        vars[i].name = arena_strdup(arena, m->axes[i].node->string);
        vars[i].value = arena_strdup(arena, value_at(&m->axes[i], digits[i])->valuestring);
        if (!vars[i].name || !vars[i].value)
            return err_oom(m->err);
    }
    *ret = vars;
    return 0;
}

/* Counts through all combinations, the last variable fastest. */
static int make_cells(struct matrix_maker *m)
{
    size_t digits[MATRIX_AXES_MAX] = {0}, at, all = 1;
    for (size_t i = 0; i < m->matrix->axis_count; i++) {
        all *= m->axes[i].count;
        if (all > MATRIX_CELLS_MAX)
            return json_error(m->doc, m->axes[i].node, m->err, "more than %d combinations", MATRIX_CELLS_MAX);
    }
    m->cells = arena_array(&m->matrix->arena, MATRIX_CELLS_MAX, sizeof *m->cells);
    if (!m->cells)
        return err_oom(m->err);
    m->matrix->cells = m->cells;
    do {
        struct recipe_pair *vars = NULL;
        if (copy_vars(m, digits, &vars) < 0 || (!is_excluded(m, vars) && add_cells(m, vars) < 0))
            return -1;
        for (at = m->matrix->axis_count; at > 0 && ++digits[at - 1] == m->axes[at - 1].count; at--)
            digits[at - 1] = 0;
    } while (at > 0);
    if (m->matrix->cell_count == 0)
        return json_error(m->doc, m->exclude, m->err, "everything is excluded");
    return 0;
}

static int read_matrix(struct matrix_maker *m, const char *dir)
{
    const cJSON *root = json_root(m->doc);
    const char *recipe;
    if (!cJSON_IsObject(root))
        return json_error(m->doc, root, m->err,
                          "a matrix is an object: { \"recipe\": ..., \"vars\": { \"x\": [...] } }");
    if (json_only(m->doc, root, matrix_keys, m->err) < 0 ||
        json_get_string(m->doc, root, "recipe", true, &recipe, m->err) < 0 ||
        get_text(m, cJSON_GetObjectItemCaseSensitive(root, "recipe"), "\"recipe\"", &recipe) < 0)
        return -1;
    bool joined = dir && *dir && recipe[0] != '/';
    m->matrix->recipe = joined ? arena_printf(&m->matrix->arena, "%s/%s", dir, recipe)
                               : arena_strdup(&m->matrix->arena, recipe);
    if (!m->matrix->recipe)
        return err_oom(m->err);
    return read_axes(m, root) < 0 || read_targets(m, root) < 0 || read_exclude(m, root) < 0 ? -1
                                                                                            : make_cells(m);
}

int matrix_parse(const char *text, size_t len, const char *name, const char *dir, struct matrix *ret,
                 struct err *err)
{
    cleanup_json struct json_doc *doc = NULL;
    cleanup_matrix struct matrix matrix = {0};
    if (len > MATRIX_TEXT_MAX)
        return err_set(err, ERR_RECIPE, 0, "%.300s: a matrix has at most %d MiB", name,
                       MATRIX_TEXT_MAX >> 20);
    if (json_parse(text, len, name, JSON_COMMENTS, ERR_RECIPE, &doc, err) < 0)
        return -1;
    struct matrix_maker maker = {.doc = doc, .matrix = &matrix, .err = err};
    if (read_matrix(&maker, dir) < 0)
        return -1;
    *ret = matrix;
    matrix = (struct matrix){0};
    return 0;
}
