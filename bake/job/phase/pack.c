#include "bake/job/phase/pack.h"

#include "bake/remote/early_upload.h"
#include "pack/pack.h"
#include "payload/check.h"

void packed_image_free(struct packed_image *image)
{
    packed_free(&image->packed);
    newfile_abort(&image->archive);
}

static int approve_payload(void *ctx, struct err *err)
{
    return payload_check_wait(ctx, NULL, err);
}

int phase_pack(const struct bake_job *job, const struct image_options *options, const struct fetched *fetched,
               const struct patched *patched, const char *name, struct base_threads *threads,
               struct packed_image *ret, struct err *err)
{
    char size[16];
    struct common *common = job->common;
    const struct disk *disk = &patched->base->disk;
    cleanup_free char *path = NULL;
    cleanup_payload_check struct payload_check check = {0};
    if (asprintf(&path, "%s/%s.tar.gz", options->recipe.out_dir, name) < 0)
        return err_oom(err);
    ui_step(&common->ui, "pack", "a disk of %s", ui_bytes(disk->size, size));
    base_threads_join(threads);
    payload_check_begin(&check, &patched->plan);
    struct pack_options how = {.threads = (unsigned)options->threads,
                               .epoch = patched->plan.epoch,
                               .small = options->small,
                               .cache = job->cache,
                               .base = &fetched->base.sha256,
                               .approve = {approve_payload, &check}};
    if (options->early_upload)
        early_upload_begin(common, options->early_upload, &how.sink);
    if (newfile_open(&ret->archive, path, 0644, err) < 0 ||
        pack_disk(disk, &how, ret->archive.fd, &common->run, &ret->packed, err) < 0)
        return err_wrap(err, "pack");
    if (!options->check)
        return 0;
    ui_step(&common->ui, "pack", "%s, reading it back", ui_bytes(ret->packed.archive_size, size));
    if (pack_check(ret->archive.fd, &ret->packed, disk, &common->run, err) < 0)
        return err_wrap(err, "pack: reading back");
    return 0;
}
