#include "bake/ui/common.h"

#include <string.h>
#include <unistd.h>

#include "io/file.h"

#include "http/ca.h"

static const uint64_t cache_size_default = UINT64_C(20) << 30;

void common_begin(struct common *common)
{
    /* files get the time of the last tick: by the exact one, what is used right now would seem older than this */
    if (clock_gettime(CLOCK_REALTIME_COARSE, &common->began) < 0)
        common->began = (struct timespec){0};
}

int common_parse(struct common *common, int argc, char **argv, const struct command_help *help,
                 const struct option_spec *specs, const char **positional, size_t positional_max,
                 bool *ret_done, struct err *err)
{
    *ret_done = false;
    if (options_parse(argc, argv, specs, positional, positional_max, ret_done, err) < 0)
        return -1;
    if (*ret_done)
        options_help(help, specs);
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
    if (base && base[0] == '/') /* the XDG rules: a relative value is to be ignored */
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
