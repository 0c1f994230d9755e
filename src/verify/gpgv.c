#include "verify/gpgv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "io/file.h"
#include "io/proc.h"

/* A signature over many GiB takes gpgv minutes at worst; its status is a few hundred bytes a signature. */
enum { GPGV_TIMEOUT_MS = 15 * 60 * 1000, GPGV_OUTPUT_MAX = 64 << 10, FIELDS_MAX = 16, LINE_CAP = 1024 };

/* What the lines of one signature have said so far. */
struct verdict {
    unsigned good;
    char signer[FINGERPRINT_CAP]; /* of the first good one */
    char missing[64];             /* key id of a signature that nobody here can check */
    /* of the signature at hand */
    bool pending, expired_key; /* GOODSIG or EXPKEYSIG came; VALIDSIG must follow */
    uint64_t key_expiry;       /* seconds since 1970; 0: not said */
};

struct judge {
    const struct gpgv_job *job;
    const struct run *run;
    struct verdict verdict;
};

static bool number(const char *text, uint64_t *ret)
{
    uint64_t value = 0;
    size_t digits = 0;
    for (; text[digits]; digits++) {
        if (text[digits] < '0' || text[digits] > '9' || digits > 15)
            return false;
        value = value * 10 + (uint64_t)(text[digits] - '0');
    }
    if (digits == 0)
        return false;
    *ret = value;
    return true;
}

static bool fingerprint_ok(const char *text)
{
    size_t len = strlen(text);
    return (len == 40 || len == 64) && strspn(text, "0123456789ABCDEF") == len;
}

static const char *day(uint64_t when, char out[static 16])
{
    time_t t = (time_t)when;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(out, 16, "%Y-%m-%d", &tm) == 0)
        snprintf(out, 16, "an unknown day");
    return out;
}

/* RFC 4880 9.4. MD5, SHA-1 and RIPEMD-160 can be, or soon will be, forged. */
static bool digest_is_strong(uint64_t algorithm)
{
    return (algorithm >= 8 && algorithm <= 12) || algorithm == 14;
}

/* VALIDSIG fingerprint date timestamp expires version reserved pubkey-algorithm hash-algorithm class primary
 */
static int valid_signature(struct judge *judge, char **field, size_t fields, struct err *err)
{
    const struct gpgv_job *job = judge->job;
    struct verdict *verdict = &judge->verdict;
    uint64_t made = 0, digest = 0;
    if (!verdict->pending || fields < 11 || !fingerprint_ok(field[1]) || !fingerprint_ok(field[10]) ||
        !number(field[3], &made) || !number(field[8], &digest))
        return err_set(err, ERR_VERIFY, 0, "%s: gpgv gave an answer that cannot be understood", job->name);
    verdict->pending = false;
    if (!digest_is_strong(digest))
        return err_set(err, ERR_VERIFY, 0,
                       "%s: %s was made with a digest that can be forged (OpenPGP hash %llu); "
                       "ask for a signature with SHA-256 or better",
                       job->name, job->signature_name, (unsigned long long)digest);
    if (strcmp(field[9], "00") != 0)
        return err_set(err, ERR_VERIFY, 0, "%s: %s is not a signature of a binary file (class 0x%s)",
                       job->name, job->signature_name, field[9]);
    char when[16], until[16];
    if (verdict->expired_key && (verdict->key_expiry == 0 || made >= verdict->key_expiry))
        return err_set(err, ERR_VERIFY, 0,
                       "%s: %s was made on %s, when its key %s had expired (on %s); add the publisher's "
                       "renewed key to the keyring %s",
                       job->name, job->signature_name, day(made, when), field[10],
                       verdict->key_expiry ? day(verdict->key_expiry, until) : "an unknown day",
                       job->keyring_name);
    if (verdict->expired_key)
        run_note(judge->run, "verify", "%s: key %s expired on %s; the signature was made before, on %s",
                 job->name, field[10], day(verdict->key_expiry, until), day(made, when));
    if (verdict->good++ == 0)
        memcpy(verdict->signer, field[10], strlen(field[10]) + 1);
    return 0;
}

