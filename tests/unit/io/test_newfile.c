/* New files on file systems that lack features. The kernel itself refuses the calls (seccomp), in a child; a
 * real file system without them, exFAT, is in tests/e2e/machine-test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/file.h"

static char dir[] = "/tmp/bake-test-newfile.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    const char *const argv[] = {"sh", "-c", command, NULL};
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

enum { NO_TMPFILE = 1, NO_LINK = 2, NO_RENAME_FLAGS = 4, NO_CHMOD = 8 };

/* From here on the calls in LACKS fail with WHY in this process. In the filter each row tests one call. */
static void lose(unsigned lacks, int why)
{
    struct sock_filter code[40];
    unsigned n = 0;
#define LOAD(field)                                                                                          \
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define REFUSE()              code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)why)
#define ALLOW()               code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define SKIP_UNLESS(nr, skip) code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, skip)
#define SKIP_UNLESS_SET(bits, skip)                                                                          \
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, skip)
    LOAD(nr);
    if (lacks & NO_LINK) {
        SKIP_UNLESS(SYS_link, 1);
        REFUSE();
        SKIP_UNLESS(SYS_linkat, 1);
        REFUSE();
    }
    if (lacks & NO_CHMOD) {
        SKIP_UNLESS(SYS_fchmod, 1);
        REFUSE();
    }
    if (lacks & NO_TMPFILE) {
        SKIP_UNLESS(SYS_openat, 4);
        LOAD(args[2]);
        SKIP_UNLESS_SET(O_TMPFILE & ~O_DIRECTORY, 1);
        REFUSE();
        ALLOW();
    }
    if (lacks & NO_RENAME_FLAGS) {
        SKIP_UNLESS(SYS_renameat2, 4);
        LOAD(args[4]);
        SKIP_UNLESS_SET(1, 1);
        REFUSE();
        ALLOW();
    }
    ALLOW();
    const struct sock_fprog program = {.len = (unsigned short)n, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(99);
}

/* Nothing but NAMES, which are sorted and end with NULL, is in the folder. */
static bool holds(const char *const *names)
{
    unsigned found = 0, wanted = 0;
    DIR *d = opendir(".");
    for (struct dirent *e; d && (e = readdir(d));) {
        bool known = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
        for (const char *const *name = names; *name; name++)
            if (strcmp(*name, e->d_name) == 0) {
                known = true;
                found++;
            }
        if (!known)
            return false;
    }
    closedir(d);
    while (names[wanted])
        wanted++;
    return found == wanted;
}

static bool put(const char *name, const char *text, bool excl, struct err *err)
{
    cleanup_newfile struct newfile file = NEWFILE_EMPTY;
    return newfile_open(&file, name, 0644, err) == 0 &&
           file_write(file.fd, text, strlen(text), name, err) == 0 && newfile_commit(&file, excl, err) == 0;
}

static bool has(const char *name, const char *text)
{
    struct err err;
    cleanup_buf struct buf got = BUF_INIT(100);
    return file_read(name, 100, &got, &err) == 0 && got.len == strlen(text) &&
           memcmp(got.data, text, got.len) == 0;
}

#define NEED(what)                                                                                           \
    if (!(what))                                                                                             \
    _exit(__LINE__ % 90 + 1)

/* Runs in the child: the number of the first step that went wrong is its exit status. */
static void try_all(const char *sub, unsigned lacks, int why)
{
    struct err err = {0};
    static const char *const none[] = {NULL}, *const a[] = {"a", NULL}, *const ab[] = {"a", "b", NULL};
    NEED(chdir(dir) == 0 && mkdir(sub, 0755) == 0 && chdir(sub) == 0);
    lose(lacks, why);
    struct newfile file = NEWFILE_EMPTY;
    NEED(newfile_open(&file, "a", 0644, &err) == 0);
    newfile_abort(&file);
    NEED(holds(none));
    NEED(put("a", "one", false, &err) && has("a", "one"));
    NEED(put("a", "two", false, &err) && has("a", "two"));
    NEED(holds(a));
    NEED(put("b", "new", true, &err) && has("b", "new"));
    NEED(!put("b", "other", true, &err) && err.errnum == EEXIST && has("b", "new"));
    NEED(holds(ab));
    int scratch = -1;
    NEED(file_scratch(".", &scratch, &err) == 0 && holds(ab));
    _exit(0);
}

static void files_need_only_rename(void **state)
{
    (void)state;
    static const unsigned lacks[] = {0, NO_TMPFILE, NO_TMPFILE | NO_LINK,
                                     NO_TMPFILE | NO_LINK | NO_RENAME_FLAGS,
                                     NO_TMPFILE | NO_LINK | NO_RENAME_FLAGS | NO_CHMOD};
    static const int whys[] = {EPERM, ENOSYS, EOPNOTSUPP, EINVAL};
    for (size_t i = 0; i < sizeof lacks / sizeof *lacks; i++)
        for (size_t j = 0; j < sizeof whys / sizeof *whys; j++) {
            char sub[32];
            int status = -1;
            snprintf(sub, sizeof sub, "%zu-%zu", i, j);
            pid_t pid = fork();
            if (pid == 0)
                try_all(sub, lacks[i], whys[j]);
            assert_int_equal(waitpid(pid, &status, 0), pid);
            if (status != 0)
                print_error("lacks %u, errno %d: step %d\n", lacks[i], whys[j], WEXITSTATUS(status));
            assert_int_equal(status, 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_need_only_rename),
    };
    return cmocka_run_group_tests_name("io: new files", tests, set_up, tear_down);
}
