/* Ends a failed unit test with the cause as the last output. A failed assertion leaves by longjmp and leaks
 * memory; the leak checker's report would hide the cause, so it is skipped. Also reports a full disk, which
 * makes tests fail in many ways. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FREE_MIN = 1 << 20 };

static void ending(int status, void *unused)
{
    (void)unused;
    if (status == 0)
        return; /* the leak checker runs next */
    const char *dir = getenv("TMPDIR");
    struct statvfs room;
    dir = dir && *dir ? dir : "/tmp";
    if (statvfs(dir, &room) == 0 &&
        (room.f_bavail * room.f_frsize < FREE_MIN || (room.f_files && room.f_favail == 0)))
        fprintf(stderr, "no space: %s has %llu KiB and %llu files left\n", dir,
                (unsigned long long)room.f_bavail * room.f_frsize / 1024, (unsigned long long)room.f_favail);
    fflush(NULL);
    _exit(status);
}

__attribute__((constructor)) static void begin(void)
{
    on_exit(ending, NULL);
}
