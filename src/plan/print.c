/* The plan as text and as JSON. */
#include <string.h>

#include "plan/plan.h"

enum { PRINT_MAX = 256 << 20 };

/* Escapes control characters, since the text may come from an archive. */
static void put_safe(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            buf_printf(out, "\\x%02x", (unsigned)(unsigned char)*c);
        else
            buf_add(out, c, 1);
}

static void put_size(struct buf *out, uint64_t size)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    char text[32];
    if (size < 1024) {
        snprintf(text, sizeof text, "%u B", (unsigned)size);
    } else {
        size_t unit = 0;
        uint64_t whole = size;
        for (; unit < 3 && whole >= (uint64_t)1024 << 10; unit++)
            whole >>= 10;
        snprintf(text, sizeof text, "%llu.%u %s", (unsigned long long)(whole >> 10),
                 (unsigned)((whole & 1023) * 10 >> 10), units[unit]);
    }
    buf_printf(out, "%11s", text);
}

static void put_op(struct buf *out, const struct plan_op *op)
{
    if (op->kind == PLAN_REMOVE) {
        buf_printf(out, "  - %-27s", "");
        put_safe(out, op->image_path);
        buf_str(out, "\n");
        return;
    }
    char owner[32];
    snprintf(owner, sizeof owner, "%u:%u", op->uid, op->gid);
    buf_printf(out, "  %c %04o %-9s ", op->kind == PLAN_DIR && !op->set_meta ? '~' : '+', op->mode, owner);
    if (op->kind == PLAN_FILE)
        put_size(out, op->content.size);
    else
        buf_printf(out, "%11s", op->kind == PLAN_DIR ? "dir" : "link");
    buf_str(out, "  ");
    put_safe(out, op->image_path);
    if (op->kind == PLAN_DIR)
        buf_str(out, "/");
    if (op->kind == PLAN_SYMLINK) {
        buf_str(out, " -> ");
        put_safe(out, op->target);
    }
    for (size_t i = 0; i < op->xattr_count; i++)
        buf_printf(out, "%s%s%s", i ? ", " : " [", op->xattrs[i].name, i + 1 == op->xattr_count ? "]" : "");
    buf_str(out, "\n");
}

static const char *partition_label(const struct layout *layout, unsigned number)
{
    for (unsigned i = 0; i < layout->partition_count && i < LAYOUT_PARTITIONS_MAX; i++)
        if (layout->partitions[i].number == number)
            return layout->partitions[i].label;
    return "?";
}

static void put_partition(struct buf *out, const struct plan *plan, const struct layout *layout,
                          unsigned number)
{
    put_safe(out, partition_label(layout, number));
    buf_printf(out, " (partition %u)\n", number);
    for (size_t i = 0; i < plan->op_count; i++)
        if (plan->ops[i].partition == number)
            put_op(out, &plan->ops[i]);
}

static void put_count(struct buf *out, size_t count, const char *one, const char *many)
{
    buf_printf(out, "%zu %s, ", count, count == 1 ? one : many);
}

int plan_print_text(const struct plan *plan, const struct layout *layout, struct buf *ret, struct err *err)
{
    cleanup_buf struct buf out = BUF_INIT(PRINT_MAX);
    size_t counts[4] = {0};
    unsigned last = 0;
    for (size_t i = 0; i < plan->op_count; i++)
        counts[plan->ops[i].kind]++;
    /* Partitions in the order of their numbers, each with its removals first. */
    for (;;) {
        unsigned next = 0;
        for (size_t i = 0; i < plan->op_count; i++)
            if (plan->ops[i].partition > last && (next == 0 || plan->ops[i].partition < next))
                next = plan->ops[i].partition;
        if (next == 0)
            break;
        put_partition(&out, plan, layout, next);
        last = next;
    }
    put_count(&out, counts[PLAN_FILE], "file", "files");
    put_count(&out, counts[PLAN_SYMLINK], "link", "links");
    put_count(&out, counts[PLAN_DIR], "directory", "directories");
    put_count(&out, counts[PLAN_REMOVE], "removal", "removals");
    buf_printf(&out, "%llu bytes of content\n", (unsigned long long)plan_bytes(plan));
    for (size_t i = 0; i < plan->note_count; i++) {
        buf_str(&out, "note: ");
        put_safe(&out, plan->notes[i]);
        buf_str(&out, "\n");
    }
    if (buf_check(&out, "plan as text", err) < 0)
        return -1;
    buf_add(ret, out.data, out.len);
    return buf_check(ret, "plan as text", err);
}

static void put_json_op(struct json_writer *to, const struct plan_op *op)
{
    static const char *const kinds[] = {
        [PLAN_DIR] = "directory", [PLAN_FILE] = "file", [PLAN_SYMLINK] = "symlink", [PLAN_REMOVE] = "remove"};
    json_open(to, NULL, '{');
    json_string(to, "op", kinds[op->kind]);
    json_uint(to, "partition", op->partition);
    json_string(to, "path", op->path);
    json_string(to, "image_path", op->image_path);
    if (op->kind != PLAN_REMOVE) {
        char mode[16];
        snprintf(mode, sizeof mode, "%04o", op->mode);
        json_string(to, "mode", mode);
        json_uint(to, "uid", op->uid);
        json_uint(to, "gid", op->gid);
    }
    if (op->kind == PLAN_DIR)
        json_bool(to, "set_meta", op->set_meta);
    if (op->kind == PLAN_FILE) {
        json_uint(to, "size", op->content.size);
        json_sha256(to, "sha256", &op->content.sha256);
    }
    if (op->kind == PLAN_SYMLINK)
        json_string(to, "target", op->target);
    if (op->xattr_count > 0) {
        json_open(to, "xattrs", '{');
        for (size_t i = 0; i < op->xattr_count; i++)
            json_base64(to, op->xattrs[i].name, op->xattrs[i].value, op->xattrs[i].size);
        json_close(to, '}');
    }
    json_close(to, '}');
}

void plan_print_json(const struct plan *plan, struct json_writer *to)
{
    json_sha256(to, "digest", &plan->digest);
    json_uint(to, "epoch", (uint64_t)plan->epoch);
    json_uint(to, "bytes", plan_bytes(plan));
    json_open(to, "ops", '[');
    for (size_t i = 0; i < plan->op_count; i++)
        put_json_op(to, &plan->ops[i]);
    json_close(to, ']');
    if (plan->note_count == 0)
        return;
    json_open(to, "notes", '[');
    for (size_t i = 0; i < plan->note_count; i++)
        json_string(to, NULL, plan->notes[i]);
    json_close(to, ']');
}
