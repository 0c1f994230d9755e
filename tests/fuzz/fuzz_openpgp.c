/* The parsers around gpgv: armour, packet headers, status lines, .DIGESTS files. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "verify/gpgv.h"
#include "verify/pgp.h"
#include "verify/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct err err = {0};
    unsigned count = 0;
    uint8_t sum[SHA512_SIZE];
    struct pgp_signature each[PGP_SIGNATURES_MAX];
    struct gpgv_answer answer = {.verdict = GPGV_UNCHECKED};
    struct gpgv_job job = {.name = "fuzz", .signature_name = "fuzz.sig", .keyring_name = "ring"};
    cleanup_buf struct buf out = BUF_INIT(SIGNATURE_MAX);
    if (pgp_dearmour(bytes, len, "SIGNATURE", "fuzz", &out, &err) == 0 &&
        pgp_split_signatures(out.data, out.len, "fuzz", each, &count, &err) == 0 &&
        (count == 0 || count > PGP_SIGNATURES_MAX || each[count - 1].len > out.len))
        abort();
    pgp_drop_new_keys(&out);
    cleanup_buf struct buf text = BUF_INIT(len + 1); /* ends with a NUL, like a child's output */
    buf_add(&text, bytes, len);
    if (text.data && gpgv_judge(text.data, len, text.data, &job, NULL, &answer, &err) == 0 &&
        (answer.verdict == GPGV_GOOD) != (strlen(answer.signer) >= 40))
        abort();
    if (verify_digests_parse((const char *)bytes, len, "coreos_production_gce.tar.gz", sum, &err) == 0 &&
        len < 2 * SHA512_SIZE)
        abort();
    return 0;
}
