#include "http/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "text/hex.h"

static void curlu_free(CURLU **url)
{
    curl_url_cleanup(*url);
}

/* Checks that apply to every URL before it is parsed. */
static int check_text(const char *text, struct err *err)
{
    size_t len = strnlen(text, HTTP_URL_MAX + 1);
    if (len == 0 || len > HTTP_URL_MAX)
        return err_set(err, ERR_RECIPE, 0, "a URL must have 1 to %d bytes", HTTP_URL_MAX);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= 0x20 || *c == 0x7f)
            return err_set(err, ERR_RECIPE, 0, "not a URL: it contains a space or a control character");
    return 0;
}

/* TEXT begins with "http://" or "https://". */
static int parse_http(const char *text, CURLU **ret, struct err *err)
{
    if (strstr(text, "://")[3] == '/') /* libcurl would take the path's first segment for the host */
        return err_set(err, ERR_RECIPE, 0, "not a URL: it names no host");
    cleanup(curlu_free) CURLU *url = curl_url();
    if (!url)
        return err_oom(err);
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text, 0);
    if (code != CURLUE_OK)
        return err_set(err, ERR_RECIPE, 0, "not a URL: %s", curl_url_strerror(code));
    *ret = steal_ptr(url);
    return 0;
}

/* A copy of one part of the URL; NULL when the URL does not have it. */
static int copy_part(CURLU *url, CURLUPart what, unsigned flags, char **ret, struct err *err)
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
static int take_file(const char *text, struct url *made, struct err *err)
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
    made->scheme = URL_FILE;
    made->clean = strdup(text);
    made->shown = strdup(text);
    made->path = strdup(path);
    if (!made->clean || !made->shown || !made->path)
        return err_oom(err);
    if (!percent_decode(made->path))
        return err_set(err, ERR_RECIPE, 0, "\"%.200s\": a broken %% escape, or a control character", text);
    return 0;
}

static int take_http(const char *text, struct url *made, struct err *err)
{
    cleanup(curlu_free) CURLU *url = NULL;
    if (parse_http(text, &url, err) < 0)
        return -1;
    cleanup_free char *scheme = NULL, *host = NULL, *port = NULL, *query = NULL;
    if (copy_part(url, CURLUPART_SCHEME, 0, &scheme, err) < 0 ||
        copy_part(url, CURLUPART_HOST, 0, &host, err) < 0 ||
        copy_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port, err) < 0 ||
        copy_part(url, CURLUPART_QUERY, 0, &query, err) < 0 ||
        copy_part(url, CURLUPART_USER, CURLU_URLDECODE, &made->user, err) < 0 ||
        copy_part(url, CURLUPART_PASSWORD, CURLU_URLDECODE, &made->password, err) < 0)
        return -1;
    if (!scheme || !host || !*host)
        return err_set(err, ERR_RECIPE, 0, "not a URL: it names no host");
    made->scheme = strcmp(scheme, "https") == 0 ? URL_HTTPS : URL_HTTP;
    if (curl_url_set(url, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
        return err_oom(err);
    if (copy_part(url, CURLUPART_URL, 0, &made->clean, err) < 0)
        return -1;
    if (curl_url_set(url, CURLUPART_QUERY, query ? "..." : NULL, 0) != CURLUE_OK)
        return err_oom(err);
    if (copy_part(url, CURLUPART_URL, 0, &made->shown, err) < 0)
        return -1;
    if (asprintf(&made->site, "%s://%s:%s", scheme, host, port) < 0) {
        made->site = NULL;
        return err_oom(err);
    }
    return 0;
}

int url_parse(const char *text, struct url *ret, struct err *err)
{
    if (check_text(text, err) < 0)
        return -1;
    struct url made = {0};
    int parsed;
    if (strncasecmp(text, "file:", 5) == 0)
        parsed = take_file(text, &made, err);
    else if (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0)
        parsed = take_http(text, &made, err);
    else
        parsed =
            err_set(err, ERR_RECIPE, 0, "unsupported URL: only http, https and file URLs can be fetched");
    if (parsed < 0) {
        url_free(&made);
        return -1;
    }
    *ret = made;
    return 0;
}

void url_free(struct url *url)
{
    free(url->clean);
    free(url->shown);
    free(url->site);
    free(url->user);
    free(url->password);
    free(url->path);
    *url = (struct url){0};
}

static bool has_part(CURLU *url, CURLUPart what)
{
    char *value = NULL;
    if (curl_url_get(url, what, &value, 0) != CURLUE_OK)
        return false;
    curl_free(value);
    return true;
}

static void classify_host(struct url_parts *parts)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, parts->host, &v4) == 1) {
        uint32_t host = ntohl(v4.s_addr);
        parts->loopback = host >> 24 == 127;
        parts->link_local = host >> 16 == 0xa9fe;
    } else if (inet_pton(AF_INET6, parts->host, &v6) == 1) {
        static const struct in6_addr metadata = {
            .s6_addr = {0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54}};
        parts->loopback = IN6_IS_ADDR_LOOPBACK(&v6);
        parts->link_local = IN6_IS_ADDR_LINKLOCAL(&v6) || memcmp(&v6, &metadata, sizeof v6) == 0;
    } else {
        parts->loopback = strcmp(parts->host, "localhost") == 0;
    }
}

