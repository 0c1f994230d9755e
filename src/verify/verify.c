#include "verify/verify.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "io/file.h"
#include "text/hex.h"
#include "verify/gpgv.h"
#include "verify/pgp.h"

enum { CHUNK = 1 << 20 };

struct found {
    struct sha256 sha256;
    uint8_t sha512[SHA512_SIZE];
    bool have_sha512;
};

/* One pass over the file for all digests. */
static int hash_all(const struct artifact *artifact, const struct verify_spec *spec, const struct run *run,
                    struct found *ret, struct err *err)
{
    cleanup_hasher struct hasher small = {0};
    cleanup_hasher struct hasher big = {0};
    cleanup_free unsigned char *chunk = malloc(CHUNK);
    if (!chunk)
        return err_oom(err);
    bool both = spec->sha512 != NULL;
    if (hasher_init(&small, DIGEST_SHA256, err) < 0 || (both && hasher_init(&big, DIGEST_SHA512, err) < 0))
        return -1;
    for (uint64_t at = 0; at < artifact->size;) {
        uint64_t left = artifact->size - at;
        size_t step = left < CHUNK ? (size_t)left : (size_t)CHUNK;
        run_progress(run, "verify", spec->name, at, artifact->size);
        if (run_check(run, err) < 0 || file_pread(artifact->fd, chunk, step, at, spec->name, err) < 0 ||
            hasher_add(&small, chunk, step, err) < 0 || (both && hasher_add(&big, chunk, step, err) < 0))
            return -1;
        at += step;
    }
    run_progress(run, "verify", spec->name, artifact->size, artifact->size);
    ret->have_sha512 = both;
    if (hasher_end(&small, ret->sha256.bytes, err) < 0 || (both && hasher_end(&big, ret->sha512, err) < 0))
        return -1;
    return 0;
}

static const char *hint(const struct verify_spec *spec)
{
    return spec->from_lock
               ? "; the lock pins this input: if the change is intended, run \"bake lock --update\""
               : "; check the digest in the recipe against the publisher's page";
}

static int compare(const struct verify_spec *spec, const char *kind, const char *want, const uint8_t *have,
                   size_t size, struct err *err)
{
    uint8_t wanted[DIGEST_MAX_SIZE];
    char hex[2 * DIGEST_MAX_SIZE + 1];
    if (!hex_decode(want, wanted, size))
        return err_set(err, ERR_RECIPE, 0, "%s: \"%.140s\" is not a %s (%zu hex digits)", spec->name, want,
                       kind, 2 * size);
    if (memcmp(wanted, have, size) == 0)
        return 0;
    hex_encode(have, size, hex);
    return err_set(err, ERR_VERIFY, 0, "%s: %s differs: expected %s, found %s%s", spec->name, kind, want, hex,
                   hint(spec));
}

static int check_digests(const struct artifact *artifact, const struct verify_spec *spec,
                         const struct run *run, struct sha256 *ret, struct err *err)
{
    struct found found = {.sha256 = artifact->sha256};
    struct stat st;
    if (fstat(artifact->fd, &st) < 0)
        return err_sys(err, errno, "%s: stat", spec->name);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != artifact->size)
        return err_set(err, ERR_VERIFY, 0, "%s: the file changed since it was fetched", spec->name);
    if (spec->size != 0 && artifact->size != spec->size)
        return err_set(err, ERR_VERIFY, 0, "%s: size differs: expected %llu bytes, found %llu%s", spec->name,
                       (unsigned long long)spec->size, (unsigned long long)artifact->size, hint(spec));
    if ((!spec->hashed_already || spec->sha512) && hash_all(artifact, spec, run, &found, err) < 0)
        return -1;
    if (spec->sha256 &&
        compare(spec, "SHA-256", spec->sha256, found.sha256.bytes, sizeof found.sha256.bytes, err) < 0)
        return -1;
    if (spec->sha512 && compare(spec, "SHA-512", spec->sha512, found.sha512, sizeof found.sha512, err) < 0)
        return -1;
    *ret = found.sha256;
    return 0;
}

/* WRITTEN is a fingerprint as people write it: in either case, with or without spaces. */
static bool same_fingerprint(const char *written, const char *found)
{
    for (; *written; written++) {
        if (*written == ' ')
            continue;
        char c = *written >= 'a' && *written <= 'f' ? (char)(*written - 'a' + 'A') : *written;
        if (c != *found++)
            return false;
    }
    return *found == '\0';
}

/* One good signature is enough: publishers add signatures of newer kinds, or by newer keys, to those that
 * older programs can read. A BAD one is an error whatever the others are. */
