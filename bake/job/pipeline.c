#include "bake/job/pipeline.h"

#include <string.h>

#include "bake/job/epoch.h"
#include "fs/fs.h"
#include "task/progress.h"
#include "layout/layout.h"
#include "pack/precompress.h"
#include "unpack/unpack.h"
#include "unpack/unpacking.h"

void baking_free(struct baking *baking)
{
    struct err ignored = {0};
    (void)!unpacking_end(baking->unpacking, NULL, NULL, &ignored);
    precompress_end(baking->ahead);
    progress_free(baking->flow);
    progress_free(baking->download);
    plan_free(&baking->plan);
    payload_free(&baking->payload);
    plan_wants_free(&baking->wants);
    disk_close(&baking->disk);
    inputs_free(&baking->inputs);
}

/* From here on a base that is unpacked is deflated, too. */
static int begin_ahead(struct common *common, struct baking *baking, const struct sha256 *base,
                       struct err *err)
{
    struct pack_options options = baking->pack;
    options.cache = baking->inputs.cache;
    options.base = base;
    return progress_new(&baking->flow, err) < 0 ||
                   precompress_begin(&options, baking->flow, &common->run, &baking->ahead, err) < 0
               ? -1
               : 0;
}

static void end_ahead(struct baking *baking)
{
    precompress_end(steal_ptr(baking->ahead));
    progress_free(steal_ptr(baking->flow));
}

/* A base whose digest the lock knows is unpacked while it is fetched. */
static int begin_base(struct common *common, const struct recipe_options *options, struct baking *baking,
                      struct err *err)
{
    struct inputs *inputs = &baking->inputs;
    const struct lock_input *base = options->update ? NULL : lock_find(&inputs->lock, RECIPE_BASE_NAME);
    const char *url = inputs->recipe.base.from.url;
    if (!baking->packs || !base || common->recheck || (url && strncmp(url, "file:", 5) == 0))
        return 0;
    if (common_cache(common, &inputs->cache, err) < 0)
        return err_wrap(err, "cache");
    if (progress_new(&baking->download, err) < 0 || begin_ahead(common, baking, &base->sha256, err) < 0 ||
        unpacking_begin(&base->sha256, base->size, baking->download, inputs->cache, &common->run,
                        baking->flow, &baking->unpacking, err) < 0)
        return err_wrap(err, "unpack");
    if (baking->unpacking)
        inputs->download = baking->download;
    else
        end_ahead(baking);
    return 0;
}

static int unpack(struct common *common, struct baking *baking, struct err *err)
{
    const struct inputs *inputs = &baking->inputs;
    if (unpacking_end(steal_ptr(baking->unpacking), &inputs->base, &baking->disk, err) < 0)
        return -1;
    if (baking->disk.ops)
        return 0;
    end_ahead(baking);
    if (baking->packs && begin_ahead(common, baking, &inputs->base.sha256, err) < 0)
        return -1;
    return unpack_base(&inputs->base, inputs->cache, NULL, &common->run, baking->flow, &baking->disk, err);
}

static int read_base(struct common *common, struct baking *baking, struct err *err)
{
    char size[16];
    const struct inputs *inputs = &baking->inputs;
    ui_step(&common->ui, "unpack", "%s", ui_bytes(inputs->base.size, size));
    if (unpack(common, baking, err) < 0)
        return err_wrap(err, "unpack");
    if (layout_read(&baking->disk, &common->run, &baking->layout, err) < 0)
        return err_wrap(err, "layout");
    const struct layout *layout = &baking->layout;
    const char *wanted = inputs->recipe.base.os;
    if (wanted && strcmp(wanted, os_kind_name(layout->os)) != 0)
        return err_set(err, ERR_LAYOUT, 0, "layout: the recipe says that the base is %s, but it is %s",
                       wanted, os_kind_name(layout->os));
    ui_step(&common->ui, "layout", "%s %s, %u partitions, %s", os_kind_name(layout->os), layout->os_version,
            layout->partition_count, ui_bytes(layout->disk_size, size));
    return 0;
}

