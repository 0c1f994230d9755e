#include "bake/job/inputs/inputs.h"

static const struct option recipe_rows[] = {
    {"var", 0, PAIRS_OF(struct recipe_options, vars), "K=V", "set a variable of the recipe"},
    {"update", 0, FLAG_OF(struct recipe_options, update), NULL, "resolve again, rewrite the lock"},
    {"allow-downgrade", 0, FLAG_OF(struct recipe_options, allow_downgrade), NULL,
     "with --update: accept an older release of the base"},
    {"lock-dir", 0, STRING_OF(struct recipe_options, lock_dir), "DIR",
     "keep locks here, else beside the recipe"},
    {"require-digests", 0, FLAG_OF(struct recipe_options, require_digests), NULL,
     "lock only inputs that a digest or signature vouches for"},
    {"untested-kubernetes", 0, FLAG_OF(struct recipe_options, untested_kubernetes), NULL,
     "accept a version newer than those tested"},
    {"out", 'o', STRING_OF(struct recipe_options, out_dir), "DIR", "write packages here (out)"},
    {0},
};
const struct option_group recipe_group = {.title = "Recipe and lock", .rows = recipe_rows};

static const struct option standin_rows[] = {
    {"standin", 0, FLAG_OF(struct recipe_options, standin), NULL,
     "bake the compiled-in recipe of the project's test inputs"},
    {0},
};
const struct option_group standin_group = {.title = "Test inputs", .rows = standin_rows};
