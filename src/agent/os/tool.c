#include "agent/os/tool.h"

#include <stdarg.h>
#include <string.h>

#include "agent/os/child.h"

const char *const tool_systemctl[] = {"/usr/bin/systemctl", "/bin/systemctl", NULL};

enum { ARGS_MAX = 24, OUTPUT_MAX = 4096, TOOL_MS = 60000 };

static int run_tool(const struct root *root, const char *const *paths, const char *input, int *ret_code,
                    struct buf *output, struct err *err, va_list rest)
{
    const char *argv[ARGS_MAX + 2] = {child_find(root, paths)};
    struct child child = {.argv = argv, .timeout_ms = TOOL_MS, .input = input, .errors = true};
    if (!argv[0])
        return err_set(err, ERR_IO, 0, "the system has no %s", paths[0]);
    for (size_t i = 1; i <= ARGS_MAX; i++)
        if (!(argv[i] = va_arg(rest, const char *)))
            break;
    return child_run(root, &child, output, ret_code, err);
}

int tool_run(const struct root *root, const char *const *paths, const char *input, struct err *err, ...)
{
    cleanup_buf struct buf output = BUF_INIT(OUTPUT_MAX);
    int code = 0;
    va_list rest;
    va_start(rest, err);
    int r = run_tool(root, paths, input, &code, &output, err, rest);
    va_end(rest);
    if (r < 0)
        return -1;
    for (char *at = output.data; at && *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    if (code != 0)
        return err_set(err, ERR_IO, 0, "%s ended with %d: %.500s", paths[0], code,
                       output.data ? output.data : "");
    return 0;
}

int tool_ask(const struct root *root, const char *const *paths, int *ret_code, struct err *err, ...)
{
    cleanup_buf struct buf output = BUF_INIT(OUTPUT_MAX);
    va_list rest;
    va_start(rest, err);
    int r = run_tool(root, paths, NULL, ret_code, &output, err, rest);
    va_end(rest);
    return r;
}
