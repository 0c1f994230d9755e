#include "kube/program/buildinfo.h"

#include <stdlib.h>
#include <string.h>

static const char MAGIC[] = "\xff Go buildinf:";
enum { MAGIC_LEN = sizeof MAGIC - 1, HEADER = 32, ALIGN = 16, SEARCH_MAX = 64 << 10, VARINT_MAX = 10 };
enum { INLINE_STRINGS = 2 };
static const size_t SENTINEL = 16;

static int read_range(const struct elf *elf, const struct elf_range *range, size_t max, char **ret,
                      size_t *ret_len, struct err *err)
{
    size_t len = range->size < max ? (size_t)range->size : max;
    cleanup_free char *bytes = malloc(len + 1);
    if (!bytes)
        return err_oom(err);
    if (len > 0 && elf->program->read(elf->program->ctx, bytes, len, range->off, err) < 0)
        return -1;
    bytes[len] = '\0';
    *ret = steal_ptr(bytes);
    *ret_len = len;
    return 0;
}

/* Where the header is: in its section, or somewhere at the start of the data. */
static int find_header(const struct elf *elf, struct elf_range *ret, struct err *err)
{
    struct elf_range range;
    if (elf_section(elf, ".go.buildinfo", &range, err) < 0)
        return -1;
    if (range.size == 0 && elf_data(elf, &range, err) < 0)
        return -1;
    cleanup_free char *bytes = NULL;
    size_t len = 0;
    if (read_range(elf, &range, SEARCH_MAX, &bytes, &len, err) < 0)
        return -1;
    *ret = (struct elf_range){0};
    for (size_t at = 0; at + HEADER <= len; at += ALIGN)
        if (memcmp(bytes + at, MAGIC, MAGIC_LEN) == 0) {
            *ret = (struct elf_range){range.off + at, range.size - at};
            break;
        }
    return 0;
}

/* A string after its length as a varint: the start of *text, which is moved behind it. */
static bool take_string(const char **text, size_t *left, const char **ret, size_t *ret_len)
{
    uint64_t len = 0;
    size_t at = 0;
    for (unsigned shift = 0;; shift += 7, at++) {
        if (at == *left || at == VARINT_MAX - 1)
            return false;
        len |= (uint64_t)((unsigned char)(*text)[at] & 0x7f) << shift;
        if (!((unsigned char)(*text)[at] & 0x80))
            break;
    }
    at++;
    if (len > *left - at)
        return false;
    *ret = *text + at;
    *ret_len = (size_t)len;
    *text += at + len;
    *left -= at + (size_t)len;
    return true;
}

int buildinfo_read(const struct elf *elf, struct buf *ret, struct err *err)
{
    struct elf_range range;
    if (find_header(elf, &range, err) < 0)
        return -1;
    cleanup_free char *bytes = NULL;
    size_t len = 0;
    if (read_range(elf, &range, BUILDINFO_MAX, &bytes, &len, err) < 0)
        return -1;
    if (len < HEADER || !((unsigned char)bytes[MAGIC_LEN + 1] & INLINE_STRINGS))
        return 0;
    const char *text = bytes + HEADER, *version, *modules;
    size_t left = len - HEADER, version_len, modules_len;
    if (!take_string(&text, &left, &version, &version_len) ||
        !take_string(&text, &left, &modules, &modules_len))
        return 0;
    /* between two marks, by which a debugger finds it */
    if (modules_len > 2 * SENTINEL && modules[modules_len - SENTINEL - 1] == '\n')
        buf_add(ret, modules + SENTINEL, modules_len - 2 * SENTINEL);
    return buf_check(ret, "the build information of a program", err);
}

/* Field INDEX of the LEN bytes of a line, fields being separated by tabs. */
static const char *field_at(const char *line, size_t len, unsigned index, size_t *ret_len)
{
    const char *end = line + len;
    for (; index > 0; index--) {
        line = memchr(line, '\t', (size_t)(end - line));
        if (!line)
            return NULL;
        line++;
    }
    const char *tab = memchr(line, '\t', (size_t)(end - line));
    *ret_len = (size_t)((tab ? tab : end) - line);
    return line;
}

static bool field_is(const char *line, size_t len, unsigned index, const char *wanted)
{
    size_t field_len;
    const char *field = field_at(line, len, index, &field_len);
    return field && field_len == strlen(wanted) && memcmp(field, wanted, field_len) == 0;
}

/* The version in a line's third field. v0.0.0 is what stands for a commit, or for a folder. */
static bool line_version(const char *line, size_t len, struct kube_number *ret)
{
    struct kube_number made;
    size_t field_len;
    const char *field = field_at(line, len, 2, &field_len);
    if (!field || !kube_number_parse(field, field_len, &made) || (made.part[0] == 0 && made.part[1] == 0))
        return false;
    *ret = made;
    return true;
}

static size_t line_len(const char *line, const char *end)
{
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    return (size_t)((newline ? newline : end) - line);
}

bool buildinfo_version(const struct buf *text, const char *module, struct kube_number *ret)
{
    const char *end = text->len > 0 ? text->data + text->len : NULL;
    for (const char *line = text->data; line < end;) {
        size_t len = line_len(line, end);
        const char *next = line + len < end ? line + len + 1 : end;
        if ((field_is(line, len, 0, "mod") || field_is(line, len, 0, "dep")) &&
            field_is(line, len, 1, module)) {
            size_t next_len = line_len(next, end);
            /* of a folder that replaces a module no version is known but the one that was asked for */
            return (field_is(next, next_len, 0, "=>") && line_version(next, next_len, ret)) ||
                   line_version(line, len, ret);
        }
        line = next;
    }
    return false;
}

bool buildinfo_is(const struct buf *text, const char *module)
{
    const char *end = text->len > 0 ? text->data + text->len : NULL;
    size_t module_len = strlen(module), len;
    for (const char *line = text->data; line < end; line += line_len(line, end) + 1) {
        if (!field_is(line, line_len(line, end), 0, "path"))
            continue;
        const char *path = field_at(line, line_len(line, end), 1, &len);
        return path && len >= module_len && memcmp(path, module, module_len) == 0 &&
               (len == module_len || path[module_len] == '/');
    }
    return false;
}
