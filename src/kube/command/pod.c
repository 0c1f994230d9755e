#include "kube/command/pod.h"

#include <string.h>
#include <yaml.h>

enum { FILLED_MAX = 4 << 20 };

struct pod_reader {
    yaml_document_t document;
    struct call_list *list;
    struct call_vars *vars;
    struct err *err;
};

static void delete_parser(yaml_parser_t *parser)
{
    yaml_parser_delete(parser);
}

static bool is_text(const yaml_node_t *node, const char *text)
{
    return node && node->type == YAML_SCALAR_NODE && node->data.scalar.length == strlen(text) &&
           memcmp(node->data.scalar.value, text, strlen(text)) == 0;
}

/* The member NAME of a mapping, or NULL. */
static const yaml_node_t *member(struct pod_reader *r, const yaml_node_t *map, const char *name)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top;
         pair++)
        if (is_text(yaml_document_get_node(&r->document, pair->key), name))
            return yaml_document_get_node(&r->document, pair->value);
    return NULL;
}

/* Element I of a list; NULL after the last. */
static const yaml_node_t *element(struct pod_reader *r, const yaml_node_t *list, size_t i)
{
    if (!list || list->type != YAML_SEQUENCE_NODE ||
        i >= (size_t)(list->data.sequence.items.top - list->data.sequence.items.start))
        return NULL;
    return yaml_document_get_node(&r->document, list->data.sequence.items.start[i]);
}

static int read_vars(struct pod_reader *r, const yaml_node_t *env)
{
    const yaml_node_t *entry;
    r->vars->count = 0;
    for (size_t i = 0; (entry = element(r, env, i)); i++) {
        const yaml_node_t *name = member(r, entry, "name"), *value = member(r, entry, "value");
        if (!name || name->type != YAML_SCALAR_NODE)
            continue;
        const char *known =
            value && value->type == YAML_SCALAR_NODE ? (char *)value->data.scalar.value : NULL;
        if (call_set_var(r->vars, (char *)name->data.scalar.value, known, r->err) < 0)
            return -1;
    }
    return 0;
}

/* Appends one word. As kubelet does it: $(NAME) of no variable stays, and $$ is one sign. */
static void expand(const struct pod_reader *r, const char *word, struct buf *to)
{
    while (*word) {
        const char *close = word[0] == '$' && word[1] == '(' ? strchr(word, ')') : NULL;
        size_t len = close ? (size_t)(close - word) - 2 : 0;
        const struct call_var *var = close ? call_find_var(r->vars, word + 2, len) : NULL;
        if (var)
            buf_str(to, var->value ? var->value : call_stand_in(var->name, len));
        else
            buf_add(to, word, 1);
        if (var)
            word = close + 1;
        else
            word += word[0] == '$' && word[1] == '$' ? 2 : 1;
    }
}

static int add_words(struct pod_reader *r, const yaml_node_t *words)
{
    const yaml_node_t *word;
    for (size_t i = 0; (word = element(r, words, i)); i++) {
        cleanup_buf struct buf text = BUF_INIT(CALL_WORD_MAX);
        if (word->type != YAML_SCALAR_NODE)
            continue;
        expand(r, (char *)word->data.scalar.value, &text);
        if (buf_check(&text, "an argument", r->err) < 0 ||
            call_add_word(r->list, text.data, text.len, r->err) < 0)
            return -1;
    }
    return 0;
}

static int read_containers(struct pod_reader *r, const yaml_node_t *containers)
{
    const yaml_node_t *container;
    for (size_t i = 0; (container = element(r, containers, i)); i++) {
        const yaml_node_t *command = member(r, container, "command");
        if (!element(r, command, 0))
            continue;
        if (read_vars(r, member(r, container, "env")) < 0 || call_begin(r->list, r->err) < 0 ||
            add_words(r, command) < 0 || add_words(r, member(r, container, "args")) < 0)
            return -1;
    }
    return 0;
}

static int read_document(struct pod_reader *r)
{
    const yaml_node_t *root = yaml_document_get_root_node(&r->document), *spec = member(r, root, "spec");
    if (!is_text(member(r, root, "kind"), "Pod"))
        return 0;
    return read_containers(r, member(r, spec, "initContainers")) < 0
               ? -1
               : read_containers(r, member(r, spec, "containers"));
}

static int yaml_error(const yaml_parser_t *parser, struct err *err)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return err_oom(err);
    return err_set(err, ERR_RECIPE, 0, "it is not YAML: line %zu: %.200s", parser->problem_mark.line + 1,
                   parser->problem ? parser->problem : "cannot be read");
}

static int read_stream(yaml_parser_t *parser, struct pod_reader *r)
{
    for (;;) {
        if (!yaml_parser_load(parser, &r->document))
            return yaml_error(parser, r->err);
        bool more = yaml_document_get_root_node(&r->document);
        int done = more ? read_document(r) : 0;
        yaml_document_delete(&r->document);
        if (done < 0 || !more)
            return done;
    }
}

int pod_calls(const char *text, size_t len, struct call_list *ret, struct err *err)
{
    cleanup_buf struct buf filled = BUF_INIT(FILLED_MAX);
    struct call_vars vars = {.count = 0};
    struct pod_reader reader = {.list = ret, .vars = &vars, .err = err};
    call_fill_marks(text, len, &filled);
    if (buf_check(&filled, "a manifest", err) < 0)
        return -1;
    cleanup(delete_parser) yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return err_oom(err);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(filled.data ? filled.data : ""),
                                 filled.len);
    return read_stream(&parser, &reader);
}
