/* The plan: recipe, layout and loaded contents become a checked, sorted list of file operations.
 *
 * In:    a recipe, a layout, and the content of everything plan_wants() listed.
 * Out:   struct plan and its digest; text for people, JSON for programs.
 * Fails: ERR_RECIPE with the recipe's position: two operations for one path, a file where a directory is
 *        needed, a path that an image must not contain; ERR_LAYOUT from the layout (writing into /usr).
 * Owns:  a plan owns its strings; the bytes of blobs are borrowed and must outlive it.
 * Never: depends on a file system, opens a file by name, fetches.
 *
 * Use:   plan_wants() -> load each want's content -> plan_make() -> list and sign it -> plan_with().
 */
#ifndef BAKE_PLAN_PLAN_H
#define BAKE_PLAN_PLAN_H

#include "base/buf.h"
#include "json/write.h"
#include "layout/types.h"
#include "plan/types.h"

enum { PLAN_OPS_MAX = 200000, PLAN_UNIT_MAX = 1 << 20 };

#define PLAN_BAKE_DIR "/opt/bake"
/* Manifests and configurations with marks like @POD_CIDR@, which the agent fills in at boot: the compiled-in
 * ones, those of the recipe's own that contain any, and all add-ons. */
#define PLAN_TEMPLATES    "/opt/bake/templates"
#define PLAN_AGENT_PATH   "/opt/bake/bin/bake-agent"
#define PLAN_CONTENTS     "/opt/bake/contents.json"
#define PLAN_CONTENTS_SIG "/opt/bake/contents.json.minisig"
#define PLAN_PUBLIC_KEY   "/opt/bake/bake.pub"
/* The container image of static pods and sandboxes; and the name of the pod network, one word and a
 * newline. */
#define PLAN_PAUSE   "/opt/bake/pause.tar"
#define PLAN_NETWORK "/opt/bake/network"
/* Compiled-in files that a plan wants besides those that a recipe names. */
#define PLAN_AGENT_BUILTIN     "bake-agent"
#define PLAN_HYPERKUBE_BUILTIN "hyperkube"
#define PLAN_PAUSE_BUILTIN     "bake-pause"

must_check int plan_wants(const struct recipe *recipe, const struct layout *layout, struct plan_wants *ret,
                          struct err *err);

/* layout_map() of layout/layout.h; a parameter, since plan includes only the layout's types. */
typedef int (*plan_map_fn)(const struct layout *layout, const char *image_path,
                           unsigned *ret_partition_number, char ret_path[PATH_CAP], struct err *err);

struct plan_args {
    const struct recipe *recipe;
    const struct layout *layout;
    plan_map_fn map;
    const struct plan_wants *wants;
    const struct plan_content *contents; /* wants->count of them */
    int64_t epoch;                       /* seconds since 1970 */
};
must_check int plan_make(const struct plan_args *args, struct plan *ret, struct err *err);

/* A new plan: PLAN and further files, root:root, for bake's own lists. The only way to write to PLAN_CONTENTS
 * and the files beside it. Strings are copied. */
struct plan_extra {
    const char *image_path;
    uint32_t mode;
    struct blob blob;
};
must_check int plan_with(const struct plan *plan, const struct layout *layout, plan_map_fn map,
                         const struct plan_extra *extras, size_t extra_count, struct plan *ret,
                         struct err *err);

void plan_free(struct plan *plan);
#define cleanup_plan cleanup(plan_free)

/* Content bytes of all files. */
uint64_t plan_bytes(const struct plan *plan);

/* A summary for people: one line per operation (+ created or replaced, ~ a directory created if missing, -
 * removed), grouped by partition, and totals. Control characters from archives are escaped. */
must_check int plan_print_text(const struct plan *plan, const struct layout *layout, struct buf *ret,
                               struct err *err);
/* The members "digest", "epoch", "bytes", "ops" of an object, in this order, and "notes" if there are any. */
void plan_print_json(const struct plan *plan, struct json_writer *to);

#endif
