/* Interprets gpgv's output for one signature. Sources: doc/DETAILS of GnuPG 2.2, "Format of the --status-fd
 * output"; the --verbose lines are worded in g10/sig-check.c, unchanged from 2.1 to 2.4.
 *
 * gpgv looks at every subkey of the key that signed and writes KEYEXPIRED for each expired one, so most of
 * these lines have nothing to do with the signature. Only the log shows which key a line is about: for each
 * KEYEXPIRED it has one line, in the same order, that names the key. Only the log also shows that an expired
 * key was revoked as well: EXPKEYSIG hides REVKEYSIG. A log that does not match the status lines is not
 * trusted. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "verify/gpgv.h"

enum { FIELDS_MAX = 16, LINE_CAP = 1024, EXPIRED_MAX = 256, KEY_ID_LEN = 16 };

struct judge {
    const struct gpgv_job *job;
    const struct run *run;
    const char *log;
    struct gpgv_answer *answer;
    bool begun;       /* NEWSIG seen */
    bool decided;     /* a line gave the verdict */
    bool good;        /* GOODSIG or EXPKEYSIG seen */
    bool expired_key; /* EXPKEYSIG seen */
    bool valid;       /* VALIDSIG seen */
    /* Of the KEYEXPIRED lines, in seconds since 1970; 0: the key itself does not expire. */
    uint64_t ends[EXPIRED_MAX];
    size_t ends_count;
};

/* What the log says about the signing subkey and its primary key together. */
struct key_state {
    bool known;   /* the log matches the status lines */
    bool revoked; /* one of the two is */
    uint64_t end; /* the earlier of their expiry times; 0: not given */
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

/* The key ID that gpgv prints for a fingerprint: its last 16 digits in version 4, its first 16 later. */
static const char *key_id(const char *fingerprint)
{
    return strlen(fingerprint) == 40 ? fingerprint + 40 - KEY_ID_LEN : fingerprint;
}

static const char *day(uint64_t when, char out[static 16])
{
    time_t t = (time_t)when;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || strftime(out, 16, "%Y-%m-%d", &tm) == 0)
        snprintf(out, 16, "an unknown day");
    return out;
}

/* Hash algorithms as numbered in RFC 4880 section 9.4 and RFC 9580 section 9.5. Refused are MD5, SHA-1 and
 * RIPEMD-160: signatures over them can be forged, or soon will be. */
static bool digest_is_strong(uint64_t algorithm)
{
    return (algorithm >= 8 && algorithm <= 12) || algorithm == 14;
}

static int unexpected(const struct judge *judge, struct err *err)
{
    return err_set(err, ERR_VERIFY, 0, "%s: unexpected output from gpgv", judge->job->name);
}

/* The signature does not count; the caller fills in the reason that this returns. */
static struct err *reject(struct judge *judge, enum gpgv_verdict verdict)
{
    judge->answer->verdict = verdict;
    return &judge->answer->reason;
}

