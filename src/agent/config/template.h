/* Marks in a template, replaced by the node's values.
 *
 * In:    text with marks like @POD_CIDR@: "@", capital letters and underscores, "@". Any other "@" is just that.
 * Out:   the text with every mark replaced.
 * Fails: ERR_VERIFY naming a mark that is none of those given: the image is of another version than its agent.
 * Owns:  nothing.
 * Never: looks at what it put in: a value that holds a mark stays as it is.
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
