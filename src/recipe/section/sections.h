/* The sections of a recipe, one function each: its keys out of the root object into the recipe under
 * construction.
 *
 * Fails: ERR_RECIPE at the node's line and column.
 */
#ifndef BAKE_RECIPE_SECTION_SECTIONS_H
#define BAKE_RECIPE_SECTION_SECTIONS_H

#include "recipe/read/reader.h"

must_check int read_vars(struct recipe_reader *r, const cJSON *root);
/* "name", "network", "agent", "require_digests" */
must_check int read_general(struct recipe_reader *r, const cJSON *root);
must_check int read_base(struct recipe_reader *r, const cJSON *root);
must_check int read_disk(struct recipe_reader *r, const cJSON *root);
must_check int read_inputs(struct recipe_reader *r, const cJSON *root);
must_check int read_kubernetes(struct recipe_reader *r, const cJSON *root);
must_check int read_files(struct recipe_reader *r, const cJSON *root);
must_check int read_units(struct recipe_reader *r, const cJSON *root);
must_check int read_manifests(struct recipe_reader *r, const cJSON *root);
must_check int read_image(struct recipe_reader *r, const cJSON *root);

/* "10GiB", "512MiB", "4096": bytes. Units B, KiB, MiB, GiB, TiB. False for anything else and on overflow. */
bool recipe_size(const char *text, uint64_t *ret);

#endif
