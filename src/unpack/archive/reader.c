#include "unpack/archive/reader.h"

#include <locale.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>

#include "io/file.h"
#include "io/magic.h"
#include "unpack/archive/meta.h"

enum { CHUNK = 256 << 10, TAR_BLOCK = 512 };

struct reader {
    struct reader_input input;
    const struct run *run;
    enum reader_kind kind;
    uint64_t max;
    uint64_t at;                     /* in the artifact: bytes read, or the position of zip's reader */
    struct byte_source file, member; /* the artifact; the data.tar.* in a .deb */
    struct archive *outer;           /* .deb: ar */
    struct stream *stream;           /* plain bytes of the tar, or of a bare input */
    uint64_t stream_at;              /* bytes read from it, including its last block */
    const unsigned char *block;
    size_t block_len;
    struct archive *archive;
    struct archive_entry *entry;
    locale_t
        utf8; /* zip: libarchive converts names to the thread's locale, and the C locale knows ASCII only */
    unsigned entries;
    uint64_t entry_at; /* end of the last piece: pieces ascend */
    unsigned char *chunk;
    struct err source_err; /* why a callback failed */
};

static int read_at(const struct reader *reader, void *bytes, size_t len, uint64_t off, struct err *err)
{
    int fd = reader->input.fd;
    if (reader->input.progress) {
        struct progress_state state;
        if (progress_wait(reader->input.progress, off + len, reader->run, &state, err) < 0)
            return -1;
        fd = state.fd;
        if (state.ready < off + len)
            return err_set(err, ERR_VERIFY, 0, "%s is cut short", reader->file.name);
    }
    return file_pread(fd, bytes, len, off, reader->file.name, err);
}

static int read_file(void *ctx, void *bytes, size_t capacity, size_t *ret_len, struct err *err)
{
    struct reader *reader = ctx;
    uint64_t left = reader->input.size - reader->at;
    size_t len = left < capacity ? (size_t)left : capacity;
    if (read_at(reader, bytes, len, reader->at, err) < 0)
        return -1;
    reader->at += len;
    run_progress(reader->run, "unpack", reader->file.name, reader->at, reader->input.size);
    *ret_len = len;
    return 0;
}

static int too_large(const struct reader *reader, struct err *err)
{
    return err_set(err, ERR_VERIFY, 0, "%s: it unpacks to more than the %llu bytes that are allowed",
                   reader->file.name, (unsigned long long)reader->max);
}

static int next_block(struct reader *reader, struct err *err)
{
    if (stream_next(reader->stream, &reader->block, &reader->block_len, err) < 0)
        return -1;
    reader->stream_at += reader->block_len;
    return reader->stream_at > reader->max ? too_large(reader, err) : 0;
}

static la_ssize_t report_failure(struct archive *archive)
{
    archive_set_error(archive, EIO, "read");
    return -1;
}

static la_ssize_t read_stream(struct archive *archive, void *ctx, const void **ret)
{
    struct reader *reader = ctx;
    if (next_block(reader, &reader->source_err) < 0)
        return report_failure(archive);
    *ret = reader->block;
    return (la_ssize_t)reader->block_len;
}

static la_ssize_t read_chunk(struct archive *archive, void *ctx, const void **ret)
{
    struct reader *reader = ctx;
    size_t len = 0;
    if (run_check(reader->run, &reader->source_err) < 0 ||
        read_file(reader, reader->chunk, CHUNK, &len, &reader->source_err) < 0)
        return report_failure(archive);
    *ret = reader->chunk;
    return (la_ssize_t)len;
}

static la_int64_t seek_file(struct archive *archive, void *ctx, la_int64_t offset, int origin)
{
    (void)archive;
    struct reader *reader = ctx;
    int64_t size = (int64_t)reader->input.size;
    int64_t from = origin == SEEK_SET ? 0 : origin == SEEK_CUR ? (int64_t)reader->at : size;
    int64_t to = 0;
    if (__builtin_add_overflow(from, offset, &to) || to < 0)
        return ARCHIVE_FATAL;
    reader->at = (uint64_t)(to < size ? to : size);
    return (la_int64_t)reader->at;
}

/* Reads a .deb's member through `outer`. */
static int read_member(void *ctx, void *bytes, size_t capacity, size_t *ret_len, struct err *err)
{
    struct reader *reader = ctx;
    la_ssize_t n = archive_read_data(reader->outer, bytes, capacity);
    if (n < 0)
        return stream_archive_error(&reader->file, reader->outer, &reader->source_err, err);
    *ret_len = (size_t)n;
    return 0;
}

/* Checks the checksum field of a tar header: octal, over the block with spaces in that field. */
static bool is_tar(const unsigned char *bytes, size_t len)
{
    if (len < TAR_BLOCK || bytes[0] == '\0')
        return false;
    unsigned sum = 0, stored = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : bytes[i];
    size_t i = 148;
    while (i < 156 && bytes[i] == ' ')
        i++;
    for (; i < 156 && bytes[i] >= '0' && bytes[i] <= '7'; i++)
        stored = stored * 8 + (unsigned)(bytes[i] - '0');
    return stored == sum;
}

