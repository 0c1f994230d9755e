#include "text/path.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "text/utf8.h"

static bool text_ok(const char *name, size_t len)
{
    const unsigned char *s = (const unsigned char *)name;
    for (size_t i = 0; i < len;) {
        if (s[i] < 0x20 || s[i] == 0x7f)
            return false;
        size_t n = utf8_char(name + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

int path_normalize(const char *path, char out[static PATH_CAP], struct err *err)
{
    if (path[0] != '/')
        return err_set(err, ERR_RECIPE, 0, "path \"%.200s\" must be absolute: start it with /", path);
    char made[PATH_CAP];
    size_t at = 0;
    for (const char *p = path; *p;) {
        p += strspn(p, "/");
        size_t len = strcspn(p, "/");
        if (len == 0 || (len == 1 && p[0] == '.')) {
            p += len;
            continue;
        }
        if (len == 2 && p[0] == '.' && p[1] == '.')
            return err_set(err, ERR_RECIPE, 0, "path \"%.200s\" contains \"..\": write the path without it",
                           path);
        if (len >= NAME_CAP)
            return err_set(err, ERR_RECIPE, 0, "path \"%.200s\" has a component longer than 255 bytes", path);
        if (!text_ok(p, len))
            return err_set(err, ERR_RECIPE, 0, "a path contains a control character or is not UTF-8");
        if (at + 1 + len >= PATH_CAP)
            return err_set(err, ERR_RECIPE, 0, "path \"%.200s...\" is longer than 4095 bytes", path);
        made[at++] = '/';
        memcpy(made + at, p, len);
        at += len;
        p += len;
    }
    if (at == 0)
        made[at++] = '/';
    made[at] = '\0';
    memcpy(out, made, at + 1);
    return 0;
}

bool path_under(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    if (len == 1)
        return true;
    return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void path_parent(const char *path, char out[static PATH_CAP])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len == 0)
        len = 1;
    memmove(out, path, len);
    out[len] = '\0';
}

bool path_name_ok(const char *name)
{
    size_t len = strnlen(name, NAME_CAP);
    if (len == 0 || len >= NAME_CAP || memchr(name, '/', len))
        return false;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    return text_ok(name, len);
}
