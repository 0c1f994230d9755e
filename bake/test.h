/* What `bake test` and `bake image --test` share. */
#ifndef BAKE_TEST_H
#define BAKE_TEST_H

#include "package_file.h"

struct test_options {
    struct package_options package;
    const char *serial;
    bool efi;
    uint64_t timeout_s, cpus;
    uint64_t memory; /* bytes */
    struct option_list metadata;
};
#define TEST_OPTIONS_DEFAULT                                                                                 \
    {                                                                                                        \
        .timeout_s = 600, .cpus = 2, .memory = UINT64_C(1) << 30                                             \
    }

/* Verifies the package, boots it, reports. ERR_TEST: it did not pass. */
must_check int test_package(struct common *common, const struct test_options *options, struct err *err);

#endif
