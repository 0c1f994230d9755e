#include "unpack/archive/stream.h"

#include <stdbool.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>
#include <isa-l/igzip_lib.h>

#include "text/bytes.h"

enum { IN_SIZE = 256 << 10, OUT_SIZE = 512 << 10 };

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_LIBARCHIVE };

struct stream {
    struct byte_source source;
    const struct run *run;
    enum codec codec;
    unsigned char *in, *out;
    size_t in_len, in_used; /* in[in_used..in_len) is not decoded yet */
    uint64_t in_total;      /* bytes taken from the source */
    bool in_end;
    size_t out_len;
    bool peeked, ended;
    struct inflate_state inflate;
    bool in_member; /* gzip: inside a member */
    struct archive *archive;
    struct err source_err;
};

/* Reads more if none is left. in[in_used] is the next byte; in_len == in_used only at the source's end. */
static int more_input(struct stream *stream, struct err *err)
{
    if (stream->in_used < stream->in_len || stream->in_end)
        return 0;
    size_t len = 0;
    if (run_check(stream->run, err) < 0 ||
        stream->source.read(stream->source.ctx, stream->in, IN_SIZE, &len, err) < 0)
        return -1;
    stream->in_used = 0;
    stream->in_len = len;
    stream->in_total += len;
    stream->in_end = len == 0;
    return 0;
}

static int damaged(const struct stream *stream, const char *what, struct err *err)
{
    return err_set(err, ERR_VERIFY, 0, "%s: %s near byte %llu: fetch it again, or use another source",
                   stream->source.name, what,
                   (unsigned long long)(stream->in_total - (stream->in_len - stream->in_used)));
}

int stream_archive_error(const struct byte_source *source, struct archive *archive,
                         const struct err *source_err, struct err *err)
{
    if (source_err->kind != ERR_NONE) {
        *err = *source_err;
        return -1;
    }
    const char *text = archive_error_string(archive);
    if (text && strstr(text, "too much memory"))
        return err_set(
            err, ERR_VERIFY, 0,
            "%s: unpacking it needs a window of more than 128 MiB (zstd --long, --ultra): compress it with "
            "--long=27 or lower",
            source->name);
    if (text && strstr(text, "Out of memory"))
        return err_set(
            err, ERR_VERIFY, 0,
            "%s: unpacking it needs more memory than the 1 GiB allowed (xz with a large dictionary): "
            "compress it with xz -9 or lower",
            source->name);
    if (text && (strstr(text, "Passphrase") || strstr(text, "ncrypt")))
        return err_set(err, ERR_VERIFY, 0, "%s: it is encrypted: pack it again without a password",
                       source->name);
    return err_set(err, ERR_VERIFY, 0, "%s: damaged or cut short near byte %lld: %s", source->name,
                   (long long)archive_filter_bytes(archive, -1), text ? text : "unknown format");
}

/* After a gzip member: another member, zeros as padding, or the end. */
static int between_members(struct stream *stream, struct err *err)
{
    for (;;) {
        if (more_input(stream, err) < 0)
            return -1;
        if (stream->in_used == stream->in_len) {
            stream->ended = true;
            return 0;
        }
        unsigned char byte = stream->in[stream->in_used];
        if (byte == 0x1f)
            break;
        if (byte != 0)
            return damaged(stream, "bytes that are not gzip after the end of the gzip data", err);
        stream->in_used++;
    }
    isal_inflate_reset(&stream->inflate);
    stream->inflate.crc_flag = ISAL_GZIP;
    stream->in_member = true;
    return 0;
}

