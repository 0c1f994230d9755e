/* Loads the content of everything that a plan wants.
 *
 * In:    wants; the recipe's verified inputs; the files compiled into the program; files of this machine.
 * Out:   one struct plan_content for each want.
 * Fails: ERR_RECIPE: the recipe names a local or compiled-in file that does not exist, or a file that is too
 *        large to embed. ERR_VERIFY from the archives. Every error names the want.
 * Owns:  struct payload owns the descriptors and memory that its contents' blobs read from, until
 *        payload_free().
 */
#ifndef BAKE_PAYLOAD_PAYLOAD_H
#define BAKE_PAYLOAD_PAYLOAD_H

#include "base/run.h"
#include "payload/types.h"

must_check int payload_load(const struct payload_sources *sources, const struct plan_wants *wants,
                            const struct run *run, struct payload *ret, struct err *err);
void payload_free(struct payload *payload);
#define cleanup_payload cleanup(payload_free)

#endif
