/* bake test: boots a package in QEMU and asks the image how it is. */
#include <limits.h>
#include <string.h>

#include "boot/boot.h"
#include "boot/cluster/cluster.h"
#include "boot/qemu.h"
#include "cache/cache.h"
#include "bake/trial/native.h"
#include "bake/trial/trial.h"
#include "unpack/unpack.h"
#include "verify/verify.h"

#define INSTANCE "bake-test"

/* The descriptor was hashed a moment ago, so the permit is made from that. */
static int trust_archive(const struct package *package, int *fd, const struct run *run, struct trusted *ret,
                         struct err *err)
{
    char hex[SHA256_HEX];
    hex_encode(package->archive.sha256.bytes, SHA256_SIZE, hex);
    cleanup_artifact struct artifact artifact = {
        .fd = steal_fd(fd), .size = package->archive.size, .sha256 = package->archive.sha256};
    artifact.origin = strdup(package->archive.path);
    if (!artifact.origin)
        return err_oom(err);
    const struct verify_spec spec = {
        .name = package->archive.path, .sha256 = hex, .size = package->archive.size, .hashed_already = true};
    return verify_artifact(&artifact, &spec, run, ret, err);
}

static int open_disk(struct common *common, const struct trial_options *options, struct disk *ret,
                     struct err *err)
{
    cleanup_package struct package package = {0};
    cleanup_trusted struct trusted trusted = TRUSTED_EMPTY;
    cleanup_close int fd = -1;
    if (package_file_open(common, &options->package, "test", &package, NULL, &fd, err) < 0 ||
        trust_archive(&package, &fd, &common->run, &trusted, err) < 0)
        return -1;
    struct cache *cache = NULL;
    if (common_cache(common, &cache, err) < 0)
        return -1;
    ui_step(&common->ui, "unpack", "%s", package.archive.path);
    int r = unpack_disk(&trusted, cache, NULL, &common->run, ret, err);
    cache_close(cache);
    return r;
}

static void on_line(void *ctx, double seconds, const char *line)
{
    const struct run *run = ctx;
    (void)seconds; /* a note carries the time itself */
    run_note(run, "serial", "%s", line);
}

static void report_json(struct ui *ui, const struct trial_options *options, const struct boot_result *result)
{
    struct ui_line line;
    ui_line_open(&line, ui, "test");
    json_string(&line.json, "result", result->passed ? "pass" : "fail");
    json_string(&line.json, "package", options->package.package);
    json_string(&line.json, "firmware", options->efi ? "efi" : "bios");
    json_open(&line.json, "seconds", '{');
    trial_add_boot_seconds(&line.json, result);
    trial_add_seconds(&line.json, "total", result->total_s);
    json_close(&line.json, '}');
    json_strings(&line.json, "report", result->reports, result->report_count);
    if (!result->passed)
        json_strings(&line.json, "console", result->tail, result->tail_count);
    ui_line_print(&line);
}

static void report(struct ui *ui, const struct trial_options *options, const struct boot_result *result)
{
    /* with -v the lines went by just now */
    if (!result->passed && !ui->verbose && result->tail_count > 0) {
        ui_text(ui, "The last lines of the guest's console:\n");
        for (size_t i = 0; i < result->tail_count; i++)
            ui_text(ui, "  | %s\n", result->tail[i]);
    }
    for (size_t i = 0; i < result->report_count; i++)
        ui_text(ui, "%s\n", result->reports[i]);
    if (result->passed)
        ui_step(ui, "test", "passed (%s): loader %.1f s, kernel %.1f s, first unit %.1f s, report %.1f s",
                options->efi ? "EFI" : "BIOS", result->console_s, result->kernel_s, result->unit_s,
                result->report_s);
    report_json(ui, options, result);
}

