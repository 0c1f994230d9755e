/* bake test: boots a package in QEMU and asks the image how it is. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include <sodium.h>

#include "boot/boot.h"
#include "boot/qemu.h"
#include "io/cache.h"
#include "test.h"
#include "unpack/unpack.h"
#include "verify/verify.h"

#define INSTANCE "bake-test"
enum { DEFAULT_ATTRIBUTES = 4, SECRET_SIZE = 32 };

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

static int open_disk(struct common *common, const struct test_options *options, struct disk *ret,
                     struct err *err)
{
    cleanup_package struct package package = {0};
    cleanup_trusted struct trusted trusted = TRUSTED_EMPTY;
    cleanup_close int fd = -1;
    if (package_file_open(common, &options->package, "test", &package, NULL, &fd, err) < 0 ||
        trust_archive(&package, &fd, &common->run, &trusted, err) < 0)
        return -1;
    cleanup_free char *fallback = NULL;
    if (!common->cache_dir && dir_default("XDG_CACHE_HOME", ".cache", "bake", &fallback, err) < 0)
        return -1;
    const struct cache_options cache_options = {.dir = common->cache_dir ? common->cache_dir : fallback,
                                                .max_bytes = common->cache_size,
                                                .recheck = common->recheck};
    struct cache *cache = NULL;
    if (cache_open(&cache_options, &cache, err) < 0)
        return -1;
    ui_step(&common->ui, "unpack", "%s", package.archive.path);
    int r = unpack_disk(&trusted, cache, NULL, &common->run, ret, err);
    cache_close(cache);
    return r;
}

/* "K=V" as given; a key that is there already gets the new value. LIST has room for all. */
static int add_attribute(struct metadata_attribute *list, size_t *count, const char *text,
                         struct arena *arena, struct err *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return err_set(err, ERR_USAGE, 0, "--metadata wants KEY=VALUE, not \"%s\"", text);
    const char *key = arena_strndup(arena, text, (size_t)(equals - text));
    if (!key)
        return err_oom(err);
    size_t i = 0;
    while (i < *count && strcmp(list[i].key, key) != 0)
        i++;
    list[i] = (struct metadata_attribute){key, equals + 1};
    *count += i == *count;
    return 0;
}

static void on_line(void *ctx, double seconds, const char *line)
{
    const struct run *run = ctx;
    (void)seconds; /* a note carries the time itself */
    run_note(run, "serial", "%s", line);
}

static void add_seconds(cJSON *to, const char *name, double seconds)
{
    if (seconds >= 0)
        cJSON_AddNumberToObject(to, name, (double)(int64_t)(seconds * 10 + 0.5) / 10);
    else
        cJSON_AddNullToObject(to, name);
}

static void report_json(struct ui *ui, const struct test_options *options, const struct boot_result *result)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "event", "test");
    cJSON_AddStringToObject(object, "result", result->passed ? "pass" : "fail");
    cJSON_AddStringToObject(object, "package", options->package.package);
    cJSON_AddStringToObject(object, "firmware", options->efi ? "efi" : "bios");
    cJSON *seconds = cJSON_AddObjectToObject(object, "seconds");
    add_seconds(seconds, "loader", result->console_s);
    add_seconds(seconds, "kernel", result->kernel_s);
    add_seconds(seconds, "first_unit", result->unit_s);
    add_seconds(seconds, "report", result->report_s);
    add_seconds(seconds, "total", result->total_s);
    cJSON *reports = cJSON_AddArrayToObject(object, "report");
    for (size_t i = 0; i < result->report_count; i++)
        cJSON_AddItemToArray(reports, cJSON_CreateString(result->reports[i]));
    cJSON *tail = result->passed ? NULL : cJSON_AddArrayToObject(object, "console");
    for (size_t i = 0; tail && i < result->tail_count; i++)
        cJSON_AddItemToArray(tail, cJSON_CreateString(result->tail[i]));
    ui_json(ui, object);
}

static void report(struct ui *ui, const struct test_options *options, const struct boot_result *result)
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