static int open_archive(struct reader *reader, struct archive **ret, int (*format)(struct archive *),
                        archive_read_callback *read, bool seekable, struct err *err)
{
    struct archive *archive = *ret = archive_read_new();
    if (!archive)
        return err_oom(err);
    if (format(archive) != ARCHIVE_OK)
        return err_set(err, ERR_INTERNAL, 0, "libarchive lacks a format");
    /* each of these allocates, and opening crashes if one failed */
    if (archive_read_set_read_callback(archive, read) != ARCHIVE_OK ||
        (seekable && archive_read_set_seek_callback(archive, seek_file) != ARCHIVE_OK) ||
        archive_read_set_callback_data(archive, reader) != ARCHIVE_OK ||
        archive_read_open1(archive) != ARCHIVE_OK)
        return stream_archive_error(&reader->file, archive, &reader->source_err, err);
    return 0;
}

/* Opens the stream on SOURCE and, if it holds a tar, the tar. */
static int open_stream(struct reader *reader, const struct byte_source *source, bool *ret_tar,
                       struct err *err)
{
    const unsigned char *bytes = NULL;
    size_t len = 0;
    if (stream_open(source, reader->run, &reader->stream, err) < 0 ||
        stream_peek(reader->stream, &bytes, &len, err) < 0)
        return -1;
    *ret_tar = is_tar(bytes, len);
    if (!*ret_tar)
        return 0;
    return open_archive(reader, &reader->archive, archive_read_support_format_tar, read_stream, false, err);
}

/* deb(5): an ar archive of debian-binary, control.tar.*, data.tar.* */
static int open_deb(struct reader *reader, struct err *err)
{
    if (open_archive(reader, &reader->outer, archive_read_support_format_ar, read_chunk, false, err) < 0)
        return -1;
    for (unsigned i = 0; i < 64; i++) {
        struct archive_entry *entry = NULL;
        int r = archive_read_next_header(reader->outer, &entry);
        if (r == ARCHIVE_EOF)
            break;
        if (r != ARCHIVE_OK)
            return stream_archive_error(&reader->file, reader->outer, &reader->source_err, err);
        const char *name = archive_entry_pathname(entry);
        if (!name || strncmp(name, "data.tar", 8) != 0 || (name[8] != '\0' && name[8] != '.'))
            continue;
        bool tar = false;
        reader->member = (struct byte_source){reader, read_member, reader->file.name};
        if (open_stream(reader, &reader->member, &tar, err) < 0)
            return -1;
        if (tar)
            return 0;
        return err_set(err, ERR_VERIFY, 0, "%s: its %s is not a tar archive", reader->file.name, name);
    }
    return err_set(err, ERR_VERIFY, 0, "%s: an ar archive without data.tar: not a Debian package",
                   reader->file.name);
}

static int open_kind(struct reader *reader, struct err *err)
{
    unsigned char magic[8] = {0};
    size_t len = reader->input.size < sizeof magic ? (size_t)reader->input.size : sizeof magic;
    if (read_at(reader, magic, len, 0, err) < 0)
        return -1;
    if (memcmp(magic, "!<arch>\n", 8) == 0) {
        reader->kind = READER_DEB;
        return open_deb(reader, err);
    }
    if (memcmp(magic, "PK\3\4", 4) == 0 || memcmp(magic, "PK\5\6", 4) == 0) {
        reader->kind = READER_ZIP;
        reader->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
        return open_archive(reader, &reader->archive, archive_read_support_format_zip_seekable, read_chunk,
                            true, err);
    }
    bool tar = false;
    if (open_stream(reader, &reader->file, &tar, err) < 0)
        return -1;
    reader->kind = tar ? READER_TAR : READER_BARE;
    return 0;
}

int reader_open(const struct reader_input *input, uint64_t max, const struct run *run, struct reader **ret,
                struct err *err)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return err_oom(err);
    reader->input = *input;
    reader->run = run;
    reader->max = max;
    reader->file = (struct byte_source){reader, read_file, input->origin ? input->origin : "the input"};
    reader->chunk = malloc(CHUNK);
    int r = reader->chunk ? open_kind(reader, err) : err_oom(err);
    if (r < 0) {
        reader_close(reader);
        return -1;
    }
    *ret = reader;
    return 0;
}

void reader_close(struct reader *reader)
{
    if (!reader)
        return;
    archive_read_free(reader->archive);
    stream_close(reader->stream);
    archive_read_free(reader->outer);
    if (reader->utf8)
        freelocale(reader->utf8);
    free(reader->chunk);
    free(reader);
}

enum reader_kind reader_kind(const struct reader *reader)
{
    return reader->kind;
}

const char *reader_words(struct reader *reader, char out[static READER_WORDS])
{
    const unsigned char *bytes = NULL;
    size_t len = 0;
    struct err ignored;
    bool read = stream_peek(reader->stream, &bytes, &len, &ignored) == 0;
    const char *words = read ? magic_words(bytes, len) : NULL;
    snprintf(out, READER_WORDS, "%s%s", words ? ": it is " : "", words ? words : "");
    return out;
}

