/* Single values: the name, the network, the flags, the disk's size. */
#include <string.h>

#include "recipe/section/keys.h"
#include "recipe/section/sections.h"

enum { NAME_MAX_CHARS = 40 }; /* the package's name adds a digest; GCE allows 63 */

bool recipe_size(const char *text, uint64_t *ret)
{
    static const struct {
        const char *unit;
        unsigned shift;
    } units[] = {{"", 0}, {"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
    size_t digits = strspn(text, DIGITS);
    if (digits == 0 || digits > 19 || (digits > 1 && text[0] == '0'))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (uint64_t)(text[i] - '0'); /* 19 digits stay below 2^64 */
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(text + digits, units[i].unit) != 0)
            continue;
        if (value > UINT64_MAX >> units[i].shift)
            return false;
        *ret = value << units[i].shift;
        return true;
    }
    return false;
}

int read_general(struct recipe_reader *r, const cJSON *root)
{
    struct recipe *recipe = r->recipe;
    int network;
    if (read_text(r, root, "name", TEXT_NEEDED, &recipe->name) < 0)
        return -1;
    if (!recipe_dns_name_ok(recipe->name, NAME_MAX_CHARS))
        return read_error(
            r, read_node(root, "name"),
            "name \"%.100s\": use 1 to %d of a-z, 0-9, '-', starting with a letter and not ending with '-'",
            recipe->name, NAME_MAX_CHARS);
    if (read_word(r, root, "network", 0, network_words, &network) < 0 ||
        read_bool(r, root, "agent", true, &recipe->agent) < 0 ||
        read_bool(r, root, "require_digests", false, &recipe->require_digests) < 0)
        return -1;
    recipe->network = network < 0 ? NETWORK_VXLAN : (enum recipe_network)network;
    if (network >= 0)
        recipe->network_where = read_where(r, read_node(root, "network"));
    return 0;
}

int read_disk(struct recipe_reader *r, const cJSON *root)
{
    const cJSON *node;
    const char *text;
    if (read_object(r, root, "disk", false, disk_keys, &node) < 0)
        return -1;
    if (!node)
        return 0;
    if (read_text(r, node, "size", TEXT_NEEDED, &text) < 0)
        return -1;
    uint64_t size;
    if (!recipe_size(text, &size) || size == 0)
        return read_error(r, read_node(node, "size"),
                          "size \"%.60s\" must be a number with MiB, GiB or TiB, like \"10GiB\"", text);
    if (size % (1 << 20) != 0 || size > (uint64_t)64 << 40)
        return read_error(r, read_node(node, "size"),
                          "size \"%.60s\" must be a multiple of 1MiB, at most 64TiB", text);
    r->recipe->disk_size = size;
    return 0;
}
