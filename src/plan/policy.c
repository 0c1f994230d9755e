/* NetworkPolicies that a pod network does not enforce: the API server takes them, and nothing happens. Found
 * in the text, line by line: it is a warning, and needs no parser. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "plan/build.h"

enum { ADDON_MAX = 1 << 20 };

/* Skips blanks and the quotation marks of JSON. */
static const char *skip_marks(const char *at, const char *end)
{
    while (at < end && strchr(" \t\"'", *at))
        at++;
    return at;
}

/* "kind: NetworkPolicy", in YAML or JSON, outside of comments. */
static bool line_has_policy(const char *line, const char *end)
{
    static const char key[] = "kind", value[] = "NetworkPolicy";
    const char *comment = memchr(line, '#', (size_t)(end - line));
    end = comment ? comment : end;
    for (const char *at = line; (at = memmem(at, (size_t)(end - at), key, strlen(key))); at++) {
        const char *next = skip_marks(at + strlen(key), end);
        if (next == end || *next != ':' || (at > line && isalnum((unsigned char)at[-1])))
            continue;
        next = skip_marks(next + 1, end);
        if ((size_t)(end - next) < strlen(value) || memcmp(next, value, strlen(value)) != 0)
            continue;
        next += strlen(value);
        if (next == end || !isalnum((unsigned char)*next))
            return true;
    }
    return false;
}

static bool has_policy(const char *text, size_t len)
{
    for (const char *at = text, *end = text + len; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        if (line_has_policy(at, stop))
            return true;
        at = stop + (newline ? 1 : 0);
    }
    return false;
}

int build_warn_policy(struct builder *b, const struct recipe *recipe, const struct plan_want *want,
                      const struct plan_content *content)
{
    static const char *const names[] = {[NETWORK_VXLAN] = "vxlan", [NETWORK_FLANNEL] = "flannel"};
    if (!recipe->agent || recipe->network == NETWORK_CALICO || content->blob.size == 0 ||
        content->blob.size > ADDON_MAX)
        return 0;
    size_t size = (size_t)content->blob.size;
    cleanup_free char *text = malloc(size);
    if (!text)
        return err_oom(b->err);
    if (blob_read(&content->blob, text, size, 0, b->err) < 0)
        return -1;
    if (!has_policy(text, size))
        return 0;
    return build_add_note(
        b, arena_printf(&b->plan->arena,
                        "%s has a NetworkPolicy, which the pod network \"%s\" does not enforce: it "
                        "lets everything through. \"network\": \"calico\" enforces it",
                        want->label, names[recipe->network]));
}
