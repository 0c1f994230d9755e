/* Makes the items of a tree from an archive's entries.
 *
 * In:    a verified archive, and the folder in it that is wanted.
 * Out:   items in byte order of their paths, each once, with all their parents; their content in a bundle.
 * Fails: ERR_VERIFY: names that are hostile or not UTF-8, a path given twice or below something that is not a
 *        folder, a device, FIFO or socket, hard links that lead nowhere, too many files or bytes, nothing
 *        below the prefix.
 * Owns:  copies of the names, until tree_builder_free(); the bundle's writer stays the caller's.
 */
#ifndef BAKE_UNPACK_MEMBER_TREE_BUILDER_H
#define BAKE_UNPACK_MEMBER_TREE_BUILDER_H

#include "unpack/member/content.h"
#include "unpack/member/links.h"

struct tree_item {
    const char *path, *target;
    enum member_type type;
    struct file_meta meta;
    const char *hard; /* an unresolved hard link: the name of its target; else NULL */
    struct bundle_piece content;
    size_t order; /* in the archive */
};

struct tree_builder {
    struct arena arena;
    const char *prefix; /* normal; "" for the whole archive */
    const char *name;   /* the archive's, for messages */
    struct tree_item *items;
    size_t count, capacity;
    struct bundle_writer *writer;
    struct links names; /* for suggestions */
};

/* The caller sets prefix, name and writer; the rest starts as zeros. A hard link whose target is outside the
 * prefix costs a second pass. */
must_check int tree_builder_run(struct tree_builder *builder, const struct trusted *artifact,
                                const struct run *run, struct err *err);
void tree_builder_free(struct tree_builder *builder);
#define cleanup_tree_builder cleanup(tree_builder_free)

#endif
