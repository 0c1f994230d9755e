/* Can this machine run a program?
 *
 * In:    a file's content, which may be hostile.
 * Out:   what its ELF header says. Anything else than an ELF program, or a damaged one, is NATIVE_NOT_ELF.
 * Fails: as reading the blob does.
 * Source: elf(5).
 */
#ifndef BAKE_KUBE_CAGE_NATIVE_H
#define BAKE_KUBE_CAGE_NATIVE_H

#include <stdbool.h>

#include "io/blob.h"

enum native_kind { NATIVE_NOT_ELF, NATIVE_FOREIGN, NATIVE_HERE };

struct native_facts {
    enum native_kind kind;
    bool dynamic; /* it names a loader */
};

must_check int native_read(const struct blob *program, struct native_facts *ret, struct err *err);

#endif
