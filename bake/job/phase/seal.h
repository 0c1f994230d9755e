/* seal: the package's manifest, provenance, SBOM and signature, in memory.
 *
 * Fails: as seal_package() does.
 */
#ifndef BAKE_FRONT_JOB_PHASE_SEAL_H
#define BAKE_FRONT_JOB_PHASE_SEAL_H

#include "bake/job/phase/pack.h"
#include "bake/job/phase/package_id.h"
#include "seal/types.h"

/* KEY NULL: unsigned. */
must_check int phase_seal(const struct bake_job *job, const struct patched *patched,
                          const struct packed_image *image, const struct package_id *id,
                          const struct signing_key *key, struct sealed *ret, struct err *err);

#endif
