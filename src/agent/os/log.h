/* Where the agent's words go: the one seam between what it does and the terminal.
 *
 * In:    one line, without its end.
 * Out:   main.c puts it on standard error or output and on the console; tests collect it.
 * Fails: never.
 * Owns:  nothing.
 */
#ifndef BAKE_AGENT_OS_LOG_H
#define BAKE_AGENT_OS_LOG_H

struct say {
    void (*line)(void *ctx, const char *text);
    void *ctx;
};

static inline void say_line(const struct say *say, const char *text)
{
    if (say)
        say->line(say->ctx, text);
}

#endif