/* Whole GiB always; the recipe's disk.size also gives ROOT the new room. */
static int grow(struct common *common, struct baking *baking, struct err *err)
{
    uint64_t wanted = baking->inputs.recipe.disk_size;
    baking->grow_root = wanted != 0;
    if (wanted != 0 && wanted < baking->disk.size)
        return err_set(err, ERR_LAYOUT, 0,
                       "layout: the recipe's disk.size is %llu bytes, but the base has %llu already: a disk "
                       "cannot shrink",
                       (unsigned long long)wanted, (unsigned long long)baking->disk.size);
    if (layout_grow(&baking->disk, wanted, baking->grow_root, &baking->layout, err) < 0)
        return err_wrap(err, "layout");
    if (!baking->grow_root)
        return 0;
    const struct partition *root = &baking->layout.partitions[baking->layout.root];
    if (fs_grow(&baking->disk, root, cache_dir(baking->inputs.cache), baking->epoch, &common->run, err) < 0)
        return err_wrap(err, "layout: grow ROOT (partition %u)", root->number);
    return 0;
}

int baking_plan(struct common *common, const struct recipe_options *options, struct baking *baking,
                struct err *err)
{
    struct inputs *inputs = &baking->inputs;
    if (begin_base(common, options, baking, err) < 0 || inputs_fetch(common, options, inputs, err) < 0)
        return -1;
    bool set = false;
    if (epoch_from_environment(&baking->epoch, &set, err) < 0)
        return -1;
    if (!set)
        baking->epoch = inputs->lock.epoch;
    if (read_base(common, baking, err) < 0 || grow(common, baking, err) < 0)
        return -1;
    if (plan_wants(&inputs->recipe, &baking->layout, &baking->wants, err) < 0)
        return err_wrap(err, "plan");
    const struct payload_sources sources = {
        .recipe = &inputs->recipe, .inputs = inputs->items, .cache = inputs->cache};
    if (payload_load(&sources, &baking->wants, &common->run, &baking->payload, err) < 0)
        return err_wrap(err, "payload");
    const struct plan_args args = {.recipe = &inputs->recipe,
                                   .layout = &baking->layout,
                                   .map = layout_map,
                                   .wants = &baking->wants,
                                   .contents = baking->payload.contents,
                                   .epoch = baking->epoch};
    if (plan_make(&args, &baking->plan, err) < 0)
        return err_wrap(err, "plan");
    for (size_t i = 0; i < baking->plan.note_count; i++)
        run_warn(&common->run, "plan", "%s", baking->plan.notes[i]);
    char size[16];
    ui_step(&common->ui, "plan", "%zu operations, %s", baking->plan.op_count,
            ui_bytes(plan_bytes(&baking->plan), size));
    return 0;
}

/* Whose fault are errors in ROOT? The base's, when they are in the base, too: it is opened again, as it came. */
static int blame(struct common *common, struct baking *baking, const struct plan *plan, struct err *err)
{
    struct err before = {0};
    struct layout layout;
    cleanup_disk struct disk base = DISK_EMPTY;
    const struct inputs *inputs = &baking->inputs;
    const char *scratch = cache_dir(inputs->cache);
    if (unpack_base(&inputs->base, inputs->cache, NULL, &common->run, NULL, &base, &before) < 0 ||
        layout_read(&base, &common->run, &layout, &before) < 0 ||
        fs_fsck(&base, &layout, plan, scratch, &common->run, &before) < 0) {
        *err = before;
        return err_wrap(err, "the base, before anything was written");
    }
    err->kind = ERR_INTERNAL;
    return err_wrap(err, "after writing");
}

int baking_fsck(struct common *common, struct baking *baking, const struct plan *plan, struct err *err)
{
    ui_step(&common->ui, "check", "what e2fsck says of it");
    if (fs_fsck(&baking->disk, &baking->layout, plan, cache_dir(baking->inputs.cache), &common->run, err) ==
        0)
        return 0;
    return err->kind == ERR_LAYOUT ? blame(common, baking, plan, err) : -1;
}
