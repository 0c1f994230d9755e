#include "text/unit_lines.h"

#include <stdbool.h>
#include <string.h>

/* Reads one physical line, without its end. False at the end of the text. */
static bool next_physical_line(struct unit_lines *in, const char **ret, size_t *ret_len)
{
    if (in->at >= in->len)
        return false;
    const char *line = in->text + in->at;
    const char *newline = memchr(line, '\n', in->len - in->at);
    size_t len = newline ? (size_t)(newline - line) : in->len - in->at;
    in->at += len + 1;
    if (len > 0 && line[len - 1] == '\r')
        len--;
    *ret = line;
    *ret_len = len;
    return true;
}

static bool is_comment(const char *line, size_t len)
{
    size_t at = 0;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    return at < len && (line[at] == '#' || line[at] == ';');
}

/* Reads one logical line: continuation lines joined by a space, without the comments between them. Returns 1,
 * 0 at the end, or -1 on error. */
int unit_lines_next(struct unit_lines *in, char out[static UNIT_LINE_CAP], struct err *err)
{
    const char *line;
    size_t len, at = 0;
    bool more = true, any = false;
    while (more && next_physical_line(in, &line, &len)) {
        if (is_comment(line, len))
            continue;
        any = true;
        more = len > 0 && line[len - 1] == '\\';
        if (more)
            len--;
        if (memchr(line, '\0', len) || len + 1 >= UNIT_LINE_CAP - at)
            return err_set(err, ERR_RECIPE, 0, "it has a line that is too long or contains a NUL");
        memcpy(out + at, line, len);
        at += len;
        if (more)
            out[at++] = ' ';
    }
    out[at] = '\0';
    return any ? 1 : 0;
}

char *unit_strip(char *text)
{
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        text[--len] = '\0';
    return text;
}

const char *unit_assignment(char *line, char **ret_value)
{
    char *equals = strchr(line, '=');
    if (!equals)
        return NULL;
    *equals = '\0';
    *ret_value = unit_strip(equals + 1);
    return unit_strip(line);
}