static int boot(struct common *common, const struct trial_options *options, int disk_fd, struct err *err)
{
    static const char *const guests[] = {INSTANCE, NULL};
    cleanup_trial_attributes struct trial_attributes attributes = {0};
    cleanup_boot_result struct boot_result result = {0};
    char secret[TRIAL_SECRET_TEXT], relay[PATH_MAX];
    trial_secret(secret);
    if (trial_attributes_make(options, guests, INSTANCE, INSTANCE "=" GUEST_IP, secret, &attributes, err) < 0)
        return -1;
    ssize_t n = readlink("/proc/self/exe", relay, sizeof relay - 1);
    if (n < 0)
        return err_sys(err, errno, "the path of this program");
    relay[n] = '\0';
    cleanup_close int serial = -1;
    if (options->serial && trial_open_serial(options->serial, &serial, err) < 0)
        return -1;
    unsigned timeout_s = options->timeout_s == TRIAL_UNSET ? BOOT_TIMEOUT_S : (unsigned)options->timeout_s;
    const struct boot_options boot_options = {
        .disk_fd = disk_fd,
        .efi = options->efi,
        .cpus = options->cpus == TRIAL_UNSET ? 0 : (unsigned)options->cpus,
        .memory_mib = (unsigned)(options->memory >> 20),
        .timeout_s = timeout_s,
        .relay = relay,
        .metadata = {.name = INSTANCE,
                     .hostname = INSTANCE ".c.bake-test.internal",
                     .id = 1,
                     .zone = "local-a",
                     .machine_type = "e2-small",
                     .ip = GUEST_IP,
                     .gateway = GUEST_GATEWAY,
                     .netmask = GUEST_NETMASK,
                     .mac = GUEST_MAC,
                     .attributes = attributes.list,
                     .attribute_count = attributes.count,
                     .project_id = "bake-test",
                     .project_number = 1},
        .serial_fd = serial,
        .line = on_line,
        .ctx = &common->run,
    };
    ui_step(&common->ui, "boot", "%s, software emulation, at most %u s", options->efi ? "EFI" : "BIOS",
            timeout_s);
    int r = boot_test(&boot_options, &common->run, &result, err);
    if (r == 0 || err->kind == ERR_TEST)
        report(&common->ui, options, &result);
    return r;
}

/* Containers have no machine of their own, and their cluster is always of three. */
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
                       "--nodes is 1, or %d to %d: two members do not outlive the loss of one",
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

int trial_package(struct common *common, const struct trial_options *options, struct err *err)
{
    cleanup_disk struct disk disk = DISK_EMPTY;
    if (open_disk(common, options, &disk, err) < 0)
        return -1;
    if (options->native)
        return trial_native(common, options, disk.fd, err);
    return options->nodes > 1 ? trial_cluster(common, options, disk.fd, err)
                              : boot(common, options, disk.fd, err);
}

int cmd_test(struct common *common, int argc, char **argv, struct err *err)
{
    struct trial_options options = TRIAL_OPTIONS_DEFAULT;
    bool done;
    const struct option_spec specs[] = {
        {"nodes", 'n', OPTION_UINT, &options.nodes, "N", "guests: 1, or a cluster of 3 to 9 (1)"},
        {"native", 0, OPTION_FLAG, &options.native, NULL, "root: three containers, all of Kubernetes"},
        {"efi", 0, OPTION_FLAG, &options.efi, NULL, "boot by EFI (OVMF), not BIOS"},
        {"timeout", 't', OPTION_UINT, &options.timeout_s, "SECONDS", "time limit of all (600; cluster 1200)"},
        {"serial", 0, OPTION_STRING, &options.serial, "FILE", "the console; of a cluster, FILE.a, ..."},
        {"metadata", 'm', OPTION_PAIRS, &options.metadata, "K=V", "one more attribute; GUEST:K=V for one"},
        {"cpus", 0, OPTION_UINT, &options.cpus, "N", "processors of a guest (2; cluster 1)"},
        {"memory", 0, OPTION_SIZE, &options.memory, "SIZE", "memory of a guest (1GiB)"},
        PACKAGE_OPTIONS(&options.package),
        COMMON_CACHE_OPTIONS(common),
        COMMON_OUTPUT_OPTIONS(common),
        OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake test PACKAGE [options]",
        .summary = "Verifies the package and boots its disk in QEMU beside a metadata server,\n"
                   "without root or other network. Passes when the image's own units report.\n"
                   "PACKAGE is the path of NAME.manifest.json, or of NAME.tar.gz beside it.\n"
                   "With --nodes 3 that many guests must form a cluster, outlive the loss of its\n"
                   "leader, and take in a new guest of that name, with all that was written.",
        .more = "What the image reports goes to stdout; with -v the console goes by on stderr.\n"
                "A cluster's guests are a, b, c, ..., on a network of their own (user namespace,\n"
                "dnsmasq). Exit code 10: it went badly, or took too long.",
    };
    if (common_parse(common, argc, argv, &help, specs, &options.package.package, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (check_options(&options, err) < 0)
        return -1;
    return trial_package(common, &options, err);
}
