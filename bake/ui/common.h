/* What every command shares: global options, directories, the stop flag. */
#ifndef BAKE_FRONT_UI_COMMON_H
#define BAKE_FRONT_UI_COMMON_H

#include "cache/cache.h"
#include "bake/ui/options.h"
#include "bake/ui/ui.h"

struct common {
    struct ui ui;
    struct run run;
    const char *cache_dir; /* --cache-dir; NULL: $XDG_CACHE_HOME/bake, $HOME/.cache/bake */
    uint64_t cache_size;   /* bytes; 0: no bound; CACHE_SIZE_DEFAULT */
    struct timespec began; /* cache entries used since then are not evicted */
    bool recheck;
    const char *ca_file; /* --ca-file; NULL: what the environment names, or the system's */
    int exit_code;       /* of a command that succeeded; usually 0 */
};

/* 20 GiB, or half of the cache's file system if that is less. */
#define CACHE_SIZE_DEFAULT UINT64_MAX

/* The current time as file systems record it: see common.began. */
void common_begin(struct common *common);

extern const struct option_group common_output_group, common_cache_group, common_network_group;

/* Parses, or prints the help: then *ret_done is set and the command returns 0 at once. */
must_check int common_parse(struct common *common, const struct command *command, void *values, int argc,
                            char **argv, const char **arguments, bool *ret_done, struct err *err);

/* $VARIABLE/TAIL, else FALLBACK/TAIL in the user's home. The caller frees it. ERR_USAGE if neither is
 * known. */
must_check int dir_default(const char *variable, const char *fallback, const char *tail, char **ret,
                           struct err *err);

/* The path of the cache, owned by the caller. */
must_check int common_cache_dir(const struct common *common, char **ret, struct err *err);
/* The cache, opened, and created if it is missing. */
must_check int common_cache(const struct common *common, struct cache **ret, struct err *err);

static inline void cache_close_fn(struct cache **cache)
{
    cache_close(*cache);
}
#define cleanup_cache cleanup(cache_close_fn)

#endif
