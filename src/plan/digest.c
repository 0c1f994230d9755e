/* The plan's digest: SHA-256 over
 *
 *   "bake plan 1\n" epoch count
 *   per op: kind partition path image_path mode uid gid set_meta
 *           xattr count, per attribute: name value
 *           PLAN_FILE: size, SHA-256 of the content; PLAN_SYMLINK: target
 *
 * Numbers are 64-bit little-endian, strings are their length and bytes. Equal digests mean equal images from
 * equal bases, wherever the content was read from. */
#include <string.h>

#include "plan/build.h"

static void put_number(struct buf *out, uint64_t value)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    buf_add(out, bytes, sizeof bytes);
}

static void put_bytes(struct buf *out, const void *bytes, size_t len)
{
    put_number(out, len);
    buf_add(out, bytes, len);
}

static void put_op(struct buf *out, const struct plan_op *op)
{
    put_number(out, (uint64_t)op->kind);
    put_number(out, op->partition);
    put_bytes(out, op->path, strlen(op->path));
    put_bytes(out, op->image_path, strlen(op->image_path));
    put_number(out, op->mode);
    put_number(out, op->uid);
    put_number(out, op->gid);
    put_number(out, op->set_meta);
    put_number(out, op->xattr_count);
    for (size_t i = 0; i < op->xattr_count; i++) {
        put_bytes(out, op->xattrs[i].name, strlen(op->xattrs[i].name));
        put_bytes(out, op->xattrs[i].value, op->xattrs[i].size);
    }
    if (op->kind == PLAN_FILE) {
        put_number(out, op->content.size);
        buf_add(out, op->content.sha256.bytes, SHA256_SIZE);
    } else if (op->kind == PLAN_SYMLINK) {
        put_bytes(out, op->target, strlen(op->target));
    }
}

int plan_digest(const struct plan *plan, struct sha256 *ret, struct err *err)
{
    cleanup_hasher struct hasher hasher = {0};
    cleanup_buf struct buf out = BUF_INIT(64 << 20);
    if (hasher_init(&hasher, DIGEST_SHA256, err) < 0)
        return -1;
    buf_str(&out, "bake plan 1\n");
    put_number(&out, (uint64_t)plan->epoch);
    put_number(&out, plan->op_count);
    for (size_t i = 0; i < plan->op_count; i++) {
        put_op(&out, &plan->ops[i]);
        if (buf_check(&out, "plan", err) < 0 || hasher_add(&hasher, out.data, out.len, err) < 0)
            return -1;
        out.len = 0;
    }
    /* an empty plan still has its heading */
    if (out.len > 0 && hasher_add(&hasher, out.data, out.len, err) < 0)
        return -1;
    return hasher_end(&hasher, ret->bytes, err);
}
