/* Google credentials: who asks, and an access token that is good now.
 *
 * In:    a file of tokens, a credential file or a metadata server, found in Google's documented order:
 *        the token file the user named; GOOGLE_APPLICATION_CREDENTIALS; application_default_credentials.json
 *        under $CLOUDSDK_CONFIG or ~/.config/gcloud; the metadata server.
 * Out:   access tokens, cached and renewed some minutes before they expire; who they stand for.
 * Fails: ERR_USAGE: no credentials anywhere, or a universe that is not the one meant. ERR_RECIPE: a file that is
 *        not what it must be. ERR_IO: a file that cannot be read. ERR_REMOTE: Google refused them, with what
 *        Google said. ERR_NETWORK: no answer after all retries.
 * Owns:  everything, until credentials_free(), which wipes. Safe in threads.
 * Never: shows a secret: not in messages, not in notes. Runs a program (external_account's "executable").
 *
 * The front end switches core dumps off before it opens credentials: prctl(PR_SET_DUMPABLE, 0).
 */
#ifndef BAKE_CLOUD_AUTH_CREDENTIALS_H
#define BAKE_CLOUD_AUTH_CREDENTIALS_H

#include "base/run.h"
#include "cloud/api/endpoints.h"
#include "http/http.h"
#include "cloud/api/retry.h"

struct credentials;

struct credentials_options {
    const char *token_file;           /* --access-token-file; NULL: none */
    const char *scope;                /* NULL: https://www.googleapis.com/auth/cloud-platform */
    const struct cloud_env *env;      /* of the process: cloud_env_read() */
    const struct retry_policy *retry; /* for requests of tokens; NULL: the defaults */
    const struct clock_source *clock; /* NULL: the machine's */
};

/* Finds and reads them; no token is asked for yet. A metadata server is asked whether it is there. HTTP is
 * borrowed until credentials_free(). */
must_check int credentials_open(const struct credentials_options *options, struct http *http,
                                const struct run *run, struct credentials **ret, struct err *err);
void credentials_free(struct credentials *credentials);
static inline void credentials_free_fn(struct credentials **credentials)
{
    credentials_free(*credentials);
}
#define cleanup_credentials cleanup(credentials_free_fn)

/* "service account NAME (FILE)": for -v, results and errors. */
const char *credentials_who(const struct credentials *credentials);
/* The project they belong to, as the key file or the metadata server says; NULL when nothing does. */
const char *credentials_project(const struct credentials *credentials);
/* For x-goog-user-project; NULL: none. */
const char *credentials_quota_project(const struct credentials *credentials);
/* Of the credentials' universe, with the environment's overrides. */
const struct endpoints *credentials_endpoints(const struct credentials *credentials);

struct access_token {
    char *text; /* NULL when empty */
};
void access_token_free(struct access_token *token); /* wipes */
#define cleanup_access_token cleanup(access_token_free)

/* One that is good for some minutes at least, as far as this machine knows. */
must_check int credentials_token(struct credentials *credentials, const struct run *run,
                                 struct access_token *ret, struct err *err);
/* A server answered 401 to REFUSED: a new one, unless another thread has renewed it already. */
must_check int credentials_renew(struct credentials *credentials, const struct access_token *refused,
                                 const struct run *run, struct access_token *ret, struct err *err);

#endif
