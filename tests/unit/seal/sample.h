/* A small package, always the same. */
#ifndef BAKE_TESTS_UNIT_SEAL_SAMPLE_H
#define BAKE_TESTS_UNIT_SEAL_SAMPLE_H

#include "seal/types.h"

enum { SAMPLE_EPOCH = 1600000000 };

struct sample {
    struct plan_xattr xattrs[2];
    struct plan_op ops[6];
    struct plan plan;
    struct segment segments[2];
    struct packed packed;
    struct seal_source inputs[2];
    struct seal_kubernetes kubernetes;
    struct seal_input input;
};

static inline void sample_fill(struct sample *s)
{
    struct err err = {0};
    *s = (struct sample){0};
    s->xattrs[0] = (struct plan_xattr){"user.b", "\0\1", 2};
    s->xattrs[1] = (struct plan_xattr){"user.a", "x", 1};
    s->ops[0] = (struct plan_op){.kind = PLAN_REMOVE, .partition = 9, .path = "/old", .image_path = "/old"};
    s->ops[1] = (struct plan_op){
        .kind = PLAN_DIR, .partition = 9, .path = "/opt", .image_path = "/opt", .mode = 0755};
    s->ops[2] = (struct plan_op){.kind = PLAN_DIR,
                                 .partition = 9,
                                 .path = "/var/lib/etcd",
                                 .image_path = "/var/lib/etcd",
                                 .mode = 0700,
                                 .uid = 232,
                                 .gid = 232,
                                 .set_meta = true};
    s->ops[3] = (struct plan_op){.kind = PLAN_FILE,
                                 .partition = 9,
                                 .path = "/opt/bin/hyperkube",
                                 .image_path = "/opt/bin/hyperkube",
                                 .mode = 04755,
                                 .xattrs = s->xattrs,
                                 .xattr_count = 2};
    s->ops[4] = (struct plan_op){.kind = PLAN_SYMLINK,
                                 .partition = 9,
                                 .path = "/opt/bin/kubectl",
                                 .image_path = "/opt/bin/kubectl",
                                 .target = "hyper\"kube\n"};
    s->ops[5] = (struct plan_op){
        .kind = PLAN_FILE, .partition = 6, .path = "/\xc3\xa9", .image_path = "/etc/\xc3\xa9", .mode = 0644};
    if (blob_from_memory("hyperkube", 9, &s->ops[3].content, &err) < 0 ||
        blob_from_memory("", 0, &s->ops[5].content, &err) < 0)
        fail_msg("%s", err.text);
    s->plan = (struct plan){.ops = s->ops, .op_count = 6, .epoch = SAMPLE_EPOCH};
    memset(s->plan.digest.bytes, 0x11, SHA256_SIZE);
    s->segments[0] = (struct segment){0, 0, 0, 1000, {{0x21}}, 0x01020304};
    s->segments[1] = (struct segment){0, 1 << 20, 1000, 234, {{0x22}}, 0x05060708};
    s->packed = (struct packed){.disk_size = 10ULL << 30,
                                .disk_tree = {{0x31}},
                                .archive_size = 1234,
                                .archive_sha256 = {{0x32}},
                                .archive_crc32c = 0x12345678,
                                .segments = s->segments,
                                .segment_count = 2};
    s->inputs[0] =
        (struct seal_source){"kubernetes", "https://example.org/hyperkube", {{0x41}}, 9, NULL, "1.20.2"};
    s->inputs[1] = (struct seal_source){"note", "", {{0x42}}, 0, NULL, NULL};
    s->kubernetes = (struct seal_kubernetes){"1.36.3", "3.6.16", ""};
    s->input = (struct seal_input){
        .name = "node-0123456789ab",
        .bake_version = "0.1.0",
        .epoch = SAMPLE_EPOCH,
        .recipe = "node",
        .recipe_sha256 = {{0x51}},
        .lock_sha256 = {{0x52}},
        .base = {"base",
                 "https://example.org/coreos_production_gce.tar.gz",
                 {{0x61}},
                 5000,
                 "04127D0BFABEC8871FFB2CCE50E0885593D2DCB4",
                 "2512.3.0"},
        .os = "coreos",
        .inputs = s->inputs,
        .input_count = 2,
        .kubernetes = &s->kubernetes,
        .plan = &s->plan,
        .packed = &s->packed,
        .image = "{\"family\":\"node\",\"labels\":{\"a\":\"b\"}}",
    };
}

#endif
