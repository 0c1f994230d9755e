#include "recipe/release/release.h"

#include <string.h>

#include "base/buf.h"

const char *const release_os_names[] = {"coreos", "flatcar", NULL};
const char *const release_arch_names[] = {"amd64", "arm64", NULL};

/* In URLs, %c stands for the channel, %v for the version, %a for the publisher's name of the architecture. */
struct release_row {
    const char *os;
    const char *channels[5];
    const char
        *arches[2]; /* the publisher's names, in the order of release_arch_names; NULL: not published */
    bool streams;   /* "current-2024" is the newest release of a stream, as "current" is of the channel */
    const char *version_url; /* asked when the version is a moving one, which %v is here */
    const char *version_key; /* of its KEY=value lines */
    const char *image_url;
    const char *signature_suffix;
};

static const struct release_row releases[] = {
    {
        .os = "coreos",
        .channels = {"stable", "beta", "alpha"},
        .arches = {"amd64-usr", NULL},
        .version_url = "https://%c.release.core-os.net/%a/%v/version.txt",
        .version_key = "COREOS_VERSION",
        .image_url = "https://%c.release.core-os.net/%a/%v/coreos_production_gce.tar.gz",
        .signature_suffix = ".sig",
    },
    {
        .os = "flatcar",
        .channels = {"stable", "beta", "alpha", "lts"},
        .arches = {"amd64-usr", NULL},
        .streams = true,
        .version_url = "https://%c.release.flatcar-linux.net/%a/%v/version.txt",
        .version_key = "FLATCAR_VERSION",
        .image_url = "https://%c.release.flatcar-linux.net/%a/%v/flatcar_production_gce.tar.gz",
        .signature_suffix = ".sig",
    },
};

static const struct release_row *find_release(const char *os)
{
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++)
        if (strcmp(releases[i].os, os) == 0)
            return &releases[i];
    return NULL;
}

static const char *arch_name(const struct release_row *release, const char *arch)
{
    for (size_t i = 0; i < 2; i++)
        if (strcmp(release_arch_names[i], arch) == 0)
            return release->arches[i];
    return NULL;
}

/* A name whose release changes, such as "current" or "current-2024": release_check() has accepted it. */
static bool is_moving(const char *version)
{
    return strncmp(version, "current", sizeof "current" - 1) == 0;
}

static bool is_year(const char *text)
{
    return strlen(text) == 4 && strspn(text, "0123456789") == 4;
}

/* Anything but a release or a name that resolves to one would be pinned as written, and still move. */
static int check_version(const struct release_row *release, const struct recipe_base *base,
                         const struct json_doc *doc, const cJSON *node, struct err *err)
{
    const char *version = base->version, *stream = strncmp(version, "current-", 8) == 0 ? version + 8 : NULL;
    if (strcmp(version, "current") == 0 || (*version >= '0' && *version <= '9'))
        return 0;
    if (stream && is_year(stream) && release->streams && strcmp(base->channel, "lts") == 0)
        return 0;
    return json_error(
        doc, node, err,
        "\"%.100s\" is not a release of %s %s: give \"current\"%s or a version like \"4081.2.0\"", version,
        base->os, base->channel,
        release->streams ? ", for the channel lts \"current-2024\" (a stream)," : "");
}

int release_check(const struct recipe_base *base, const struct json_doc *doc, const cJSON *node,
                  struct err *err)
{
    const struct release_row *release = find_release(base->os);
    if (!release)
        return json_error(doc, node, err, "no releases of %s are known", base->os);
    size_t i = 0;
    while (release->channels[i] && strcmp(release->channels[i], base->channel) != 0)
        i++;
    if (!release->channels[i]) {
        const char *near = json_nearest(base->channel, release->channels);
        return json_error(doc, node, err, "%s has no channel \"%.100s\"; it has %s, %s, %s%s%s%s%s%s",
                          base->os, base->channel, release->channels[0], release->channels[1],
                          release->channels[2], release->channels[3] ? ", " : "",
                          release->channels[3] ? release->channels[3] : "", near ? "; did you mean \"" : "",
                          near ? near : "", near ? "\"?" : "");
    }
    if (!arch_name(release, base->arch))
        return json_error(doc, node, err, "%s publishes no %s image for GCE: give a \"url\"", base->os,
                          base->arch);
    return check_version(release, base, doc, node, err);
}

int release_resolve_group(struct arena *arena, struct recipe_base *base, struct err *err)
{
    const struct release_row *release = find_release(base->os);
    if (!release || !release->streams || strncmp(base->channel, "lts-", 4) != 0 ||
        !is_year(base->channel + 4))
        return 0;
    if (strcmp(base->version, "current") == 0)
        base->version = arena_printf(arena, "current-%s", base->channel + 4);
    base->channel = "lts";
    return base->version ? 0 : err_oom(err);
}

/* PATTERN with %c, %v and %a replaced. */
static char *fill_pattern(struct arena *arena, const char *pattern, const struct recipe_base *base,
                          const char *version, const char *arch)
{
    cleanup_buf struct buf out = BUF_INIT(2000);
    for (const char *p = pattern; *p; p++) {
        if (*p != '%') {
            buf_add(&out, p, 1);
            continue;
        }
        p++;
        buf_str(&out, *p == 'c' ? base->channel : *p == 'v' ? version : arch);
    }
    return out.failed || !out.data ? NULL : arena_strdup(arena, out.data);
}

