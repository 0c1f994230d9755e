#include "bake/ui/common.h"

#include <string.h>
#include <unistd.h>

#include "bake/ui/help.h"
#include "http/ca.h"
#include "io/file.h"

static const uint64_t cache_size_default = UINT64_C(20) << 30;

static const struct option output_rows[] = {
    {"json", 0, FLAG_OF(struct common, ui.json), NULL, "JSON lines on stdout, nothing else there"},
    {"quiet", 'q', FLAG_OF(struct common, ui.quiet), NULL, "no progress"},
    {"verbose", 'v', FLAG_OF(struct common, ui.verbose), NULL, "show more of what happens"},
    {0},
};
const struct option_group common_output_group = {.title = "Output", .rows = output_rows, .of_common = true};

static const struct option cache_rows[] = {
    {"cache-dir", 0, STRING_OF(struct common, cache_dir), "DIR", "the cache, else $XDG_CACHE_HOME/bake"},
    {"cache-size", 0, SIZE_OF(struct common, cache_size), "SIZE",
     "evict beyond this size (20GiB, or half of the disk)"},
    {"recheck", 0, FLAG_OF(struct common, recheck), NULL, "hash and verify cached files again"},
    {0},
};
const struct option_group common_cache_group = {.title = "Cache", .rows = cache_rows, .of_common = true};

static const struct option network_rows[] = {
    {"ca-file", 0, STRING_OF(struct common, ca_file), "FILE", "also trust the CAs in this PEM file"},
    {0},
};
const struct option_group common_network_group = {
    .title = "Network", .rows = network_rows, .of_common = true};

void common_begin(struct common *common)
{
    /* files get the time of the last clock tick: compared with the exact time, a file used right now would
     * look older */
    if (clock_gettime(CLOCK_REALTIME_COARSE, &common->began) < 0)
        common->began = (struct timespec){0};
}

int common_parse(struct common *common, const struct command *command, void *values, int argc, char **argv,
                 const char **arguments, bool *ret_done, struct err *err)
{
    *ret_done = false;
    if (options_parse(command, common, values, argc, argv, arguments, ret_done, err) < 0)
        return -1;
    if (*ret_done)
        help_print(command);
    else if (common->ui.quiet && common->ui.verbose)
        return err_set(err, ERR_USAGE, 0, "--quiet and --verbose contradict each other");
    else if (common->ca_file) {
        const struct ca_source ca = ca_choose(common->ca_file);
        return ca_check(&ca, err);
    }
    return 0;
}

int dir_default(const char *variable, const char *fallback, const char *tail, char **ret, struct err *err)
{
    const char *base = getenv(variable);
    cleanup_free char *home = NULL;
    char *made = NULL;
    int n;
    if (base && base[0] == '/') /* the XDG specification: relative paths are ignored */
        n = asprintf(&made, "%s/%s", base, tail);
    else if (file_home(&home, err) < 0)
        return -1;
    else if (home)
        n = asprintf(&made, "%s/%s/%s", home, fallback, tail);
    else
        return err_set(err, ERR_USAGE, 0,
                       "neither %s nor HOME names a folder, and user %u has no home: set one of them",
                       variable, geteuid());
    if (n < 0)
        return err_oom(err);
    *ret = made;
    return 0;
}

int common_cache_dir(const struct common *common, char **ret, struct err *err)
{
    if (!common->cache_dir)
        return dir_default("XDG_CACHE_HOME", ".cache", "bake", ret, err);
    *ret = strdup(common->cache_dir);
    return *ret ? 0 : err_oom(err);
}

int common_cache(const struct common *common, struct cache **ret, struct err *err)
{
    cleanup_free char *dir = NULL;
    if (common_cache_dir(common, &dir, err) < 0)
        return -1;
    bool unset = common->cache_size == CACHE_SIZE_DEFAULT;
    const struct cache_options options = {.dir = dir,
                                          .max_bytes = unset ? cache_size_default : common->cache_size,
                                          .at_most_half = unset,
                                          .keep_since = common->began,
                                          .recheck = common->recheck};
    return cache_open(&options, ret, err);
}
