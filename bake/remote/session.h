/* What the commands that talk to Google share: options, the session, dry runs.
 *
 * In:    options and the environment.
 * Out:   a session: credentials, project, and what the cloud stage needs of them.
 * Fails: ERR_USAGE: no project, no credentials, names that cannot be names.
 * Owns:  the session, until session_close(); it must not be moved, as its parts point at each other.
 */
#ifndef BAKE_FRONT_REMOTE_SESSION_H
#define BAKE_FRONT_REMOTE_SESSION_H

#include "cloud/compute/images.h"
#include "cloud/lifecycle/push.h"
#include "bake/ui/common.h"
#include "cache/cache.h"

struct session_options {
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

struct session {
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

must_check int session_open(struct common *common, const struct session_options *options, struct session *ret,
                            struct err *err);
void session_close(struct session *session);
#define cleanup_session cleanup(session_close)

/* The library's view of it. */
struct images session_images(const struct session *session);
struct storage session_storage(const struct session *session, const struct session_options *options);

/* "a=b" texts into labels. NAME is the option's. */
must_check int session_labels(const struct option_list *list, const char *name, struct arena *arena,
                              struct label *labels, size_t *count, size_t max, struct err *err);

static inline void cache_close_fn(struct cache **cache)
{
    cache_close(*cache);
}
#define cleanup_cache cleanup(cache_close_fn)
/* One run at a time for each family on this machine: waits for another. The lock goes with the process. */
must_check int session_lock_family(const struct session *session, struct cache *cache, const char *family,
                                   int *ret_fd, struct err *err);
void session_unlock_family(const struct session *session, struct cache *cache, const char *family, int *fd);

#endif
