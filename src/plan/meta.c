/* Which metadata of an archive's files the image keeps.
 *
 * Modes and capabilities are kept. Owners are kept only when the recipe asks for them: on a node, the ids of
 * the archive's creator belong to other users. A set-id bit is dropped with its owner: it would grant the
 * rights of another user.
 */
#include <string.h>

#include "plan/build.h"

enum { SET_UID = 04000, SET_GID = 02000 };

static void record_loss(struct losses *losses, enum build_loss loss, const char *path,
                        const struct file_meta *meta)
{
    if (losses->counts[loss]++ > 0)
        return;
    losses->paths[loss] = path;
    losses->metas[loss] = *meta;
}

static void record_losses(struct losses *losses, const char *path, const struct file_meta *meta)
{
    if (meta->lost & FILE_LOST_ACL)
        record_loss(losses, LOSS_ACL, path, meta);
    if (meta->lost & FILE_LOST_XATTRS)
        record_loss(losses, LOSS_XATTRS, path, meta);
    if (meta->lost & FILE_LOST_FLAGS)
        record_loss(losses, LOSS_FLAGS, path, meta);
}

static int add_capability(struct builder *b, const struct file_meta *meta, struct plan_op *op)
{
    static const char name[] = "security.capability";
    for (size_t i = 0; i < op->xattr_count; i++)
        if (strcmp(op->xattrs[i].name, name) == 0) /* the recipe overrides it */
            return 0;
    struct plan_xattr *made = arena_array(&b->plan->arena, op->xattr_count + 1, sizeof *made);
    char *value = arena_strndup(&b->plan->arena, (const char *)meta->capability, meta->capability_size);
    if (!made || !value)
        return err_oom(b->err);
    *made = (struct plan_xattr){.name = name, .value = value, .size = meta->capability_size};
    if (op->xattr_count > 0)
        memcpy(made + 1, op->xattrs, op->xattr_count * sizeof *made);
    op->xattrs = made;
    op->xattr_count++;
    return 0;
}

int build_meta(struct builder *b, const struct recipe_file *file, const struct file_meta *meta,
               const char *path, struct plan_op *op, struct losses *losses)
{
    if (file->archive_owner && (meta->uid == UINT32_MAX || meta->gid == UINT32_MAX))
        return err_set(b->err, ERR_VERIFY, 0, "\"%.200s\" has an invalid owner in the archive", path);
    op->uid = file->archive_owner ? meta->uid : file->uid;
    op->gid = file->archive_owner ? meta->gid : file->gid;
    record_losses(losses, path, meta);
    if (op->kind == PLAN_SYMLINK)
        return 0;
    /* the recipe chooses the owner of a single file, but may not know each file of a tree */
    if (file->kind == RECIPE_TREE && !file->has_owner && (meta->uid != op->uid || meta->gid != op->gid))
        record_loss(losses, LOSS_OWNER, path, meta);
    uint32_t gone =
        (meta->uid != op->uid ? meta->mode & SET_UID : 0) | (meta->gid != op->gid ? meta->mode & SET_GID : 0);
    op->mode = file->has_mode ? file->mode : meta->mode & ~gone;
    if (gone && !file->has_mode)
        record_loss(losses, LOSS_SETID, path, meta);
    return meta->capability_size > 0 && op->kind == PLAN_FILE ? add_capability(b, meta, op) : 0;
}

int build_add_note(struct builder *b, const char *note)
{
    struct arena *arena = &b->plan->arena;
    const char **grown = arena_array(arena, b->note_count + 1, sizeof *grown);
    if (!grown || !note)
        return err_oom(b->err);
    if (b->note_count > 0)
        memcpy(grown, b->notes, b->note_count * sizeof *grown);
    grown[b->note_count++] = note;
    b->plan->notes = b->notes = grown;
    b->plan->note_count = b->note_count;
    return 0;
}

int build_note(struct builder *b, const struct plan_want *want, const struct losses *losses)
{
    static const char *const texts[LOSS_COUNT] = {
        [LOSS_OWNER] =
            "owners in the archive are not kept (\"owner\": \"archive\" keeps them; uid and gid set others)",
        [LOSS_SETID] = "set-user-id and set-group-id bits are dropped because the file gets another owner",
        [LOSS_ACL] = "access control lists (ACL) are dropped",
        [LOSS_XATTRS] = "extended attributes other than security.capability are dropped",
        [LOSS_FLAGS] = "file flags (chattr) are dropped",
    };
    for (size_t i = 0; i < LOSS_COUNT; i++) {
        const struct file_meta *meta = &losses->metas[i];
        if (losses->counts[i] == 0)
            continue;
        const char *note =
            arena_printf(&b->plan->arena,
                         "%s (%s): %s: %zu in input %s, the first is \"%.200s\", mode %04o, uid %u, gid %u",
                         want->label, want->image_path, texts[i], losses->counts[i], want->source.input->name,
                         losses->paths[i], meta->mode, meta->uid, meta->gid);
        if (build_add_note(b, note) < 0)
            return -1;
    }
    return 0;
}
