#include "recipe/base.h"

#include <string.h>

#include "base/json.h"
#include "recipe/recipe.h"

const char *const recipe_os_names[] = {"coreos", "flatcar", "fedora-coreos", NULL};
const char *const recipe_arch_names[] = {"amd64", "arm64", NULL};

/* In TEXT columns, %c stands for the channel, %v for the version, %a for the architecture's name there. */
struct release {
    const char *os;
    const char *channels[5];
    const char *arches[2]; /* the publisher's names, in the order of recipe_arch_names; NULL: not published */
    const char *version_url; /* asked when the version is "current" */
    const char *version_key; /* of its KEY=value lines; NULL: the answer is stream metadata in JSON */
    const char *image_url;
    const char *signature_suffix, *digests_suffix;
};

static const struct release releases[] = {
    {
        .os = "coreos",
        .channels = {"stable", "beta", "alpha"},
        .arches = {"amd64-usr", NULL},
        .version_url = "https://%c.release.core-os.net/%a/current/version.txt",
        .version_key = "COREOS_VERSION",
        .image_url = "https://%c.release.core-os.net/%a/%v/coreos_production_gce.tar.gz",
        .signature_suffix = ".sig",
        .digests_suffix = ".DIGESTS",
    },
    {
        .os = "flatcar",
        .channels = {"stable", "beta", "alpha", "lts"},
        .arches = {"amd64-usr", NULL},
        .version_url = "https://%c.release.flatcar-linux.net/%a/current/version.txt",
        .version_key = "FLATCAR_VERSION",
        .image_url = "https://%c.release.flatcar-linux.net/%a/%v/flatcar_production_gce.tar.gz",
        .signature_suffix = ".sig",
        .digests_suffix = ".DIGESTS",
    },
    {
        .os = "fedora-coreos",
        .channels = {"stable", "testing", "next"},
        .arches = {"x86_64", "aarch64"},
        .version_url = "https://builds.coreos.fedoraproject.org/streams/%c.json",
        .version_key = NULL,
        .image_url = "https://builds.coreos.fedoraproject.org/prod/streams/%c/builds/%v/%a/"
                     "fedora-coreos-%v-gcp.%a.tar.gz",
        .signature_suffix = ".sig",
        .digests_suffix = NULL,
    },
};

static const struct release *find_release(const char *os)
{
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++)
        if (strcmp(releases[i].os, os) == 0)
            return &releases[i];
    return NULL;
}

static const char *arch_name(const struct release *release, const char *arch)
{
    for (size_t i = 0; i < 2; i++)
        if (strcmp(recipe_arch_names[i], arch) == 0)
            return release->arches[i];
    return NULL;
}

int recipe_base_check(const struct recipe *recipe, const struct recipe_base *base, struct recipe_where where,
                      struct err *err)
{
    const struct release *release = find_release(base->os);
    if (!release)
        return recipe_error(recipe, where, err, "no releases of %s are known", base->os);
    size_t i = 0;
    while (release->channels[i] && strcmp(release->channels[i], base->channel) != 0)
        i++;
    if (!release->channels[i]) {
        const char *near = json_nearest(base->channel, release->channels);
        return recipe_error(recipe, where, err, "%s has no channel \"%.100s\"; it has %s, %s, %s%s%s%s%s%s",
                            base->os, base->channel, release->channels[0], release->channels[1],
                            release->channels[2], release->channels[3] ? ", " : "",
                            release->channels[3] ? release->channels[3] : "", near ? "; did you mean \"" : "",
                            near ? near : "", near ? "\"?" : "");
    }
    if (!arch_name(release, base->arch))
        return recipe_error(recipe, where, err, "%s publishes no %s image for GCE: give a \"url\"", base->os,
                            base->arch);
    return 0;
}

