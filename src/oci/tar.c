#include "oci/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

enum { TAR_MAX = 16 << 20, TAR_BLOCK = 512 };

static la_ssize_t append_bytes(struct archive *archive, void *tar, const void *bytes, size_t len)
{
    struct buf *out = &((struct tar *)tar)->out;
    buf_add(out, bytes, len);
    if (out->failed) {
        archive_set_error(archive, ENOMEM, "no memory");
        return -1;
    }
    return (la_ssize_t)len;
}

static int fail(const struct tar *tar, const char *what, struct err *err)
{
    const char *text = tar->archive ? archive_error_string(tar->archive) : NULL;
    return err_set(err, ERR_INTERNAL, 0, "tar: %.200s: %.200s", what, text ? text : "no memory");
}

int tar_begin(struct tar *tar, struct err *err)
{
    struct archive *archive = archive_write_new();
    *tar = (struct tar){.archive = archive, .out = BUF_INIT(TAR_MAX)};
    /* no padding beyond the two empty blocks at the end */
    if (!archive || archive_write_set_format_ustar(archive) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(archive, TAR_BLOCK) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(archive, TAR_BLOCK) != ARCHIVE_OK ||
        archive_write_open(archive, tar, NULL, append_bytes, NULL) != ARCHIVE_OK) {
        int result = fail(tar, "open", err);
        tar_free(tar);
        return result;
    }
    return 0;
}

int tar_add(struct tar *tar, const struct tar_entry *entry, struct err *err)
{
    struct archive_entry *head = archive_entry_new();
    if (!head)
        return err_oom(err);
    archive_entry_set_pathname(head, entry->name);
    archive_entry_set_mode(head, entry->mode);
    archive_entry_set_size(head, entry->bytes ? (la_int64_t)entry->size : 0);
    archive_entry_set_mtime(head, 0, 0);
    if (entry->target)
        archive_entry_set_symlink(head, entry->target);
    bool fine = archive_write_header(tar->archive, head) == ARCHIVE_OK;
    archive_entry_free(head);
    if (fine && entry->bytes && entry->size > 0)
        fine = archive_write_data(tar->archive, entry->bytes, entry->size) == (la_ssize_t)entry->size;
    return fine ? 0 : fail(tar, entry->name, err);
}

int tar_end(struct tar *tar, struct buf *ret, struct err *err)
{
    if (archive_write_close(tar->archive) != ARCHIVE_OK)
        return fail(tar, "close", err);
    buf_add(ret, tar->out.data, tar->out.len);
    return buf_check(ret, "tar", err);
}

void tar_free(struct tar *tar)
{
    /* this may still write the end of the archive: the buffer is freed afterwards */
    if (tar->archive)
        archive_write_free(tar->archive);
    buf_free(&tar->out);
    tar->archive = NULL;
}
