/* The strict JSON reader. Every accepted value has a position, and text accepted strictly is also accepted
 * with comments allowed. Corpus: corpus/recipe. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void visit(const struct json_doc *doc, const cJSON *node)
{
    unsigned line, column;
    json_where(doc, node, &line, &column);
    if (line == 0 || column == 0)
        abort();
    for (const cJSON *child = node->child; child; child = child->next)
        visit(doc, child);
}

static bool read_as(const uint8_t *data, size_t size, enum json_flags flags)
{
    cleanup_json struct json_doc *doc = NULL;
    struct err err = {0};
    if (json_parse((const char *)data, size, "fuzz", flags, ERR_RECIPE, &doc, &err) == 0) {
        visit(doc, json_root(doc));
        return true;
    }
    /* any other kind would mean that the two readers disagree about a text */
    if (err.kind != ERR_RECIPE)
        abort();
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool strict = read_as(data, size, JSON_STRICT), lenient = read_as(data, size, JSON_COMMENTS);
    if (strict && !lenient)
        abort();
    return 0;
}
