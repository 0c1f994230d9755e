/* The base: a release by name, or the direct form with a URL. */
#include <string.h>

#include "recipe/release/release.h"
#include "recipe/section/inputs.h"
#include "recipe/section/keys.h"
#include "recipe/section/sections.h"

/* The release form: os, channel, version, arch. */
static int check_release(struct recipe_reader *r, const cJSON *node, struct recipe_base *base)
{
    if (!base->channel)
        return read_error(r, node, "the base needs a \"channel\" (or a \"url\")");
    if (!base->version)
        base->version = "current";
    if (!base->from.keyring && !base->from.sha256 && !base->from.sha512)
        return read_error(
            r, node,
            "the base needs a \"keyring\" (the distribution's public keys), or \"sha256\" or \"sha512\"");
    if (release_resolve_group(&r->recipe->arena, base, r->err) < 0)
        return -1;
    return release_check(base, r->doc, read_node(node, "channel"), r->err);
}

/* Refused before anything is fetched: an image is a gigabyte. */
static int check_os(struct recipe_reader *r, const cJSON *node)
{
    const cJSON *os = read_node(node, "os");
    if (!cJSON_IsString(os) || strcmp(os->valuestring, "fedora-coreos") != 0)
        return 0;
    return read_error(
        r, os,
        "Fedora CoreOS cannot be baked: its root is XFS, and this version writes only ext4. Use "
        "\"flatcar\" or \"coreos\"");
}

int read_base(struct recipe_reader *r, const cJSON *root)
{
    struct recipe_base *base = &r->recipe->base;
    const cJSON *node;
    int os, arch;
    if (read_object(r, root, "base", true, base_keys, &node) < 0 || check_os(r, node) < 0 ||
        read_word(r, node, "os", TEXT_NEEDED, release_os_names, &os) < 0 ||
        read_word(r, node, "arch", 0, release_arch_names, &arch) < 0 ||
        read_text(r, node, "channel", 0, &base->channel) < 0 ||
        read_text(r, node, "version", 0, &base->version) < 0)
        return -1;
    base->os = release_os_names[os];
    base->arch = release_arch_names[arch < 0 ? 0 : arch];
    base->from.name = RECIPE_BASE_NAME;
    if (base->version && !recipe_input_word_ok(base->version))
        return read_error(r, read_node(node, "version"),
                          "version \"%.100s\": use \"current\" or letters, digits, '.', '_', '-', '+'",
                          base->version);
    if (read_trust(r, node, &base->from) < 0)
        return -1;
    if (!base->from.url)
        return check_release(r, node, base);
    if (base->channel)
        return read_error(r, read_node(node, "channel"),
                          "\"channel\" and \"url\" exclude each other: give one of them");
    if (!base->from.signature && !base->from.sha256 && !base->from.sha512)
        return read_error(r, node,
                          "the base needs \"signature\" and \"keyring\", or \"sha256\" or \"sha512\"");
    return 0;
}
