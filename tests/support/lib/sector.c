#include "sector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* x86 real mode at 0x7c00: the text goes to COM1. */
enum { TEXT_AT = 0x38, RESET_AT = 0x31 };

int sector_disk(const char *text, enum sector_after after)
{
    static const unsigned char code[] = {
        0x31, 0xc0,       /* 00 xor ax, ax */
        0x8e, 0xd8,       /* 02 mov ds, ax */
        0x8e, 0xc0,       /* 04 mov es, ax */
        0xb8, 0x01, 0x03, /* 06 mov ax, 0x301: write one sector */
        0xb9, 0x02, 0x00, /* 09 mov cx, 2: cylinder 0, sector 2 */
        0xba, 0x80, 0x00, /* 0c mov dx, 0x80: head 0, first disk */
        0xbb, 0x00, 0x7c, /* 0f mov bx, 0x7c00 */
        0xcd, 0x13,       /* 12 int 0x13 */
        0xfc,             /* 14 cld */
        0xbe, 0x38, 0x7c, /* 15 mov si, 0x7c00 + TEXT_AT */
        0xac,             /* 18 next: lodsb */
        0x84, 0xc0,       /* 19 test al, al */
        0x74, 0x12,       /* 1b jz end */
        0x88, 0xc3,       /* 1d mov bl, al */
        0xba, 0xfd, 0x03, /* 1f mov dx, 0x3fd: line status */
        0xec,             /* 22 wait: in al, dx */
        0xa8, 0x20,       /* 23 test al, 0x20: room to send */
        0x74, 0xfb,       /* 25 jz wait */
        0xba, 0xf8, 0x03, /* 27 mov dx, 0x3f8: data */
        0x88, 0xd8,       /* 2a mov al, bl */
        0xee,             /* 2c out dx, al */
        0xeb, 0xe9,       /* 2d jmp next */
        0xb0, 0xfe,       /* 2f end: mov al, 0xfe */
        0xe6, 0x64,       /* 31 out 0x64, al: reset by the keyboard controller */
        0xf4,             /* 33 hlt */
        0xeb, 0xfd,       /* 34 jmp -1 */
    };
    unsigned char disk[512] = {0};
    memcpy(disk, code, sizeof code);
    if (after == SECTOR_HALT)
        disk[RESET_AT] = disk[RESET_AT + 1] = 0x90; /* nop */
    assert_true(strlen(text) < 510 - TEXT_AT);
    memcpy(disk + TEXT_AT, text, strlen(text));
    disk[510] = 0x55;
    disk[511] = 0xaa;
    int fd = memfd_create("disk", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, disk, sizeof disk), sizeof disk);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    return fd;
}
