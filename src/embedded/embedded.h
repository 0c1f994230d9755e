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

/* NULL when there is none of that name. */
const struct embedded_file *embedded_find(const char *name);

/* The same, or ERR_RECIPE with the names there are that begin with PREFIX. */
must_check int embedded_want(const char *prefix, const char *name, const struct embedded_file **ret,
                             struct err *err);

#endif
