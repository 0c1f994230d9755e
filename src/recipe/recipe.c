#include "recipe/recipe.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "recipe/read/keys.h"
#include "recipe/read/reader.h"

enum { NAME_MAX_CHARS = 40 }; /* the package's name adds a digest, and GCE takes 63 */

int recipe_error(const struct recipe *recipe, struct recipe_where where, struct err *err, const char *fmt,
                 ...)
{
    char text[1536];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(err, ERR_RECIPE, 0, "%.300s:%u:%u: %s", recipe->file, where.line, where.column, text);
}

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

static int read_top(struct reader *r, const cJSON *root)
{
    struct recipe *recipe = r->recipe;
    int network;
    if (read_text(r, root, "name", TEXT_NEEDED, &recipe->name) < 0)
        return -1;
    if (!is_dns_name(recipe->name, NAME_MAX_CHARS))
        return json_error(r->doc, read_node(root, "name"), r->err,
                          "name \"%.100s\": 1 to %d of a-z, 0-9, '-', a letter first and no '-' last",
                          recipe->name, NAME_MAX_CHARS);
    if (read_word(r, root, "network", 0, network_words, &network) < 0 ||
        json_get_bool(r->doc, root, "agent", true, &recipe->agent, r->err) < 0 ||
        json_get_bool(r->doc, root, "require_digests", false, &recipe->require_digests, r->err) < 0)
        return -1;
    recipe->network = network < 0 ? NETWORK_VXLAN : (enum recipe_network)network;
    if (network >= 0)
        recipe->network_where = read_where(r, read_node(root, "network"));
    return 0;
}

static int read_disk(struct reader *r, const cJSON *root)
{
    const cJSON *node;
    const char *text;
    if (json_get_object(r->doc, root, "disk", false, &node, r->err) < 0)
        return -1;
    if (!node)
        return 0;
    if (json_only(r->doc, node, disk_keys, r->err) < 0 || read_text(r, node, "size", TEXT_NEEDED, &text) < 0)
        return -1;
    uint64_t size;
    if (!recipe_size(text, &size) || size == 0)
        return json_error(r->doc, read_node(node, "size"), r->err,
                          "size \"%.60s\" must be a number with MiB, GiB or TiB, like \"10GiB\"", text);
    if (size % (1 << 20) != 0 || size > (uint64_t)64 << 40)
        return json_error(r->doc, read_node(node, "size"), r->err,
                          "size \"%.60s\" must be whole MiB, 64TiB at most", text);
    r->recipe->disk_size = size;
    return 0;
}

int read_kubernetes(struct reader *r, const cJSON *root)
{
    struct recipe_kubernetes *k = &r->recipe->kubernetes;
    const cJSON *node;
    int form;
    if (json_get_object(r->doc, root, "kubernetes", false, &node, r->err) < 0)
        return -1;
    if (!node)
        return 0;
    if (json_only(r->doc, node, kubernetes_keys, r->err) < 0 || read_input_ref(r, node, &k->input) < 0 ||
        read_word(r, node, "form", TEXT_NEEDED, form_words, &form) < 0 ||
        read_member(r, node, "member", &k->member) < 0 || read_text(r, node, "version", 0, &k->version) < 0)
        return -1;
    k->where = read_where(r, node);
    k->form = (enum kubernetes_form)(form + KUBERNETES_HYPERKUBE);
    if (!k->version)
        k->version = "";
    if (k->form == KUBERNETES_BINARIES && !k->member)
        k->member = "kubernetes/server/bin";
    if (k->form == KUBERNETES_HYPERKUBE && k->member && !k->member[0])
        return json_error(r->doc, read_node(node, "member"), r->err, "\"member\" must name one file");
    return 0;
}

/* The minor of "1.23.4" or "v1.23.4"; 0 for what is no version. */
static unsigned long kubernetes_minor(const char *version)
{
    version += *version == 'v';
    return strncmp(version, "1.", 2) == 0 ? strtoul(version + 2, NULL, 10) : 0;
}

static bool is_component(const struct recipe_source *source)
{
    return source->kind == SOURCE_BUILTIN && strncmp(source->name, "kube", 4) == 0;
}

