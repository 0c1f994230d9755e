/* Replaces marks in a template with the node's values.
 *
 * In:    text with marks such as @POD_CIDR@: "@", capital letters and underscores, "@". Any other "@" is
 *        literal.
 * Out:   the text with every mark replaced.
 * Fails: ERR_VERIFY naming an unknown mark: the image and its agent are of different versions.
 * Never: scans inserted values: a value that looks like a mark stays as it is.
 */
#ifndef BAKE_AGENT_CONFIG_TEMPLATE_H
#define BAKE_AGENT_CONFIG_TEMPLATE_H

#include <stddef.h>

#include "base/buf.h"

struct template_mark {
    const char *name; /* "POD_CIDR" */
    const char *value;
};

must_check int template_fill(const char *text, size_t len, const struct template_mark *marks, size_t count,
                             struct buf *ret, struct err *err);

#endif
