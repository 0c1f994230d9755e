/* The plan in words and in JSON. */
#include <sodium.h>
#include <string.h>

#include "plan/plan.h"

enum { PRINT_MAX = 256 << 20 };

/* Text that may come from an archive: what a terminal would obey is escaped. */
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
    if (buf_check(&out, "plan as text", err) < 0)
        return -1;
    buf_add(ret, out.data, out.len);
    return buf_check(ret, "plan as text", err);
}

static void put_string(struct buf *out, const char *text)
{
    buf_str(out, "\"");
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_printf(out, "\\%c", *c);
        else if ((unsigned char)*c < 0x20)
            buf_printf(out, "\\u%04x", (unsigned)*c);
        else
            buf_add(out, c, 1);
    }
    buf_str(out, "\"");
}

static void put_base64(struct buf *out, const void *bytes, size_t len)
{
    size_t room = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
    cleanup_free char *text = malloc(room);
    if (!text) {
        out->failed = true;
        return;
    }
    sodium_bin2base64(text, room, bytes, len, sodium_base64_VARIANT_ORIGINAL);
    put_string(out, text);
}

static void put_json_op(struct buf *out, const struct plan_op *op)
{
    static const char *const kinds[] = {
        [PLAN_DIR] = "directory", [PLAN_FILE] = "file", [PLAN_SYMLINK] = "symlink", [PLAN_REMOVE] = "remove"};
    buf_printf(out, "{\"op\":\"%s\",\"partition\":%u,\"path\":", kinds[op->kind], op->partition);
    put_string(out, op->path);
    buf_str(out, ",\"image_path\":");
    put_string(out, op->image_path);
    if (op->kind != PLAN_REMOVE)
        buf_printf(out, ",\"mode\":\"%04o\",\"uid\":%u,\"gid\":%u", op->mode, op->uid, op->gid);
    if (op->kind == PLAN_DIR)
        buf_printf(out, ",\"set_meta\":%s", op->set_meta ? "true" : "false");
    if (op->kind == PLAN_FILE) {
        char hex[SHA256_HEX];
        hex_encode(op->content.sha256.bytes, SHA256_SIZE, hex);
        buf_printf(out, ",\"size\":%llu,\"sha256\":\"%s\"", (unsigned long long)op->content.size, hex);
    }
    if (op->kind == PLAN_SYMLINK) {
        buf_str(out, ",\"target\":");
        put_string(out, op->target);
    }
    for (size_t i = 0; i < op->xattr_count; i++) {
        buf_str(out, i ? "," : ",\"xattrs\":{");
        put_string(out, op->xattrs[i].name);
        buf_str(out, ":");
        put_base64(out, op->xattrs[i].value, op->xattrs[i].size);
    }
    buf_str(out, op->xattr_count ? "}}" : "}");
}

int plan_print_json(const struct plan *plan, struct buf *ret, struct err *err)
{
    char hex[SHA256_HEX];
    hex_encode(plan->digest.bytes, SHA256_SIZE, hex);
    cleanup_buf struct buf out = BUF_INIT(PRINT_MAX);
    buf_printf(&out, "{\"digest\":\"%s\",\"epoch\":%lld,\"bytes\":%llu,\"ops\":[", hex,
               (long long)plan->epoch, (unsigned long long)plan_bytes(plan));
    for (size_t i = 0; i < plan->op_count; i++) {
        buf_str(&out, i ? ",\n" : "\n");
        put_json_op(&out, &plan->ops[i]);
    }
    buf_str(&out, plan->op_count ? "\n]}\n" : "]}\n");
    if (buf_check(&out, "plan as JSON", err) < 0)
        return -1;
    buf_add(ret, out.data, out.len);
    return buf_check(ret, "plan as JSON", err);
}
