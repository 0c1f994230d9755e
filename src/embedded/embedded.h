/* Files of the repository that are compiled into the program: units, manifests, recipes, the agent. */
#ifndef BAKE_EMBEDDED_EMBEDDED_H
#define BAKE_EMBEDDED_EMBEDDED_H

#include <stddef.h>

#include "base/err.h"

struct embedded_file {
    const char *name; /* "units/etcd.service", "manifests/kube-apiserver.yaml", "recipes/standin.json",
                         "bake-agent" */
    const unsigned char *start, *end;
};

/* NULL: there is no such file. */
const struct embedded_file *embedded_find(const char *name);

/* PREFIX and NAME together; else ERR_RECIPE, listing the names that begin with PREFIX. */
must_check int embedded_want(const char *prefix, const char *name, const struct embedded_file **ret,
                             struct err *err);

#endif