/* The built-in units and manifests give flags that components of 1.24 and later no longer know, and stop at. */
static int check_built_in(struct reader *r)
{
    enum { LAST_MINOR = 23 };
    const struct recipe *recipe = r->recipe;
    const struct recipe_kubernetes *kubernetes = &recipe->kubernetes;
    const char *name = NULL;
    if (kubernetes->form == KUBERNETES_NONE || kubernetes_minor(kubernetes->version) <= LAST_MINOR)
        return 0;
    for (size_t i = 0; i < recipe->unit_count && !name; i++)
        name = is_component(&recipe->units[i].source) ? recipe->units[i].name : NULL;
    for (size_t i = 0; i < recipe->manifest_count && !name; i++)
        name = is_component(&recipe->manifests[i].source) ? recipe->manifests[i].name : NULL;
    if (!name)
        return 0;
    return recipe_error(
        recipe, kubernetes->where, r->err,
        "Kubernetes %.40s does not start with the built-in %s: its flags are for 1.20 to 1.%d. Take "
        "one of these, or a unit or manifest of your own in its place",
        kubernetes->version, name, LAST_MINOR);
}

static int read_recipe(struct reader *r)
{
    const cJSON *root = json_root(r->doc), *schema = read_node(root, "$schema");
    if (!cJSON_IsObject(root))
        return json_error(r->doc, root, r->err, "a recipe is an object: { \"name\": ..., \"base\": ... }");
    if (json_only(r->doc, root, recipe_keys, r->err) < 0)
        return -1;
    if (schema && !cJSON_IsString(schema)) /* for editors; not looked at */
        return json_error(r->doc, schema, r->err, "\"$schema\" must be a string");
    if (read_vars(r, root) < 0 || read_top(r, root) < 0 || read_base(r, root) < 0 || read_disk(r, root) < 0 ||
        read_inputs(r, root) < 0 || read_kubernetes(r, root) < 0 || read_files(r, root) < 0 ||
        read_units(r, root) < 0 || read_manifests(r, root) < 0 || check_built_in(r) < 0)
        return -1;
    return read_image(r, root);
}

int recipe_parse(const char *text, size_t len, const char *name, const char *dir,
                 const struct recipe_vars *vars, struct recipe *ret, struct err *err)
{
    static const struct recipe_vars none;
    if (len > RECIPE_TEXT_MAX)
        return err_set(err, ERR_RECIPE, 0, "%.300s: a recipe has at most %d MiB", name,
                       RECIPE_TEXT_MAX >> 20);
    cleanup_json struct json_doc *doc = NULL;
    if (json_parse(text, len, name, JSON_COMMENTS, ERR_RECIPE, &doc, err) < 0)
        return -1;
    cleanup_recipe struct recipe recipe = {0};
    recipe.file = arena_strdup(&recipe.arena, name);
    if (!recipe.file)
        return err_oom(err);
    struct reader reader = {
        .doc = doc, .recipe = &recipe, .dir = dir, .given = vars ? vars : &none, .err = err};
    if (read_recipe(&reader) < 0)
        return -1;
    *ret = recipe;
    recipe = (struct recipe){0};
    return 0;
}

static void add_line(struct buf *out, const char *key, const char *value)
{
    /* Length first: no value can pass for another line. */
    buf_printf(out, "%s %zu %s\n", key, strlen(value ? value : ""), value ? value : "");
}

static void add_input(struct buf *out, const struct recipe_input *in)
{
    add_line(out, "input", in->name);
    add_line(out, "url", in->portable_url);
    add_line(out, "sha256", in->sha256);
    add_line(out, "sha512", in->sha512);
    add_line(out, "signature", in->portable_signature);
    add_line(out, "keyring", in->keyring_given);
}

int recipe_inputs_digest(const struct recipe *recipe, struct sha256 *ret, struct err *err)
{
    cleanup_buf struct buf out = BUF_INIT(64 << 20);
    buf_str(&out, "bake inputs 1\n");
    add_line(&out, "os", recipe->base.os);
    add_line(&out, "channel", recipe->base.channel);
    add_line(&out, "version", recipe->base.version);
    add_line(&out, "arch", recipe->base.arch);
    add_input(&out, &recipe->base.from);
    for (size_t i = 0; i < recipe->input_count; i++)
        add_input(&out, &recipe->inputs[i]);
    if (buf_check(&out, "the recipe's inputs", err) < 0)
        return -1;
    return sha256_of(out.data, out.len, ret, err);
}
