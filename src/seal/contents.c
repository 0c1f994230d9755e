#include "seal/contents.h"

#include <string.h>

#include "json/write.h"
#include "seal/sign/sign.h"
#include "seal/types.h"
#include "text/path.h"

static int by_image_path(const void *a, const void *b)
{
    const struct plan_op *const *x = a, *const *y = b;
    return strcmp((*x)->image_path, (*y)->image_path);
}

/* The operations that embed (with REMOVED: that remove), in byte order of the image path. */
static int sorted_ops(const struct plan *plan, bool removed, const struct plan_op ***ret, size_t *ret_count,
                      struct err *err)
{
    cleanup_free const struct plan_op **ops = calloc(plan->op_count + 1, sizeof(struct plan_op *));
    size_t count = 0;
    if (!ops)
        return err_oom(err);
    for (size_t i = 0; i < plan->op_count; i++)
        if ((plan->ops[i].kind == PLAN_REMOVE) == removed)
            ops[count++] = &plan->ops[i];
    qsort(ops, count, sizeof(struct plan_op *), by_image_path);
    for (size_t i = 1; i < count; i++)
        if (strcmp(ops[i - 1]->image_path, ops[i]->image_path) == 0)
            return err_set(err, ERR_INTERNAL, 0, "the plan touches %s twice", ops[i]->image_path);
    *ret = steal_ptr(ops);
    *ret_count = count;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct plan_xattr *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int add_xattrs(struct json_writer *json, const struct plan_op *op, struct err *err)
{
    cleanup_free struct plan_xattr *sorted = calloc(op->xattr_count, sizeof *sorted);
    if (!sorted)
        return err_oom(err);
    memcpy(sorted, op->xattrs, op->xattr_count * sizeof *sorted);
    qsort(sorted, op->xattr_count, sizeof *sorted, by_name);
    json_open(json, "xattrs", '{');
    for (size_t i = 0; i < op->xattr_count; i++)
        json_base64(json, sorted[i].name, sorted[i].value, sorted[i].size);
    json_close(json, '}');
    return 0;
}

/* Keys in the order of RFC 8785, 3.2.3. */
static int add_entry(struct json_writer *json, const struct plan_op *op, struct err *err)
{
    static const char *const types[] = {"directory", "file", "symlink", "removed"};
    bool meta = op->kind != PLAN_DIR || op->set_meta;
    json_open(json, NULL, '{');
    if (meta)
        json_uint(json, "gid", op->gid);
    if (meta && op->kind != PLAN_SYMLINK) {
        char mode[5];
        for (unsigned i = 0; i < 4; i++)
            mode[i] = (char)('0' + (op->mode >> (9 - 3 * i) & 7));
        json_text(json, "mode", mode, 4);
    }
    json_string(json, "path", op->image_path);
    if (op->kind == PLAN_FILE) {
        json_sha256(json, "sha256", &op->content.sha256);
        json_uint(json, "size", op->content.size);
    }
    if (op->kind == PLAN_SYMLINK)
        json_string(json, "target", op->target);
    json_string(json, "type", types[op->kind]);
    if (meta)
        json_uint(json, "uid", op->uid);
    if (op->xattr_count > 0 && add_xattrs(json, op, err) < 0)
        return -1;
    json_close(json, '}');
    return 0;
}

static int write_list(const struct plan *plan, const char *name, struct buf *ret, struct err *err)
{
    cleanup_free const struct plan_op **entries = NULL;
    cleanup_free const struct plan_op **removed = NULL;
    size_t entry_count = 0, removed_count = 0;
    if (sorted_ops(plan, false, &entries, &entry_count, err) < 0 ||
        sorted_ops(plan, true, &removed, &removed_count, err) < 0)
        return -1;
    if (plan->epoch < 0)
        return err_set(err, ERR_INTERNAL, 0, "the plan's time is before 1970");
    struct json_writer json = {.buf = ret};
    json_open(&json, NULL, '{');
    json_open(&json, "entries", '[');
    for (size_t i = 0; i < entry_count; i++)
        if (add_entry(&json, entries[i], err) < 0)
            return -1;
    json_close(&json, ']');
    json_uint(&json, "epoch", (uint64_t)plan->epoch);
    json_uint(&json, "format", CONTENTS_FORMAT);
    json_string(&json, "name", name);
    json_open(&json, "removed", '[');
    for (size_t i = 0; i < removed_count; i++)
        json_string(&json, NULL, removed[i]->image_path);
    json_close(&json, ']');
    json_close(&json, '}');
    return json_write_end(&json, "the contents list", err);
}

int seal_contents(const struct plan *plan, const char *name, const struct signing_key *key,
                  struct buf *ret_json, struct buf *ret_minisig, struct err *err)
{
    cleanup_buf struct buf list = BUF_INIT(CONTENTS_MAX);
    cleanup_buf struct buf signature = BUF_INIT(MINISIGN_FILE_MAX);
    if (write_list(plan, name, &list, err) < 0)
        return -1;
    if (key && sign_text(&list, CONTENTS_FILE, plan->epoch, key, &signature, err) < 0)
        return -1;
    buf_free(ret_json);
    *ret_json = list;
    list = (struct buf){0};
    if (key) {
        buf_free(ret_minisig);
        *ret_minisig = signature;
        signature = (struct buf){0};
    }
    return 0;
}