int release_version_url(const struct recipe *recipe, struct arena *arena, const char **ret, struct err *err)
{
    const struct recipe_base *base = &recipe->base;
    *ret = NULL;
    if (base->from.url || !is_moving(base->version))
        return 0;
    const struct release_row *release = find_release(base->os);
    *ret = fill_pattern(arena, release->version_url, base, base->version, arch_name(release, base->arch));
    return *ret ? 0 : err_oom(err);
}

/* A version becomes part of URLs and file names: only characters that versions consist of. */
static bool version_ok(const char *version, size_t len)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+";
    if (len == 0 || len > 64 || version[0] < '0' || version[0] > '9')
        return false;
    for (size_t i = 0; i < len; i++)
        if (version[i] == '\0' || !strchr(allowed, version[i]))
            return false;
    return true;
}

/* The value of KEY=value in TEXT, an os-release style file. */
static int find_version(const struct release_row *release, const char *text, size_t len, struct arena *arena,
                        const char **ret, struct err *err)
{
    size_t key_len = strlen(release->version_key);
    for (size_t at = 0; at < len;) {
        const char *line = text + at;
        const char *newline = memchr(line, '\n', len - at);
        size_t line_len = newline ? (size_t)(newline - line) : len - at;
        at += line_len + 1;
        if (line_len > 0 && line[line_len - 1] == '\r')
            line_len--;
        if (line_len <= key_len || memcmp(line, release->version_key, key_len) != 0 || line[key_len] != '=')
            continue;
        const char *value = line + key_len + 1;
        size_t value_len = line_len - key_len - 1;
        if (value_len >= 2 && value[0] == '"' && value[value_len - 1] == '"') {
            value++;
            value_len -= 2;
        }
        if (!version_ok(value, value_len))
            return err_set(err, ERR_VERIFY, 0, "base: the server's %s is not a version",
                           release->version_key);
        char *copy = arena_strndup(arena, value, value_len);
        if (!copy)
            return err_oom(err);
        *ret = copy;
        return 0;
    }
    return err_set(err, ERR_VERIFY, 0,
                   "base: the server's answer has no line %s=: is this the %s release server?",
                   release->version_key, release->os);
}

int release_resolve(const struct recipe *recipe, const char *text, size_t len, struct arena *arena,
                    struct release_urls *ret, struct err *err)
{
    const struct recipe_base *base = &recipe->base;
    if (base->from.url) {
        *ret = (struct release_urls){.version = base->version ? base->version : "",
                                     .url = base->from.url,
                                     .signature = base->from.signature};
        return 0;
    }
    const struct release_row *release = find_release(base->os);
    const char *arch = arch_name(release, base->arch), *version = base->version;
    if (is_moving(base->version) && find_version(release, text, len, arena, &version, err) < 0)
        return -1;
    struct release_urls made = {.version = version,
                                .url = fill_pattern(arena, release->image_url, base, version, arch)};
    if (!made.url)
        return err_oom(err);
    made.signature = arena_printf(arena, "%s%s", made.url, release->signature_suffix);
    if (!made.signature)
        return err_oom(err);
    *ret = made;
    return 0;
}

/* One component: its number, then the rest up to the next dot. */
static int compare_component(const char *a, size_t a_len, const char *b, size_t b_len)
{
    const char *part[2] = {a, b};
    size_t len[2] = {a_len, b_len}, digits[2];
    for (unsigned i = 0; i < 2; i++) {
        while (len[i] > 1 && *part[i] == '0' && part[i][1] >= '0' && part[i][1] <= '9') {
            part[i]++;
            len[i]--;
        }
        digits[i] = strspn(part[i], "0123456789");
        digits[i] = digits[i] < len[i] ? digits[i] : len[i];
    }
    if (digits[0] != digits[1])
        return digits[0] < digits[1] ? -1 : 1;
    size_t least = len[0] < len[1] ? len[0] : len[1];
    int order = memcmp(part[0], part[1], least);
    return order != 0 ? order : (len[0] > len[1]) - (len[0] < len[1]);
}

/* By components: "3.10" is newer than "3.9.9". <0, 0, >0. */
static int compare_versions(const char *a, const char *b)
{
    while (*a || *b) {
        size_t a_len = strcspn(a, "."), b_len = strcspn(b, ".");
        int order = compare_component(a, a_len, b, b_len);
        if (order != 0)
            return order < 0 ? -1 : 1;
        a += a_len + (a[a_len] == '.');
        b += b_len + (b[b_len] == '.');
    }
    return 0;
}

int release_check_update(const struct recipe *recipe, const struct lock_input *locked,
                         const struct release_urls *now, struct arena *arena, struct err *err)
{
    const struct recipe_base *base = &recipe->base;
    /* a version or another channel in the recipe is a request to go there */
    if (base->from.url || !is_moving(base->version) || locked->version[0] == '\0')
        return 0;
    const struct release_row *release = find_release(base->os);
    const char *then =
        fill_pattern(arena, release->image_url, base, locked->version, arch_name(release, base->arch));
    if (!then)
        return err_oom(err);
    if (strcmp(then, locked->url) != 0 || compare_versions(now->version, locked->version) >= 0)
        return 0;
    return err_set(err, ERR_VERIFY, 0,
                   "base: the server offers %s %s %s, which is older than the %s in the lock. A server or "
                   "proxy that holds back newer releases would do this. To go back on purpose, give "
                   "--allow-downgrade, or name the version in the recipe",
                   base->os, base->channel, now->version, locked->version);
}
