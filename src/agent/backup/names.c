#include "agent/backup/names.h"

#include <stdio.h>
#include <string.h>

const char *names_restore_of(const char *snapshot)
{
    const char *dot = snapshot; /* TIME.rREVISION.NODE.RESTORE */
    for (unsigned i = 0; i < 3 && dot; i++)
        dot = i == 0 ? strchr(dot, '.') : strchr(dot + 1, '.');
    return dot ? dot + 1 : "";
}

void names_restore_read(const char *attribute, struct names_restore *ret)
{
    size_t len = strcspn(attribute, "=");
    const char *from = attribute[len] ? attribute + len + 1 : "";
    *ret = (struct names_restore){0};
    snprintf(ret->id, sizeof ret->id, "%.*s", (int)len, attribute);
    if (strncmp(from, "disk@", 5) == 0)
        ret->disk = from + 5;
    else if (from[0])
        ret->snapshot = from;
}