/* True if LINE of the log is about a key: *ret_id is its ID, *ret_rest the rest of the line. */
static bool about_key(const char *line, const char **ret_id, const char **ret_rest)
{
    static const char start[] = "gpgv: Note: signature key ";
    if (strncmp(line, start, sizeof start - 1) != 0)
        return false;
    *ret_id = line + sizeof start - 1;
    if (strspn(*ret_id, "0123456789ABCDEF") != KEY_ID_LEN || (*ret_id)[KEY_ID_LEN] != ' ')
        return false;
    *ret_rest = *ret_id + KEY_ID_LEN + 1;
    return true;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* KEYS: fingerprints of the signing (sub)key and of its primary key. */
static struct key_state look_up(const struct judge *judge, const char *const keys[static 2])
{
    struct key_state state = {0};
    uint64_t ends[2] = {0};
    size_t count = 0;
    const char *id, *rest;
    for (const char *line = judge->log; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (!about_key(line, &id, &rest))
            continue;
        bool expired = starts(rest, "expired ");
        for (size_t i = 0; i < 2; i++) {
            if (memcmp(id, key_id(keys[i]), KEY_ID_LEN) != 0)
                continue;
            if (expired && count < judge->ends_count)
                ends[i] = judge->ends[count];
            else if (starts(rest, "has been revoked"))
                state.revoked = true;
        }
        count += expired;
    }
    state.known = count > 0 && count == judge->ends_count;
    state.end = ends[0] && (!ends[1] || ends[0] < ends[1]) ? ends[0] : ends[1];
    return state;
}

/* A good signature counts if it was made before its key expired: releases outlive their keys. Signatures of a
 * revoked key never count: a thief can sign with any date, and gpgv does not say why a key was revoked. */
static void judge_expired(struct judge *judge, const char *const keys[static 2], uint64_t made)
{
    const struct gpgv_job *job = judge->job;
    struct key_state state = look_up(judge, keys);
    char when[16], until[16];
    if (state.revoked)
        err_set(reject(judge, GPGV_INVALID), ERR_VERIFY, 0,
                "%s: key %s, which made %s, was revoked by its owner", job->name, keys[1],
                job->signature_name);
    else if (!state.known || state.end == 0)
        err_set(reject(judge, GPGV_INVALID), ERR_VERIFY, 0,
                "%s: key %s, which made %s, has expired, and gpgv's output does not show when", job->name,
                keys[1], job->signature_name);
    else if (made >= state.end)
        err_set(reject(judge, GPGV_INVALID), ERR_VERIFY, 0,
                "%s: %s was made on %s, after its key %s had expired (on %s); add the publisher's renewed "
                "key to the keyring %s",
                job->name, job->signature_name, day(made, when), keys[1], day(state.end, until),
                job->keyring_name);
    else
        run_note(judge->run, "verify", "%s: key %s expired on %s; the signature was made before, on %s",
                 job->name, keys[1], day(state.end, until), day(made, when));
}

/* Fields: VALIDSIG fingerprint date timestamp expires version reserved pubkey-algorithm hash-algorithm class
 * primary-fingerprint */
static int valid_signature(struct judge *judge, char **field, size_t fields, struct err *err)
{
    const struct gpgv_job *job = judge->job;
    uint64_t made = 0, digest = 0;
    if (judge->valid || !judge->decided || fields < 11 || !fingerprint_ok(field[1]) ||
        !fingerprint_ok(field[10]) || !number(field[3], &made) || !number(field[8], &digest))
        return unexpected(judge, err);
    judge->valid = true;
    if (!judge->good)
        return 0; /* VALIDSIG follows EXPSIG and REVKEYSIG too */
    judge->answer->verdict = GPGV_GOOD;
    if (!digest_is_strong(digest))
        err_set(reject(judge, GPGV_INVALID), ERR_VERIFY, 0,
                "%s: %s was made with a digest that can be forged (OpenPGP hash %llu); ask the publisher for "
                "a signature with SHA-256 or better",
                job->name, job->signature_name, (unsigned long long)digest);
    else if (strcmp(field[9], "00") != 0)
        err_set(reject(judge, GPGV_INVALID), ERR_VERIFY, 0,
                "%s: %s is not a signature of a binary file (class 0x%s)", job->name, job->signature_name,
                field[9]);
    else if (judge->expired_key)
        judge_expired(judge, (const char *const[]){field[1], field[10]}, made);
    if (judge->answer->verdict == GPGV_GOOD)
        memcpy(judge->answer->signer, field[10], strlen(field[10]) + 1);
    return 0;
}

/* Fields: ERRSIG keyid pkalgo hashalgo class time rc. rc 9: no such key; 4: unknown algorithm; 5: unknown
 * version. */
static void cannot_check(struct judge *judge, char **field, size_t fields)
{
    const struct gpgv_job *job = judge->job;
    const char *id = fields > 1 ? field[1] : "";
    uint64_t why = 0;
    if (fields > 6 && number(field[6], &why) && why == 9)
        err_set(reject(judge, GPGV_NO_KEY), ERR_VERIFY, 0,
                "%s: no public key %s in the keyring %s. If the publisher has a new key, get it from them, "
                "check its fingerprint, and append it: gpg %s--export %s >> %s",
                job->name, id, job->keyring_name, job->keyring_armoured ? "--armor " : "", id,
                job->keyring_name);
    else
        err_set(reject(judge, GPGV_UNREADABLE), ERR_VERIFY, 0,
                "%s: %s cannot be checked: it is damaged, or gpgv does not know its version or algorithm "
                "(%s %s)",
                job->name, job->signature_name, field[0], id);
}

/* Handles a line that gives a verdict: the first one counts, and none may follow a good one. */
static int decide(struct judge *judge, char **field, size_t fields, struct err *err)
{
    const struct gpgv_job *job = judge->job;
    const char *keyword = field[0], *id = fields > 1 ? field[1] : "";
    if (strcmp(keyword, "BADSIG") == 0)
        return err_set(err, ERR_VERIFY, 0,
                       "%s: BAD signature: the file is not what key %s signed (%s); it was changed or "
                       "truncated, or the signature belongs to another file",
                       job->name, id, job->signature_name);
    if (judge->decided)
        return judge->good ? unexpected(judge, err) : 0;
    judge->decided = true;
    if (strcmp(keyword, "GOODSIG") == 0 || strcmp(keyword, "EXPKEYSIG") == 0) {
        judge->good = true;
        judge->expired_key = keyword[0] == 'E';
    } else if (strcmp(keyword, "REVKEYSIG") == 0) {
        err_set(reject(judge, GPGV_INVALID), ERR_VERIFY, 0,
                "%s: key %s, which made %s, was revoked by its owner", job->name, id, job->signature_name);
    } else if (strcmp(keyword, "EXPSIG") == 0) {
        err_set(reject(judge, GPGV_INVALID), ERR_VERIFY, 0, "%s: %s has expired (key %s)", job->name,
                job->signature_name, id);
    } else {
        cannot_check(judge, field, fields);
    }
    return 0;
}

static int judge_line(struct judge *judge, char **field, size_t fields, struct err *err)
{
    static const char *const deciding[] = {"GOODSIG", "EXPKEYSIG", "REVKEYSIG", "EXPSIG",    "BADSIG",
                                           "ERRSIG",  "BADARMOR",  "NODATA",    "UNEXPECTED"};
    const char *keyword = field[0];
    if (strcmp(keyword, "NEWSIG") == 0) {
        bool again = judge->begun || judge->decided;
        judge->begun = true;
        return again ? unexpected(judge, err) : 0;
    }
    if (strcmp(keyword, "VALIDSIG") == 0)
        return valid_signature(judge, field, fields, err);
    if (strcmp(keyword, "KEYEXPIRED") == 0) {
        uint64_t end = 0;
        if (judge->ends_count == EXPIRED_MAX || fields < 2 || !number(field[1], &end))
            return unexpected(judge, err);
        judge->ends[judge->ends_count++] = end;
        return 0;
    }
    for (size_t i = 0; i < sizeof deciding / sizeof *deciding; i++)
        if (strcmp(keyword, deciding[i]) == 0)
            return decide(judge, field, fields, err);
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

int gpgv_judge(const char *status, size_t len, const char *log, const struct gpgv_job *job,
               const struct run *run, struct gpgv_answer *ret, struct err *err)
{
    static const char prefix[] = "[GNUPG:] ";
    struct gpgv_answer answer = {.verdict = GPGV_UNREADABLE};
    struct judge judge = {.job = job, .run = run, .log = log, .answer = &answer};
    err_set(&answer.reason, ERR_VERIFY, 0, "%s: gpgv found no signature that it can read in %s", job->name,
            job->signature_name);
    for (size_t at = 0; at < len;) {
        const char *line = status + at;
        const char *stop = memchr(line, '\n', len - at);
        if (!stop)
            return err_set(err, ERR_VERIFY, 0, "%s: gpgv's output is truncated", job->name);
        size_t line_len = (size_t)(stop - line);
        at += line_len + 1;
        char copy[LINE_CAP];
        if (line_len < sizeof prefix - 1 || line_len >= sizeof copy || memchr(line, '\0', line_len) ||
            memcmp(line, prefix, sizeof prefix - 1) != 0)
            return unexpected(&judge, err);
        memcpy(copy, line + sizeof prefix - 1, line_len - (sizeof prefix - 1));
        copy[line_len - (sizeof prefix - 1)] = '\0';
        char *field[FIELDS_MAX];
        size_t fields = split(copy, field);
        if (judge_line(&judge, field, fields, err) < 0)
            return -1;
    }
    if (judge.good && !judge.valid)
        return unexpected(&judge, err);
    *ret = answer;
    return 0;
}
