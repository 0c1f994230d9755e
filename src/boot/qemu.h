/* One guest in QEMU, by software emulation: it needs no KVM.
 *
 * In:    a raw disk as a descriptor; the firmware; the metadata server's port.
 * Out:   a running guest with its serial console on a pipe.
 * Fails: ERR_IO if QEMU or the EFI firmware is not installed or does not start; ERR_USAGE for values out of
 *        range.
 * Owns:  struct guest owns the process, its pipe and its copy of the EFI variables until guest_stop().
 * Never: writes to the disk; needs root; lets the guest reach this machine or its network, except for the
 *        metadata server, unless the caller passes a tap.
 *
 * Source: qemu-system-x86_64(1) of 7.2, "-netdev user", "-netdev tap".
 */
#ifndef BAKE_BOOT_QEMU_H
#define BAKE_BOOT_QEMU_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/run.h"
#include "io/proc.h"

/* The guest's DHCP lease, and the metadata server's address. */
#define GUEST_IP      "169.254.0.15"
#define GUEST_NETMASK "255.255.0.0"
#define GUEST_GATEWAY "169.254.0.2"
#define GUEST_MAC     "42:01:a9:fe:00:0f"
#define METADATA_IP   "169.254.169.254"

enum { GUEST_CPUS_MAX = 16, GUEST_MEMORY_MIN = 128, GUEST_MEMORY_MAX = 65536 };

struct qemu_spec {
    int disk_fd;         /* a raw regular file. All descriptors here must be at least 3 */
    bool efi;            /* OVMF instead of SeaBIOS */
    unsigned cpus;       /* 0: 2 */
    unsigned memory_mib; /* 0: 1024 */
    const char *relay;   /* absolute path of a program that takes "relay-metadata PORT"; NULL: no metadata */
    uint16_t metadata_port; /* on 127.0.0.1 */
    /* A tap interface (boot/cluster/network.h) instead of QEMU's own network and the relay; 0: none. It may
     * be closed once the guest runs. MAC is the guest's address on it. */
    int tap_fd;
    const char *mac;
};

struct guest {
    struct proc proc;
    int serial_fd; /* the console, and QEMU's own messages; end of file once the guest is off */
};
#define GUEST_EMPTY                                                                                          \
    {                                                                                                        \
        .serial_fd = -1                                                                                      \
    }

must_check int guest_start(const struct qemu_spec *spec, struct guest *ret, struct err *err);
/* A power cut: SIGKILL. Reaps it. */
void guest_cut(struct guest *guest);
/* Kills and reaps the guest if it runs. */
void guest_stop(struct guest *guest);
#define cleanup_guest cleanup(guest_stop)

/* The command line, NULL-terminated, in ARENA. CODE and VARS_FD: the firmware and a writable copy of its
 * variables; NULL and -1 for SeaBIOS. Public for tests. */
must_check int qemu_argv(const struct qemu_spec *spec, const char *code, int vars_fd, struct arena *arena,
                         const char *const **ret, struct err *err);

#endif
