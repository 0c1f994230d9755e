#include "plan/plan.h"

#include <string.h>

#include "plan/build.h"
#include "plan/units.h"
#include "text/utf8.h"

enum { PLAN_ARENA_MAX = 512 << 20 };

void plan_free(struct plan *plan)
{
    arena_free(&plan->arena);
    *plan = (struct plan){0};
}

uint64_t plan_bytes(const struct plan *plan)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->op_count; i++)
        if (plan->ops[i].kind == PLAN_FILE && __builtin_add_overflow(sum, plan->ops[i].content.size, &sum))
            return UINT64_MAX;
    return sum;
}

static int copy_xattrs(struct builder *b, const struct recipe_xattr *from, size_t count, struct plan_op *op)
{
    struct plan_xattr *made = arena_array(&b->plan->arena, count + 1, sizeof *made);
    if (!made)
        return err_oom(b->err);
    for (size_t i = 0; i < count; i++) {
        made[i].name = arena_strdup(&b->plan->arena, from[i].name);
        made[i].value = arena_strndup(&b->plan->arena, from[i].value, from[i].size);
        made[i].size = from[i].size;
        if (!made[i].name || !made[i].value)
            return err_oom(b->err);
    }
    op->xattrs = made;
    op->xattr_count = count;
    return 0;
}

static int set_meta(struct builder *b, const struct recipe_file *file, uint32_t mode, struct draft *draft)
{
    draft->op.mode = file->has_mode ? file->mode : mode;
    draft->op.uid = file->uid;
    draft->op.gid = file->gid;
    for (size_t i = 0; i < file->xattr_count; i++)
        if (strncmp(file->xattrs[i].name, "trusted.overlay.", 16) == 0)
            return build_error(b, draft->who, draft->where,
                               "attribute %.100s controls the overlay on /etc and cannot be set",
                               file->xattrs[i].name);
    return copy_xattrs(b, file->xattrs, file->xattr_count, &draft->op);
}

/* Entries of the recipe without content: links, directories, removals. */
static int add_plain_files(struct builder *b, const struct recipe *recipe)
{
    static const enum plan_op_kind kinds[] = {[RECIPE_FILE] = PLAN_FILE,
                                              [RECIPE_TREE] = PLAN_DIR,
                                              [RECIPE_SYMLINK] = PLAN_SYMLINK,
                                              [RECIPE_DIRECTORY] = PLAN_DIR,
                                              [RECIPE_REMOVE] = PLAN_REMOVE};
    for (size_t i = 0; i < recipe->file_count; i++) {
        const struct recipe_file *file = &recipe->files[i];
        if (file->kind == RECIPE_FILE || file->kind == RECIPE_TREE)
            continue;
        struct draft *draft;
        const char *who = arena_printf(&b->plan->arena, "files[%zu]", i);
        if (!who)
            return err_oom(b->err);
        if (build_add(b, kinds[file->kind], file->path, who, file->where, &draft) < 0)
            return -1;
        if (file->kind == RECIPE_REMOVE)
            continue;
        if (file->kind == RECIPE_SYMLINK) {
            draft->op.target = arena_strdup(&b->plan->arena, file->target);
            if (!draft->op.target)
                return err_oom(b->err);
        }
        draft->op.set_meta = file->kind == RECIPE_DIRECTORY;
        if (set_meta(b, file, file->kind == RECIPE_SYMLINK ? 0777 : 0755, draft) < 0)
            return -1;
    }
    return 0;
}

/* An archive is hostile input until it is checked. */
static int check_entry(const struct builder *b, const struct plan_want *want,
                       const struct plan_tree_entry *entry)
{
    char rooted[PATH_CAP], normal[PATH_CAP];
    struct err inner = {0};
    bool top = entry->path[0] == '\0' && entry->type == TREE_DIR;
    if (!top && (snprintf(rooted, sizeof rooted, "/%s", entry->path) >= PATH_CAP ||
                 path_normalize(rooted, normal, &inner) < 0 || strcmp(rooted, normal) != 0 || !normal[1]))
        return err_set(b->err, ERR_VERIFY, 0,
                       "input %s: the archive contains an entry with a forbidden name: \"%.200s\"",
                       want->source.input->name, entry->path);
    if (entry->type != TREE_SYMLINK)
        return 0;
    size_t len = strlen(entry->target);
    if (len == 0 || len >= PATH_CAP || !utf8_ok(entry->target, len))
        return err_set(b->err, ERR_VERIFY, 0,
                       "input %s: the link %.200s in the archive has a forbidden target",
                       want->source.input->name, entry->path);
    return 0;
}

