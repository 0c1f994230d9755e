/* Google credentials: who asks, and an access token that is valid now.
 *
 * In:    a token file, a credential file or a metadata server, in Google's documented order: the token file
 *        that the user named; GOOGLE_APPLICATION_CREDENTIALS; application_default_credentials.json under
 *        $CLOUDSDK_CONFIG or ~/.config/gcloud; the metadata server.
 * Out:   access tokens, cached and renewed some minutes before they expire; whom they stand for.
 * Fails: ERR_USAGE: no credentials anywhere, or of another universe domain than the one asked for.
 *        ERR_RECIPE: a malformed file. ERR_IO: an unreadable file. ERR_REMOTE: Google refused them, with
 *        Google's message. ERR_NETWORK: no answer after all retries.
 * Owns:  everything, until credentials_free(), which wipes. Safe in threads.
 * Never: shows a secret in messages or notes; runs a program (external_account's "executable").
 *
 * The front end disables core dumps before it opens credentials: prctl(PR_SET_DUMPABLE, 0).
 */
#ifndef BAKE_CLOUD_AUTH_CREDENTIALS_H
#define BAKE_CLOUD_AUTH_CREDENTIALS_H

#include "base/run.h"
#include "cloud/api/endpoints.h"
#include "cloud/api/retry.h"
#include "http/http.h"

struct credentials;

struct credentials_options {
    const char *token_file;           /* --access-token-file; NULL: none */
    const char *scope;                /* NULL: https://www.googleapis.com/auth/cloud-platform */
    const struct cloud_env *env;      /* of the process: cloud_env_read() */
    const struct retry_policy *retry; /* for token requests; NULL: the defaults */
    const struct clock_source *clock; /* NULL: the machine's */
};

/* Finds and reads them; requests no token yet, but asks whether there is a metadata server when nothing else
 * is found. Borrows HTTP until credentials_free(). */
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
/* The project they belong to, from the key file or the metadata server; NULL when neither names one. */
const char *credentials_project(const struct credentials *credentials);
/* For x-goog-user-project; NULL: none. */
const char *credentials_quota_project(const struct credentials *credentials);
/* Of the credentials' universe domain, with the environment's overrides. */
const struct endpoints *credentials_endpoints(const struct credentials *credentials);

struct access_token {
    char *text; /* NULL when empty */
};
void access_token_free(struct access_token *token); /* wipes */
#define cleanup_access_token cleanup(access_token_free)

/* A token that is valid for some minutes at least, as far as this machine knows. */
must_check int credentials_token(struct credentials *credentials, const struct run *run,
                                 struct access_token *ret, struct err *err);
/* After a server answered 401 to REFUSED: a new token, unless another thread has renewed it already. */
must_check int credentials_renew(struct credentials *credentials, const struct access_token *refused,
                                 const struct run *run, struct access_token *ret, struct err *err);

#endif
