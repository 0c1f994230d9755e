/* When the node's certificates end, as they lie on disk, without the metadata.
 *
 * In:    the files of pki/files.h, whichever of them there are.
 * Out:   the one that ends first.
 * Fails: ERR_IO; ERR_VERIFY naming a file that does not hold a certificate.
 */
#ifndef BAKE_AGENT_PKI_ENDS_H
#define BAKE_AGENT_PKI_ENDS_H

#include <time.h>

#include "agent/os/root.h"
#include "text/path.h"

struct pki_end {
    char path[PATH_CAP]; /* "": the node has no certificates */
    time_t at;
};

must_check int pki_find_first_end(const struct root *root, struct pki_end *ret, struct err *err);

#endif
