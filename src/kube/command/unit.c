#include "kube/command/unit.h"

#include <string.h>

#include "text/hex.h"
#include "text/unit_lines.h"

enum { COMMANDS_MAX = 64 };
static const char blanks[] = " \t";

struct unit_reader {
    struct call_list *list;
    struct call_vars vars;
    const char *commands[COMMANDS_MAX]; /* ExecStart= lines */
    size_t command_count;
    struct err *err;
};

/* One escape; AT is behind the backslash. Unknown ones stand for themselves. */
static const char *unescape(const char *at, struct buf *to)
{
    static const char from[] = "abfnrtvs\\\"'", result[] = "\a\b\f\n\r\t\v \\\"'";
    const char *known = *at ? strchr(from, *at) : NULL;
    if (known) {
        buf_add(to, &result[known - from], 1);
        return at + 1;
    }
    if (at[0] == 'x' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
        char byte = (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
        buf_add(to, &byte, 1);
        return at + 3;
    }
    buf_str(to, "\\");
    return at;
}

/* Takes the next word of *at, without quotation marks. 1; 0 at the end; -1. */
static int next_word(const char **at, struct buf *to, struct err *err)
{
    const char *p = *at + strspn(*at, blanks);
    char quote = '\0';
    if (!*p)
        return 0;
    to->len = 0;
    if (to->data)
        to->data[0] = '\0';
    while (*p && (quote || !strchr(blanks, *p))) {
        if (*p == quote || (!quote && (*p == '"' || *p == '\''))) {
            quote = quote ? '\0' : *p;
            p++;
        } else if (*p == '\\') {
            p = unescape(p + 1, to);
        } else if (*p == '%' && p[1]) {
            buf_str(to, p[1] == '%' ? "%" : call_stand_in("", 0));
            p += 2;
        } else {
            buf_add(to, p++, 1);
        }
    }
    if (quote)
        return err_set(err, ERR_RECIPE, 0, "a quotation (%c) does not end", quote);
    *at = p;
    return buf_check(to, "a unit's word", err) < 0 ? -1 : 1;
}

static size_t name_len(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    return strspn(text, letters);
}

/* Appends a word with its ${NAME}. */
static void expand(const struct call_vars *vars, const char *word, struct buf *to)
{
    while (*word) {
        size_t len = word[0] == '$' && word[1] == '{' ? name_len(word + 2) : 0;
        if (len > 0 && word[2 + len] == '}') {
            const struct call_var *var = call_find_var(vars, word + 2, len);
            buf_str(to, var ? var->value : call_stand_in(word + 2, len));
            word += len + 3;
        } else {
            buf_add(to, word, 1);
            word += word[0] == '$' && word[1] == '$' ? 2 : 1;
        }
    }
}

/* $NAME as a word is as many words as its value has. */
static int add_value(struct unit_reader *r, const struct call_var *var)
{
    for (const char *at = var ? var->value : ""; *(at += strspn(at, blanks));) {
        size_t len = strcspn(at, blanks);
        if (call_add_word(r->list, at, len, r->err) < 0)
            return -1;
        at += len;
    }
    return 0;
}

static int add_word(struct unit_reader *r, const char *word)
{
    cleanup_buf struct buf text = BUF_INIT(CALL_WORD_MAX);
    if (word[0] == '$' && word[1] && name_len(word + 1) == strlen(word + 1))
        return add_value(r, call_find_var(&r->vars, word + 1, strlen(word + 1)));
    expand(&r->vars, word, &text);
    if (buf_check(&text, "an argument", r->err) < 0)
        return -1;
    return call_add_word(r->list, text.data, text.len, r->err);
}

/* The program, without the signs before it that say how to start it; "@": the next word is what it is called,
 * not an argument. */
static int add_program(struct unit_reader *r, const char **at, struct buf *word)
{
    size_t signs = strspn(word->data, "@-:+!|");
    bool named = memchr(word->data, '@', signs) != NULL;
    if (call_begin(r->list, r->err) < 0 ||
        call_add_word(r->list, word->data + signs, word->len - signs, r->err) < 0)
        return -1;
    return named && next_word(at, word, r->err) < 0 ? -1 : 0;
}

static int read_command(struct unit_reader *r, const char *line)
{
    cleanup_buf struct buf word = BUF_INIT(CALL_WORD_MAX);
    bool first = true;
    int got;
    while ((got = next_word(&line, &word, r->err)) > 0) {
        const char *text = word.data ? word.data : "";
        bool ends = strcmp(text, ";") == 0;
        if (!ends && word.data && (first ? add_program(r, &line, &word) : add_word(r, text)) < 0)
            return -1;
        first = ends;
    }
    return got;
}

static int read_variables(struct unit_reader *r, const char *line)
{
    cleanup_buf struct buf word = BUF_INIT(CALL_WORD_MAX);
    int got;
    while ((got = next_word(&line, &word, r->err)) > 0) {
        char *name = arena_strndup(r->list->arena, word.data ? word.data : "", word.len);
        char *equals = name ? strchr(name, '=') : NULL;
        if (!name)
            return err_oom(r->err);
        if (!equals)
            continue;
        *equals = '\0';
        if (call_set_var(&r->vars, name, equals + 1, r->err) < 0)
            return -1;
    }
    return got;
}

static int read_assignment(struct unit_reader *r, char *line)
{
    char *value;
    const char *key = unit_assignment(line, &value);
    if (key && strcmp(key, "Environment") == 0) {
        if (!*value)
            r->vars.count = 0;
        return read_variables(r, value);
    }
    if (!key || strcmp(key, "ExecStart") != 0)
        return 0;
    if (!*value)
        r->command_count = 0;
    else if (r->command_count == COMMANDS_MAX)
        return err_set(r->err, ERR_RECIPE, 0, "more than %d ExecStart= lines", COMMANDS_MAX);
    else if (!(r->commands[r->command_count++] = arena_strdup(r->list->arena, value)))
        return err_oom(r->err);
    return 0;
}

static int read_text(struct unit_reader *r, const struct unit_text *text)
{
    struct unit_lines in = {.text = text->text, .len = text->len};
    char line[UNIT_LINE_CAP];
    bool inside = false;
    int got;
    while ((got = unit_lines_next(&in, line, r->err)) > 0) {
        char *at = unit_strip(line);
        if (at[0] == '[')
            inside = strcmp(at, "[Service]") == 0;
        else if (inside && read_assignment(r, at) < 0)
            return -1;
    }
    return got;
}

int unit_calls(const struct unit_text *texts, size_t count, struct call_list *ret, struct err *err)
{
    struct unit_reader reader = {.list = ret, .err = err};
    for (size_t i = 0; i < count; i++)
        if (read_text(&reader, &texts[i]) < 0)
            return -1;
    for (size_t i = 0; i < reader.command_count; i++)
        if (read_command(&reader, reader.commands[i]) < 0)
            return -1;
    return 0;
}
