/* The texts of a package, one function each. Only for package.c.
 *
 * In:    struct seal_input.
 * Out:   text appended to RET.
 * Fails: ERR_INTERNAL; spdx also ERR_IO when an embedded file cannot be read.
 */
#ifndef BAKE_SEAL_DOCUMENTS_H
#define BAKE_SEAL_DOCUMENTS_H

#include "base/buf.h"
#include "seal/types.h"

enum { DOCUMENT_MAX = 16 << 20 };

/* One file that the manifest pins besides the archive. */
struct document {
    const char *key;  /* in the manifest: "provenance", "spdx" */
    const char *file; /* its name */
    const struct buf *text;
};

must_check int document_manifest(const struct seal_input *input, const struct document *others, size_t count,
                                 struct buf *ret, struct err *err);
must_check int document_provenance(const struct seal_input *input, struct buf *ret, struct err *err);
must_check int document_spdx(const struct seal_input *input, struct buf *ret, struct err *err);

#endif
