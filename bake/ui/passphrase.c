#include "bake/ui/passphrase.h"

#include <fcntl.h>
#include <signal.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>

#include <sodium.h>

#include "base/err.h"
#include "io/file.h"

static const struct option key_rows[] = {
    {"key", 'k', STRING_OF(struct key_options, path), "FILE",
     "secret key, else $XDG_CONFIG_HOME/bake/bake.key"},
    {"passphrase-file", 0, STRING_OF(struct key_options, passphrase.file), "FILE",
     "read the key's passphrase from the first line of FILE"},
    {"passphrase-fd", 0, UINT_OF(struct key_options, passphrase.fd), "N", "or from descriptor N"},
    {0},
};
const struct option_group key_group = {.title = "Signing key", .rows = key_rows};

/* Reads one line from FD, without its newline. OUT is the caller's guarded memory: no other copy is made. */
static int read_line(int fd, const char *from, char *out, size_t capacity, size_t *ret_len, struct err *err)
{
    size_t len = 0;
    for (;;) {
        char c;
        ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR)
            return err_set(err, ERR_INTERRUPTED, SIGINT, "interrupted");
        if (n < 0)
            return err_sys(err, errno, "read the passphrase from %s", from);
        if (n == 0 || c == '\n')
            break;
        if (len == capacity)
            return err_set(err, ERR_USAGE, 0, "the passphrase from %s is longer than %zu bytes", from,
                           capacity);
        out[len++] = c;
    }
    if (len > 0 && out[len - 1] == '\r')
        len--;
    if (len == 0)
        return err_set(err, ERR_USAGE, 0, "the passphrase from %s is empty", from);
    *ret_len = len;
    return 0;
}

static int from_file(const char *path, char *out, size_t capacity, size_t *ret_len, struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "open the passphrase file %s", path);
    if (S_ISREG(st.st_mode) && !file_is_private(&st))
        return err_set(err, ERR_USAGE, 0, "other users can read the passphrase file %s: chmod 600 it", path);
    return read_line(fd, path, out, capacity, ret_len, err);
}

static int prompt(int tty, const char *text, char *out, size_t capacity, size_t *ret_len, struct err *err)
{
    struct termios was, silent;
    if (tcgetattr(tty, &was) < 0)
        return err_sys(err, errno, "ask for the passphrase");
    silent = was;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    if (tcsetattr(tty, TCSAFLUSH, &silent) < 0)
        return err_sys(err, errno, "switch off the terminal's echo");
    dprintf(tty, "%s", text);
    int r = read_line(tty, "the terminal", out, capacity, ret_len, err);
    tcsetattr(tty, TCSAFLUSH, &was);
    dprintf(tty, "\n");
    return r;
}

static int from_terminal(const struct passphrase_options *options, const char *path, char *out,
                         size_t capacity, size_t *ret_len, struct err *err)
{
    cleanup_close int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0 || !isatty(STDIN_FILENO))
        return err_set(
            err, ERR_USAGE, 0,
            "the key %s needs a passphrase and there is no terminal to ask on: use --passphrase-file or "
            "--passphrase-fd",
            path);
    char text[PATH_MAX + 64];
    snprintf(text, sizeof text, "Passphrase for %s: ", path);
    if (prompt(tty, text, out, capacity, ret_len, err) < 0)
        return -1;
    if (!options->twice)
        return 0;
    char *again = sodium_malloc(capacity);
    if (!again)
        return err_oom(err);
    size_t len = 0;
    int r = prompt(tty, "Repeat it: ", again, capacity, &len, err);
    if (r == 0 && (len != *ret_len || sodium_memcmp(again, out, len) != 0))
        r = err_set(err, ERR_USAGE, 0, "the two passphrases differ: nothing was written");
    sodium_free(again);
    return r;
}

static int read_passphrase(void *ctx, const char *path, char *out, size_t capacity, size_t *ret_len,
                           struct err *err)
{
    const struct passphrase_options *options = ctx;
    if (options->file)
        return from_file(options->file, out, capacity, ret_len, err);
    if (options->fd != UINT64_MAX) {
        if (options->fd > INT_MAX)
            return err_set(err, ERR_USAGE, 0, "--passphrase-fd needs the number of a descriptor");
        return read_line((int)options->fd, "--passphrase-fd", out, capacity, ret_len, err);
    }
    return from_terminal(options, path, out, capacity, ret_len, err);
}

struct passphrase_source passphrase_source(struct passphrase_options *options)
{
    return (struct passphrase_source){.ask = read_passphrase, .ctx = options};
}
