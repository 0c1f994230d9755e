#include "verify/gpgv.h"

#include <stdio.h>
#include <sys/mman.h>

#include "io/file.h"
#include "io/proc.h"

/* At worst, for a file of many GiB, gpgv takes minutes; its output is a few KiB. */
enum { GPGV_TIMEOUT_MS = 15 * 60 * 1000, GPGV_OUTPUT_MAX = 64 << 10 };

/* An anonymous file: it has no path at which it could be replaced. */
static int memory_file(const void *bytes, size_t len, const char *name, int *ret_fd, struct err *err)
{
    cleanup_close int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "create an in-memory file");
    if (file_write(fd, bytes, len, "an in-memory file", err) < 0)
        return -1;
    *ret_fd = steal_fd(&fd);
    return 0;
}

int gpgv_check(const struct gpgv_job *job, const struct run *run, struct gpgv_answer *ret, struct err *err)
{
    cleanup_close int signature = -1;
    cleanup_close int keyring = -1;
    if (memory_file(job->signature, job->signature_size, "signature", &signature, err) < 0 ||
        memory_file(job->keyring, job->keyring_size, "keyring", &keyring, err) < 0)
        return -1;
    /* gpgv opens these paths itself, so the offset of job->fd does not move */
    char data_path[32], signature_path[32], keyring_path[32];
    snprintf(data_path, sizeof data_path, "/proc/self/fd/%d", job->fd);
    snprintf(signature_path, sizeof signature_path, "/proc/self/fd/%d", signature);
    snprintf(keyring_path, sizeof keyring_path, "/proc/self/fd/%d", keyring);
    /* --verbose names the keys that have expired or are revoked. Its output (stderr) is kept apart from the
     * status lines: in one stream, text from a signature could pass for a status line. */
    const char *const argv[] = {"gpgv",      "--homedir",  "/nonexistent", "--verbose", "--status-fd", "1",
                                "--keyring", keyring_path, signature_path, data_path,   NULL};
    /* this folder does not exist: gpgv reads no configuration and leaves nothing behind */
    const char *const env[] = {"HOME=/nonexistent", "GNUPGHOME=/nonexistent", "LC_ALL=C.UTF-8", NULL};
    const int pass[] = {job->fd, signature, keyring, -1};
    struct proc_spec spec = {.argv = argv,
                             .package = "gpgv",
                             .env = env,
                             .stdin_fd = -1,
                             .pass_fds = pass,
                             .timeout_ms = GPGV_TIMEOUT_MS,
                             .max_output = GPGV_OUTPUT_MAX};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, run, &result, err) < 0)
        return err_wrap(err, "check an OpenPGP signature");
    if (result.status > 2)
        return err_set(err, ERR_VERIFY, 0, "%s: gpgv failed with status %d: %.200s", job->name, result.status,
                       result.err.len ? result.err.data : "");
    if (buf_check(&result.out, "gpgv's output", err) < 0 || buf_check(&result.err, "gpgv's output", err) < 0)
        return -1;
    if (result.out.len >= GPGV_OUTPUT_MAX || result.err.len >= GPGV_OUTPUT_MAX)
        return err_set(err, ERR_VERIFY, 0, "%s: gpgv's output is longer than its limit of %d bytes",
                       job->name, GPGV_OUTPUT_MAX);
    return gpgv_judge(result.out.data ? result.out.data : "", result.out.len,
                      result.err.data ? result.err.data : "", job, run, ret, err);
}
