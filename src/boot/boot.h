/* Boots an image in one guest with a metadata server and returns a verdict.
 *
 * In:    a raw disk, metadata, a time limit.
 * Out:   the image's reports, with times.
 * Fails: ERR_TEST if the image reports FAIL, panics, powers off or does not report in time; ERR_IO if it
 *        cannot be started; ERR_INTERRUPTED.
 * Owns:  struct boot_result owns its strings until boot_result_free().
 * Never: leaves a process behind; writes to the disk.
 *
 * The image reports by lines on its serial console that contain "bake-report: ". "bake-report: PASS" and
 * "bake-report: FAIL why" end the test; any other text after the mark is kept for the reader.
 */
#ifndef BAKE_BOOT_BOOT_H
#define BAKE_BOOT_BOOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/run.h"
#include "metadata_server/server.h"

enum { BOOT_REPORTS_MAX = 256, BOOT_TAIL_LINES = 24, BOOT_TIMEOUT_S = 600, BOOT_TIMEOUT_MAX_S = 86400 };

struct boot_options {
    int disk_fd;                              /* raw; not modified, and the caller's */
    bool efi;                                 /* OVMF instead of SeaBIOS */
    unsigned cpus;                            /* 0: 2 */
    unsigned memory_mib;                      /* 0: 1024 */
    unsigned timeout_s;                       /* 0: BOOT_TIMEOUT_S */
    const char *relay;                        /* required: see struct qemu_spec */
    struct metadata_server_instance metadata; /* with the ip and network of boot/qemu.h */
    int serial_fd;                            /* a copy of the raw console goes here; -1: none */
    /* Called for each line, safe to print; may be NULL. SECONDS since power-on. */
    void (*line)(void *ctx, double seconds, const char *line);
    void *ctx;
};

struct boot_result {
    struct arena arena;
    bool passed;
    /* Seconds since power-on of the first output, the kernel, the first unit and the verdict; negative: not
     * seen. */
    double console_s, kernel_s, unit_s, report_s;
    double total_s;
    const char *reports[BOOT_REPORTS_MAX]; /* the text after "bake-report: ", in order */
    size_t report_count;
    const char *tail[BOOT_TAIL_LINES]; /* the console's last lines, oldest first */
    size_t tail_count;
};

/* RESULT is filled as far as the boot got, also on ERR_TEST and ERR_INTERRUPTED. */
must_check int boot_test(const struct boot_options *options, const struct run *run,
                         struct boot_result *result, struct err *err);
void boot_result_free(struct boot_result *result);
#define cleanup_boot_result cleanup(boot_result_free)

#endif