static int add_entry(struct builder *b, const struct plan_want *want, const struct recipe_file *file,
                     const struct plan_tree_entry *entry, struct losses *losses)
{
    static const enum plan_op_kind kinds[] = {
        [TREE_DIR] = PLAN_DIR, [TREE_FILE] = PLAN_FILE, [TREE_SYMLINK] = PLAN_SYMLINK};
    if (check_entry(b, want, entry) < 0)
        return -1;
    char path[2 * PATH_CAP];
    struct draft *draft;
    snprintf(path, sizeof path, "%s/%s", file->path, entry->path);
    if (build_add(b, kinds[entry->type], path, want->label, file->where, &draft) < 0)
        return -1;
    draft->op.mode = 0777; /* for a link; others get their own below */
    if (build_meta(b, file, &entry->meta, entry->path, &draft->op, losses) < 0)
        return err_wrap(b->err, "input %s", want->source.input->name);
    if (entry->type == TREE_FILE)
        draft->op.content = entry->blob;
    if (entry->type == TREE_SYMLINK) {
        draft->op.target = arena_strdup(&b->plan->arena, entry->target);
        if (!draft->op.target)
            return err_oom(b->err);
    }
    return 0;
}

static int add_tree(struct builder *b, const struct plan_want *want, const struct recipe_file *file,
                    const struct plan_content *content)
{
    if (content->entry_count == 0)
        return build_error(b, want->label, file->where, "input %s has nothing below \"%.200s\"",
                           want->source.input->name, want->source.member);
    struct losses losses = {0};
    for (size_t i = 0; i < content->entry_count; i++)
        if (add_entry(b, want, file, &content->entries[i], &losses) < 0)
            return -1;
    return build_note(b, want, &losses);
}

static struct recipe_where want_where(const struct recipe *recipe, const struct plan_want *want)
{
    switch (want->kind) {
    case WANT_FILE:
    case WANT_TREE:
        return recipe->files[want->index].where;
    case WANT_UNIT:
    case WANT_DROPIN:
        return recipe->units[want->index].where;
    case WANT_MANIFEST:
        return recipe->manifests[want->index].where;
    case WANT_KUBERNETES:
        return recipe->kubernetes.where;
    case WANT_AGENT:
    case WANT_NETWORK:
    case WANT_PAUSE:
    default:
        return (struct recipe_where){0};
    }
}

static int add_file(struct builder *b, const struct plan_want *want, const struct recipe_file *file,
                    const struct plan_content *content, struct draft *draft)
{
    struct losses losses = {0};
    if (set_meta(b, file, 0644, draft) < 0)
        return -1;
    if (!content->has_meta)
        return 0;
    if (build_meta(b, file, &content->meta, want->source.member, &draft->op, &losses) < 0)
        return err_wrap(b->err, "input %s", want->source.input->name);
    return build_note(b, want, &losses);
}

static int add_wanted(struct builder *b, const struct recipe *recipe, const struct plan_want *want,
                      const struct plan_content *content)
{
    if (want->kind == WANT_TREE)
        return add_tree(b, want, &recipe->files[want->index], content);
    struct draft *draft;
    const char *path = want->image_path;
    if (want->kind == WANT_MANIFEST && (build_manifest_path(b, recipe, want, content, &path) < 0 ||
                                        build_warn_policy(b, recipe, want, content) < 0))
        return -1;
    b->own = want->kind == WANT_AGENT || want->kind == WANT_NETWORK || want->kind == WANT_PAUSE ||
             path_under(path, PLAN_TEMPLATES);
    int result = build_add(b, PLAN_FILE, path, want->label, want_where(recipe, want), &draft);
    b->own = false;
    if (result < 0)
        return -1;
    draft->op.content = content->blob;
    if (want->kind == WANT_FILE)
        return add_file(b, want, &recipe->files[want->index], content, draft);
    draft->op.mode = want->kind == WANT_KUBERNETES || want->kind == WANT_AGENT ? 0755 : 0644;
    return 0;
}

