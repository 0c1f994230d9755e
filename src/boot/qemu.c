#include "boot/qemu.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "io/file.h"
#include "text/path.h"

enum { ARGS_MAX = 64, FIRMWARE_MAX = 16 << 20, QUOTED_MAX = 4 * PATH_CAP };

/* OVMF as Debian, Fedora and Arch install it: code and the matching template of its variables. Newer releases
 * have only the 4 MiB build. */
static const struct {
    const char *code, *vars;
} firmwares[] = {
    {"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
    {"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
    {"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},
    {"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},
};

struct args {
    struct arena *arena;
    const char **list;
    size_t count;
    bool failed;
};

static void add_arg(struct args *args, const char *arg)
{
    if (!arg || args->count + 1 >= ARGS_MAX)
        args->failed = true;
    else
        args->list[args->count++] = arg;
}

static void add_option(struct args *args, const char *option, const char *value)
{
    add_arg(args, option);
    add_arg(args, value);
}

/* libslirp splits a guestfwd command into words by POSIX shell rules, without a shell (g_shell_parse_argv).
 * QEMU's option parser, which runs first, ends a value at a comma unless the comma is doubled. */
static char *quote_command_word(struct arena *arena, const char *word)
{
    cleanup_buf struct buf out = BUF_INIT(QUOTED_MAX);
    buf_str(&out, "'");
    for (const char *c = word; *c; c++)
        if (*c == '\'')
            buf_str(&out, "'\\''");
        else
            buf_add(&out, *c == ',' ? ",," : c, *c == ',' ? 2 : 1);
    buf_str(&out, "'");
    return out.failed ? NULL : arena_strdup(arena, out.data);
}

/* restrict=on: the guest reaches only what guestfwd names, not even this machine's loopback. */
static void add_network(struct args *args, const struct qemu_spec *spec)
{
    if (spec->tap_fd > 0) {
        add_option(args, "-netdev", arena_printf(args->arena, "tap,id=net0,fd=%d", spec->tap_fd));
        add_option(args, "-device",
                   arena_printf(args->arena, "virtio-net-pci,netdev=net0,mac=%s,romfile=", spec->mac));
        return;
    }
    const char *net = "user,id=net0,restrict=on,net=169.254.0.0/16,dhcpstart=" GUEST_IP;
    if (spec->relay) {
        char *relay = quote_command_word(args->arena, spec->relay);
        net = relay ? arena_printf(args->arena, "%s,guestfwd=tcp:" METADATA_IP ":80-cmd:%s relay-metadata %u",
                                   net, relay, (unsigned)spec->metadata_port)
                    : NULL;
    }
    add_option(args, "-netdev", net);
    add_option(args, "-device", "virtio-net-pci,netdev=net0,mac=" GUEST_MAC ",romfile=");
}

static void add_disk(struct args *args, int fd)
{
    /* snapshot: QEMU keeps the guest's writes in an unnamed temporary file */
    add_option(args, "-drive",
               arena_printf(args->arena,
                            "if=none,id=disk0,file=/proc/self/fd/%d,format=raw,snapshot=on,cache=unsafe",
                            fd));
    add_option(args, "-device", "virtio-scsi-pci");
    add_option(args, "-device", "scsi-hd,drive=disk0,bootindex=1");
}

int qemu_argv(const struct qemu_spec *spec, const char *code, int vars_fd, struct arena *arena,
              const char *const **ret, struct err *err)
{
    unsigned cpus = spec->cpus ? spec->cpus : 2, memory = spec->memory_mib ? spec->memory_mib : 1024;
    if (cpus > GUEST_CPUS_MAX)
        return err_set(err, ERR_USAGE, 0, "a guest has at most %d processors", GUEST_CPUS_MAX);
    if (memory < GUEST_MEMORY_MIN || memory > GUEST_MEMORY_MAX)
        return err_set(err, ERR_USAGE, 0, "a guest has %d to %d MiB of memory", GUEST_MEMORY_MIN,
                       GUEST_MEMORY_MAX);
    if (spec->relay && (spec->relay[0] != '/' || spec->metadata_port == 0))
        return err_set(err, ERR_INTERNAL, 0, "the metadata relay needs an absolute path and a port");
    if (spec->tap_fd > 0 && !spec->mac)
        return err_set(err, ERR_INTERNAL, 0, "a guest on a tap needs a MAC address");
    struct args args = {.arena = arena, .list = arena_array(arena, ARGS_MAX, sizeof *args.list)};
    if (!args.list)
        return err_oom(err);
    add_arg(&args, "qemu-system-x86_64");
    add_option(&args, "-machine", "q35");
    add_option(&args, "-accel", "tcg,thread=multi");
    add_option(&args, "-cpu", "max");
    add_option(&args, "-smp", arena_printf(arena, "%u", cpus));
    add_option(&args, "-m", arena_printf(arena, "%u", memory));
    add_option(&args, "-display", "none");
    add_arg(&args, "-nodefaults");
    add_arg(&args, "-no-user-config");
    add_arg(&args, "-no-reboot");
    add_option(&args, "-monitor", "none");
    add_option(&args, "-serial", "stdio");
    add_option(&args, "-device", "virtio-rng-pci");
    if (code) {
        add_option(&args, "-drive",
                   arena_printf(arena, "if=pflash,format=raw,unit=0,readonly=on,file=%s", code));
        add_option(&args, "-drive",
                   arena_printf(arena, "if=pflash,format=raw,unit=1,file=/proc/self/fd/%d", vars_fd));
    }
    add_disk(&args, spec->disk_fd);
    add_network(&args, spec);
    if (args.failed)
        return err_oom(err);
    args.list[args.count] = NULL;
    *ret = args.list;
    return 0;
}

/* EFI writes to its variables: gives it a copy of the template in memory. */
static int copy_vars(const char *path, int *ret_fd, struct err *err)
{
    cleanup_buf struct buf vars = BUF_INIT(FIRMWARE_MAX);
    if (file_read(path, FIRMWARE_MAX, &vars, err) < 0)
        return -1;
    cleanup_close int fd = memfd_create("efi-variables", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "memory for EFI variables");
    if (file_write(fd, vars.data, vars.len, "EFI variables", err) < 0)
        return -1;
    *ret_fd = steal_fd(&fd);
    return 0;
}

static int find_firmware(const char **ret_code, int *ret_vars_fd, struct err *err)
{
    for (size_t i = 0; i < sizeof firmwares / sizeof *firmwares; i++)
        if (access(firmwares[i].code, R_OK) == 0 && access(firmwares[i].vars, R_OK) == 0) {
            if (copy_vars(firmwares[i].vars, ret_vars_fd, err) < 0)
                return -1;
            *ret_code = firmwares[i].code;
            return 0;
        }
    return err_set(err, ERR_IO, 0, "no EFI firmware: install OVMF (Debian: ovmf), or test without --efi");
}

int guest_start(const struct qemu_spec *spec, struct guest *ret, struct err *err)
{
    cleanup_arena struct arena arena = {0};
    cleanup_close int vars_fd = -1;
    const char *code = NULL;
    const char *const *argv = NULL;
    if (spec->efi && find_firmware(&code, &vars_fd, err) < 0)
        return -1;
    if (qemu_argv(spec, code, vars_fd, &arena, &argv, err) < 0)
        return -1;
    int pass[4] = {spec->disk_fd, -1, -1, -1}, passed = 1;
    if (vars_fd >= 0)
        pass[passed++] = vars_fd;
    if (spec->tap_fd > 0)
        pass[passed] = spec->tap_fd;
    const struct proc_spec proc = {
        .argv = argv, .package = "qemu-system-x86", .stdin_fd = -1, .pass_fds = pass};
    struct guest made = GUEST_EMPTY;
    if (proc_start(&proc, &made.proc, &made.serial_fd, err) < 0)
        return -1;
    *ret = made;
    return 0;
}

void guest_cut(struct guest *guest)
{
    if (guest->proc.pid > 0)
        kill(guest->proc.pid, SIGKILL);
    guest_stop(guest);
}

void guest_stop(struct guest *guest)
{
    proc_kill(&guest->proc);
    cleanup_close_fn(&guest->serial_fd);
    guest->serial_fd = -1;
}
