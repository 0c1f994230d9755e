/* The base and the inputs: where bytes come from and what vouches for them. */
#include <ctype.h>
#include <string.h>

#include "recipe/base.h"
#include "recipe/read/keys.h"
#include "recipe/read/reader.h"

static const char name_chars[] = LOWER UPPER DIGITS "._-+";

/* A file: URL without what must be written as %XX. */
static bool escapes_ok(const char *url)
{
    for (const char *c = url; *c; c++)
        if (strchr(" ?#", *c) ||
            (*c == '%' && !(isxdigit((unsigned char)c[1]) && isxdigit((unsigned char)c[2]))))
            return false;
    return true;
}

/* Messages show the URL without credentials: they end up in logs. */
static int check_url(struct reader *r, const cJSON *node, const char *url)
{
    bool http = strncasecmp(url, "http://", 7) == 0, https = strncasecmp(url, "https://", 8) == 0;
    const char *fault = NULL;
    if (http || https) {
        const char *host = url + (https ? 8 : 7);
        if (host[strcspn(host, "/?#")] == '\0' || host[0] == '/')
            fault = "needs a host and a path";
        else if (strpbrk(url, " \"<>\\^`{|}#"))
            fault = "holds a character that a URL must not: write it as %XX";
    } else if (strncmp(url, "file:", 5) != 0) {
        fault = "must start with https:, http: or file:/";
    } else if (url[5] != '/' || (url[6] == '/' && url[7] != '/')) {
        fault = "must be file: and an absolute path, without a host";
    } else if (!escapes_ok(url)) {
        fault = "needs escapes: write %20 for a space, %25 for %, %3F for ? and %23 for #";
    }
    if (!fault)
        return 0;
    const char *clean = recipe_url_clean(&r->recipe->arena, url);
    if (!clean)
        return err_oom(r->err);
    return json_error(r->doc, node, r->err, "URL \"%.200s\" %s", clean, fault);
}

static int read_hex(struct reader *r, const cJSON *object, const char *key, size_t digits, const char **ret)
{
    const char *hex;
    if (read_text(r, object, key, 0, &hex) < 0)
        return -1;
    *ret = NULL;
    if (!hex)
        return 0;
    uint8_t bytes[DIGEST_MAX_SIZE];
    if (!hex_decode(hex, bytes, digits / 2))
        return json_error(r->doc, read_node(object, key), r->err,
                          "\"%s\" must be %zu hex digits, it has %zu characters", key, digits, strlen(hex));
    char *lower = arena_strdup(&r->recipe->arena, hex);
    if (!lower)
        return err_oom(r->err);
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *ret = lower;
    return 0;
}

/* What a lock may say of URL, whose text in the recipe is NODE. Digests pin the bytes, so that it only has to name the same
 * place on every machine: what ${env.X}, ${bake.X} and, for a local file, any variable stand for does not. */
static int make_portable(struct reader *r, const cJSON *node, const char *url, const char **ret)
{
    const char *given = node->valuestring;
    bool local = strncmp(url, "file:", 5) == 0;
    bool moves = strstr(given, "${env.") || strstr(given, "${bake.") || (local && strstr(given, "${"));
    *ret = recipe_url_clean(&r->recipe->arena, moves ? given : url);
    return *ret ? 0 : err_oom(r->err);
}

/* "signature": a URL, or what to append to the input's URL (".sig"). */
static int read_signature(struct reader *r, const cJSON *object, struct recipe_input *in)
{
    if (read_text(r, object, "signature", TEXT_URL, &in->signature) < 0)
        return -1;
    if (!in->signature)
        return 0;
    const cJSON *node = read_node(object, "signature");
    if (!in->url)
        return json_error(r->doc, node, r->err,
                          "\"signature\" needs a \"url\": a release's own signature is found by itself");
    bool suffix = in->signature[0] == '.';
    if (suffix) {
        in->portable_signature = arena_printf(&r->recipe->arena, "%s%s", in->portable_url, node->valuestring);
        in->signature = arena_printf(&r->recipe->arena, "%s%s", in->url, in->signature);
        if (!in->signature || !in->portable_signature)
            return err_oom(r->err);
    }
    if (check_url(r, node, in->signature) < 0)
        return -1;
    return suffix ? 0 : make_portable(r, node, in->signature, &in->portable_signature);
}

