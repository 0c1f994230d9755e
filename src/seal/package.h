/* The package: the documents beside the archive, which pin and sign every byte of it.
 *
 * In:    plain facts about what was baked.
 * Out:   NAME.manifest.json, NAME.manifest.json.minisig, NAME.provenance.json (in-toto Statement v1 with SLSA
 *        provenance v1), NAME.spdx.json (SPDX 2.3): the same bytes for the same facts and key.
 * Fails: ERR_INTERNAL for facts that cannot be written; ERR_IO or ERR_SPACE when writing.
 * Owns:  struct sealed owns its texts until sealed_free().
 * Never: writes the manifest before everything it names: its presence marks a complete package.
 */
#ifndef BAKE_SEAL_PACKAGE_H
#define BAKE_SEAL_PACKAGE_H

#include "seal/sign/key.h"
#include "seal/types.h"

/* With KEY NULL the package is not signed. */
must_check int seal_package(const struct seal_input *input, const struct signing_key *key, struct sealed *ret,
                            struct err *err);

/* Writes provenance, SPDX, signature, and the manifest last; each is written atomically. The archive must be
 * in DIR already. An unsigned package replaces one of the same name together with its signature. */
must_check int seal_write(const struct sealed *sealed, const char *dir, struct err *err);

#endif
