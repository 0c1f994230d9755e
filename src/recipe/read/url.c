#include "recipe/read/url.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

char *recipe_url_clean(struct arena *arena, const char *url)
{
    const char *slashes = strstr(url, "://");
    if (strncmp(url, "file:", 5) == 0 || !slashes)
        return arena_strdup(arena, url);
    const char *host = slashes + 3;
    size_t len = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', len);
    return at ? arena_printf(arena, "%.*s%s", (int)(host - url), url, at + 1) : arena_strdup(arena, url);
}

/* A file: URL without what must be written as %XX. */
static bool escapes_ok(const char *url)
{
    for (const char *c = url; *c; c++)
        if (strchr(" ?#", *c) ||
            (*c == '%' && !(isxdigit((unsigned char)c[1]) && isxdigit((unsigned char)c[2]))))
            return false;
    return true;
}

/* What is wrong with URL, or NULL. */
static const char *url_fault(const char *url)
{
    bool https = strncasecmp(url, "https://", 8) == 0;
    if (https || strncasecmp(url, "http://", 7) == 0) {
        const char *host = url + (https ? 8 : 7);
        if (host[strcspn(host, "/?#")] == '\0' || host[0] == '/')
            return "needs a host and a path";
        return strpbrk(url, " \"<>\\^`{|}#")
                   ? "holds a character that is not allowed in a URL: write it as %XX"
                   : NULL;
    }
    if (strncmp(url, "file:", 5) != 0)
        return "must start with https:, http: or file:/";
    if (url[5] != '/' || (url[6] == '/' && url[7] != '/'))
        return "must be file: and an absolute path, without a host";
    return escapes_ok(url) ? NULL
                           : "needs escapes: write %20 for a space, %25 for %, %3F for ? and %23 for #";
}

int recipe_check_url(struct recipe_reader *r, const cJSON *node, const char *url)
{
    const char *fault = url_fault(url);
    if (!fault)
        return 0;
    const char *clean = recipe_url_clean(&r->recipe->arena, url);
    if (!clean)
        return err_oom(r->err);
    return read_error(r, node, "URL \"%.200s\" %s", clean, fault);
}

int recipe_portable_url(struct recipe_reader *r, const cJSON *node, const char *url, const char **ret)
{
    const char *given = node->valuestring;
    bool local = strncmp(url, "file:", 5) == 0;
    bool moves = strstr(given, "${env.") || strstr(given, "${bake.") || (local && strstr(given, "${"));
    *ret = recipe_url_clean(&r->recipe->arena, moves ? given : url);
    return *ret ? 0 : err_oom(r->err);
}
