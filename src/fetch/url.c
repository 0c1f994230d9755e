#include "fetch/url.h"

#include <string.h>
#include <strings.h>

#include <curl/curl.h>

static void curlu_free(CURLU **url)
{
    curl_url_cleanup(*url);
}

/* A part of the URL in memory of our own; NULL in *ret when it has none. */
static int part(CURLU *url, CURLUPart what, unsigned flags, char **ret, struct err *err)
{
    char *value = NULL;
    CURLUcode code = curl_url_get(url, what, &value, flags);
    if (code == CURLUE_NO_USER || code == CURLUE_NO_PASSWORD || code == CURLUE_NO_QUERY ||
        code == CURLUE_NO_HOST) {
        *ret = NULL;
        return 0;
    }
    if (code != CURLUE_OK)
        return err_set(err, code == CURLUE_OUT_OF_MEMORY ? ERR_INTERNAL : ERR_RECIPE, 0, "not a URL: %s",
                       curl_url_strerror(code));
    *ret = strdup(value);
    curl_free(value);
    return *ret ? 0 : err_oom(err);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* In place. False for a broken escape, a NUL or another control character. */
static bool percent_decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        char c = *in;
        if (c == '%') {
            int high = hex_digit(in[1]);
            int low = high < 0 ? -1 : hex_digit(in[2]);
            if (low < 0)
                return false;
            c = (char)(high * 16 + low);
            in += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            return false;
        *out++ = c;
    }
    *out = '\0';
    return true;
}

/* file:/abs, file:///abs, file://localhost/abs */
static int parse_file(const char *text, struct fetch_url *made, struct err *err)
{
    const char *path = text + strlen("file:");
    if (strncmp(path, "//localhost/", 12) == 0)
        path += 11;
    else if (strncmp(path, "///", 3) == 0)
        path += 2;
    if (path[0] != '/' || path[1] == '/')
        return err_set(err, ERR_RECIPE, 0,
                       "\"%.200s\": a file URL must name an absolute path: file:/DIR/FILE", text);
    if (strpbrk(path, "?#"))
        return err_set(err, ERR_RECIPE, 0, "\"%.200s\": write %%3F for ? and %%23 for # in a file URL", text);
    made->scheme = FETCH_FILE;
    made->clean = strdup(text);
    made->shown = strdup(text);
    made->path = strdup(path);
    if (!made->clean || !made->shown || !made->path)
        return err_oom(err);
    if (!percent_decode(made->path))
        return err_set(err, ERR_RECIPE, 0, "\"%.200s\": a broken %% escape, or a control character", text);
    return 0;
}

static int parse_http(const char *text, struct fetch_url *made, struct err *err)
{
    if (strstr(text, "://")[3] == '/') /* libcurl would take the path's first part for the host */
        return err_set(err, ERR_RECIPE, 0, "not a URL: it names no host");
    cleanup(curlu_free) CURLU *url = curl_url();
    if (!url)
        return err_oom(err);
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
    if (code != CURLUE_OK)
        return err_set(err, ERR_RECIPE, 0, "not a URL: %s", curl_url_strerror(code));
    cleanup_free char *scheme = NULL, *host = NULL, *port = NULL, *query = NULL;
    if (part(url, CURLUPART_SCHEME, 0, &scheme, err) < 0 || part(url, CURLUPART_HOST, 0, &host, err) < 0 ||
        part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port, err) < 0 ||
        part(url, CURLUPART_QUERY, 0, &query, err) < 0 ||
        part(url, CURLUPART_USER, CURLU_URLDECODE, &made->user, err) < 0 ||
        part(url, CURLUPART_PASSWORD, CURLU_URLDECODE, &made->password, err) < 0)
        return -1;
    if (!scheme || !host || !*host)
        return err_set(err, ERR_RECIPE, 0, "not a URL: it names no host");
    made->scheme = strcmp(scheme, "https") == 0 ? FETCH_HTTPS : FETCH_HTTP;
    if (curl_url_set(url, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
        return err_oom(err);
    if (part(url, CURLUPART_URL, 0, &made->clean, err) < 0)
        return -1;
    if (curl_url_set(url, CURLUPART_QUERY, query ? "..." : NULL, 0) != CURLUE_OK)
        return err_oom(err);
    if (part(url, CURLUPART_URL, 0, &made->shown, err) < 0)
        return -1;
    if (asprintf(&made->site, "%s://%s:%s", scheme, host, port) < 0) {
        made->site = NULL;
        return err_oom(err);
    }
    return 0;
}

int fetch_url_parse(const char *text, struct fetch_url *ret, struct err *err)
{
    size_t len = strnlen(text, FETCH_URL_MAX + 1);
    if (len == 0 || len > FETCH_URL_MAX)
        return err_set(err, ERR_RECIPE, 0, "a URL must have 1 to %d bytes", FETCH_URL_MAX);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7f)
            return err_set(err, ERR_RECIPE, 0, "not a URL: a space or control character in it");
    struct fetch_url made = {0};
    int parsed;
    if (strncasecmp(text, "file:", 5) == 0)
        parsed = parse_file(text, &made, err);
    else if (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0)
        parsed = parse_http(text, &made, err);
    else
        parsed = err_set(err, ERR_RECIPE, 0, "not a URL that can be fetched: only http, https and file are");
    if (parsed < 0) {
        fetch_url_free(&made);
        return -1;
    }
    *ret = made;
    return 0;
}

void fetch_url_free(struct fetch_url *url)
{
    free(url->clean);
    free(url->shown);
    free(url->site);
    free(url->user);
    free(url->password);
    free(url->path);
    *url = (struct fetch_url){0};
}
