/* bake test: boots a package and waits for the image's own report. */
#include "bake/command/command.h"
#include "bake/trial/trial.h"
#include "boot/boot.h"
#include "boot/cluster/cluster.h"
#include "boot/qemu.h"

static const struct option test_rows[] = {
    {"nodes", 'n', UINT_OF(struct trial_options, nodes), "N", "guests: 1, or a cluster of 3 to 9 (1)"},
    {"native", 0, FLAG_OF(struct trial_options, native), NULL,
     "three containers with all of Kubernetes; needs root"},
    {"efi", 0, FLAG_OF(struct trial_options, efi), NULL, "boot with EFI (OVMF), not BIOS"},
    {"timeout", 't', UINT_OF(struct trial_options, timeout_s), "SECONDS",
     "time limit of the whole test (600; a cluster 1200)"},
    {"serial", 0, STRING_OF(struct trial_options, serial), "FILE",
     "write the console to FILE; of a cluster, to FILE.a, ..."},
    {"metadata", 'm', PAIRS_OF(struct trial_options, metadata), "K=V",
     "one more attribute; GUEST:K=V for one guest"},
    {"cpus", 0, UINT_OF(struct trial_options, cpus), "N", "processors of a guest (2; in a cluster 1)"},
    {"memory", 0, SIZE_OF(struct trial_options, memory), "SIZE", "memory of a guest (1GiB)"},
    {0},
};
static const struct option_group test_group = {.rows = test_rows};

/* Containers have no machine of their own, and there are always three. */
static int check_native(const struct trial_options *options, struct err *err)
{
    if (options->efi || options->serial || options->cpus != TRIAL_UNSET || options->metadata.count > 0 ||
        (options->nodes != 1 && options->nodes != 3))
        return err_set(
            err, ERR_USAGE, 0,
            "--native is three containers: it takes none of --efi, --serial, --cpus, --metadata, and "
            "--nodes 3 only");
    if (geteuid() != 0)
        return err_set(
            err, ERR_USAGE, 0,
            "--native needs root, for mounts, network namespaces and containers; without it, --nodes 3 "
            "boots a cluster in QEMU");
    return 0;
}

static int check_options(const struct trial_options *options, struct err *err)
{
    if (package_options_check(&options->package, err) < 0)
        return -1;
    if (options->native && check_native(options, err) < 0)
        return -1;
    if (options->nodes != 1 && (options->nodes < CLUSTER_GUESTS_MIN || options->nodes > CLUSTER_GUESTS_MAX))
        return err_set(err, ERR_USAGE, 0,
                       "--nodes is 1, or %d to %d: a cluster of two does not survive the loss of one",
                       CLUSTER_GUESTS_MIN, CLUSTER_GUESTS_MAX);
    if (options->timeout_s != TRIAL_UNSET &&
        (options->timeout_s == 0 || options->timeout_s > BOOT_TIMEOUT_MAX_S))
        return err_set(err, ERR_USAGE, 0, "--timeout is 1 to %d seconds", BOOT_TIMEOUT_MAX_S);
    if (options->cpus != TRIAL_UNSET && (options->cpus == 0 || options->cpus > GUEST_CPUS_MAX))
        return err_set(err, ERR_USAGE, 0, "--cpus is 1 to %d", GUEST_CPUS_MAX);
    if (options->memory >> 20 < GUEST_MEMORY_MIN || options->memory >> 20 > GUEST_MEMORY_MAX)
        return err_set(err, ERR_USAGE, 0, "--memory is %dMiB to %dMiB", GUEST_MEMORY_MIN, GUEST_MEMORY_MAX);
    return 0;
}

static int run_test(struct common *common, int argc, char **argv, struct err *err)
{
    struct trial_options options = TRIAL_OPTIONS_DEFAULT;
    bool done;
    if (common_parse(common, &command_test, &options, argc, argv, &options.package.package, &done, err) < 0 ||
        done)
        return done ? 0 : -1;
    if (check_options(&options, err) < 0)
        return -1;
    return trial_package(common, &options, err);
}

const struct command command_test = {
    .name = "test",
    .title = "boot a package in QEMU",
    .usage = "bake test PACKAGE [options]",
    .summary = "Verifies the package and boots its disk in QEMU beside a metadata server,\n"
               "without root or any other network. Passes when the image's own units report\n"
               "success. PACKAGE is the path of NAME.manifest.json, or of NAME.tar.gz beside it.\n"
               "With --nodes 3 that many guests must form a cluster, survive the loss of their\n"
               "leader, and accept a new guest of that name, without losing any write.",
    .more = "The image's report goes to stdout; with -v the console is shown on stderr.\n"
            "A cluster's guests are a, b, c, ..., on a network of their own (user namespace,\n"
            "dnsmasq). Exit code 10: the test failed, or took too long.",
    .options = (const struct option_use[]){{&test_group, 0},
                                           {&package_group, offsetof(struct trial_options, package)},
                                           {&common_cache_group, 0},
                                           {&common_output_group, 0},
                                           {0}},
    .arguments_max = 1,
    .run = run_test,
};
