#include "plan/build.h"

#include <stdarg.h>
#include <string.h>

int build_error(const struct builder *b, const char *who, struct recipe_where where, const char *fmt, ...)
{
    char text[1400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (b->file && where.line > 0)
        return err_set(b->err, ERR_RECIPE, 0, "%.300s:%u:%u: %.200s: %s", b->file, where.line, where.column,
                       who, text);
    return err_set(b->err, ERR_RECIPE, 0, "%.200s: %s", who, text);
}

const char *build_place(const struct layout *layout, enum layout_place place)
{
    static const char *const usual[PLACE_COUNT] = {
        [PLACE_BIN] = "/opt/bin",
        [PLACE_ETC] = "/etc",
        [PLACE_UNITS] = "/etc/systemd/system",
        [PLACE_MANIFESTS] = "/etc/kubernetes/manifests",
        [PLACE_STATE] = "/var/lib",
    };
    const char *path = layout->places[place].path;
    return path ? path : usual[place];
}

/* Paths that an image must not contain, or that are reserved for bake, each with the reason. Source: the
 * distributions' first-boot code (flatcar/bootengine 10verity-generator, 30ignition, 99setup-root;
 * coreos/ignition). */
static const struct {
    const char *path;
    bool below; /* everything below it too */
    const char *why;
} refused[] = {
    {"/etc/machine-id", false, "every node must make its own at first boot"},
    {"/etc/passwd", false, "the system manages its users at boot: use /etc/sysusers.d"},
    {"/etc/group", false, "the system manages its users at boot: use /etc/sysusers.d"},
    {"/etc/shadow", false, "the system manages its users at boot: use Ignition"},
    {"/etc/gshadow", false, "the system manages its users at boot: use Ignition"},
    {"/boot/coreos/first_boot", false, "the first-boot flag must stay as it is, or Ignition does not run"},
    {"/boot/flatcar/first_boot", false, "the first-boot flag must stay as it is, or Ignition does not run"},
    {"/boot/ignition.firstboot", false, "the first-boot flag must stay as it is, or Ignition does not run"},
    {"/.etc-work", true, "it is the work directory of the overlay on /etc"},
    {"/lost+found", true, "it belongs to the file system"},
    {"/proc", true, "another file system is mounted there at boot and would hide it"},
    {"/sys", true, "another file system is mounted there at boot and would hide it"},
    {"/dev", true, "another file system is mounted there at boot and would hide it"},
    {"/run", true, "another file system is mounted there at boot and would hide it"},
    {"/tmp", true, "another file system is mounted there at boot and would hide it"},
};

static const char *why_refused(const char *path, bool own)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (refused[i].below ? path_under(path, refused[i].path) : strcmp(path, refused[i].path) == 0)
            return refused[i].why;
    if (strncmp(path, "/etc/ssh/ssh_host_", 18) == 0)
        return "all nodes would share this host key, and so would everyone who can read the image";
    if (strstr(path, "/.wh."))
        return "names that begin with .wh. are overlay whiteouts";
    if (!own && path_under(path, PLAN_BAKE_DIR))
        return "this folder is reserved for bake";
    return NULL;
}

static struct draft *new_draft(struct builder *b)
{
    if (b->count == b->capacity) {
        size_t capacity = b->capacity ? 2 * b->capacity : 64;
        struct draft *grown = reallocarray(b->drafts, capacity, sizeof *grown);
        if (!grown)
            return NULL;
        b->drafts = grown;
        b->capacity = capacity;
    }
    struct draft *draft = &b->drafts[b->count++];
    *draft = (struct draft){0};
    return draft;
}