/* PATTERN with its letters filled in. */
static char *fill(struct arena *arena, const char *pattern, const struct recipe_base *base,
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

int recipe_base_version_url(const struct recipe *recipe, struct arena *arena, const char **ret,
                            struct err *err)
{
    const struct recipe_base *base = &recipe->base;
    if (base->from.url || strcmp(base->version, "current") != 0) {
        *ret = NULL;
        return 0;
    }
    const struct release *release = find_release(base->os);
    const char *url = fill(arena, release->version_url, base, "current", arch_name(release, base->arch));
    if (!url)
        return err_oom(err);
    *ret = url;
    return 0;
}

/* A version goes into URLs and names: nothing but what versions are made of. */
static bool version_ok(const char *version, size_t len)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+";
    if (len == 0 || len > 64 || version[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++)
        if (version[i] == '\0' || !strchr(allowed, version[i]))
            return false;
    return true;
}

/* The value of KEY=value in TEXT, an os-release style file. */
static int find_version(const struct release *release, const char *text, size_t len, struct arena *arena,
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

/* architectures.ARCH.artifacts.gcp: {release, formats["tar.gz"].disk{location, signature, sha256}} */
static int read_stream(const char *arch, const char *text, size_t len, struct arena *arena,
                       struct recipe_base_urls *ret, struct err *err)
{
    const char *const path[] = {"architectures", arch, "artifacts", "gcp"};
    cleanup_json struct json_doc *doc = NULL;
    if (json_parse(text, len, "stream metadata", JSON_STRICT, ERR_VERIFY, &doc, err) < 0)
        return -1;
    const cJSON *node = json_root(doc), *disk;
    for (size_t i = 0; i < sizeof path / sizeof *path; i++)
        if (json_get_object(doc, node, path[i], true, &node, err) < 0)
            return -1;
    const char *version, *url, *signature, *sha256;
    uint8_t digest[SHA256_SIZE];
    if (json_get_string(doc, node, "release", true, &version, err) < 0 ||
        json_get_object(doc, node, "formats", true, &disk, err) < 0 ||
        json_get_object(doc, disk, "tar.gz", true, &disk, err) < 0 ||
        json_get_object(doc, disk, "disk", true, &disk, err) < 0 ||
        json_get_string(doc, disk, "location", true, &url, err) < 0 ||
        json_get_string(doc, disk, "signature", true, &signature, err) < 0 ||
        json_get_string(doc, disk, "sha256", true, &sha256, err) < 0)
        return -1;
    if (!version_ok(version, strlen(version)))
        return json_error(doc, node, err, "\"release\" is not a version");
    if (strncmp(url, "https://", 8) != 0 || strncmp(signature, "https://", 8) != 0)
        return json_error(doc, disk, err, "\"location\" and \"signature\" must be https: URLs");
    if (!hex_decode(sha256, digest, sizeof digest))
        return json_error(doc, disk, err, "\"sha256\" must be 64 hex digits");
    char hex[SHA256_HEX];
    hex_encode(digest, sizeof digest, hex);
    struct recipe_base_urls made = {
        .version = arena_strdup(arena, version),
        .url = arena_strdup(arena, url),
        .signature = arena_strdup(arena, signature),
        .sha256 = arena_strdup(arena, hex),
    };
    if (!made.version || !made.url || !made.signature || !made.sha256)
        return err_oom(err);
    *ret = made;
    return 0;
}

int recipe_base_resolve(const struct recipe *recipe, const char *text, size_t len, struct arena *arena,
                        struct recipe_base_urls *ret, struct err *err)
{
    const struct recipe_base *base = &recipe->base;
    if (base->from.url) {
        *ret = (struct recipe_base_urls){.version = base->version ? base->version : "",
                                         .url = base->from.url,
                                         .signature = base->from.signature};
        return 0;
    }
    const struct release *release = find_release(base->os);
    const char *arch = arch_name(release, base->arch), *version = base->version;
    bool current = strcmp(base->version, "current") == 0;
    if (current && !text)
        return err_set(err, ERR_INTERNAL, 0, "base: the version URL has to be asked first");
    if (current && !release->version_key)
        return read_stream(arch, text, len, arena, ret, err);
    if (current && find_version(release, text, len, arena, &version, err) < 0)
        return -1;
    struct recipe_base_urls made = {.version = version,
                                    .url = fill(arena, release->image_url, base, version, arch)};
    if (!made.url)
        return err_oom(err);
    made.signature = arena_printf(arena, "%s%s", made.url, release->signature_suffix);
    if (release->digests_suffix)
        made.digests = arena_printf(arena, "%s%s", made.url, release->digests_suffix);
    if (!made.signature || (release->digests_suffix && !made.digests))
        return err_oom(err);
    *ret = made;
    return 0;
}