static int fill_gzip(struct stream *stream, struct err *err)
{
    struct inflate_state *inflate = &stream->inflate;
    while (stream->out_len < OUT_SIZE && !stream->ended) {
        if (!stream->in_member && between_members(stream, err) < 0)
            return -1;
        if (stream->ended)
            break;
        if (more_input(stream, err) < 0)
            return -1;
        size_t in = stream->in_len - stream->in_used, space = OUT_SIZE - stream->out_len;
        inflate->next_in = stream->in + stream->in_used;
        inflate->avail_in = (uint32_t)in;
        inflate->next_out = stream->out + stream->out_len;
        inflate->avail_out = (uint32_t)space;
        int r = isal_inflate(inflate);
        size_t made = space - inflate->avail_out, used = in - inflate->avail_in;
        stream->in_used += used;
        stream->out_len += made;
        if (r != ISAL_DECOMP_OK)
            return damaged(stream,
                           r == ISAL_INCORRECT_CHECKSUM ? "a wrong gzip checksum" : "damaged gzip data", err);
        if (inflate->block_state == ISAL_BLOCK_FINISH)
            stream->in_member = false;
        else if (made == 0 && used == 0 && stream->in_end)
            return damaged(stream, "gzip data that is cut short", err);
    }
    return 0;
}

static int fill_plain(struct stream *stream, struct err *err)
{
    while (stream->out_len < OUT_SIZE && !stream->ended) {
        if (more_input(stream, err) < 0)
            return -1;
        size_t have = stream->in_len - stream->in_used, space = OUT_SIZE - stream->out_len;
        size_t step = have < space ? have : space;
        memcpy(stream->out + stream->out_len, stream->in + stream->in_used, step);
        stream->in_used += step;
        stream->out_len += step;
        stream->ended = have == 0;
    }
    return 0;
}

static la_ssize_t read_source(struct archive *archive, void *ctx, const void **ret)
{
    struct stream *stream = ctx;
    if (more_input(stream, &stream->source_err) < 0) {
        archive_set_error(archive, EIO, "read");
        return -1;
    }
    *ret = stream->in + stream->in_used;
    size_t len = stream->in_len - stream->in_used;
    stream->in_used = stream->in_len;
    return (la_ssize_t)len;
}

static int fill_libarchive(struct stream *stream, struct err *err)
{
    while (stream->out_len < OUT_SIZE && !stream->ended) {
        la_ssize_t n =
            archive_read_data(stream->archive, stream->out + stream->out_len, OUT_SIZE - stream->out_len);
        if (n < 0)
            return stream_archive_error(&stream->source, stream->archive, &stream->source_err, err);
        stream->out_len += (size_t)n;
        stream->ended = n == 0;
    }
    return 0;
}

static int open_libarchive(struct stream *stream, struct err *err)
{
    struct archive *archive = stream->archive = archive_read_new();
    if (!archive)
        return err_oom(err);
    /* ARCHIVE_WARN means that libarchive would run an external program */
    if (archive_read_support_filter_xz(archive) != ARCHIVE_OK ||
        archive_read_support_filter_bzip2(archive) != ARCHIVE_OK ||
        archive_read_support_filter_zstd(archive) != ARCHIVE_OK ||
        archive_read_support_filter_lz4(archive) != ARCHIVE_OK ||
        archive_read_support_format_raw(archive) != ARCHIVE_OK)
        return err_set(err, ERR_INTERNAL, 0, "this libarchive was built without xz, bzip2, zstd or lz4");
    struct archive_entry *entry = NULL;
    if (archive_read_open(archive, stream, NULL, read_source, NULL) != ARCHIVE_OK ||
        archive_read_next_header(archive, &entry) != ARCHIVE_OK)
        return stream_archive_error(&stream->source, archive, &stream->source_err, err);
    return 0;
}

/* Makes the next LEN bytes of the source contiguous, or as many as there are. */
static int look_ahead(struct stream *stream, size_t len, struct err *err)
{
    if (more_input(stream, err) < 0)
        return -1;
    while (stream->in_len - stream->in_used < len && !stream->in_end) {
        size_t kept = stream->in_len - stream->in_used, more = 0;
        memmove(stream->in, stream->in + stream->in_used, kept);
        if (stream->source.read(stream->source.ctx, stream->in + kept, IN_SIZE - kept, &more, err) < 0)
            return -1;
        stream->in_used = 0;
        stream->in_len = kept + more;
        stream->in_total += more;
        stream->in_end = more == 0;
    }
    return 0;
}

