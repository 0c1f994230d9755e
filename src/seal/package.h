/* The package: what is written beside the archive, so that every byte of it is pinned and signed.
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

#include "base/buf.h"
#include "base/run.h"
#include "seal/sign/key.h"
#include "seal/types.h"

/* KEY NULL: unsigned. */
must_check int seal_package(const struct seal_input *input, const struct signing_key *key, struct sealed *ret,
                            struct err *err);

/* Provenance, SPDX, signature, and the manifest last; each appears whole. The archive must be in DIR already.
 * A signature that an older package of that name left behind is removed when this one is unsigned. */
must_check int seal_write(const struct sealed *sealed, const char *dir, struct err *err);

/* A detached signature of a whole file, for NAME.tar.gz.minisig. NAME goes into the trusted comment. */
must_check int seal_sign_file(int fd, uint64_t size, const char *name, int64_t epoch,
                              const struct signing_key *key, const struct run *run, struct buf *ret,
                              struct err *err);

#endif
