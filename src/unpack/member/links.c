#include "unpack/member/links.h"

#include <string.h>
#include <strings.h>

enum { NAMES_MAX = 100000, NEAR_MAX = 5 };

bool member_name(const char *name, char out[static PATH_CAP])
{
    size_t len = 0;
    while (*name) {
        size_t n = strcspn(name, "/");
        if (n > 0 && !(n == 1 && name[0] == '.')) {
            char part[NAME_CAP];
            if (n >= sizeof part || len + 1 + n >= PATH_CAP)
                return false;
            memcpy(part, name, n);
            part[n] = '\0';
            if (!path_name_ok(part))
                return false;
            if (len > 0)
                out[len++] = '/';
            memcpy(out + len, part, n);
            len += n;
        }
        name += n;
        name += *name == '/';
    }
    out[len] = '\0';
    return true;
}

bool member_below(const char *name, const char *prefix, const char **ret_rest)
{
    size_t len = strlen(prefix);
    if (len > 0 && (strncmp(name, prefix, len) != 0 || name[len] != '/'))
        return false;
    *ret_rest = name + len + (len > 0);
    return **ret_rest != '\0';
}

/* Makes space for one more element of SIZE bytes. */
static bool grow(void *array, size_t size, size_t count, size_t *capacity)
{
    if (count < *capacity)
        return true;
    size_t more = *capacity ? *capacity * 2 : 64;
    void *grown = reallocarray(*(void **)array, more, size);
    if (!grown)
        return false;
    *(void **)array = grown;
    *capacity = more;
    return true;
}

int links_add(struct links *links, const char *path, const char *target, bool hard, struct err *err)
{
    if (links->count >= LINKS_MAX)
        return err_set(err, ERR_VERIFY, 0, "more than %d links in one archive", LINKS_MAX);
    struct link made = {arena_strdup(&links->arena, path), arena_strdup(&links->arena, target), hard};
    if (!made.path || !made.target || !grow(&links->links, sizeof made, links->count, &links->capacity))
        return err_oom(err);
    links->links[links->count++] = made;
    links->sorted = false;
    return 0;
}

void links_note(struct links *links, const char *path)
{
    if (links->name_count >= NAMES_MAX ||
        !grow(&links->names, sizeof *links->names, links->name_count, &links->name_capacity))
        return;
    const char *copy = arena_strdup(&links->arena, path);
    if (copy)
        links->names[links->name_count++] = copy;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct link *)a)->path, ((const struct link *)b)->path);
}

static const struct link *find_link(struct links *links, const char *path)
{
    if (links->count == 0)
        return NULL;
    if (!links->sorted)
        qsort(links->links, links->count, sizeof *links->links, by_path);
    links->sorted = true;
    const struct link key = {.path = path};
    return bsearch(&key, links->links, links->count, sizeof key, by_path);
}

static int leads_out(const char *path, struct err *err)
{
    return err_set(err, ERR_VERIFY, 0, "\"%s\" leads out of the archive", path);
}

/* Replaces a link by its target: TODO becomes TARGET and then REST, the components after the link. */
static int splice(char *todo, const char *target, const char *rest, struct err *err)
{
    char joined[PATH_CAP];
    int n = snprintf(joined, sizeof joined, "%s%s%s", target, *rest ? "/" : "", rest);
    if (n < 0 || (size_t)n >= sizeof joined)
        return err_set(err, ERR_VERIFY, 0, "a link whose target is too long: \"%.100s...\"", target);
    memcpy(todo, joined, (size_t)n + 1);
    return 0;
}

static void drop_last(char *path)
{
    char *slash = strrchr(path, '/');
    *(slash ? slash : path) = '\0';
}

/* Appends one component to DONE; ".." removes one. */
static int add_component(char *done, const char *part, size_t len, const char *path, struct err *err)
{
    size_t have = strlen(done);
    if (len == 2 && memcmp(part, "..", 2) == 0) {
        if (have == 0)
            return leads_out(path, err);
        drop_last(done);
        return 0;
    }
    if (len == 0 || (len == 1 && part[0] == '.'))
        return 0;
    if (have + 1 + len >= PATH_CAP)
        return err_set(err, ERR_VERIFY, 0, "\"%.100s...\" is too long", path);
    if (have > 0)
        done[have++] = '/';
    memcpy(done + have, part, len);
    done[have + len] = '\0';
    return 0;
}

int links_resolve(struct links *links, const char *path, char out[static PATH_CAP], struct err *err)
{
    char todo[PATH_CAP], done[PATH_CAP] = "";
    if (splice(todo, path, "", err) < 0)
        return -1;
    for (unsigned deep = 0; todo[0] != '\0';) {
        char rest[PATH_CAP];
        size_t len = strcspn(todo, "/");
        if (add_component(done, todo, len, path, err) < 0)
            return -1;
        snprintf(rest, sizeof rest, "%s", todo + len + (todo[len] == '/'));
        const struct link *link = find_link(links, done);
        if (!link) {
            memcpy(todo, rest, strlen(rest) + 1);
            continue;
        }
        if (++deep > LINKS_DEEP)
            return err_set(err, ERR_VERIFY, 0, "\"%s\" leads through more than %d links", path, LINKS_DEEP);
        if (link->hard || link->target[0] == '/')
            done[0] = '\0'; /* the target is relative to the top of the archive */
        else
            drop_last(done);
        if (splice(todo, link->target, rest, err) < 0)
            return -1;
    }
    memcpy(out, done, strlen(done) + 1);
    return 0;
}

void links_near(const struct links *links, const char *path, char *out, size_t size)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    size_t len = 0, count = 0;
    out[0] = '\0';
    for (int loose = 0; loose < 2 && count == 0; loose++)
        for (size_t i = 0; i < links->name_count && count < NEAR_MAX; i++) {
            const char *name = links->names[i], *tail = strrchr(name, '/');
            tail = tail ? tail + 1 : name;
            bool near = loose ? strcasestr(tail, base) || strcasestr(base, tail) : strcmp(tail, base) == 0;
            if (!near)
                continue;
            int n = snprintf(out + len, size - len, "%s%s", count ? ", " : "; similar: ", name);
            if (n < 0 || (size_t)n >= size - len) {
                out[len] = '\0';
                return;
            }
            len += (size_t)n;
            count++;
        }
}

void links_free(struct links *links)
{
    arena_free(&links->arena);
    free(links->links);
    free(links->names);
    *links = (struct links){0};
}
