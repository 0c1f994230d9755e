#include "recipe/section/keys.h"

#include <stddef.h>

#include "recipe/release/release.h"

#define WORDS(...)                                                                                           \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }

const char *const recipe_keys[] =
    WORDS("$schema", "name", "vars", "base", "disk", "inputs", "kubernetes", "network", "files", "units",
          "manifests", "agent", "image", "require_digests");
const char *const base_keys[] =
    WORDS("os", "channel", "version", "arch", "url", "sha256", "sha512", "signature", "keyring");
const char *const disk_keys[] = WORDS("size");
const char *const input_keys[] = WORDS("url", "sha256", "sha512", "signature", "keyring");
const char *const kubernetes_keys[] = WORDS("input", "form", "member", "version");
const char *const file_keys[] = WORDS("path", "text", "from", "builtin", "input", "member", "tree", "symlink",
                                      "directory", "remove", "mode", "owner", "uid", "gid", "xattrs");
const char *const xattr_keys[] = WORDS("base64");
const char *const unit_keys[] =
    WORDS("name", "text", "from", "builtin", "input", "member", "enable", "wanted_by", "dropins");
const char *const dropin_keys[] = WORDS("name", "text", "from", "builtin", "input", "member");
const char *const manifest_keys[] = WORDS("name", "text", "from", "builtin", "input", "member");
const char *const image_keys[] =
    WORDS("family", "description", "labels", "licenses", "guest_os_features", "storage_location");

const char *const form_words[] = WORDS("hyperkube", "binaries");
const char *const network_words[] = WORDS("vxlan", "flannel", "calico");

const struct recipe_table recipe_key_tables[] = {
    {"recipe", recipe_keys},
    {"base", base_keys},
    {"disk", disk_keys},
    {"input", input_keys},
    {"kubernetes", kubernetes_keys},
    {"file", file_keys},
    {"xattr", xattr_keys},
    {"unit", unit_keys},
    {"dropin", dropin_keys},
    {"manifest", manifest_keys},
    {"image", image_keys},
    {NULL, NULL},
};

const struct recipe_table recipe_word_tables[] = {
    {"os", release_os_names},
    {"arch", release_arch_names},
    {"form", form_words},
    {"network", network_words},
    {NULL, NULL},
};
