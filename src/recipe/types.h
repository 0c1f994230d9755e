/* A recipe (what to bake) and a lock (exactly which bytes it is baked from). Plain data, read-only once made;
 * all strings are in the arena, with variables substituted. */
#ifndef BAKE_RECIPE_TYPES_H
#define BAKE_RECIPE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/digest.h"

/* The base's name in a lock; no input may have it. */
#define RECIPE_BASE_NAME "base"

enum { RECIPE_TEXT_MAX = 4 << 20, RECIPE_STRING_MAX = 1 << 20, RECIPE_LIST_MAX = 10000 };
enum { LOCK_VERSION = 1 };

/* A position in the recipe: 1-based, columns count bytes. */
struct recipe_where {
    unsigned line, column;
};

struct recipe_pair {
    const char *name, *value;
};

/* Where bytes come from and what they are verified by. Digests are lower-case hex or NULL. */
struct recipe_input {
    const char *name;
    const char *url; /* file:, http: or https:; may hold credentials: see recipe_url_clean() */
    /* The same for locks and other machines: unexpanded where it depends on the environment or is a local
     * path with variables. NULL where url is. */
    const char *portable_url;
    const char *sha256;    /* 64 digits, or NULL */
    const char *sha512;    /* 128 digits, or NULL */
    const char *signature; /* URL of a detached OpenPGP signature, or NULL */
    const char *portable_signature;
    const char *keyring; /* path on this machine (relative ones are joined to the recipe's folder), or NULL */
    const char *keyring_given; /* as written in the recipe, unexpanded */
    struct recipe_where where;
};

/* The base: url != NULL is the direct form, else os, channel, version and arch name a release. */
struct recipe_base {
    const char *os;           /* "coreos", "flatcar" */
    const char *channel;      /* NULL in the direct form */
    const char *version;      /* a release, "current" or "current-YEAR"; NULL in the direct form */
    const char *arch;         /* "amd64" */
    struct recipe_input from; /* name "base"; url and signature are NULL in the release form */
};

enum recipe_source_kind {
    SOURCE_NONE,
    SOURCE_TEXT,    /* text */
    SOURCE_LOCAL,   /* name: path on this machine */
    SOURCE_BUILTIN, /* name: a file that is compiled into bake */
    SOURCE_INPUT,   /* the whole input */
    SOURCE_MEMBER,  /* one member of the input, an archive */
    SOURCE_TREE,    /* everything below a folder of the input, an archive */
};

struct recipe_source {
    enum recipe_source_kind kind;
    const char *text; /* SOURCE_TEXT: NUL-terminated, no NUL inside */
    const char *name;
    const struct recipe_input *input;
    const char
        *member; /* SOURCE_MEMBER, SOURCE_TREE: relative, normal, no leading "./"; "" is the whole archive */
    struct recipe_where where;
};

struct recipe_xattr {
    const char *name;
    const void *value;
    size_t size; /* bytes */
};

enum recipe_file_kind { RECIPE_FILE, RECIPE_TREE, RECIPE_SYMLINK, RECIPE_DIRECTORY, RECIPE_REMOVE };

struct recipe_file {
    enum recipe_file_kind kind;
    const char *path; /* normal image path */
    struct recipe_source source;
    const char *target; /* RECIPE_SYMLINK */
    bool has_mode;      /* else: 0644, 0755 for a directory, or the archive's */
    uint32_t mode;      /* 0..07777 */
    uint32_t uid, gid;
    bool has_owner;     /* uid or gid is given, or: */
    bool archive_owner; /* both as in the archive */
    const struct recipe_xattr *xattrs;
    size_t xattr_count;
    struct recipe_where where;
};

struct recipe_dropin {
    const char *name; /* "10-x.conf" */
    struct recipe_source source;
};

struct recipe_unit {
    const char *name;
    struct recipe_source source; /* SOURCE_NONE: a unit that the image already has */
    bool enable;
    const char *const *wanted_by; /* for a unit that the image already has */
    size_t wanted_by_count;
    const struct recipe_dropin *dropins;
    size_t dropin_count;
    struct recipe_where where;
};

struct recipe_manifest {
    const char *name; /* "kube-apiserver.yaml" */
    struct recipe_source source;
    struct recipe_where where;
};

enum kubernetes_form { KUBERNETES_NONE, KUBERNETES_HYPERKUBE, KUBERNETES_BINARIES };

struct recipe_kubernetes {
    enum kubernetes_form form;
    const struct recipe_input *input;
    const char
        *member; /* hyperkube: the member of the archive, NULL: the input itself; binaries: their folder */
    const char *version; /* "" when not given */
    struct recipe_where where;
};

enum recipe_network { NETWORK_VXLAN, NETWORK_FLANNEL, NETWORK_CALICO };

/* What GCE gets to know about the image. NULL or 0 where the recipe says nothing. */
struct recipe_image {
    const char *family, *description, *storage_location;
    const struct recipe_pair *labels;
    size_t label_count;
    const char *const *licenses;
    size_t license_count;
    const char *const *guest_os_features;
    size_t feature_count;
};

struct recipe {
    struct arena arena;
    const char *file; /* for messages */
    const char *name;
    struct recipe_base base;
    uint64_t disk_size; /* bytes; 0: unchanged */
    const struct recipe_input *inputs;
    size_t input_count;
    struct recipe_kubernetes kubernetes;
    enum recipe_network network;
    struct recipe_where network_where; /* 0, 0 when the recipe does not give it */
    const struct recipe_file *files;
    size_t file_count;
    const struct recipe_unit *units;
    size_t unit_count;
    const struct recipe_manifest *manifests;
    size_t manifest_count;
    bool agent;
    bool require_digests; /* refuse inputs without a digest or signature: nothing is pinned at first sight */
    struct recipe_image image;
};

static inline void recipe_free(struct recipe *recipe)
{
    arena_free(&recipe->arena);
    *recipe = (struct recipe){0};
}
#define cleanup_recipe cleanup(recipe_free)

/* One pinned input. URLs hold no credentials. */
struct lock_input {
    const char *name; /* "base" or the input's name */
    const char *url;  /* portable: see struct recipe_input */
    uint64_t size;    /* bytes */
    struct sha256 sha256;
    const char *signer;  /* primary key's fingerprint, upper-case hex; "" when no signature was checked */
    const char *version; /* "" when unknown */
};

struct lock {
    struct arena arena;
    const char *recipe;          /* the recipe's name */
    struct sha256 inputs_digest; /* recipe_inputs_digest() of the recipe it was made for */
    int64_t epoch;               /* seconds since 1970, 0..253402300799: the time written into the image */
    struct lock_input *inputs;   /* sorted by name */
    size_t input_count;
};

static inline void lock_free(struct lock *lock)
{
    arena_free(&lock->arena);
    *lock = (struct lock){0};
}
#define cleanup_lock cleanup(lock_free)

#endif