static int boot(struct common *common, const struct test_options *options, int disk_fd, struct err *err)
{
    cleanup_arena struct arena arena = {0};
    cleanup_boot_result struct boot_result result = {0};
    unsigned char bytes[SECRET_SIZE];
    char secret[sodium_base64_ENCODED_LEN(SECRET_SIZE, sodium_base64_VARIANT_ORIGINAL)];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(secret, sizeof secret, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
    struct metadata_attribute attributes[DEFAULT_ATTRIBUTES + OPTION_LIST_MAX] = {
        {"cluster-name", "test"},
        {"cluster-nodes", INSTANCE "=" GUEST_IP},
        {"cluster-secret", secret},
        /* all of Kubernetes takes minutes to start under emulation; "-m cluster-role=node" has it so */
        {"cluster-role", "witness"}};
    size_t count = DEFAULT_ATTRIBUTES;
    for (size_t i = 0; i < options->metadata.count; i++)
        if (add_attribute(attributes, &count, options->metadata.values[i], &arena, err) < 0)
            return -1;
    char relay[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", relay, sizeof relay - 1);
    if (n < 0)
        return err_sys(err, errno, "the path of this program");
    relay[n] = '\0';
    cleanup_close int serial =
        options->serial ? open(options->serial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644)
                        : -1;
    if (options->serial && serial < 0)
        return err_sys(err, errno, "open %s", options->serial);
    const struct boot_options boot_options = {
        .disk_fd = disk_fd,
        .efi = options->efi,
        .cpus = (unsigned)options->cpus,
        .memory_mib = (unsigned)(options->memory >> 20),
        .timeout_s = (unsigned)options->timeout_s,
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
                     .attributes = attributes,
                     .attribute_count = count,
                     .project_id = "bake-test",
                     .project_number = 1},
        .serial_fd = serial,
        .line = on_line,
        .ctx = &common->run,
    };
    ui_step(&common->ui, "boot", "%s, software emulation, at most %llu s", options->efi ? "EFI" : "BIOS",
            (unsigned long long)options->timeout_s);
    int r = boot_test(&boot_options, &common->run, &result, err);
    if (r == 0 || err->kind == ERR_TEST)
        report(&common->ui, options, &result);
    return r;
}

int test_package(struct common *common, const struct test_options *options, struct err *err)
{
    cleanup_disk struct disk disk = DISK_EMPTY;
    if (open_disk(common, options, &disk, err) < 0)
        return -1;
    return boot(common, options, disk.fd, err);
}

int cmd_test(struct common *common, int argc, char **argv, struct err *err)
{
    struct test_options options = TEST_OPTIONS_DEFAULT;
    bool done;
    const struct option_spec specs[] = {
        {"efi", 0, OPTION_FLAG, &options.efi, NULL, "boot by EFI (OVMF), not BIOS"},
        {"timeout", 't', OPTION_UINT, &options.timeout_s, "SECONDS", "time limit (600)"},
        {"serial", 0, OPTION_STRING, &options.serial, "FILE", "write the console there, as it comes"},
        {"metadata", 'm', OPTION_LIST, &options.metadata, "K=V", "one more attribute of the instance"},
        {"cpus", 0, OPTION_UINT, &options.cpus, "N", "processors of the guest (2)"},
        {"memory", 0, OPTION_SIZE, &options.memory, "SIZE", "memory of the guest (1GiB)"},
        PACKAGE_OPTIONS(&options.package),
        COMMON_CACHE_OPTIONS(common),
        COMMON_OUTPUT_OPTIONS(common),
        OPTIONS_END,
    };
    const struct command_help help = {
        .usage = "bake test PACKAGE [options]",
        .summary = "Verifies the package and boots its disk in QEMU beside a metadata server,\n"
                   "without root or other network. Passes when the image's own units report.\n"
                   "PACKAGE is the path of NAME.manifest.json, or of NAME.tar.gz beside it.",
        .more = "What the image reports goes to stdout; with -v the console goes by on stderr.\n"
                "Exit code 10: it booted badly, or not in time.",
    };
    if (common_parse(common, argc, argv, &help, specs, &options.package.package, 1, &done, err) < 0 || done)
        return done ? 0 : -1;
    if (package_options_check(&options.package, err) < 0)
        return -1;
    if (options.timeout_s == 0 || options.timeout_s > BOOT_TIMEOUT_MAX_S)
        return err_set(err, ERR_USAGE, 0, "--timeout is 1 to %d seconds", BOOT_TIMEOUT_MAX_S);
    if (options.cpus == 0 || options.cpus > GUEST_CPUS_MAX)
        return err_set(err, ERR_USAGE, 0, "--cpus is 1 to %d", GUEST_CPUS_MAX);
    if (options.memory >> 20 < GUEST_MEMORY_MIN || options.memory >> 20 > GUEST_MEMORY_MAX)
        return err_set(err, ERR_USAGE, 0, "--memory is %dMiB to %dMiB", GUEST_MEMORY_MIN, GUEST_MEMORY_MAX);
    return test_package(common, &options, err);
}
