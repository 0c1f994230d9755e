/* Operations under construction: collected in any order, then checked, completed and sorted.
 *
 * In:    operations, each with the name of the recipe entry that asked for it.
 * Out:   the ops of a struct plan.
 * Fails: ERR_RECIPE, naming that entry; ERR_LAYOUT from the layout's map.
 * Owns:  the drafts, until builder_free(). Strings are in the plan's arena.
 */
#ifndef BAKE_PLAN_BUILD_H
#define BAKE_PLAN_BUILD_H

#include "plan/plan.h"

struct draft {
    struct plan_op op;
    const char *who;           /* "files[3]" */
    struct recipe_where where; /* 0, 0 when it is not from a recipe */
    bool implied;              /* a parent directory that no entry names */
};

enum build_loss { LOSS_OWNER, LOSS_SETID, LOSS_ACL, LOSS_XATTRS, LOSS_FLAGS, LOSS_COUNT };

/* The metadata of one archive that the image does not keep. */
struct losses {
    size_t counts[LOSS_COUNT];
    const char *paths[LOSS_COUNT]; /* the first of each, borrowed */
    struct file_meta metas[LOSS_COUNT];
};

struct builder {
    struct plan *plan; /* its arena is filled */
    const struct layout *layout;
    plan_map_fn map;
    const char *file; /* the recipe's path, or NULL */
    bool own;         /* adds bake's own files: its folder may be written */
    struct draft *drafts;
    size_t count, capacity;
    const char **notes;
    size_t note_count;
    struct err *err;
};
static inline void builder_free(struct builder *builder)
{
    free(builder->drafts);
    builder->drafts = NULL;
}
#define cleanup_builder cleanup(builder_free)

/* Sets err to ERR_RECIPE, "FILE:line:column: who: TEXT"; returns -1. */
int build_error(const struct builder *b, const char *who, struct recipe_where where, const char *fmt, ...)
    print_like(4, 5);

/* Appends an operation. IMAGE_PATH need not be normal. The caller fills in the rest of *ret, which is valid
 * until the next call. */
must_check int build_add(struct builder *b, enum plan_op_kind kind, const char *image_path, const char *who,
                         struct recipe_where where, struct draft **ret);

/* Sets mode, owner and capability of OP from the archive's metadata of PATH and the recipe's FILE; adds what
 * the image does not keep to LOSSES. plan/meta.c */
must_check int build_meta(struct builder *b, const struct recipe_file *file, const struct file_meta *meta,
                          const char *path, struct plan_op *op, struct losses *losses);
/* NOTE is from the plan's arena; NULL: out of memory. */
must_check int build_add_note(struct builder *b, const char *note);
/* Turns LOSSES into the plan's notes. */
must_check int build_note(struct builder *b, const struct plan_want *want, const struct losses *losses);

/* Checks the drafts against each other, adds parents, sorts, and stores ops and digest in the plan. */
must_check int build_finish(struct builder *b);

/* Refuses a finished plan that lacks files which the recipe's pod network needs, naming all of them, or the
 * unit that applies its add-ons. */
must_check int build_check_needs(const struct builder *b, const struct recipe *recipe);

/* Where a manifest goes: one of the recipe's own that contains marks is a template, too. *RET belongs to the
 * want or the plan. Refuses what the agent would refuse at boot. */
must_check int build_manifest_path(const struct builder *b, const struct recipe *recipe,
                                   const struct plan_want *want, const struct plan_content *content,
                                   const char **ret);

/* A note if the manifest has a NetworkPolicy that the recipe's pod network does not enforce. plan/policy.c */
must_check int build_warn_policy(struct builder *b, const struct recipe *recipe, const struct plan_want *want,
                                 const struct plan_content *content);

/* The folder in the image for a kind of file. */
const char *build_place(const struct layout *layout, enum layout_place place);

/* SHA-256 of the canonical serialisation, as in plan/digest.c. */
must_check int plan_digest(const struct plan *plan, struct sha256 *ret, struct err *err);

#endif
