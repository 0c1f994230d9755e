/* The [Install] section of a systemd unit: what enabling it means.
 *
 * In:    a unit's text.
 * Out:   names of targets, aliases and companions.
 * Fails: ERR_RECIPE for specifiers, which are only known at boot, and for malformed unit names.
 * Owns:  strings are in the caller's arena.
 * Source: systemd.unit(5), systemd.syntax(7): continuation lines, comments, an empty value clears the list.
 */
#ifndef BAKE_PLAN_INSTALL_H
#define BAKE_PLAN_INSTALL_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

enum install_key {
    INSTALL_WANTED_BY,
    INSTALL_REQUIRED_BY,
    INSTALL_UPHELD_BY,
    INSTALL_ALIAS,
    INSTALL_ALSO,
    INSTALL_KEYS
};
enum { INSTALL_NAMES_MAX = 64 };

struct install {
    bool present; /* there is an [Install] section */
    struct install_list {
        const char *names[INSTALL_NAMES_MAX];
        size_t count;
    } lists[INSTALL_KEYS];
    const char *default_instance; /* or NULL */
};

must_check int install_parse(const char *text, size_t len, struct arena *arena, struct install *ret,
                             struct err *err);

#endif
