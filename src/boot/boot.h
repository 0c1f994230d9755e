/* Does this image boot? One guest, one metadata server, one verdict.
 *
 * In:    a raw disk, metadata, a time limit.
 * Out:   what the image reported about itself, and when.
 * Fails: ERR_TEST when the image reports FAIL, panics, stops, or says nothing in time; ERR_IO when it cannot
 *        be started; ERR_INTERRUPTED.
 * Owns:  struct boot_result owns its strings until boot_result_free().
 * Never: leaves a process behind, or writes to the disk.
 *
 * The image speaks by lines on its serial console that hold "bake-report: ": "bake-report: PASS" ends the test
 * well, "bake-report: FAIL why" ends it badly, anything else after the mark is kept for the reader.
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
    int disk_fd;                              /* raw; stays as it is, and the caller's */
    bool efi;                                 /* OVMF instead of SeaBIOS */
    unsigned cpus;                            /* 0: 2 */
    unsigned memory_mib;                      /* 0: 1024 */
    unsigned timeout_s;                       /* 0: BOOT_TIMEOUT_S */
    const char *relay;                        /* see struct qemu_spec; required */
    struct metadata_server_instance metadata; /* ip and the rest of the network as boot/qemu.h has them */
    int serial_fd;                            /* a copy of the raw console goes here; -1: none */
    /* Each line, safe to show, as it comes; may be NULL. SECONDS are since power-on. */
    void (*line)(void *ctx, double seconds, const char *line);
    void *ctx;
};

struct boot_result {
    struct arena arena;
    bool passed;
    double console_s, kernel_s, unit_s,
        report_s; /* since power-on: first sign of the loader, of the kernel, of the
                                                     first unit, and the verdict; negative: never seen */
    double total_s;
    const char *reports[BOOT_REPORTS_MAX]; /* what followed "bake-report: ", in order */
    size_t report_count;
    const char *tail[BOOT_TAIL_LINES]; /* the console's last lines, oldest first */
    size_t tail_count;
};

/* RESULT is filled as far as the boot came, also when the test fails with ERR_TEST or ERR_INTERRUPTED. */
must_check int boot_test(const struct boot_options *options, const struct run *run,
                         struct boot_result *result, struct err *err);
void boot_result_free(struct boot_result *result);
#define cleanup_boot_result cleanup(boot_result_free)

#endif
