/* Inputs as the other sections need them. */
#ifndef BAKE_RECIPE_SECTION_INPUTS_H
#define BAKE_RECIPE_SECTION_INPUTS_H

#include "recipe/read/reader.h"

/* What an input and a base have in common: URL, digests, signature, keyring. */
must_check int read_trust(struct recipe_reader *r, const cJSON *object, struct recipe_input *in);
/* The input that "input" of OBJECT names. */
must_check int read_input_ref(struct recipe_reader *r, const cJSON *object, const struct recipe_input **ret);
/* 1 to 64 letters, digits, '.', '_', '-', '+', not starting with '.': an input's name, a version. */
bool recipe_input_word_ok(const char *text);
/* NULL when no input has that name. */
const struct recipe_input *recipe_find_input(const struct recipe *recipe, const char *name);

#endif