/* What an input and a base have in common. */
static int read_trust(struct reader *r, const cJSON *object, struct recipe_input *in)
{
    const cJSON *url = read_node(object, "url"), *keyring = read_node(object, "keyring");
    in->where = read_where(r, object);
    if (read_text(r, object, "url", TEXT_URL, &in->url) < 0 || (in->url && check_url(r, url, in->url) < 0) ||
        (in->url && make_portable(r, url, in->url, &in->portable_url) < 0) ||
        read_hex(r, object, "sha256", 64, &in->sha256) < 0 ||
        read_hex(r, object, "sha512", 128, &in->sha512) < 0 || read_signature(r, object, in) < 0 ||
        read_text(r, object, "keyring", 0, &in->keyring) < 0)
        return -1;
    if (in->keyring && read_local(r, in->keyring, &in->keyring) < 0)
        return -1;
    in->keyring_given = keyring ? arena_strdup(&r->recipe->arena, keyring->valuestring) : NULL;
    if (keyring && !in->keyring_given)
        return err_oom(r->err);
    if (in->signature && !in->keyring)
        return json_error(
            r->doc, read_node(object, "signature"), r->err,
            "\"signature\" needs a \"keyring\": the file with the public keys to check it with");
    if (in->keyring && in->url && !in->signature)
        return json_error(
            r->doc, read_node(object, "keyring"), r->err,
            "\"keyring\" needs a \"signature\" to check: a URL, or \".sig\" for the input's URL with .sig");
    return 0;
}

static int read_input(struct reader *r, const cJSON *node, struct recipe_input *in)
{
    if (!cJSON_IsObject(node))
        return json_error(r->doc, node, r->err, "input \"%.100s\" must be an object", node->string);
    if (json_only(r->doc, node, input_keys, r->err) < 0)
        return -1;
    in->name = arena_strdup(&r->recipe->arena, node->string);
    if (!in->name)
        return err_oom(r->err);
    if (in->name[0] == '\0' || strlen(in->name) > 64 || !only_chars(in->name, name_chars) ||
        in->name[0] == '.')
        return json_error(
            r->doc, node, r->err,
            "input name \"%.100s\": use 1 to 64 letters, digits, '.', '_', '-', '+', and no '.' first",
            in->name);
    if (strcmp(in->name, RECIPE_BASE_NAME) == 0)
        return json_error(r->doc, node, r->err,
                          "an input cannot be named \"base\": a lock calls the base so");
    if (read_trust(r, node, in) < 0)
        return -1;
    if (!in->url)
        return json_error(r->doc, node, r->err, "\"url\" is missing here");
    if (strncasecmp(in->url, "http:", 5) == 0 && !in->sha256 && !in->sha512 && !in->signature)
        return json_error(r->doc, read_node(node, "url"), r->err,
                          "anyone on the way can change what http: brings: add \"sha256\", \"sha512\" or a "
                          "\"signature\", or use https:");
    return 0;
}

static int compare_inputs(const void *a, const void *b)
{
    return strcmp(((const struct recipe_input *)a)->name, ((const struct recipe_input *)b)->name);
}

int read_inputs(struct reader *r, const cJSON *root)
{
    const cJSON *inputs;
    if (json_get_object(r->doc, root, "inputs", false, &inputs, r->err) < 0)
        return -1;
    size_t count = inputs ? (size_t)cJSON_GetArraySize(inputs) : 0;
    if (count > 500)
        return json_error(r->doc, inputs, r->err, "more than 500 inputs");
    struct recipe_input *made = arena_array(&r->recipe->arena, count + 1, sizeof *made);
    if (!made)
        return err_oom(r->err);
    size_t i = 0;
    for (const cJSON *node = inputs ? inputs->child : NULL; node; node = node->next)
        if (read_input(r, node, &made[i++]) < 0)
            return -1;
    if (count > 1)
        qsort(made, count, sizeof *made, compare_inputs);
    r->recipe->inputs = made;
    r->recipe->input_count = count;
    return 0;
}

