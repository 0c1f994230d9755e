/* Many images of one recipe: every combination of values for its variables, into every target.
 *
 * In:    JSON text with comments, its name for messages, its folder.
 * Out:   cells in a fixed order: the last variable's values change fastest, and the targets of a combination
 *        follow each other.
 * Fails: ERR_RECIPE with NAME:line:column, what was expected, and a did-you-mean.
 * Owns:  the matrix owns its strings until matrix_free().
 * Never: knows which variables the recipe has: recipe_parse() refuses unknown ones.
 *
 * The format is described by manifests/recipes/matrix.schema.json.
 */
#ifndef BAKE_RECIPE_MATRIX_H
#define BAKE_RECIPE_MATRIX_H

#include "base/arena.h"
#include "base/err.h"
#include "recipe/types.h"

enum { MATRIX_TEXT_MAX = 1 << 20, MATRIX_CELLS_MAX = 1024, MATRIX_AXES_MAX = 16, MATRIX_TAG_MAX = 100 };

struct matrix_target {
    const char *project, *bucket, *prefix; /* NULL: the command's */
};

struct matrix_cell {
    const struct recipe_pair *vars;     /* axis_count of them */
    const struct matrix_target *target; /* never NULL; all members NULL when the matrix has no targets */
    const char *tag;                    /* of the combination, for file names: unique */
    const char *name;                   /* for people: the values, and the project */
};

struct matrix {
    struct arena arena;
    const char *recipe; /* path */
    size_t axis_count;
    const struct matrix_cell *cells;
    size_t cell_count;
    size_t combination_count;
};

/* The keys of the matrix file and of a target, for the parser and for a test that compares the JSON Schema.
 * All lists end with NULL. */
extern const char *const matrix_keys[], *const matrix_target_keys[];

must_check int matrix_parse(const char *text, size_t len, const char *name, const char *dir,
                            struct matrix *ret, struct err *err);
static inline void matrix_free(struct matrix *matrix)
{
    arena_free(&matrix->arena);
    *matrix = (struct matrix){0};
}
#define cleanup_matrix cleanup(matrix_free)

#endif
