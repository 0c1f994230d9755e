#include "cloud/api/endpoints.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/url.h"

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

void cloud_env_read(struct cloud_env *ret)
{
    *ret = (struct cloud_env){
        .application_credentials = variable("GOOGLE_APPLICATION_CREDENTIALS"),
        .cloudsdk_config = variable("CLOUDSDK_CONFIG"),
        .quota_project = variable("GOOGLE_CLOUD_QUOTA_PROJECT"),
        .universe_domain = variable("GOOGLE_CLOUD_UNIVERSE_DOMAIN"),
        .no_gce_check = variable("NO_GCE_CHECK"),
        .storage = variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE"),
        .compute = variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"),
        .iamcredentials = variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"),
        .sts = variable("CLOUDSDK_API_ENDPOINT_OVERRIDES_STS"),
        .token = variable("CLOUDSDK_AUTH_TOKEN_HOST"),
        .storage_emulator = variable("STORAGE_EMULATOR_HOST"),
        .metadata_host = variable("GCE_METADATA_HOST"),
        .metadata_ip = variable("GCE_METADATA_IP"),
        .metadata_root = variable("GCE_METADATA_ROOT"),
        .ca_certs = variable("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"),
    };
}

/* "a.b": letters, digits, '-' and '.', as it becomes part of host names. */
static bool domain_ok(const char *domain)
{
    size_t len = strlen(domain);
    if (len == 0 || len >= UNIVERSE_CAP || domain[0] == '.' || domain[len - 1] == '.' ||
        !strchr(domain, '.') || strstr(domain, ".."))
        return false;
    return strspn(domain, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len;
}

print_like(2, 3) static void format_url(char to[static ENDPOINT_CAP], const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(to, ENDPOINT_CAP, fmt, ap);
    va_end(ap);
}

/* The URL in the variable NAME, without slashes at its end. */
static int read_override(const char *name, const char *value, char to[static ENDPOINT_CAP], struct err *err)
{
    struct url_parts parts;
    struct err why;
    if (url_parts(value, &parts, &why) < 0)
        return err_set(err, ERR_USAGE, 0, "%s in the environment: %s", name, why.text);
    if (!parts.https && !parts.loopback)
        return err_set(err, ERR_USAGE, 0,
                       "%s in the environment: plain http to another machine is refused: use https", name);
    size_t len = strlen(value);
    while (len > 0 && value[len - 1] == '/')
        len--;
    if (len >= ENDPOINT_CAP)
        return err_set(err, ERR_USAGE, 0, "%s in the environment is too long", name);
    memcpy(to, value, len);
    to[len] = '\0';
    return 0;
}

/* gcloud's overrides of these services leave the version out: "https://HOST/". */
static int read_versioned(const char *name, const char *value, const char *tail, char to[static ENDPOINT_CAP],
                          struct err *err)
{
    char base[ENDPOINT_CAP];
    if (read_override(name, value, base, err) < 0)
        return -1;
    size_t len = strlen(base);
    if (len > 3 && strcmp(base + len - 3, "/v1") == 0)
        base[len -= 3] = '\0';
    if (len > ENDPOINT_CAP - 32)
        return err_set(err, ERR_USAGE, 0, "%s in the environment is too long", name);
    format_url(to, "%.480s/v1%s", base, tail);
    return 0;
}

/* BASE/storage/v1, as in gcloud; uploads go to BASE/upload/storage/v1. */
static int set_storage(const struct cloud_env *env, struct endpoints *ret, struct err *err)
{
    static const char tail[] = "/storage/v1";
    const char *name = "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE";
    char base[ENDPOINT_CAP];
    if (env->storage) {
        if (read_override(name, env->storage, base, err) < 0)
            return -1;
        size_t len = strlen(base);
        if (len > strlen(tail) && strcmp(base + len - strlen(tail), tail) == 0)
            base[len - strlen(tail)] = '\0';
    } else if (env->storage_emulator) {
        name = "STORAGE_EMULATOR_HOST";
        char url[ENDPOINT_CAP];
        bool whole = strstr(env->storage_emulator, "://");
        if (strlen(env->storage_emulator) >= sizeof url - 8)
            return err_set(err, ERR_USAGE, 0, "%s in the environment is too long", name);
        snprintf(url, sizeof url, "%s%s", whole ? "" : "http://", env->storage_emulator);
        if (read_override(name, url, base, err) < 0)
            return -1;
    } else {
        format_url(base, "https://storage.%s", ret->universe);
    }
    if (strlen(base) > ENDPOINT_CAP - 32)
        return err_set(err, ERR_USAGE, 0, "%s in the environment is too long", name);
    format_url(ret->storage, "%.470s%s", base, tail);
    format_url(ret->storage_upload, "%.470s/upload%s", base, tail);
    return 0;
}

/* HOST[:PORT], as in the variables of Google's clients. */
static int set_metadata(const struct cloud_env *env, struct endpoints *ret, struct err *err)
{
    const char *host = env->metadata_root   ? env->metadata_root
                       : env->metadata_host ? env->metadata_host
                                            : env->metadata_ip;
    if (!host)
        host = "metadata.google.internal";
    struct url_parts parts;
    struct err why;
    format_url(ret->metadata, "http://%.480s", host);
    if (strlen(host) > 300 || strpbrk(host, "/?@") || url_parts(ret->metadata, &parts, &why) < 0)
        return err_set(err, ERR_USAGE, 0,
                       "GCE_METADATA_HOST (or _ROOT, _IP) in the environment must be HOST or HOST:PORT");
    return 0;
}

int endpoints_fill(const struct cloud_env *env, const char *universe, struct endpoints *ret, struct err *err)
{
    struct endpoints made = {0};
    if (!universe)
        universe = "googleapis.com";
    if (!domain_ok(universe))
        return err_set(err, ERR_USAGE, 0, "the universe domain is not a domain name in lower case");
    snprintf(made.universe, sizeof made.universe, "%s", universe);
    format_url(made.compute, "https://compute.%s/compute/v1", universe);
    format_url(made.token, "https://oauth2.%s/token", universe);
    format_url(made.iamcredentials, "https://iamcredentials.%s/v1", universe);
    format_url(made.sts, "https://sts.%s/v1/token", universe);
    if (set_storage(env, &made, err) < 0 || set_metadata(env, &made, err) < 0)
        return -1;
    if (env->compute &&
        read_override("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", env->compute, made.compute, err) < 0)
        return -1;
    if (env->iamcredentials && read_versioned("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS",
                                              env->iamcredentials, "", made.iamcredentials, err) < 0)
        return -1;
    if (env->sts &&
        read_versioned("CLOUDSDK_API_ENDPOINT_OVERRIDES_STS", env->sts, "/token", made.sts, err) < 0)
        return -1;
    if (env->token && read_override("CLOUDSDK_AUTH_TOKEN_HOST", env->token, made.token, err) < 0)
        return -1;
    *ret = made;
    return 0;
}