int build_add(struct builder *b, enum plan_op_kind kind, const char *image_path, const char *who,
              struct recipe_where where, struct draft **ret)
{
    char normal[PATH_CAP], inside[PATH_CAP];
    unsigned number = 0;
    struct err inner = {0};
    if (path_normalize(image_path, normal, &inner) < 0)
        return build_error(b, who, where, "%s", inner.text);
    const char *why = why_refused(normal, b->own);
    if (why)
        return build_error(b, who, where, "%.300s cannot be %s: %s", normal,
                           kind == PLAN_REMOVE ? "removed" : "written", why);
    if (b->map(b->layout, normal, &number, inside, b->err) < 0)
        return b->file && where.line > 0
                   ? err_wrap(b->err, "%.300s:%u:%u: %.200s", b->file, where.line, where.column, who)
                   : err_wrap(b->err, "%.200s", who);
    if (inside[1] == '\0')
        return build_error(b, who, where, "%.300s is the root directory of a file system: it cannot be %s",
                           normal, kind == PLAN_REMOVE ? "removed" : "written");
    if (b->count >= PLAN_OPS_MAX)
        return build_error(b, who, where, "the plan has more than %d operations", PLAN_OPS_MAX);
    struct draft *draft = new_draft(b);
    char *image_copy = arena_strdup(&b->plan->arena, normal),
         *inside_copy = arena_strdup(&b->plan->arena, inside);
    if (!draft || !image_copy || !inside_copy)
        return err_oom(b->err);
    draft->op =
        (struct plan_op){.kind = kind, .partition = number, .path = inside_copy, .image_path = image_copy};
    draft->who = who;
    draft->where = where;
    *ret = draft;
    return 0;
}

/* By place; at the same place, what an entry names comes before what is implied. */
static int compare_places(const void *a, const void *b)
{
    const struct draft *x = a, *y = b;
    if (x->op.partition != y->op.partition)
        return x->op.partition < y->op.partition ? -1 : 1;
    int order = strcmp(x->op.path, y->op.path);
    if (order != 0)
        return order;
    if (x->implied != y->implied)
        return x->implied ? 1 : -1;
    if (x->op.set_meta != y->op.set_meta)
        return x->op.set_meta ? -1 : 1;
    if (x->where.line != y->where.line)
        return x->where.line < y->where.line ? -1 : 1;
    return (x->where.column > y->where.column) - (x->where.column < y->where.column);
}

static int compare_ops(const void *a, const void *b)
{
    const struct plan_op *x = a, *y = b;
    bool x_late = x->kind != PLAN_REMOVE, y_late = y->kind != PLAN_REMOVE;
    if (x_late != y_late)
        return x_late ? 1 : -1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return strcmp(x->path, y->path);
}

static bool same_place(const struct draft *a, const struct draft *b)
{
    return a->op.partition == b->op.partition && strcmp(a->op.path, b->op.path) == 0;
}

/* " (line 12)", or "" for what is not from a recipe. */
static const char *line_text(const struct draft *d, char buf[static 32])
{
    buf[0] = '\0';
    if (d->where.line > 0)
        snprintf(buf, 32, " (line %u)", d->where.line);
    return buf;
}

static const char *action_text(enum plan_op_kind kind)
{
    static const char *const texts[] = {[PLAN_DIR] = "makes it a directory",
                                        [PLAN_FILE] = "makes it a file",
                                        [PLAN_SYMLINK] = "makes it a symbolic link",
                                        [PLAN_REMOVE] = "removes it"};
    return texts[kind];
}

/* Merges directories that several entries name; refuses every other pair at one place. Drafts are sorted. */
static int merge(struct builder *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->count; i++) {
        struct draft *last = kept > 0 ? &b->drafts[kept - 1] : NULL, *now = &b->drafts[i];
        if (!last || !same_place(last, now)) {
            b->drafts[kept++] = *now;
            continue;
        }
        if (last->op.kind == PLAN_DIR && now->op.kind == PLAN_DIR && !now->op.set_meta)
            continue;
        char line[32];
        return build_error(b, now->who, now->where, "%.300s is already %s by %.200s%s", now->op.image_path,
                           last->op.kind == PLAN_REMOVE ? "removed" : "created", last->who,
                           line_text(last, line));
    }
    b->count = kept;
    return 0;
}