static int refusal(const struct judge *judge, const char *keyword, const char *id, struct err *err)
{
    const struct gpgv_job *job = judge->job;
    if (strcmp(keyword, "BADSIG") == 0)
        return err_set(err, ERR_VERIFY, 0,
                       "%s: BAD signature: the file is not what key %s signed (%s); it was changed, cut "
                       "short, or the signature belongs to another file",
                       job->name, id, job->signature_name);
    if (strcmp(keyword, "REVKEYSIG") == 0)
        return err_set(err, ERR_VERIFY, 0, "%s: key %s, which made %s, was revoked by its owner", job->name,
                       id, job->signature_name);
    if (strcmp(keyword, "EXPSIG") == 0)
        return err_set(err, ERR_VERIFY, 0, "%s: %s has expired (key %s)", job->name, job->signature_name, id);
    return err_set(err, ERR_VERIFY, 0, "%s: %s cannot be checked: gpgv says %s %s", job->name,
                   job->signature_name, keyword, id);
}

static int judge_line(struct judge *judge, char **field, size_t fields, struct err *err)
{
    struct verdict *verdict = &judge->verdict;
    const char *keyword = field[0], *id = fields > 1 ? field[1] : "";
    uint64_t when = 0, why = 0;
    bool was_pending = verdict->pending;
    if (strcmp(keyword, "VALIDSIG") == 0)
        return valid_signature(judge, field, fields, err);
    if (strcmp(keyword, "GOODSIG") == 0 || strcmp(keyword, "EXPKEYSIG") == 0) {
        verdict->pending = true;
        verdict->expired_key = keyword[0] == 'E';
        return was_pending ? refusal(judge, keyword, id, err) : 0;
    }
    if (strcmp(keyword, "NEWSIG") == 0) {
        verdict->key_expiry = 0;
        return was_pending ? refusal(judge, keyword, id, err) : 0;
    }
    if (strcmp(keyword, "KEYEXPIRED") == 0) {
        /* the primary key and the subkey may both be said; the earlier one counts */
        if (number(id, &when) && when > 0 && (verdict->key_expiry == 0 || when < verdict->key_expiry))
            verdict->key_expiry = when;
        return 0;
    }
    if (strcmp(keyword, "ERRSIG") == 0) {
        /* ERRSIG keyid pkalgo hashalgo class time rc: 9 is a missing key, which another signature may make
         * up for; 4 an unknown algorithm */
        if (fields < 7 || !number(field[6], &why) || why != 9)
            return refusal(judge, keyword, id, err);
        snprintf(verdict->missing, sizeof verdict->missing, "%.60s", id);
        return 0;
    }
    static const char *const fatal[] = {"BADSIG", "REVKEYSIG", "EXPSIG", "BADARMOR", "NODATA", "UNEXPECTED"};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        if (strcmp(keyword, fatal[i]) == 0)
            return refusal(judge, keyword, id, err);
    return 0;
}

static size_t split(char *line, char *field[static FIELDS_MAX])
{
    size_t n = 0;
    char *rest = line;
    for (char *word; n < FIELDS_MAX && (word = strsep(&rest, " "));)
        field[n++] = word;
    return n;
}

static int judge_end(const struct judge *judge, char ret_signer[FINGERPRINT_CAP], struct err *err)
{
    const struct verdict *verdict = &judge->verdict;
    const struct gpgv_job *job = judge->job;
    if (verdict->good > 0 && !verdict->pending) {
        memcpy(ret_signer, verdict->signer, sizeof verdict->signer);
        return 0;
    }
    if (verdict->missing[0])
        return err_set(err, ERR_VERIFY, 0,
                       "%s: no public key %s in the keyring %s. If the publisher has a new key, get it from "
                       "them, check its fingerprint, and append it: gpg %s--export %s >> %s",
                       job->name, verdict->missing, job->keyring_name,
                       job->keyring_armoured ? "--armor " : "", verdict->missing, job->keyring_name);
    return err_set(err, ERR_VERIFY, 0, "%s: no good signature in %s", job->name, job->signature_name);
}

