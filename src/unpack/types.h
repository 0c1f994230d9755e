/* What unpack makes besides the disk: files from verified artifacts. Plain data, read-only once made. */
#ifndef BAKE_UNPACK_TYPES_H
#define BAKE_UNPACK_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/file_meta.h"
#include "io/blob.h"

/* One file. It owns the descriptor that its blob reads from: keep it while the blob is in use. */
struct member {
    int fd; /* -1 when empty */
    struct blob blob;
    bool has_meta; /* from an archive's header; the plan decides what the image keeps of it */
    struct file_meta meta;
};
#define MEMBER_EMPTY                                                                                         \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

enum member_type { MEMBER_DIR, MEMBER_FILE, MEMBER_SYMLINK };

struct tree_entry {
    const char *path; /* below the prefix: relative, normal; never empty */
    enum member_type type;
    const char *target; /* MEMBER_SYMLINK: as in the archive; else NULL */
    struct blob blob;   /* MEMBER_FILE */
    struct file_meta meta;
};

/* Entries are in byte order of their paths, so parents come before their children. Parents that the archive
 * leaves out are added with mode 0755. All blobs read from `fd`. */
struct tree {
    struct arena arena;
    int fd; /* -1 when empty */
    struct tree_entry *entries;
    size_t entry_count;
};
#define TREE_EMPTY                                                                                           \
    {                                                                                                        \
        .fd = -1                                                                                             \
    }

static inline void member_free(struct member *member)
{
    cleanup_close_fn(&member->fd);
    *member = (struct member)MEMBER_EMPTY;
}
#define cleanup_member cleanup(member_free)

static inline void tree_free(struct tree *tree)
{
    cleanup_close_fn(&tree->fd);
    arena_free(&tree->arena);
    *tree = (struct tree)TREE_EMPTY;
}
#define cleanup_tree cleanup(tree_free)

#endif
