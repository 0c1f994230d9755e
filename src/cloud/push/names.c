#include "cloud/push/names.h"

#include <stdarg.h>
#include <string.h>

#include "text/hex.h"

enum { DIGEST_TAIL = 13 /* "-" and 12 hex digits end a package's name */ };

void push_image_name(const char *package, char out[static IMAGE_NAME_MAX + 1])
{
    size_t len = strlen(package), tail = len > DIGEST_TAIL ? DIGEST_TAIL : 0, head = len - tail, at = 0;
    if (head > IMAGE_NAME_MAX - tail)
        head = IMAGE_NAME_MAX - tail;
    if (!((package[0] | 0x20) >= 'a' && (package[0] | 0x20) <= 'z')) {
        out[at++] = 'b';
        out[at++] = '-';
        head = head + 2 > IMAGE_NAME_MAX - tail ? IMAGE_NAME_MAX - tail - 2 : head;
    }
    for (size_t i = 0; i < head + tail; i++) {
        char c = i < head ? package[i] : package[len - tail + (i - head)];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        out[at++] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
    }
    while (at > 0 && out[at - 1] == '-')
        at--;
    out[at] = '\0';
}

void push_label(const struct sealed *sealed, char out[static PACKAGE_LABEL])
{
    hex_encode(sealed->manifest_sha256.bytes, (PACKAGE_LABEL - 1) / 2, out);
}

bool push_own_label(const char *key)
{
    static const char *const own[] = {LABEL_PACKAGE, LABEL_FAMILY, LABEL_KUBERNETES, LABEL_ETCD};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(key, own[i]) == 0)
            return true;
    return false;
}

void push_version_label(const char *version, char out[static PUSH_VERSION_LABEL])
{
    size_t at = 0;
    for (; at < PUSH_VERSION_LABEL - 1 && version[at]; at++)
        out[at] = (char)(version[at] == '.' ? '-' : version[at]);
    out[at] = '\0';
}

print_like(3, 4) static int format_name(char out[static OBJECT_NAME_CAP], struct err *err, const char *fmt,
                                        ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, OBJECT_NAME_CAP, fmt, ap);
    va_end(ap);
    return n >= 0 && n < OBJECT_NAME_CAP ? 0 : err_set(err, ERR_USAGE, 0, "--prefix is too long");
}

int push_names_make(const struct sealed *sealed, const char *prefix, const char *project,
                    struct push_names *ret, struct err *err)
{
    *ret = (struct push_names){.package = sealed->name, .prefix = prefix};
    push_image_name(sealed->name, ret->image);
    push_label(sealed, ret->label);
    if (push_names_document(ret, ".tar.gz", ret->archive, err) < 0 ||
        format_name(ret->segments, err, "%s" SEGMENTS_FOLDER, prefix) < 0)
        return -1;
    return format_name(ret->claim, err, "%s" CLAIMS_FOLDER "%s/%s.json", prefix, project, sealed->name);
}

int push_names_document(const struct push_names *names, const char *suffix, char out[static OBJECT_NAME_CAP],
                        struct err *err)
{
    return format_name(out, err, "%s%s%s", names->prefix, names->package, suffix);
}
