#include "bake/job/phase/unpack.h"

#include <string.h>

#include "bake/job/inputs/epoch.h"
#include "fs/fs.h"
#include "layout/layout.h"
#include "layout/probe.h"
#include "unpack/unpack.h"

void unpacked_free(struct unpacked *unpacked)
{
    probe_fs_close(&unpacked->usr);
    disk_close(&unpacked->disk);
}

static int settle_epoch(const struct lock *lock, int64_t *ret, struct err *err)
{
    bool set = false;
    if (epoch_from_environment(ret, &set, err) < 0)
        return -1;
    if (!set)
        *ret = lock->epoch;
    return 0;
}

static int give_disk(const struct bake_job *job, const struct trusted *base, struct base_threads *threads,
                     struct disk *ret, struct err *err)
{
    char size[16];
    ui_step(&job->common->ui, "unpack", "%s", ui_bytes(base->size, size));
    int r = threads ? base_threads_unpack(threads, base, ret, err)
                    : unpack_base(base, job->cache, NULL, &job->common->run, NULL, ret, err);
    return r < 0 ? err_wrap(err, "unpack") : 0;
}

static int read_layout(const struct bake_job *job, const struct disk *disk, struct layout *ret,
                       struct err *err)
{
    char size[16];
    if (layout_read(disk, &job->common->run, ret, err) < 0)
        return err_wrap(err, "layout");
    const char *wanted = job->inputs.recipe.base.os;
    if (wanted && strcmp(wanted, os_kind_name(ret->os)) != 0)
        return err_set(err, ERR_LAYOUT, 0, "layout: the recipe says the base is %s, but it is %s", wanted,
                       os_kind_name(ret->os));
    ui_step(&job->common->ui, "layout", "%s %s, %u partitions, %s", os_kind_name(ret->os), ret->os_version,
            ret->partition_count, ui_bytes(ret->disk_size, size));
    return 0;
}

/* As released: a disk that has grown can no longer be opened. */
static int open_usr(const struct bake_job *job, struct unpacked *to, struct err *err)
{
    const struct partition *usr = &to->layout.partitions[to->layout.usr];
    if (job->inputs.recipe.kubernetes.form == KUBERNETES_NONE || usr->fs != FS_EXT)
        return 0;
    return probe_fs_open(&to->disk, usr, &to->usr, err) < 0 ? err_wrap(err, "layout") : 0;
}

/* Always to whole GiB; with the recipe's disk.size, ROOT takes the new space. */
static int grow_disk(const struct bake_job *job, struct unpacked *to, struct err *err)
{
    uint64_t wanted = job->inputs.recipe.disk_size;
    to->root_grown = wanted != 0;
    if (wanted != 0 && wanted < to->disk.size)
        return err_set(err, ERR_LAYOUT, 0,
                       "layout: the recipe's disk.size is %llu bytes, but the base already has %llu: a disk "
                       "cannot shrink",
                       (unsigned long long)wanted, (unsigned long long)to->disk.size);
    if (layout_grow(&to->disk, wanted, to->root_grown, &to->layout, err) < 0)
        return err_wrap(err, "layout");
    if (!to->root_grown)
        return 0;
    const struct partition *root = &to->layout.partitions[to->layout.root];
    if (fs_grow(&to->disk, root, cache_dir(job->cache), to->epoch, &job->common->run, err) < 0)
        return err_wrap(err, "layout: grow ROOT (partition %u)", root->number);
    return 0;
}

int phase_unpack(const struct bake_job *job, const struct fetched *fetched, struct base_threads *threads,
                 struct unpacked *ret, struct err *err)
{
    if (settle_epoch(&job->inputs.lock, &ret->epoch, err) < 0 ||
        give_disk(job, &fetched->base, threads, &ret->disk, err) < 0 ||
        read_layout(job, &ret->disk, &ret->layout, err) < 0 || open_usr(job, ret, err) < 0)
        return -1;
    return grow_disk(job, ret, err);
}
