/* A plan: the list of file operations on an image, as plain data, for any file system. */
#ifndef BAKE_PLAN_TYPES_H
#define BAKE_PLAN_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/file_meta.h"
#include "io/blob.h"
#include "recipe/types.h"

enum plan_op_kind {
    PLAN_DIR,  /* create the directory; one that exists is left as it is, unless `set_meta` */
    PLAN_FILE, /* a regular file with content; replaces a file or symlink of that name, never a directory */
    PLAN_SYMLINK, /* a symbolic link; replaces a file or symlink of that name */
    PLAN_REMOVE,  /* remove the file, link or whole directory tree; it must exist */
};

struct plan_xattr {
    const char *name; /* with its prefix: "security.selinux", "user.x" */
    const void *value;
    size_t size;
};

struct plan_op {
    enum plan_op_kind kind;
    unsigned partition;     /* GPT partition NUMBER (1-based) */
    const char *path;       /* normal path inside that partition's file system */
    const char *image_path; /* the path a node sees, for messages and lists */
    uint32_t mode;          /* permission bits incl. setuid etc.: 07777 */
    uint32_t uid, gid;
    bool set_meta; /* PLAN_DIR: the recipe named this directory, so its mode and owner are set even if it
                      exists */
    const struct plan_xattr *xattrs;
    size_t xattr_count;
    struct blob content; /* PLAN_FILE */
    const char *target;  /* PLAN_SYMLINK */
};

/* Ops are sorted: removals first, then parents before children, each group in byte order of (partition,
 * path); no two have the same path. Parents that may be missing are created by PLAN_DIR ops with 0755
 * root:root. */
struct plan {
    struct arena arena; /* owns ops and strings; blobs' bytes are borrowed */
    struct plan_op *ops;
    size_t op_count;
    const char *const *notes; /* warnings: metadata of archives that the image drops, void policies */
    size_t note_count;
    int64_t epoch;        /* seconds since 1970: for all times written into the image */
    struct sha256 digest; /* over all operations and the epoch, but not where content is stored */
};

/* What puts PATH into the image; NULL: nothing does. Removals are not looked at. */
static inline const struct plan_op *plan_find(const struct plan *plan, const char *path)
{
    for (size_t i = 0; i < plan->op_count; i++)
        if (plan->ops[i].kind != PLAN_REMOVE && strcmp(plan->ops[i].image_path, path) == 0)
            return &plan->ops[i];
    return NULL;
}

enum plan_want_kind {
    WANT_KUBERNETES,
    WANT_FILE,
    WANT_TREE,
    WANT_UNIT,
    WANT_DROPIN,
    WANT_MANIFEST,
    WANT_AGENT,
    WANT_NETWORK,
    WANT_PAUSE /* the source is the program, the content is the container image around it */
};

/* A request for content. If the source is compiled in, WANT_UNIT and WANT_DROPIN name units, WANT_MANIFEST
 * names manifests, the rest any file. */
struct plan_want {
    enum plan_want_kind kind;
    struct recipe_source source;
    const char *image_path; /* where it goes; for WANT_TREE the folder */
    const char *label;      /* "files[3]", "unit etcd.service": for messages */
    size_t index;           /* of the recipe's files, units or manifests */
};

struct plan_wants {
    struct arena arena; /* strings are borrowed from the recipe, too */
    struct plan_want *items;
    size_t count;
};
static inline void plan_wants_free(struct plan_wants *wants)
{
    arena_free(&wants->arena);
    *wants = (struct plan_wants){0};
}
#define cleanup_plan_wants cleanup(plan_wants_free)

enum plan_tree_type { TREE_DIR, TREE_FILE, TREE_SYMLINK };
struct plan_tree_entry {
    const char
        *path; /* below the tree: relative, normal ("a/b", no "./", no ".."); "" (a TREE_DIR) is its top */
    enum plan_tree_type type;
    const char *target; /* TREE_SYMLINK */
    struct blob blob;   /* TREE_FILE */
    struct file_meta meta;
};

/* The answer to one want, in the same order: a blob, or for WANT_TREE entries in any order. */
struct plan_content {
    struct blob blob;
    bool has_meta; /* it comes from an archive that has metadata: plan/meta.c */
    struct file_meta meta;
    const struct plan_tree_entry *entries;
    size_t entry_count;
};

#endif
