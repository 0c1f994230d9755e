/* The program of the image bake.local/pause:1: process 1 of every pod. It holds the pod's namespaces open,
 * reaps orphaned processes, and ends on a signal. The image contains nothing else.
 *
 * In:    SIGTERM or SIGINT, and SIGCHLD.
 * Out:   exit status 0 after SIGTERM or SIGINT; 1 when the kernel refuses to wait.
 * Never: reads arguments or environment, opens a file, allocates.
 *
 * Without a C library: nothing is linked in but this file, so a pod's first process costs one page of text
 * and one of stack. Source: syscall(2) for the two calling conventions, rt_sigtimedwait(2), signal(7).
 */
#include <asm/unistd.h>

/* Numbers from <asm/signal.h> and <linux/wait.h>: the headers themselves clash with a compiler's own. */
enum { SIG_BLOCK = 0, SIG_INT = 2, SIG_TERM = 15, SIG_CHLD = 17, WAIT_NO_HANG = 1, ERROR_INTERRUPTED = 4 };

static long call(long number, long a, long b, long c, long d)
{
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
#else
#error "pause: system calls of this processor are not known"
#endif
}

static _Noreturn void end(int status)
{
    for (;;)
        call(__NR_exit_group, status, 0, 0, 0);
}

_Noreturn void pause_start(void);

_Noreturn void pause_start(void)
{
    /* Blocked and waited for, not handled: process 1 of a namespace gets no signal that it has not asked for,
     * and a blocked one is kept for it. */
    const unsigned long set = 1UL << (SIG_INT - 1) | 1UL << (SIG_TERM - 1) | 1UL << (SIG_CHLD - 1);
    if (call(__NR_rt_sigprocmask, SIG_BLOCK, (long)&set, 0, sizeof set) < 0)
        end(1);
    for (;;) {
        /* One SIGCHLD may stand for many. The first round takes what ended before the signal was blocked. */
        while (call(__NR_wait4, -1, 0, WAIT_NO_HANG, 0) > 0)
            ;
        long got = call(__NR_rt_sigtimedwait, (long)&set, 0, 0, sizeof set);
        if (got == SIG_INT || got == SIG_TERM)
            end(0);
        if (got < 0 && got != -ERROR_INTERRUPTED)
            end(1);
    }
}

/* The kernel enters with the stack as it likes: aligned, and without a return address. */
__asm__(".globl _start\n"
        "_start:\n"
#if defined(__x86_64__)
        "xorl %ebp, %ebp\n"
        "andq $-16, %rsp\n"
        "call pause_start\n"
#else
        "mov x29, #0\n"
        "bl pause_start\n"
#endif
);
