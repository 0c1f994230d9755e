/* SOURCE_DATE_EPOCH (reproducible-builds.org): seconds since 1970. */
#ifndef BAKE_FRONT_JOB_INPUTS_EPOCH_H
#define BAKE_FRONT_JOB_INPUTS_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* *ret_set: the variable is set. ERR_USAGE: its value is not a time. */
must_check int epoch_from_environment(int64_t *ret, bool *ret_set, struct err *err);

#endif
