/* Calls of programs, as units and manifests spell them.
 *
 * In:    words, and the variables that stand for them.
 * Out:   argument lists. What only a node knows (an address, a name) is a stand-in of the same form.
 * Fails: ERR_RECIPE: more calls or words than anybody needs.
 * Owns:  strings are in the caller's arena.
 */
#ifndef BAKE_KUBE_COMMAND_CALL_H
#define BAKE_KUBE_COMMAND_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { CALLS_MAX = 256, CALL_WORDS_MAX = 1024, CALL_WORD_MAX = 64 << 10, CALL_VARS_MAX = 256 };

struct program_call {
    const char **argv; /* a NULL follows */
    size_t count;
};

struct call_list {
    struct arena *arena;
    struct program_call *items;
    size_t count;
};

/* VALUE NULL: known on the node only. */
struct call_var {
    const char *name, *value;
};

struct call_vars {
    struct call_var items[CALL_VARS_MAX];
    size_t count;
};

/* Begins a call; call_add_word() extends the last one. */
must_check int call_begin(struct call_list *list, struct err *err);
must_check int call_add_word(struct call_list *list, const char *word, size_t len, struct err *err);

/* A later variable of the same name replaces an earlier one. The strings are borrowed. */
must_check int call_set_var(struct call_vars *vars, const char *name, const char *value, struct err *err);
const struct call_var *call_find_var(const struct call_vars *vars, const char *name, size_t len);

/* A harmless value of the form that such a name suggests: "192.0.2.1" for NODE_IP. */
const char *call_stand_in(const char *name, size_t len);
/* Is part of the text a stand-in? Then what a program says about it is about no node's value. */
bool call_has_stand_in(const char *text);

/* Appends TEXT with stand-ins for the agent's marks: @NODE_IP@. */
void call_fill_marks(const char *text, size_t len, struct buf *to);

#endif