static int copy_host(CURLU *url, struct url_parts *made, struct err *err)
{
    char *host = NULL;
    if (curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK || !host)
        return err_set(err, ERR_RECIPE, 0, "not a URL: it names no host");
    size_t len = strlen(host), from = 0;
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        from = 1;
        len -= 2;
    }
    bool fits = len > 0 && len < sizeof made->host;
    for (size_t i = 0; fits && i < len; i++)
        made->host[i] = (char)tolower((unsigned char)host[from + i]);
    curl_free(host);
    return fits ? 0 : err_set(err, ERR_RECIPE, 0, "not a URL: its host name is empty or too long");
}

int url_parts(const char *url, struct url_parts *ret, struct err *err)
{
    struct url_parts made = {0};
    if (check_text(url, err) < 0)
        return -1;
    made.https = strncmp(url, "https://", 8) == 0;
    if (!made.https && strncmp(url, "http://", 7) != 0)
        return err_set(err, ERR_RECIPE, 0, "not an https:// or http:// URL");
    cleanup(curlu_free) CURLU *parsed = NULL;
    if (parse_http(url, &parsed, err) < 0)
        return -1;
    if (has_part(parsed, CURLUPART_USER) || has_part(parsed, CURLUPART_PASSWORD) ||
        has_part(parsed, CURLUPART_FRAGMENT))
        return err_set(err, ERR_RECIPE, 0, "a URL with a user, a password or a fragment is refused");
    if (copy_host(parsed, &made, err) < 0)
        return -1;
    classify_host(&made);
    *ret = made;
    return 0;
}

bool url_host_under(const struct url_parts *parts, const char *domain)
{
    size_t host = strlen(parts->host), len = strlen(domain);
    if (len == 0 || host < len || strcmp(parts->host + host - len, domain) != 0)
        return false;
    return host == len || parts->host[host - len - 1] == '.';
}

void url_host(const char *url, char to[static URL_HOST_CAP])
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t len = strcspn(host, "/?#");
    const char *user = memrchr(host, '@', len);
    if (user) {
        len -= (size_t)(user + 1 - host);
        host = user + 1;
    }
    snprintf(to, URL_HOST_CAP, "%.*s", (int)len, host);
}

void url_escape(struct buf *buf, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const char *c = text; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
        char escaped[3] = {'%', digits[byte >> 4], digits[byte & 15]};
        if (plain)
            buf_add(buf, c, 1);
        else
            buf_add(buf, escaped, sizeof escaped);
    }
}
