#include "bake/trial/trial.h"

#include <string.h>

#include "bake/trial/native.h"
#include "cache/cache.h"
#include "text/hex.h"
#include "unpack/unpack.h"
#include "verify/verify.h"

/* The descriptor was hashed a moment ago, so the permit is made from that. */
static int trust_archive(const struct package *package, int *fd, const struct run *run, struct trusted *ret,
                         struct err *err)
{
    char hex[SHA256_HEX];
    hex_encode(package->archive.sha256.bytes, SHA256_SIZE, hex);
    cleanup_artifact struct artifact artifact = {
        .fd = steal_fd(fd), .size = package->archive.size, .sha256 = package->archive.sha256};
    artifact.origin = strdup(package->archive.path);
    if (!artifact.origin)
        return err_oom(err);
    const struct verify_spec spec = {
        .name = package->archive.path, .sha256 = hex, .size = package->archive.size, .hashed_already = true};
    return verify_artifact(&artifact, &spec, run, ret, err);
}

static int open_disk(struct common *common, const struct trial_options *options, struct disk *ret,
                     struct err *err)
{
    cleanup_package struct package package = {0};
    cleanup_trusted struct trusted trusted = TRUSTED_EMPTY;
    cleanup_close int fd = -1;
    if (package_file_open(common, &options->package, "test", &package, NULL, &fd, err) < 0 ||
        trust_archive(&package, &fd, &common->run, &trusted, err) < 0)
        return -1;
    struct cache *cache = NULL;
    if (common_cache(common, &cache, err) < 0)
        return -1;
    ui_step(&common->ui, "unpack", "%s", package.archive.path);
    int r = unpack_disk(&trusted, cache, NULL, &common->run, ret, err);
    cache_close(cache);
    return r;
}

int trial_package(struct common *common, const struct trial_options *options, struct err *err)
{
    cleanup_disk struct disk disk = DISK_EMPTY;
    if (open_disk(common, options, &disk, err) < 0)
        return -1;
    if (options->native)
        return trial_native(common, options, disk.fd, err);
    return options->nodes > 1 ? trial_cluster(common, options, disk.fd, err)
                              : trial_guest(common, options, disk.fd, err);
}
