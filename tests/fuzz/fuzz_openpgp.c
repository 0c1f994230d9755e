/* What is looked at before and after gpgv: armour, packet headers, status lines, .DIGESTS files. */
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
    char signer[FINGERPRINT_CAP] = "";
    struct gpgv_job job = {.name = "fuzz", .signature_name = "fuzz.sig", .keyring_name = "ring"};
    cleanup_buf struct buf out = BUF_INIT(SIGNATURE_MAX);
    if (pgp_dearmour(bytes, len, "SIGNATURE", "fuzz", &out, &err) == 0 &&
        pgp_only_signatures(out.data, out.len, "fuzz", &count, &err) == 0 && (count == 0 || count > 16))
        abort();
    if (gpgv_judge((const char *)bytes, len, &job, NULL, signer, &err) == 0 && strlen(signer) < 40)
        abort();
    if (verify_digests_parse((const char *)bytes, len, "coreos_production_gce.tar.gz", sum, &err) == 0 &&
        len < 2 * SHA512_SIZE)
        abort();
    return 0;
}