static int add_and_finish(struct builder *b, const struct plan_args *args)
{
    /* drafts borrow the labels of wants, which live until this returns */
    for (size_t i = 0; i < args->wants->count; i++)
        if (add_wanted(b, args->recipe, &args->wants->items[i], &args->contents[i]) < 0)
            return -1;
    if (add_plain_files(b, args->recipe) < 0 || build_enable(b, args) < 0)
        return -1;
    return build_finish(b) < 0 ? -1 : build_check_needs(b, args->recipe);
}

int plan_make(const struct plan_args *args, struct plan *ret, struct err *err)
{
    cleanup_plan struct plan plan = {.arena = {.max = PLAN_ARENA_MAX}, .epoch = args->epoch};
    cleanup_builder struct builder b = {
        .plan = &plan, .layout = args->layout, .map = args->map, .file = args->recipe->file, .err = err};
    if (add_and_finish(&b, args) < 0)
        return -1;
    *ret = plan;
    plan = (struct plan){0};
    return 0;
}

/* A deep copy of one operation, except for content in a file or owned by the caller. */
static int copy_op(struct builder *b, const struct plan_op *op, struct draft *draft)
{
    struct arena *arena = &b->plan->arena;
    const char *path = draft->op.path, *image_path = draft->op.image_path;
    draft->op = *op;
    draft->op.path = path;
    draft->op.image_path = image_path;
    if (op->target) {
        draft->op.target = arena_strdup(arena, op->target);
        if (!draft->op.target)
            return err_oom(b->err);
    }
    struct plan_xattr *xattrs = arena_array(arena, op->xattr_count + 1, sizeof *xattrs);
    if (!xattrs)
        return err_oom(b->err);
    for (size_t i = 0; i < op->xattr_count; i++) {
        xattrs[i] = op->xattrs[i];
        xattrs[i].name = arena_strdup(arena, op->xattrs[i].name);
        xattrs[i].value = arena_strndup(arena, op->xattrs[i].value, op->xattrs[i].size);
        if (!xattrs[i].name || !xattrs[i].value)
            return err_oom(b->err);
    }
    draft->op.xattrs = op->xattr_count > 0 ? xattrs : NULL;
    /* the preset file's text belongs to the old plan, so small texts are copied */
    if (op->kind == PLAN_FILE && op->content.memory && op->content.size <= PLAN_UNIT_MAX) {
        draft->op.content.memory = arena_strndup(arena, op->content.memory, (size_t)op->content.size);
        if (!draft->op.content.memory)
            return err_oom(b->err);
    }
    return 0;
}

static int make_with(struct builder *b, const struct plan *plan, const struct plan_extra *extras,
                     size_t extra_count)
{
    struct draft *draft;
    for (size_t i = 0; i < plan->op_count; i++) {
        const struct plan_op *op = &plan->ops[i];
        if (build_add(b, op->kind, op->image_path, "the plan", (struct recipe_where){0}, &draft) < 0 ||
            copy_op(b, op, draft) < 0)
            return -1;
    }
    for (size_t i = 0; i < extra_count; i++) {
        if (build_add(b, PLAN_FILE, extras[i].image_path, "bake", (struct recipe_where){0}, &draft) < 0)
            return -1;
        draft->op.mode = extras[i].mode & 07777;
        draft->op.content = extras[i].blob;
    }
    return build_finish(b);
}

int plan_with(const struct plan *plan, const struct layout *layout, plan_map_fn map,
              const struct plan_extra *extras, size_t extra_count, struct plan *ret, struct err *err)
{
    cleanup_plan struct plan made = {.arena = {.max = PLAN_ARENA_MAX}, .epoch = plan->epoch};
    cleanup_builder struct builder b = {.plan = &made, .layout = layout, .map = map, .own = true, .err = err};
    if (make_with(&b, plan, extras, extra_count) < 0)
        return -1;
    *ret = made;
    made = (struct plan){0};
    return 0;
}