const struct recipe_input *recipe_find_input(const struct recipe *recipe, const char *name)
{
    struct recipe_input key = {.name = name};
    if (recipe->input_count == 0)
        return NULL;
    return bsearch(&key, recipe->inputs, recipe->input_count, sizeof key, compare_inputs);
}

/* The release form: os, channel, version, arch. */
static int check_release(struct reader *r, const cJSON *node, struct recipe_base *base)
{
    if (!base->channel)
        return json_error(r->doc, node, r->err, "the base needs a \"channel\" (or a \"url\")");
    if (!base->version)
        base->version = "current";
    if (!base->from.keyring && !base->from.sha256 && !base->from.sha512)
        return json_error(
            r->doc, node, r->err,
            "the base needs a \"keyring\" (the distribution's public keys), or \"sha256\" or \"sha512\"");
    struct recipe_where where = read_where(r, read_node(node, "channel"));
    if (recipe_base_group(&r->recipe->arena, base, r->err) < 0)
        return -1;
    return recipe_base_check(r->recipe, base, where, r->err);
}

/* Told before anything of it is fetched: an image is a gigabyte. */
static int check_os(struct reader *r, const cJSON *node)
{
    const cJSON *os = read_node(node, "os");
    if (!cJSON_IsString(os) || strcmp(os->valuestring, "fedora-coreos") != 0)
        return 0;
    return json_error(
        r->doc, os, r->err,
        "Fedora CoreOS cannot be baked: its root is XFS, and this version writes ext4 only. Use "
        "\"flatcar\" or \"coreos\"");
}

int read_base(struct reader *r, const cJSON *root)
{
    struct recipe_base *base = &r->recipe->base;
    const cJSON *node;
    int os, arch;
    if (json_get_object(r->doc, root, "base", true, &node, r->err) < 0 ||
        json_only(r->doc, node, base_keys, r->err) < 0 || check_os(r, node) < 0 ||
        read_word(r, node, "os", TEXT_NEEDED, recipe_os_names, &os) < 0 ||
        read_word(r, node, "arch", 0, recipe_arch_names, &arch) < 0 ||
        read_text(r, node, "channel", 0, &base->channel) < 0 ||
        read_text(r, node, "version", 0, &base->version) < 0)
        return -1;
    base->os = recipe_os_names[os];
    base->arch = recipe_arch_names[arch < 0 ? 0 : arch];
    base->from.name = RECIPE_BASE_NAME;
    if (base->version &&
        (strlen(base->version) > 64 || !only_chars(base->version, name_chars) || base->version[0] == '.'))
        return json_error(r->doc, read_node(node, "version"), r->err,
                          "version \"%.100s\": use \"current\" or letters, digits, '.', '_', '-', '+'",
                          base->version);
    if (read_trust(r, node, &base->from) < 0)
        return -1;
    if (!base->from.url)
        return check_release(r, node, base);
    if (base->channel)
        return json_error(r->doc, read_node(node, "channel"), r->err,
                          "\"channel\" and \"url\" are both here: give one of them");
    if (!base->from.signature && !base->from.sha256 && !base->from.sha512)
        return json_error(r->doc, node, r->err,
                          "the base needs \"signature\" and \"keyring\", or \"sha256\" or \"sha512\"");
    return 0;
}

int read_input_ref(struct reader *r, const cJSON *object, const struct recipe_input **ret)
{
    const char *name;
    if (read_text(r, object, "input", TEXT_NEEDED, &name) < 0)
        return -1;
    const struct recipe_input *found = recipe_find_input(r->recipe, name);
    if (found) {
        *ret = found;
        return 0;
    }
    cleanup_free const char **words = calloc(r->recipe->input_count + 1, sizeof *words);
    if (!words)
        return err_oom(r->err);
    for (size_t i = 0; i < r->recipe->input_count; i++)
        words[i] = r->recipe->inputs[i].name;
    char hint[400];
    return json_error(r->doc, read_node(object, "input"), r->err, "there is no input \"%.100s\"%s", name,
                      read_hint(name, words, hint));
}