/* The rest of the stream must be zeros. Reading it also checks the compressed data up to its end. */
static int check_rest(struct reader *reader, struct err *err)
{
    if (!reader->stream)
        return 0;
    uint64_t used = (uint64_t)archive_filter_bytes(reader->archive, 0);
    uint64_t begin = reader->stream_at - reader->block_len;
    size_t skip = used > begin ? (size_t)(used - begin) : 0;
    while (reader->block_len > 0) {
        for (size_t i = skip; i < reader->block_len; i++)
            if (reader->block[i] != 0)
                return err_set(err, ERR_VERIFY, 0, "%s: bytes follow the end of its tar archive",
                               reader->file.name);
        skip = 0;
        if (next_block(reader, err) < 0)
            return -1;
    }
    return 0;
}

static enum reader_entry_type type_of(struct archive_entry *entry)
{
    if (archive_entry_hardlink(entry))
        return ENTRY_HARDLINK;
    mode_t type = archive_entry_filetype(entry);
    return type == AE_IFREG   ? ENTRY_FILE
           : type == AE_IFDIR ? ENTRY_DIR
           : type == AE_IFLNK ? ENTRY_SYMLINK
                              : ENTRY_OTHER;
}

static int next_header(struct reader *reader)
{
    locale_t before = reader->utf8 ? uselocale(reader->utf8) : (locale_t)0;
    int r = archive_read_next_header(reader->archive, &reader->entry);
    if (before)
        uselocale(before);
    return r;
}

int reader_next(struct reader *reader, struct reader_entry *ret, struct err *err)
{
    if (run_check(reader->run, err) < 0)
        return -1;
    int r = next_header(reader);
    if (r == ARCHIVE_EOF)
        return check_rest(reader, err);
    if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
        return stream_archive_error(&reader->file, reader->archive, &reader->source_err, err);
    if (++reader->entries > READER_ENTRIES_MAX)
        return err_set(err, ERR_VERIFY, 0, "%s: more than %d entries", reader->file.name, READER_ENTRIES_MAX);
    const char *name = archive_entry_pathname(reader->entry);
    if (!name)
        name = archive_entry_pathname_utf8(reader->entry);
    enum reader_entry_type type = type_of(reader->entry);
    const char *target = type == ENTRY_HARDLINK  ? archive_entry_hardlink(reader->entry)
                         : type == ENTRY_SYMLINK ? archive_entry_symlink(reader->entry)
                                                 : NULL;
    if (type == ENTRY_SYMLINK && !target)
        target = archive_entry_symlink_utf8(reader->entry);
    if (!name || name[0] == '\0' || ((type == ENTRY_SYMLINK || type == ENTRY_HARDLINK) && !target))
        return err_set(err, ERR_VERIFY, 0, "%s: the name of entry %u cannot be read", reader->file.name,
                       reader->entries);
    int64_t size = archive_entry_size(reader->entry);
    reader->entry_at = 0;
    *ret = (struct reader_entry){.name = name,
                                 .target = target,
                                 .type = type,
                                 .meta = meta_read(reader->entry),
                                 .size = size > 0 ? (uint64_t)size : 0};
    return 1;
}

static int bare_data(struct reader *reader, const unsigned char **ret, size_t *ret_len, uint64_t *ret_off,
                     struct err *err)
{
    uint64_t off = reader->stream_at;
    if (next_block(reader, err) < 0)
        return -1;
    *ret = reader->block;
    *ret_len = reader->block_len;
    *ret_off = off;
    return 0;
}

int reader_data(struct reader *reader, const unsigned char **ret, size_t *ret_len, uint64_t *ret_off,
                struct err *err)
{
    if (run_check(reader->run, err) < 0)
        return -1;
    if (reader->kind == READER_BARE)
        return bare_data(reader, ret, ret_len, ret_off, err);
    for (;;) {
        const void *bytes = NULL;
        size_t len = 0;
        la_int64_t off = 0;
        int r = archive_read_data_block(reader->archive, &bytes, &len, &off);
        if (r == ARCHIVE_EOF) {
            *ret_len = 0;
            *ret_off = reader->entry_at;
            return 0;
        }
        if (r != ARCHIVE_OK) /* a warning about data is damage: a wrong CRC or size in a zip */
            return stream_archive_error(&reader->file, reader->archive, &reader->source_err, err);
        if (off < 0 || (uint64_t)off < reader->entry_at)
            return err_set(err, ERR_VERIFY, 0, "%s: pieces of a file overlap", reader->file.name);
        if ((uint64_t)off > reader->max || len > reader->max - (uint64_t)off)
            return too_large(reader, err);
        if (len == 0)
            continue;
        reader->entry_at = (uint64_t)off + len;
        *ret = bytes;
        *ret_len = len;
        *ret_off = (uint64_t)off;
        return 0;
    }
}
