/* The keys and words of a recipe. The parser refuses all others; a test compares the JSON Schema with these
 * tables. All lists end with NULL. */
#ifndef BAKE_RECIPE_SECTION_KEYS_H
#define BAKE_RECIPE_SECTION_KEYS_H

struct recipe_table {
    const char *name; /* the schema's $defs/NAME; "recipe" is its root */
    const char *const *words;
};

extern const char *const recipe_keys[];
extern const char *const base_keys[];
extern const char *const disk_keys[];
extern const char *const input_keys[];
extern const char *const kubernetes_keys[];
extern const char *const file_keys[];
extern const char *const xattr_keys[];
extern const char *const unit_keys[];
extern const char *const dropin_keys[];
extern const char *const manifest_keys[];
extern const char *const image_keys[];

/* Words: in the order of enum kubernetes_form (from 1) and enum recipe_network. */
extern const char *const form_words[];
extern const char *const network_words[];

/* End with a NULL name. */
extern const struct recipe_table recipe_key_tables[];  /* properties of objects */
extern const struct recipe_table recipe_word_tables[]; /* "enum" of $defs/NAME */

#endif