static int judge_signatures(const struct verify_spec *spec, const struct run *run, struct gpgv_job *job,
                            const struct buf *signatures, char ret_signer[FINGERPRINT_CAP], struct err *err)
{
    struct pgp_signature each[PGP_SIGNATURES_MAX];
    unsigned count = 0;
    if (pgp_split_signatures(signatures->data, signatures->len, job->signature_name, each, &count, err) < 0)
        return err_wrap(err, "%s", spec->name);
    struct gpgv_answer best = {.verdict = GPGV_UNCHECKED};
    char other[FINGERPRINT_CAP] = "";
    for (unsigned i = 0; i < count; i++) {
        struct gpgv_answer answer = {0};
        job->signature = each[i].bytes;
        job->signature_size = each[i].len;
        if (gpgv_check(job, run, &answer, err) < 0)
            return -1;
        bool other_signer =
            answer.verdict == GPGV_GOOD && spec->signer && !same_fingerprint(spec->signer, answer.signer);
        if (other_signer)
            memcpy(other, answer.signer, sizeof other);
        else if (answer.verdict < best.verdict)
            best = answer;
        if (answer.verdict != GPGV_GOOD && count > 1)
            run_note(run, "verify", "signature %u of %u does not count: %s", i + 1, count,
                     answer.reason.text);
    }
    if (best.verdict != GPGV_GOOD && other[0])
        return err_set(err, ERR_VERIFY, 0, "%s: signed by %s, but the signer must be %s%s", spec->name, other,
                       spec->signer, hint(spec));
    if (best.verdict != GPGV_GOOD) {
        *err = best.reason;
        return -1;
    }
    memcpy(ret_signer, best.signer, sizeof best.signer);
    return 0;
}

int verify_read_keyring(const char *path, struct buf *ret, bool *ret_armoured, struct err *err)
{
    cleanup_buf struct buf text = BUF_INIT(KEYRING_MAX);
    if (file_read(path, KEYRING_MAX, &text, err) < 0) {
        bool missing = err->errnum == ENOENT;
        err->kind = ERR_VERIFY; /* without its keyring an input cannot be verified */
        if (missing)
            return err_set(
                err, ERR_VERIFY, 0,
                "keyring: there is no %s: put the signer's public keys there, from a source that you trust "
                "(gpg --dearmor -o FILE KEY.asc)",
                path);
        return err_wrap(err, "keyring");
    }
    if (pgp_dearmour(text.data, text.len, "PUBLIC KEY BLOCK", path, ret, err) < 0)
        return err_wrap(err, "keyring");
    *ret_armoured = ret->len != text.len;
    return 0;
}

static int check_signature(const struct artifact *artifact, const struct verify_spec *spec,
                           const struct run *run, char ret_signer[FINGERPRINT_CAP], struct err *err)
{
    char fallback[512];
    snprintf(fallback, sizeof fallback, "%.500s.sig", spec->name);
    const char *name = spec->signature_name ? spec->signature_name : fallback;
    if (!spec->signature)
        return err_set(err, ERR_VERIFY, 0,
                       "%s: the signature file %s is missing: with a keyring (%s), a signature is required",
                       spec->name, name, spec->keyring);
    if (spec->signature_size > SIGNATURE_MAX)
        return err_set(err, ERR_VERIFY, 0, "%s: %s is too large for a signature (limit: %d bytes)",
                       spec->name, name, SIGNATURE_MAX);
    cleanup_buf struct buf keyring = BUF_INIT(KEYRING_MAX);
    cleanup_buf struct buf signature = BUF_INIT(SIGNATURE_MAX);
    bool armoured = false;
    if (verify_read_keyring(spec->keyring, &keyring, &armoured, err) < 0)
        return err_wrap(err, "%s", spec->name);
    pgp_drop_new_keys(&keyring);
    if (pgp_dearmour(spec->signature, spec->signature_size, "SIGNATURE", name, &signature, err) < 0)
        return err_wrap(err, "%s", spec->name);
    struct gpgv_job job = {.fd = artifact->fd,
                           .name = spec->name,
                           .signature_name = name,
                           .keyring = keyring.data,
                           .keyring_size = keyring.len,
                           .keyring_name = spec->keyring,
                           .keyring_armoured = armoured};
    return judge_signatures(spec, run, &job, &signature, ret_signer, err);
}

int verify_artifact(struct artifact *artifact, const struct verify_spec *spec, const struct run *run,
                    struct trusted *ret, struct err *err)
{
    bool pinned = spec->sha256 || spec->sha512 || spec->keyring;
    struct trusted made = TRUSTED_EMPTY;
    if (!pinned && !spec->allow_unpinned)
        return err_set(err, ERR_VERIFY, 0,
                       "%s: nothing vouches for it: give its sha256 or sha512, or a signature and a keyring",
                       spec->name);
    /* cheap checks first; gpgv reads through the same descriptor that the result gets */
    if (file_identify(artifact->fd, &made.identity, err) < 0 ||
        check_digests(artifact, spec, run, &made.sha256, err) < 0)
        return -1;
    if (spec->keyring && check_signature(artifact, spec, run, made.signer, err) < 0)
        return -1;
    made.fd = steal_fd(&artifact->fd);
    made.origin = steal_ptr(artifact->origin);
    made.size = artifact->size;
    artifact->size = 0;
    *ret = made;
    return 0;
}
