#include "kube/cage/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define NAMESPACES                                                                                           \
    (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |               \
     CLONE_NEWCGROUP)

#define LOAD(member)        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define GIVE(verdict)       BPF_STMT(BPF_RET | BPF_K, (verdict))
#define UNLESS(op, k, skip) BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), 0, (skip))
#define REFUSE(number, why) UNLESS(BPF_JEQ, (number), 1), GIVE(SECCOMP_RET_ERRNO | ((why)&SECCOMP_RET_DATA))
#define DENY(name)          REFUSE(SYS_##name, EPERM)

#ifdef ARCH
static const struct sock_filter filter[] = {
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
    GIVE(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
#ifdef __x86_64__
    UNLESS(BPF_JGE, 0x40000000, 1), /* the x32 calls, under other numbers */
    GIVE(SECCOMP_RET_KILL_PROCESS),
#endif
    /* sockets: some families know no namespaces */
    DENY(socket),
    DENY(socketpair),
    /* other processes */
    DENY(ptrace),
    DENY(process_vm_readv),
    DENY(process_vm_writev),
    DENY(kcmp),
    REFUSE(438 /* pidfd_getfd */, EPERM),
    /* keys: a session's are not in a namespace */
    DENY(keyctl),
    DENY(add_key),
    DENY(request_key),
    /* mounts and namespaces */
    DENY(mount),
    DENY(umount2),
    DENY(pivot_root),
    DENY(chroot),
    DENY(unshare),
    DENY(setns),
    REFUSE(428 /* open_tree */, EPERM),
    REFUSE(429 /* move_mount */, EPERM),
    REFUSE(430 /* fsopen */, EPERM),
    REFUSE(442 /* mount_setattr */, EPERM),
    /* large parts of the kernel that it has no use for */
    DENY(bpf),
    DENY(perf_event_open),
    DENY(userfaultfd),
    REFUSE(425 /* io_uring_setup */, ENOSYS),
    /* its flags are in memory, where a filter cannot look: the C library and Go fall back on clone */
    REFUSE(435 /* clone3 */, ENOSYS),
    UNLESS(BPF_JEQ, SYS_clone, 3),
    LOAD(args[0]), /* the lower half: both architectures are little-endian */
    UNLESS(BPF_JSET, NAMESPACES, 1),
    GIVE(SECCOMP_RET_ERRNO | EPERM),
    GIVE(SECCOMP_RET_ALLOW),
};

bool cage_filter_install(void)
{
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter,
                                 .filter = (struct sock_filter *)(uintptr_t)filter};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}
#else
bool cage_filter_install(void)
{
    errno = ENOSYS;
    return false;
}
#endif