/* zstd and lz4 allow skippable frames anywhere: one of 16 magic numbers and a length (RFC 8878, 3.1.2).
 * Programs that compress in parts (pzstd, seekable zstd) start with one; decoders skip later ones on their
 * own. */
static int skip_frames(struct stream *stream, struct err *err)
{
    for (;;) {
        if (look_ahead(stream, 8, err) < 0)
            return -1;
        const unsigned char *at = stream->in + stream->in_used;
        if (stream->in_len - stream->in_used < 8 || (at[0] & 0xf0) != 0x50 ||
            memcmp(at + 1, "\x2a\x4d\x18", 3) != 0)
            return 0;
        uint64_t left = 8 + (uint64_t)le32_read(at + 4);
        while (left > 0) {
            if (more_input(stream, err) < 0)
                return -1;
            size_t have = stream->in_len - stream->in_used, step = left < have ? (size_t)left : have;
            if (have == 0)
                return damaged(stream, "a frame that is cut short", err);
            stream->in_used += step;
            left -= step;
        }
    }
}

static bool starts_with(const struct stream *stream, const char *magic, size_t len)
{
    return stream->in_len - stream->in_used >= len && memcmp(stream->in + stream->in_used, magic, len) == 0;
}

static bool starts_bzip2(const struct stream *stream)
{
    const unsigned char *at = stream->in + stream->in_used;
    return starts_with(stream, "BZh", 3) && stream->in_len - stream->in_used > 3 && at[3] >= '1' &&
           at[3] <= '9';
}

static int choose_codec(struct stream *stream, struct err *err)
{
    static const char xz[] = {'\xfd', '7', 'z', 'X', 'Z', '\0'};
    if (skip_frames(stream, err) < 0)
        return -1;
    if (starts_with(stream, "\x1f\x8b\x08", 3)) {
        stream->codec = CODEC_GZIP;
        isal_inflate_init(&stream->inflate);
        stream->inflate.crc_flag = ISAL_GZIP;
        stream->in_member = true;
    } else if (starts_with(stream, xz, sizeof xz) || starts_bzip2(stream) ||
               starts_with(stream, "\x28\xb5\x2f\xfd", 4) || starts_with(stream, "\x04\x22\x4d\x18", 4)) {
        stream->codec = CODEC_LIBARCHIVE;
        return open_libarchive(stream, err);
    }
    return 0;
}

int stream_open(const struct byte_source *source, const struct run *run, struct stream **ret, struct err *err)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return err_oom(err);
    stream->source = *source;
    stream->run = run;
    stream->in = malloc(IN_SIZE);
    stream->out = malloc(OUT_SIZE);
    int r = stream->in && stream->out ? choose_codec(stream, err) : err_oom(err);
    if (r < 0) {
        stream_close(stream);
        return -1;
    }
    *ret = stream;
    return 0;
}

void stream_close(struct stream *stream)
{
    if (!stream)
        return;
    archive_read_free(stream->archive);
    free(stream->in);
    free(stream->out);
    free(stream);
}

int stream_peek(struct stream *stream, const unsigned char **ret, size_t *ret_len, struct err *err)
{
    if (!stream->peeked) {
        int r = run_check(stream->run, err);
        stream->out_len = 0;
        if (r == 0 && stream->codec == CODEC_NONE)
            r = fill_plain(stream, err);
        else if (r == 0 && stream->codec == CODEC_GZIP)
            r = fill_gzip(stream, err);
        else if (r == 0)
            r = fill_libarchive(stream, err);
        if (r < 0)
            return -1;
        stream->peeked = true;
    }
    *ret = stream->out;
    *ret_len = stream->out_len;
    return 0;
}

int stream_next(struct stream *stream, const unsigned char **ret, size_t *ret_len, struct err *err)
{
    if (stream_peek(stream, ret, ret_len, err) < 0)
        return -1;
    stream->peeked = false;
    return 0;
}
