/* Where Google's services are: by universe domain, or from the environment.
 *
 * In:    the variables that Google's own clients read, and a universe domain.
 * Out:   base URLs without a trailing slash.
 * Fails: ERR_USAGE: a variable that is not a URL, or plain http to another machine.
 * Owns:  nothing: a struct cloud_env borrows the process's environment.
 *
 *   CLOUDSDK_API_ENDPOINT_OVERRIDES_{STORAGE,COMPUTE,IAMCREDENTIALS,STS}   https, or http to loopback
 *   CLOUDSDK_AUTH_TOKEN_HOST      the token endpoint, as gcloud's auth/token_host
 *   STORAGE_EMULATOR_HOST         http://127.0.0.1:PORT or 127.0.0.1:PORT, as Google's storage clients
 *   GCE_METADATA_ROOT, GCE_METADATA_HOST, GCE_METADATA_IP   HOST[:PORT] of the metadata server
 *   CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE   PEM file of CAs to trust, as gcloud
 *   GOOGLE_CLOUD_UNIVERSE_DOMAIN  the universe to use; credentials of another one are refused
 */
#ifndef BAKE_CLOUD_API_ENDPOINTS_H
#define BAKE_CLOUD_API_ENDPOINTS_H

#include <stdbool.h>

#include "base/err.h"

/* The variables that the cloud stage reads; NULL when not set or empty. */
struct cloud_env {
    const char *application_credentials; /* GOOGLE_APPLICATION_CREDENTIALS */
    const char *cloudsdk_config;         /* CLOUDSDK_CONFIG */
    const char *home;                    /* set by the caller, from file_home() */
    const char *quota_project;           /* GOOGLE_CLOUD_QUOTA_PROJECT */
    const char *universe_domain;         /* GOOGLE_CLOUD_UNIVERSE_DOMAIN */
    const char *no_gce_check;            /* NO_GCE_CHECK: with "true" no metadata server is looked for */
    const char *storage, *compute, *iamcredentials, *sts, *token;
    const char *storage_emulator;
    const char *metadata_host, *metadata_ip, *metadata_root;
    const char *ca_certs; /* CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE: for http_options.ca */
};
void cloud_env_read(struct cloud_env *ret);

enum { ENDPOINT_CAP = 512, UNIVERSE_CAP = 128 };

/* What is added to each base is shown after a colon. */
struct endpoints {
    char universe[UNIVERSE_CAP];       /* "googleapis.com" */
    char storage[ENDPOINT_CAP];        /* https://storage.UNIVERSE/storage/v1: /b/BUCKET/o */
    char storage_upload[ENDPOINT_CAP]; /* https://storage.UNIVERSE/upload/storage/v1: /b/BUCKET/o */
    char compute[ENDPOINT_CAP];        /* https://compute.UNIVERSE/compute/v1: /projects/P/... */
    char token[ENDPOINT_CAP];          /* https://oauth2.UNIVERSE/token */
    char iamcredentials[ENDPOINT_CAP]; /* https://iamcredentials.UNIVERSE/v1: /projects/-/... */
    char sts[ENDPOINT_CAP];            /* https://sts.UNIVERSE/v1/token */
    char metadata[ENDPOINT_CAP];       /* http://metadata.google.internal: /computeMetadata/v1/... */
};

/* UNIVERSE NULL: googleapis.com. */
must_check int endpoints_fill(const struct cloud_env *env, const char *universe, struct endpoints *ret,
                              struct err *err);

#endif
