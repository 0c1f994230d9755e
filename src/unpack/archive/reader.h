/* Reads the entries of an archive, one after the other.
 *
 * In:    an artifact: tar (plain or compressed), zip, .deb; recognised by content.
 * Out:   entries and their data. Anything else is READER_BARE: a stream of bytes.
 * Fails: ERR_VERIFY when it is damaged, truncated, too large, or followed by anything but zeros.
 * Owns:  everything, until reader_close(); the artifact stays the caller's.
 * Never: creates a file, runs a program, trusts a name.
 */
#ifndef BAKE_UNPACK_ARCHIVE_READER_H
#define BAKE_UNPACK_ARCHIVE_READER_H

#include "base/file_meta.h"
#include "task/progress.h"
#include "unpack/archive/stream.h"
#include "verify/types.h"

enum reader_kind { READER_BARE, READER_TAR, READER_ZIP, READER_DEB };
enum reader_entry_type { ENTRY_FILE, ENTRY_DIR, ENTRY_SYMLINK, ENTRY_HARDLINK, ENTRY_OTHER };
enum { READER_ENTRIES_MAX = 2000000, READER_WORDS = 160 };

struct reader_entry {
    const char *name;   /* as in the archive; never NULL. Valid until the next reader_next() */
    const char *target; /* of a symbolic or hard link, else NULL */
    enum reader_entry_type type;
    uint64_t size; /* bytes, holes included */
    struct file_meta meta;
};

struct reader;

struct reader_input {
    int fd;
    uint64_t size;      /* bytes */
    const char *origin; /* for messages; NULL: "the input" */
    /* Set: the input is still being fetched; it is read as it arrives, from the progress's descriptor. */
    struct progress *progress;
};
static inline struct reader_input reader_input_of(const struct trusted *artifact)
{
    return (struct reader_input){.fd = artifact->fd, .size = artifact->size, .origin = artifact->origin};
}

/* MAX is the cap on all decompressed bytes together. */
must_check int reader_open(const struct reader_input *input, uint64_t max, const struct run *run,
                           struct reader **ret, struct err *err);
void reader_close(struct reader *reader);
static inline void reader_close_fn(struct reader *const *reader)
{
    reader_close(*reader);
}
#define cleanup_reader cleanup(reader_close_fn)

enum reader_kind reader_kind(const struct reader *reader);
/* What a READER_BARE is, for messages: ": it is a qcow2 image: ...", or "". Call it before reader_data(). */
const char *reader_words(struct reader *reader, char out[static READER_WORDS]);

/* 1 and an entry, or 0 at the end, once the rest has been checked. */
must_check int reader_next(struct reader *reader, struct reader_entry *ret, struct err *err);

/* The next piece of the entry's data, at *ret_off in the file; *ret_len is 0 at the end. Gaps between pieces
 * are holes. For READER_BARE: the next piece of the whole input, without reader_next(). */
must_check int reader_data(struct reader *reader, const unsigned char **ret, size_t *ret_len,
                           uint64_t *ret_off, struct err *err);

#endif