static const struct draft *find_at(const struct builder *b, unsigned partition, const char *path)
{
    size_t low = 0, high = b->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct plan_op *op = &b->drafts[mid].op;
        int order =
            op->partition != partition ? (op->partition < partition ? -1 : 1) : strcmp(op->path, path);
        if (order == 0)
            return &b->drafts[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* Every ancestor of an operation must be a directory. Drafts are sorted and merged. */
static int check_ancestors(const struct builder *b)
{
    char above[PATH_CAP];
    for (size_t i = 0; i < b->count; i++) {
        const struct draft *d = &b->drafts[i];
        for (path_parent(d->op.path, above); above[1]; path_parent(above, above)) {
            const struct draft *top = find_at(b, d->op.partition, above);
            if (!top || top->op.kind == PLAN_DIR)
                continue;
            char line[32];
            return build_error(b, d->who, d->where, "%.300s needs the directory %.300s, but %.200s%s %s",
                               d->op.image_path, top->op.image_path, top->who, line_text(top, line),
                               action_text(top->op.kind));
        }
    }
    return 0;
}

/* Adds the parents of one draft, except those that PREV, the draft before it in order, has, too. */
static int add_parents_of(struct builder *b, struct draft child, const char *prev)
{
    char inside[PATH_CAP], image[PATH_CAP];
    path_parent(child.op.path, inside);
    path_parent(child.op.image_path, image);
    /* walk up both paths until one is a root: what is above exists in the base */
    for (; inside[1] && image[1]; path_parent(inside, inside), path_parent(image, image)) {
        if (prev && path_under(prev, inside))
            return 0;
        if (b->count >= PLAN_OPS_MAX)
            return build_error(b, child.who, child.where, "the plan has more than %d operations",
                               PLAN_OPS_MAX);
        struct draft *draft = new_draft(b);
        char *inside_copy = arena_strdup(&b->plan->arena, inside),
             *image_copy = arena_strdup(&b->plan->arena, image);
        if (!draft || !inside_copy || !image_copy)
            return err_oom(b->err);
        draft->op = (struct plan_op){.kind = PLAN_DIR,
                                     .partition = child.op.partition,
                                     .path = inside_copy,
                                     .image_path = image_copy,
                                     .mode = 0755};
        draft->who = child.who;
        draft->where = child.where;
        draft->implied = true;
    }
    return 0;
}

/* All paths below one folder are contiguous in byte order, so comparing with the previous draft is enough. */
static int add_parents(struct builder *b)
{
    const char *prev = NULL;
    unsigned partition = 0;
    size_t named = b->count;
    for (size_t i = 0; i < named; i++) {
        struct draft child = b->drafts[i];
        if (child.op.kind == PLAN_REMOVE)
            continue;
        if (child.op.partition != partition)
            prev = NULL;
        if (add_parents_of(b, child, prev) < 0)
            return -1;
        prev = child.op.path;
        partition = child.op.partition;
    }
    return 0;
}

static void sort_drafts(struct builder *b)
{
    if (b->count > 1)
        qsort(b->drafts, b->count, sizeof *b->drafts, compare_places);
}

int build_finish(struct builder *b)
{
    sort_drafts(b);
    if (merge(b) < 0 || check_ancestors(b) < 0 || add_parents(b) < 0)
        return -1;
    sort_drafts(b);
    if (merge(b) < 0)
        return -1;
    struct plan_op *ops = arena_array(&b->plan->arena, b->count + 1, sizeof *ops);
    if (!ops)
        return err_oom(b->err);
    for (size_t i = 0; i < b->count; i++)
        ops[i] = b->drafts[i].op;
    if (b->count > 1)
        qsort(ops, b->count, sizeof *ops, compare_ops);
    b->plan->ops = ops;
    b->plan->op_count = b->count;
    return plan_digest(b->plan, &b->plan->digest, b->err);
}