int gpgv_judge(const char *status, size_t len, const struct gpgv_job *job, const struct run *run,
               char ret_signer[FINGERPRINT_CAP], struct err *err)
{
    static const char prefix[] = "[GNUPG:] ";
    struct judge judge = {.job = job, .run = run};
    for (size_t at = 0; at < len;) {
        const char *line = status + at;
        const char *stop = memchr(line, '\n', len - at);
        if (!stop)
            return err_set(err, ERR_VERIFY, 0, "%s: gpgv's answer is cut short", job->name);
        size_t line_len = (size_t)(stop - line);
        at += line_len + 1;
        char copy[LINE_CAP];
        if (line_len < sizeof prefix - 1 || line_len >= sizeof copy || memchr(line, '\0', line_len) ||
            memcmp(line, prefix, sizeof prefix - 1) != 0)
            return err_set(err, ERR_VERIFY, 0, "%s: gpgv gave an answer that cannot be understood",
                           job->name);
        memcpy(copy, line + sizeof prefix - 1, line_len - (sizeof prefix - 1));
        copy[line_len - (sizeof prefix - 1)] = '\0';
        char *field[FIELDS_MAX];
        size_t fields = split(copy, field);
        if (judge_line(&judge, field, fields, err) < 0)
            return -1;
    }
    return judge_end(&judge, ret_signer, err);
}

/* An anonymous file that nobody else can reach. */
static int in_memory(const void *bytes, size_t len, const char *name, int *ret_fd, struct err *err)
{
    cleanup_close int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "make a file in memory");
    if (file_write(fd, bytes, len, "a file in memory", err) < 0)
        return -1;
    *ret_fd = steal_fd(&fd);
    return 0;
}

int gpgv_check(const struct gpgv_job *job, const struct run *run, char ret_signer[FINGERPRINT_CAP],
               struct err *err)
{
    cleanup_close int signature = -1;
    cleanup_close int keyring = -1;
    if (in_memory(job->signature, job->signature_size, "signature", &signature, err) < 0 ||
        in_memory(job->keyring, job->keyring_size, "keyring", &keyring, err) < 0)
        return -1;
    /* opened anew by number, so the descriptor's own offset stays as it is */
    char data_path[32], signature_path[32], keyring_path[32];
    snprintf(data_path, sizeof data_path, "/proc/self/fd/%d", job->fd);
    snprintf(signature_path, sizeof signature_path, "/proc/self/fd/%d", signature);
    snprintf(keyring_path, sizeof keyring_path, "/proc/self/fd/%d", keyring);
    const char *const argv[] = {"gpgv",      "--homedir",  "/nonexistent", "--status-fd", "1",
                                "--keyring", keyring_path, signature_path, data_path,     NULL};
    /* the home is a folder that is nowhere: nothing is read from it, nothing left in it */
    const char *path = getenv("PATH");
    char path_env[4096];
    int n = snprintf(path_env, sizeof path_env, "PATH=%s", path ? path : "/usr/bin:/bin");
    if (n < 0 || (size_t)n >= sizeof path_env)
        return err_set(err, ERR_USAGE, 0, "the environment variable PATH is too long");
    const char *const env[] = {path_env, "HOME=/nonexistent", "GNUPGHOME=/nonexistent", "LC_ALL=C.UTF-8",
                               NULL};
    const int pass[] = {job->fd, signature, keyring, -1};
    struct proc_spec spec = {.argv = argv,
                             .env = env,
                             .stdin_fd = -1,
                             .pass_fds = pass,
                             .timeout_ms = GPGV_TIMEOUT_MS,
                             .max_output = GPGV_OUTPUT_MAX};
    cleanup_proc_result struct proc_result result = {0};
    if (proc_run(&spec, run, &result, err) < 0)
        return err->errnum == ENOENT ? err_wrap(err, "OpenPGP signatures need gpgv (package gpgv)") : -1;
    if (result.status > 2)
        return err_set(err, ERR_VERIFY, 0, "%s: gpgv failed with status %d: %.200s", job->name, result.status,
                       result.err.len ? result.err.data : "");
    if (result.out.len >= GPGV_OUTPUT_MAX)
        return err_set(err, ERR_VERIFY, 0, "%s: gpgv said more than can be right", job->name);
    if (gpgv_judge(result.out.data, result.out.len, job, run, ret_signer, err) < 0)
        return -1;
    return 0;
}
