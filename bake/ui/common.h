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
    struct timespec began; /* what is in the cache and was used since then stays */
    bool recheck;
    const char *ca_file; /* --ca-file; NULL: what the environment names, or the system's */
    int exit_code;       /* of a command that succeeded; 0 as a rule */
};

/* 20 GiB, or half of the cache's file system where that is less. */
#define CACHE_SIZE_DEFAULT UINT64_MAX

/* The time as files have it: see common.began. */
void common_begin(struct common *common);

/* A command: returns 0 or -1 with err filled; main.c prints the error and gives the exit code. */
struct command {
    const char *name;
    const char *summary; /* NULL: not for people, and not listed */
    int (*run)(struct common *common, int argc, char **argv, struct err *err);
};

int cmd_init(struct common *common, int argc, char **argv, struct err *err);
int cmd_lock(struct common *common, int argc, char **argv, struct err *err);
int cmd_plan(struct common *common, int argc, char **argv, struct err *err);
int cmd_image(struct common *common, int argc, char **argv, struct err *err);
int cmd_matrix(struct common *common, int argc, char **argv, struct err *err);
int cmd_key(struct common *common, int argc, char **argv, struct err *err);
int cmd_test(struct common *common, int argc, char **argv, struct err *err);
int cmd_metadata(struct common *common, int argc, char **argv, struct err *err);
int cmd_push(struct common *common, int argc, char **argv, struct err *err);
int cmd_promote(struct common *common, int argc, char **argv, struct err *err);
int cmd_prune(struct common *common, int argc, char **argv, struct err *err);
int cmd_relay_metadata(struct common *common, int argc, char **argv, struct err *err);
int cmd_serve_metadata(struct common *common, int argc, char **argv, struct err *err);

/* Rows that each command puts into its own table. */
#define COMMON_OUTPUT_OPTIONS(common)                                                                        \
    {"json", 0, OPTION_FLAG, &(common)->ui.json, NULL, "JSON lines on stdout, nothing else there"},          \
        {"quiet", 'q', OPTION_FLAG, &(common)->ui.quiet, NULL, "no progress"},                               \
    {                                                                                                        \
        "verbose", 'v', OPTION_FLAG, &(common)->ui.verbose, NULL, "say more"                                 \
    }
#define COMMON_CACHE_OPTIONS(common)                                                                         \
    {"cache-dir", 0, OPTION_STRING, &(common)->cache_dir, "DIR", "cache, else $XDG_CACHE_HOME/bake"},        \
        {"cache-size",          0,      OPTION_SIZE,                                                         \
         &(common)->cache_size, "SIZE", "its bound (20GiB, or half of the disk)"},                           \
    {                                                                                                        \
        "recheck", 0, OPTION_FLAG, &(common)->recheck, NULL, "hash and verify cached files again"            \
    }
#define COMMON_NETWORK_OPTIONS(common)                                                                       \
    {                                                                                                        \
        "ca-file", 0, OPTION_STRING, &(common)->ca_file, "FILE", "also trust the CAs in this PEM file"       \
    }
#define OPTIONS_END                                                                                          \
    {                                                                                                        \
        0                                                                                                    \
    }

/* Parses, or prints the help: then *ret_done is set and the command returns 0 at once. */
must_check int common_parse(struct common *common, int argc, char **argv, const struct command_help *help,
                            const struct option_spec *specs, const char **positional, size_t positional_max,
                            bool *ret_done, struct err *err);

/* $VARIABLE/TAIL, else FALLBACK/TAIL in the user's home. The caller frees it. ERR_USAGE when there is neither. */
must_check int dir_default(const char *variable, const char *fallback, const char *tail, char **ret,
                           struct err *err);

/* Where the cache is that the options name, owned by the caller; and the cache itself, opened, made when it is not there. */
must_check int common_cache_dir(const struct common *common, char **ret, struct err *err);
must_check int common_cache(const struct common *common, struct cache **ret, struct err *err);

#endif
