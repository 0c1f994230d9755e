/* Contents lists and their signatures from hostile bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/contents/contents.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Every entry has a normal path that sorts after the previous one, and values in range. */
static int visit(void *ctx, const struct contents_entry *entry, struct err *err)
{
    char *above = ctx;
    char normal[PATH_CAP];
    if (path_normalize(entry->path, normal, err) < 0 || strcmp(normal, entry->path) != 0 ||
        strcmp(above, entry->path) >= 0 || entry->type == CONTENTS_TYPE_NONE ||
        (entry->has_mode && entry->mode > 07777) || entry->xattr_count > CONTENTS_XATTRS_MAX)
        abort();
    for (size_t i = 0; i < entry->xattr_count; i++)
        if (entry->xattrs[i].at > sizeof entry->xattr_values ||
            entry->xattrs[i].size > sizeof entry->xattr_values - entry->xattrs[i].at)
            abort();
    memcpy(above, entry->path, sizeof entry->path);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char key[] =
        "untrusted comment: x\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n";
    struct err err = {0};
    char above[PATH_CAP] = "", id[MINISIG_ID_HEX];
    const char *text = (const char *)bytes;
    if (len == 0)
        return 0;
    (void)!contents_walk(text, len, visit, above, &err);
    /* as a signature, and as a key: no input signs this */
    struct minisig_text hostile = {text, len, "hostile"}, good = {key, sizeof key - 1, "key"};
    if (minisig_verify(&good, &hostile, "x", 1, "contents.json", id, &err) == 0)
        abort();
    (void)!minisig_verify(&hostile, &hostile, "x", 1, "contents.json", id, &err);
    return 0;
}
