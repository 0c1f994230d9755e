/* What the kinds of `bake test` share: guest.c boots one guest, cluster.c forms a cluster of several,
 * native.c a cluster of containers; `bake image --test` boots one guest. */
#ifndef BAKE_FRONT_TRIAL_TRIAL_H
#define BAKE_FRONT_TRIAL_TRIAL_H

#include "base/arena.h"
#include "boot/boot.h"
#include "bake/remote/package_file.h"

enum { TRIAL_ATTRIBUTES_MAX = 4 + OPTION_LIST_MAX, TRIAL_SECRET_TEXT = 45 };
#define TRIAL_UNSET UINT64_MAX /* an option that was not given */

struct trial_options {
    struct package_options package;
    const char *serial;
    bool efi, native;
    uint64_t nodes, timeout_s, cpus;
    uint64_t memory; /* bytes */
    struct option_list metadata;
};
#define TRIAL_OPTIONS_DEFAULT                                                                                \
    {                                                                                                        \
        .nodes = 1, .timeout_s = TRIAL_UNSET, .cpus = TRIAL_UNSET, .memory = UINT64_C(1) << 30               \
    }

/* The attributes of one guest of a cluster; GUESTS is a NULL-terminated list of names. */
struct trial_attributes {
    struct arena arena;
    struct metadata_server_attribute list[TRIAL_ATTRIBUTES_MAX];
    size_t count;
};

/* Fresh for each test. */
void trial_secret(char ret[static TRIAL_SECRET_TEXT]);

/* The defaults, then --metadata: "K=V" for all guests, "GUEST:K=V" for one. GUEST: whose attributes these
 * are; NULL: only those for all. NODES is the value of cluster-nodes. ERR_USAGE for anything else, or an
 * unknown guest. */
must_check int trial_attributes_make(const struct trial_options *options, const char *const *guests,
                                     const char *guest, const char *nodes, const char *secret,
                                     struct trial_attributes *ret, struct err *err);
/* "" when there is none. */
const char *trial_attribute(const struct trial_attributes *attributes, const char *key);
void trial_attributes_free(struct trial_attributes *attributes);
#define cleanup_trial_attributes cleanup(trial_attributes_free)

must_check int trial_open_serial(const char *path, int *ret_fd, struct err *err);

/* Seconds to a tenth; null when negative. */
void trial_add_seconds(struct json_writer *to, const char *name, double seconds);
void trial_add_boot_seconds(struct json_writer *to, const struct boot_result *result);

/* Verifies the package, boots it according to the options, and reports. ERR_TEST: it did not pass. */
must_check int trial_package(struct common *common, const struct trial_options *options, struct err *err);

/* One guest. */
must_check int trial_guest(struct common *common, const struct trial_options *options, int disk_fd,
                           struct err *err);

/* --nodes 3 and more. */
must_check int trial_cluster(struct common *common, const struct trial_options *options, int disk_fd,
                             struct err *err);

#endif
