#include "bake/job/pipeline.h"

#include <unistd.h>

#include "bake/job/keep.h"
#include "bake/job/phase/seal.h"
#include "bake/job/up_to_date.h"
#include "fs/fs.h"
#include "seal/package.h"

int bake_lock(struct common *common, const struct recipe_options *options, char **ret_path, bool *ret_written,
              struct err *err)
{
    cleanup_job struct bake_job job = JOB_EMPTY;
    cleanup_fetched struct fetched fetched = FETCHED_EMPTY;
    if (job_open(common, options, &job, err) < 0 || inputs_fetch(&job, NULL, &fetched, err) < 0)
        return -1;
    *ret_path = steal_ptr(job.inputs.lock_path);
    *ret_written = fetched.lock_written;
    return 0;
}

int bake_plan(struct common *common, const struct recipe_options *options,
              int (*print)(struct common *common, const struct planned *planned, const struct layout *layout,
                           struct err *err),
              struct err *err)
{
    cleanup_job struct bake_job job = JOB_EMPTY;
    cleanup_fetched struct fetched fetched = FETCHED_EMPTY;
    cleanup_unpacked struct unpacked base = UNPACKED_EMPTY;
    cleanup_planned struct planned planned = {0};
    if (job_open(common, options, &job, err) < 0 || inputs_fetch(&job, NULL, &fetched, err) < 0 ||
        phase_unpack(&job, &fetched, NULL, &base, err) < 0 ||
        phase_plan(&job, &fetched, &base, &planned, err) < 0 ||
        fs_check(&base.disk, &base.layout, &planned.plan, &common->run, err) < 0)
        return -1;
    return print(common, &planned, &base.layout, err);
}

static struct up_to_date_query query_of(const struct image_options *options)
{
    return (struct up_to_date_query){
        .out_dir = options->recipe.out_dir, .key_path = options->key_path, .small = options->small};
}

int bake_unchanged(const struct common *common, const struct image_options *options, char **ret_manifest,
                   struct err *err)
{
    const struct up_to_date_query query = query_of(options);
    cleanup_inputs struct inputs inputs = INPUTS_EMPTY;
    *ret_manifest = NULL;
    if (common->recheck || options->recipe.update)
        return 0;
    if (inputs_open(&options->recipe, &inputs, err) < 0)
        return -1;
    *ret_manifest = up_to_date_find(common, &query, &inputs);
    return 0;
}

/* Fails now rather than after minutes of work. */
static int prepare_folder(const char *dir, struct err *err)
{
    if (file_mkdirs(dir, 0755, err) < 0)
        return -1;
    return access(dir, W_OK | X_OK) < 0 ? err_sys(err, errno, "write into %s", dir) : 0;
}

/* The package's files take their names one right after the other, the manifest last. */
static int commit_package(const struct bake_job *job, struct packed_image *image, const struct sealed *sealed,
                          struct err *err)
{
    const char *dir = job->options->out_dir;
    cleanup_close int lock = -1;
    if (run_check(&job->common->run, err) < 0 || keep_lock(dir, &lock, &job->common->run, err) < 0)
        return -1;
    if (newfile_commit(&image->archive, false, err) < 0 || seal_write(sealed, dir, err) < 0)
        return err_wrap(err, "seal");
    return 0;
}

/* A cache that cannot be written only costs time: it does not fail a bake that is complete. */
static void remember(const struct bake_job *job, const struct up_to_date *before,
                     const struct up_to_date_query *query, const char *name)
{
    struct err why = {0};
    const struct run *run = &job->common->run;
    if (up_to_date_remember(before, query, &job->inputs, job->cache, name, run, &why) < 0)
        run_note(run, "cache", "cannot remember that this is built: %s", why.text);
}

int bake_image(struct common *common, const struct image_options *options, const struct signing_key *key,
               char **ret_manifest, bool *ret_unchanged, struct err *err)
{
    const struct up_to_date_query query = query_of(options);
    cleanup_job struct bake_job job = JOB_EMPTY;
    cleanup_up_to_date struct up_to_date before = {0};
    cleanup_fetched struct fetched fetched = FETCHED_EMPTY;
    cleanup_base_threads struct base_threads threads = {0};
    cleanup_unpacked struct unpacked base = UNPACKED_EMPTY;
    cleanup_planned struct planned planned = {0};
    cleanup_package_id struct package_id id = {0};
    cleanup_patched struct patched patched = {0};
    cleanup_packed_image struct packed_image image = PACKED_IMAGE_EMPTY;
    cleanup_sealed struct sealed sealed = {0};

    if (prepare_folder(options->recipe.out_dir, err) < 0 ||
        job_open(common, &options->recipe, &job, err) < 0 ||
        up_to_date_begin(&query, &job.inputs, &before, err) < 0 ||
        base_threads_start(&job, options, &threads, err) < 0 ||
        inputs_fetch(&job, base_threads_download(&threads), &fetched, err) < 0 ||
        phase_unpack(&job, &fetched, &threads, &base, err) < 0 ||
        phase_plan(&job, &fetched, &base, &planned, err) < 0 ||
        package_id_make(&job, options, key, &fetched, &base, &planned, &id, err) < 0)
        return -1;
    *ret_unchanged = package_id_exists(&id, common, key);
    if (!*ret_unchanged &&
        (phase_patch(&job, &fetched, &planned, id.name, key, &base, &patched, err) < 0 ||
         phase_pack(&job, options, &fetched, &patched, id.name, &threads, &image, err) < 0 ||
         phase_seal(&job, &patched, &image, &id, key, &sealed, err) < 0 ||
         commit_package(&job, &image, &sealed, err) < 0))
        return -1;
    remember(&job, &before, &query, id.name);
    *ret_manifest = steal_ptr(id.manifest);
    return 0;
}
