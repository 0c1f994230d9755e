#include "bake/job/phase/patch.h"

#include "fs/fs.h"
#include "layout/layout.h"
#include "seal/contents.h"
#include "unpack/unpack.h"

void patched_free(struct patched *patched)
{
    plan_free(&patched->plan);
    buf_free(&patched->contents);
    buf_free(&patched->signature);
    buf_free(&patched->public_key);
}

static int add_lists(const struct planned *planned, const char *name, const struct signing_key *key,
                     struct patched *to, struct err *err)
{
    struct plan_extra extras[3] = {{.image_path = PLAN_CONTENTS, .mode = 0644}};
    size_t count = 1;
    to->contents = (struct buf)BUF_INIT(CONTENTS_MAX);
    to->signature = (struct buf)BUF_INIT(MINISIGN_FILE_MAX);
    to->public_key = (struct buf)BUF_INIT(MINISIGN_FILE_MAX);
    if (seal_contents(&planned->plan, name, key, &to->contents, &to->signature, err) < 0 ||
        blob_from_memory(to->contents.data, to->contents.len, &extras[0].blob, err) < 0)
        return -1;
    if (key) {
        minisign_write_public(&key->public, &to->public_key);
        extras[1] = (struct plan_extra){.image_path = PLAN_CONTENTS_SIG, .mode = 0644};
        extras[2] = (struct plan_extra){.image_path = PLAN_PUBLIC_KEY, .mode = 0644};
        if (buf_check(&to->public_key, "the public key", err) < 0 ||
            blob_from_memory(to->signature.data, to->signature.len, &extras[1].blob, err) < 0 ||
            blob_from_memory(to->public_key.data, to->public_key.len, &extras[2].blob, err) < 0)
            return -1;
        count = 3;
    }
    return plan_with(&planned->plan, &to->base->layout, layout_map, extras, count, &to->plan, err);
}

static int write_files(struct common *common, const struct plan *plan, struct unpacked *base, struct err *err)
{
    char size[16];
    ui_step(&common->ui, "fs", "writing %s into %s", ui_bytes(plan_bytes(plan), size),
            base->layout.partitions[base->layout.root].label);
    cleanup_fs_changes struct fs_changes changes = {0};
    if (fs_apply(&base->disk, &base->layout, plan, &common->run, &changes, err) < 0)
        return -1;
    run_note(&common->run, "fs", "%llu files, %llu folders, %llu links, %llu removed, %s changed",
             (unsigned long long)changes.files, (unsigned long long)changes.directories,
             (unsigned long long)changes.symlinks, (unsigned long long)changes.removed,
             ui_bytes(changes.bytes_changed, size));
    return 0;
}

/* Whose errors did e2fsck find? Looks for them in the base as it was fetched. */
static int blame(const struct bake_job *job, const struct trusted *artifact, const struct plan *plan,
                 struct err *err)
{
    struct err before = {0};
    struct layout layout;
    cleanup_disk struct disk base = DISK_EMPTY;
    const struct run *run = &job->common->run;
    if (unpack_base(artifact, job->cache, NULL, run, NULL, &base, &before) < 0 ||
        layout_read(&base, run, &layout, &before) < 0 ||
        fs_fsck(&base, &layout, plan, cache_dir(job->cache), run, &before) < 0) {
        *err = before;
        return err_wrap(err, "the base, before anything was written");
    }
    err->kind = ERR_INTERNAL;
    return err_wrap(err, "after writing");
}

static int check_file_systems(const struct bake_job *job, const struct fetched *fetched,
                              const struct patched *patched, struct err *err)
{
    ui_step(&job->common->ui, "check", "running e2fsck");
    if (fs_fsck(&patched->base->disk, &patched->base->layout, &patched->plan, cache_dir(job->cache),
                &job->common->run, err) == 0)
        return 0;
    return err->kind == ERR_LAYOUT ? blame(job, &fetched->base, &patched->plan, err) : -1;
}

int phase_patch(const struct bake_job *job, const struct fetched *fetched, const struct planned *planned,
                const char *name, const struct signing_key *key, struct unpacked *base, struct patched *ret,
                struct err *err)
{
    ret->base = base;
    ret->planned = planned;
    if (add_lists(planned, name, key, ret, err) < 0 || write_files(job->common, &ret->plan, base, err) < 0)
        return -1;
    return check_file_systems(job, fetched, ret, err);
}
