/* The image's contents list: parsed, and compared with the files.
 *
 * In:    /opt/bake/contents.json, its signature and the public key; the files it lists. Its format is that of
 *        src/seal/contents.h: canonical JSON, entries in byte order of their paths.
 * Out:   the entries one by one, or a verdict on all of them.
 * Fails: ERR_VERIFY: malformed, badly signed, or a file that is not as listed.
 * Never: writes; opens anything but regular files; follows a link in the last component of a path.
 */
#ifndef BAKE_AGENT_CONTENTS_CONTENTS_H
#define BAKE_AGENT_CONTENTS_CONTENTS_H

#include <stdint.h>
#include <sys/types.h>

#include "agent/contents/minisig.h"
#include "agent/os/root.h"
#include "text/path.h"

#define CONTENTS_LIST "/opt/bake/contents.json"
#define CONTENTS_SIG  "/opt/bake/contents.json.minisig"
#define CONTENTS_KEY  "/opt/bake/bake.pub"

enum {
    CONTENTS_LIST_MAX = 8 << 20,     /* bytes, as src/seal/contents.h */
    CONTENTS_XATTRS_MAX = 100,       /* of one entry, as in recipes */
    CONTENTS_XATTRS_SIZE = 64 << 10, /* bytes of all values of one entry: the most that an ext4 block holds */
    CONTENTS_LIST_FORMAT = 1,
};

enum contents_type { CONTENTS_TYPE_NONE, CONTENTS_TYPE_DIRECTORY, CONTENTS_TYPE_FILE, CONTENTS_TYPE_SYMLINK };

struct contents_xattr {
    char name[256];
    size_t at, size; /* in xattr_values */
};

struct contents_entry {
    char path[PATH_CAP];
    enum contents_type type;
    bool has_mode, has_uid, has_gid, has_size, has_sha256; /* which members the entry has */
    mode_t mode;
    uid_t uid;
    gid_t gid;
    uint64_t size;            /* bytes; files only */
    unsigned char sha256[32]; /* files only */
    char target[PATH_CAP];    /* symlinks only; "" if not given */
    size_t xattr_count;
    size_t xattr_bytes;
    struct contents_xattr xattrs[CONTENTS_XATTRS_MAX];
    unsigned char xattr_values[CONTENTS_XATTRS_SIZE];
};

/* Called for each entry; returns 0 to go on, -1 with err to stop. */
typedef int contents_visit(void *ctx, const struct contents_entry *entry, struct err *err);

must_check int contents_walk(const char *text, size_t len, contents_visit *visit, void *ctx, struct err *err);

/* ERR_VERIFY naming the path if the file is not as listed. */
must_check int contents_check_entry(const struct root *root, const struct contents_entry *entry,
                                    struct err *err);

struct contents_verdict {
    size_t files;                /* entries of type file */
    bool is_signed;              /* if not, there is neither a signature nor a key */
    char key_id[MINISIG_ID_HEX]; /* "" if unsigned */
};

/* The whole check. If files differ, each gets a line in RET_FAULTS (cut off at its cap), and err names the
 * first one and their number. */
must_check int contents_check(const struct root *root, struct contents_verdict *ret, struct buf *ret_faults,
                              struct err *err);

/* The list's text. RET: a buffer of CONTENTS_LIST_MAX. */
must_check int contents_read(const struct root *root, struct buf *ret, struct err *err);

#endif
