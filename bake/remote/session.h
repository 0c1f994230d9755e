/* What the commands that talk to Google share: options, the session, dry runs.
 *
 * In:    options and the environment.
 * Out:   a session: credentials, project, and what the cloud stage needs of them.
 * Fails: ERR_USAGE: no project, no credentials, names that cannot be names.
 * Owns:  the session, until cloud_close(); it must not be moved, as its parts point at each other.
 */
#ifndef BAKE_FRONT_REMOTE_SESSION_H
#define BAKE_FRONT_REMOTE_SESSION_H

#include "cloud/compute/images.h"
#include "cloud/lifecycle/push.h"
#include "bake/ui/common.h"
#include "cache/cache.h"

struct cloud_options {
    const char *project;    /* NULL: of the environment, of the credentials */
    const char *token_file; /* NULL: credentials in Google's order */
    const char *bucket, *prefix;
    uint64_t rate; /* bytes a second; 0: no limit */
    bool dry_run;
};

#define CLOUD_OPTIONS(options)                                                                               \
    {                                                                                                        \
        "project",           0,    OPTION_STRING,                                                            \
        &(options)->project, "ID", "else $GOOGLE_CLOUD_PROJECT, the credentials'"},                          \
        {"access-token-file", 0, OPTION_STRING, &(options)->token_file, "F", "a file with an access token"}, \
    {                                                                                                        \
        "dry-run", 'n', OPTION_FLAG, &(options)->dry_run, NULL,                                              \
            "print requests that change things, send none"                                                   \
    }
#define BUCKET_OPTIONS(options)                                                                              \
    {"bucket", 0, OPTION_STRING, &(options)->bucket, "NAME", "the bucket archives lie in"},                  \
    {                                                                                                        \
        "prefix", 0, OPTION_STRING, &(options)->prefix, "DIR/", "in that folder of the bucket"               \
    }

struct cloud {
    struct cloud_env env;
    char *home; /* what env.home points to */
    struct http *http;
    struct credentials *credentials;
    struct client client;
    struct api api;
    const char *project;
    const char *prefix; /* "" or ends in '/' */
    struct dry_run dry; /* tells ui */
    struct common *common;
};

must_check int cloud_open(struct common *common, const struct cloud_options *options, struct cloud *ret,
                          struct err *err);
void cloud_close(struct cloud *cloud);
#define cleanup_cloud cleanup(cloud_close)

/* The library's view of it. */
struct images cloud_images(const struct cloud *cloud);
struct storage cloud_storage(const struct cloud *cloud, const struct cloud_options *options);

/* "a=b" texts into labels. NAME is the option's. */
must_check int cloud_labels(const struct option_list *list, const char *name, struct arena *arena,
                            struct label *labels, size_t *count, size_t max, struct err *err);

static inline void cache_close_fn(struct cache **cache)
{
    cache_close(*cache);
}
#define cleanup_cache cleanup(cache_close_fn)
/* One run at a time for each family on this machine: waits for another. The lock goes with the process. */
must_check int cloud_lock_family(const struct cloud *cloud, struct cache *cache, const char *family,
                                 int *ret_fd, struct err *err);
void cloud_unlock_family(const struct cloud *cloud, struct cache *cache, const char *family, int *fd);

#endif
