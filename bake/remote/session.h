/* A session with Google: what the commands that talk to it share.
 *
 * In:    options and the environment.
 * Out:   credentials, project, and the handles that the cloud stage needs.
 * Fails: ERR_USAGE: no project, no credentials, or invalid names.
 * Owns:  everything, until session_close(). It must not be moved: its parts point at each other.
 */
#ifndef BAKE_FRONT_REMOTE_SESSION_H
#define BAKE_FRONT_REMOTE_SESSION_H

#include "cloud/compute/images.h"
#include "cloud/push/push.h"
#include "bake/ui/common.h"
#include "cache/cache.h"

struct session_options {
    const char *project;    /* NULL: from the environment, else from the credentials */
    const char *token_file; /* NULL: credentials as Google's own tools look for them */
    const char *bucket, *prefix;
    uint64_t rate; /* bytes a second; 0: no limit */
    bool dry_run;
};

/* Both of struct session_options. */
extern const struct option_group session_group, bucket_group;

struct session {
    struct cloud_env env;
    char *home; /* what env.home points to */
    struct http *http;
    struct credentials *credentials;
    struct client client;
    struct api api;
    const char *project;
    const char *prefix; /* "" or ends in '/' */
    struct dry_run dry; /* reports to common->ui */
    struct common *common;
};

must_check int session_open(struct common *common, const struct session_options *options, struct session *ret,
                            struct err *err);
void session_close(struct session *session);
#define cleanup_session cleanup(session_close)

/* The session as the library's calls take it. */
struct images session_images(const struct session *session);
struct storage session_storage(const struct session *session, const struct session_options *options);

/* Adds "KEY=VALUE" texts to LABELS; an existing key gets the new value. NAME is the option's, for
 * messages. */
must_check int session_labels(const struct option_list *list, const char *name, struct arena *arena,
                              struct label *labels, size_t *count, size_t max, struct err *err);

/* One run at a time for each family on this machine: waits for others. The kernel drops the lock when the
 * process ends. */
must_check int session_lock_family(const struct session *session, struct cache *cache, const char *family,
                                   int *ret_fd, struct err *err);
void session_unlock_family(const struct session *session, struct cache *cache, const char *family, int *fd);

#endif
