/* The one error type.
 *
 * In:    a kind, an errno (0 for none) and a sentence that says what was wrong and what to do.
 * Out:   always -1, so that a failure is one statement:  return err_set(err, ERR_IO, errno, "open %s", path);
 * Never: prints. Text that does not fit is cut.
 *
 * A struct err lives on the stack of the operation's first caller.
 *
 * Functions take `struct err *err` last and return 0 or -1. On -1 they have filled err and left their ret_
 * parameters alone. Callers prepend context on the way up with err_wrap(): "outer: inner".
 */
#ifndef BAKE_BASE_ERR_H
#define BAKE_BASE_ERR_H

#include "base/cleanup.h"

/* The values are the exit codes of the program. */
enum err_kind {
    ERR_NONE = 0,
    ERR_INTERNAL = 1,     /* out of memory, or a bug */
    ERR_USAGE = 2,        /* wrong command line */
    ERR_RECIPE = 3,       /* a malformed recipe, lock or key file */
    ERR_VERIFY = 4,       /* digest, signature, or a malformed or hostile input */
    ERR_LAYOUT = 5,       /* a disk or file system that bake does not support */
    ERR_SPACE = 6,        /* no space in the image or on this machine */
    ERR_IO = 7,           /* this machine's files */
    ERR_NETWORK = 8,      /* no response, or an incomplete one */
    ERR_REMOTE = 9,       /* the server refused */
    ERR_TEST = 10,        /* a tested image failed */
    ERR_INTERRUPTED = 130 /* errnum holds the signal; the exit code is 128 + signal */
};

enum { ERR_TEXT_MAX = 2048 };

struct err {
    enum err_kind kind;
    int errnum;
    char text[ERR_TEXT_MAX];
};

/* Sets kind and text ("fmt" or "fmt: strerror(errnum)"); returns -1. */
int err_set(struct err *err, enum err_kind kind, int errnum, const char *fmt, ...) print_like(4, 5);

/* The same for a failed system call: ENOSPC, EDQUOT and EFBIG become ERR_SPACE, ENOMEM ERR_INTERNAL, the rest
 * ERR_IO. */
int err_sys(struct err *err, int errnum, const char *fmt, ...) print_like(3, 4);

/* Prepends "fmt: " to the text; kind and errnum stay. Returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) print_like(2, 3);

/* Out of memory. Returns -1. */
int err_oom(struct err *err);

/* The program's exit code for this error. */
int err_exit_code(const struct err *err);

/* The kind's name in JSON output: "usage", "recipe", "verification", ... Static storage. */
const char *err_kind_name(enum err_kind kind);

#endif
