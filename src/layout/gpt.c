#include "layout/gpt.h"

#include <ctype.h>
#include <string.h>
#include <sys/mman.h>

#include <libfdisk.h>
#include <zlib.h>

#include "io/magic.h"
#include "text/bytes.h"

enum { SECTOR = 512, ENTRY_SIZE = 128, ALIGN = 2048 /* sectors: 1 MiB */ };

static void unref_context(struct fdisk_context **cxt)
{
    fdisk_unref_context(*cxt);
}

static void unref_table(struct fdisk_table **table)
{
    fdisk_unref_table(*table);
}

static void free_iter(struct fdisk_iter **iter)
{
    fdisk_free_iter(*iter);
}

static int damaged(struct err *err, const char *what)
{
    return err_set(err, ERR_LAYOUT, 0,
                   "the GPT is damaged: %s. The base is not as published: download it again, and check it "
                   "with sgdisk -v",
                   what);
}

static bool gpt_at(const struct disk *disk, uint64_t off)
{
    char magic[8];
    struct err ignored;
    return off < disk->size && disk->size - off >= sizeof magic &&
           disk_read(disk, magic, sizeof magic, off, &ignored) == 0 && memcmp(magic, "EFI PART", 8) == 0;
}

/* Reports that there is no GPT, what the file is instead, and what to do. */
static int no_gpt(const struct disk *disk, struct err *err)
{
    enum { MBR_PARTITIONS = 446, MBR_SIZE = 16, MBR_TYPE = 4, PROTECTIVE = 0xee };
    for (unsigned sector = 1024; sector <= 4096; sector *= 2)
        if (gpt_at(disk, sector))
            return err_set(
                err, ERR_LAYOUT, 0,
                "a disk with sectors of %u bytes (its GPT is at byte %u): Compute Engine disks have "
                "512-byte sectors; use the image for them (for Fedora CoreOS: gcp, not metal4k)",
                sector, sector);
    size_t len = disk->size < MAGIC_BYTES ? (size_t)disk->size : (size_t)MAGIC_BYTES;
    cleanup_free unsigned char *bytes = malloc(len);
    if (!bytes)
        return err_oom(err);
    if (disk_read(disk, bytes, len, 0, err) < 0)
        return -1;
    const char *words = magic_words(bytes, len);
    if (words)
        return err_set(err, ERR_LAYOUT, 0, "not a disk with a GPT: it is %s", words);
    bool mbr = bytes[510] == 0x55 && bytes[511] == 0xaa, protective = false, used = false;
    for (unsigned i = 0; mbr && i < 4; i++) {
        unsigned char type = bytes[MBR_PARTITIONS + i * MBR_SIZE + MBR_TYPE];
        protective |= type == PROTECTIVE;
        used |= type != 0;
    }
    if (protective)
        return damaged(
            err, gpt_at(disk, disk->size - SECTOR)
                     ? "its primary header is missing, although the backup at the end of the disk is there"
                     : "its header is missing");
    return err_set(
        err, ERR_LAYOUT, 0,
        "not a disk with a GPT%s: there is no \"EFI PART\" at byte 512. Is the base the disk image for "
        "Compute Engine?",
        used ? ", only with an MBR partition table" : "");
}

/* Reads the primary header. If it is bad, libfdisk silently uses the backup, but firmware and GRUB may not: a
 * bad primary is refused. The backup may be missing. UEFI 2.10, 5.3.2. */
static int read_header(const struct disk *disk, unsigned char header[static SECTOR], struct err *err)
{
    if (disk->size < (uint64_t)34 * SECTOR)
        return err_set(err, ERR_LAYOUT, 0, "not a disk: %llu bytes are too few for a partition table",
                       (unsigned long long)disk->size);
    if (disk_read(disk, header, SECTOR, SECTOR, err) < 0)
        return -1;
    if (memcmp(header, "EFI PART", 8) != 0)
        return no_gpt(disk, err);
    uint32_t size = le32_read(header + 12), sum = le32_read(header + 16);
    if (size < 92 || size > SECTOR)
        return damaged(err, "its header has an impossible size");
    memset(header + 16, 0, 4);
    if (crc32(0, header, size) != sum)
        return damaged(err, "the header's CRC is wrong");
    if (le64_read(header + 24) != 1)
        return damaged(err, "the primary header states a wrong position for itself");
    if (le64_read(header + 48) >= disk->size / SECTOR)
        return err_set(err, ERR_LAYOUT, 0,
                       "the partition table reaches beyond the end of the disk: the download or "
                       "unpacking was cut short");
    return 0;
}

/* Checks the primary table and counts its used entries. */
static int check_primary(const struct disk *disk, unsigned *ret_used, struct err *err)
{
    static const unsigned char unused[16]; /* the type of an unused entry */
    unsigned char header[SECTOR], entries[LAYOUT_PARTITIONS_MAX * ENTRY_SIZE];
    if (read_header(disk, header, err) < 0)
        return -1;
    uint64_t lba = le64_read(header + 72);
    uint32_t count = le32_read(header + 80), size = le32_read(header + 84);
    if (size >= ENTRY_SIZE && count > 0 && (size != ENTRY_SIZE || count > LAYOUT_PARTITIONS_MAX))
        return err_set(err, ERR_LAYOUT, 0,
                       "a GPT with %u entries of %u bytes each: at most %d of %d bytes are supported; "
                       "resize it with sgdisk --resize-table=%d",
                       count, size, LAYOUT_PARTITIONS_MAX, ENTRY_SIZE, LAYOUT_PARTITIONS_MAX);
    if (size != ENTRY_SIZE || count == 0 || lba < 2 || lba > disk->size / SECTOR)
        return damaged(err, "the number, size or position of its entries is out of range");
    if (disk_read(disk, entries, (size_t)count * ENTRY_SIZE, lba * SECTOR, err) < 0)
        return err_wrap(err, "partition entries");
    if (crc32(0, entries, count * ENTRY_SIZE) != le32_read(header + 88))
        return damaged(err, "the entries' CRC is wrong");
    *ret_used = 0;
    for (uint32_t i = 0; i < count; i++)
        *ret_used += memcmp(entries + (size_t)i * ENTRY_SIZE, unused, sizeof unused) != 0;
    return 0;
}

struct table_span {
    uint64_t off;
    size_t len;
};

/* Where tables can be: at both ends of the disk, and where its end was when they were written. */
enum { TABLES = 3, TABLE_SIZE = 1 << 20 };

static int table_spans(const struct disk *disk, struct table_span spans[static TABLES], struct err *err)
{
    unsigned char header[SECTOR];
    if (disk_read(disk, header, sizeof header, SECTOR, err) < 0)
        return -1;
    uint64_t backup = le64_read(header + 32), sectors = disk->size / SECTOR;
    const uint64_t ends[TABLES] = {TABLE_SIZE, backup < sectors ? (backup + 1) * SECTOR : disk->size,
                                   disk->size};
    for (unsigned i = 0; i < TABLES; i++) {
        uint64_t end = ends[i] < disk->size ? ends[i] : disk->size;
        spans[i].off = end > TABLE_SIZE ? end - TABLE_SIZE : 0;
        spans[i].len = (size_t)(end - spans[i].off);
    }
    return 0;
}

/* libfdisk needs a path and ignores read errors: when it cannot read one table, it uses the other, which may
 * be older. So it gets a file in memory that holds only the tables, as disk_read() returned them. */
static int tables_in_memory(const struct disk *disk, struct table_span spans[static TABLES], struct disk *ret,
                            struct err *err)
{
    cleanup_disk struct disk tables = DISK_EMPTY;
    cleanup_free unsigned char *bytes = malloc(TABLE_SIZE);
    cleanup_close int fd = memfd_create("bake-gpt", MFD_CLOEXEC);
    if (!bytes)
        return err_oom(err);
    if (fd < 0 || ftruncate(fd, (off_t)disk->size) < 0)
        return err_sys(err, errno, "make a file in memory for the partition table");
    if (table_spans(disk, spans, err) < 0 || disk_from_fd(fd, &tables, err) < 0)
        return -1;
    fd = -1;
    for (unsigned i = 0; i < TABLES; i++)
        if (disk_read(disk, bytes, spans[i].len, spans[i].off, err) < 0 ||
            disk_write(&tables, bytes, spans[i].len, spans[i].off, err) < 0)
            return -1;
    *ret = tables;
    tables = (struct disk)DISK_EMPTY;
    return 0;
}

static int answer_nothing(struct fdisk_context *cxt, struct fdisk_ask *ask, void *data)
{
    (void)cxt;
    (void)ask;
    (void)data;
    return 0;
}

static int open_table(const struct disk *disk, int readonly, struct fdisk_context **ret, struct err *err)
{
    char path[DISK_PATH_CAP];
    disk_path(disk, path);
    cleanup(unref_context) struct fdisk_context *cxt = fdisk_new_context();
    if (!cxt)
        return err_oom(err);
    fdisk_set_ask(cxt, answer_nothing, NULL);
    fdisk_disable_dialogs(cxt, 1);
    int r = fdisk_assign_device(cxt, path, readonly);
    if (r < 0)
        return err_set(err, ERR_LAYOUT, -r, "read the partition table");
    if (!fdisk_is_labeltype(cxt, FDISK_DISKLABEL_GPT))
        return err_set(err, ERR_LAYOUT, 0, "not a disk with a GPT");
    if (fdisk_get_sector_size(cxt) != SECTOR)
        return err_set(err, ERR_LAYOUT, 0, "sectors of %lu bytes: only 512 are supported",
                       fdisk_get_sector_size(cxt));
    *ret = steal_ptr(cxt);
    return 0;
}

static void copy_upper(const char *text, char *out, size_t cap)
{
    size_t i = 0;
    for (; text && text[i] && i + 1 < cap; i++)
        out[i] = (char)toupper((unsigned char)text[i]);
    out[i] = '\0';
}

static int read_partition(struct fdisk_context *cxt, struct fdisk_partition *from, struct partition *to,
                          struct err *err)
{
    size_t index = fdisk_partition_get_partno(from);
    if (!fdisk_partition_has_start(from) || !fdisk_partition_has_size(from) || index >= LAYOUT_PARTITIONS_MAX)
        return damaged(err, "a partition without a start or a size");
    *to = (struct partition){.number = (unsigned)index + 1,
                             .start = fdisk_partition_get_start(from) * SECTOR,
                             .size = fdisk_partition_get_size(from) * SECTOR};
    /* libfdisk leaves out what it cannot allocate; an empty name is "", not NULL */
    const char *name = fdisk_partition_get_name(from), *guid = fdisk_partition_get_uuid(from);
    struct fdisk_parttype *type = fdisk_partition_get_type(from);
    const char *type_guid = type ? fdisk_parttype_get_string(type) : NULL;
    if (!name || !guid || !type_guid || fdisk_gpt_get_partition_attrs(cxt, index, &to->attributes) < 0)
        return err_oom(err);
    snprintf(to->label, sizeof to->label, "%s", name);
    copy_upper(type_guid, to->type, sizeof to->type);
    copy_upper(guid, to->guid, sizeof to->guid);
    return 0;
}

static int check_bounds(const struct layout *layout, struct err *err)
{
    for (unsigned i = 0; i < layout->partition_count; i++) {
        const struct partition *a = &layout->partitions[i];
        if (a->size == 0 || a->start > layout->disk_size || a->size > layout->disk_size - a->start)
            return err_set(err, ERR_LAYOUT, 0,
                           "partition %u (%s) reaches beyond the end of the disk: the download or unpacking "
                           "was cut short",
                           a->number, a->label);
        for (unsigned j = 0; j < i; j++) {
            const struct partition *b = &layout->partitions[j];
            if (a->start < b->start + b->size && b->start < a->start + a->size)
                return err_set(err, ERR_LAYOUT, 0,
                               "the GPT is damaged: partitions %u (%s) and %u (%s) overlap", b->number,
                               b->label, a->number, a->label);
        }
    }
    return 0;
}

int gpt_read(const struct disk *disk, struct layout *layout, struct err *err)
{
    unsigned used = 0;
    if (check_primary(disk, &used, err) < 0)
        return -1;
    struct table_span spans[TABLES];
    cleanup_disk struct disk tables = DISK_EMPTY;
    cleanup(unref_context) struct fdisk_context *cxt = NULL;
    if (tables_in_memory(disk, spans, &tables, err) < 0 || open_table(&tables, 1, &cxt, err) < 0)
        return -1;
    cleanup(unref_table) struct fdisk_table *table = NULL;
    cleanup(free_iter) struct fdisk_iter *iter = fdisk_new_iter(FDISK_ITER_FORWARD);
    if (!iter)
        return err_oom(err);
    int r = fdisk_get_partitions(cxt, &table);
    if (r < 0)
        return err_set(err, r == -ENOMEM ? ERR_INTERNAL : ERR_LAYOUT, -r, "list the partitions");
    cleanup_free char *id = NULL;
    if (fdisk_get_disklabel_id(cxt, &id) < 0 || !id)
        return err_oom(err);
    copy_upper(id, layout->disk_guid, sizeof layout->disk_guid);
    layout->disk_size = disk->size;
    layout->partition_count = 0;
    struct fdisk_partition *partition = NULL;
    while (fdisk_table_next_partition(table, iter, &partition) == 0) {
        if (layout->partition_count == LAYOUT_PARTITIONS_MAX)
            return damaged(err, "too many partitions");
        if (read_partition(cxt, partition, &layout->partitions[layout->partition_count], err) < 0)
            return -1;
        layout->partition_count++;
    }
    if (layout->partition_count != used) /* libfdisk does not list what it cannot read */
        return err_set(err, ERR_LAYOUT, 0,
                       "only %u of %u partitions of the GPT can be read: it is damaged, or memory ran out",
                       layout->partition_count, used);
    return check_bounds(layout, err);
}

static int extend_partition(struct fdisk_context *cxt, unsigned number, uint64_t *ret_size, struct err *err)
{
    cleanup(unref_table) struct fdisk_table *table = NULL;
    if (fdisk_get_partitions(cxt, &table) < 0)
        return damaged(err, "its entries cannot be listed");
    struct fdisk_partition *last = fdisk_table_get_partition_by_partno(table, number - 1);
    if (!last)
        return err_set(err, ERR_INTERNAL, 0, "partition %u is not in the table", number);
    uint64_t start = fdisk_partition_get_start(last);
    uint64_t end = (fdisk_get_last_lba(cxt) + 1) / ALIGN * ALIGN;
    uint64_t size = end > start ? end - start : 0;
    if (size < fdisk_partition_get_size(last)) /* nothing to gain */
        size = fdisk_partition_get_size(last);
    struct fdisk_partition *change = fdisk_new_partition();
    if (!change)
        return err_oom(err);
    int r = fdisk_partition_set_size(change, size);
    if (r == 0)
        r = fdisk_partition_size_explicit(change, 1);
    if (r == 0)
        r = fdisk_set_partition(cxt, number - 1, change);
    fdisk_unref_partition(change);
    if (r < 0)
        return err_set(err, ERR_LAYOUT, -r, "extend partition %u", number);
    *ret_size = size * SECTOR;
    return 0;
}

static int extend_in_file(struct disk *disk, unsigned number, uint64_t *ret_size, struct err *err)
{
    cleanup(unref_context) struct fdisk_context *cxt = NULL;
    if (open_table(disk, 0, &cxt, err) < 0)
        return -1;
    uint64_t size = 0;
    if (number != 0 && extend_partition(cxt, number, &size, err) < 0)
        return -1;
    int r = fdisk_write_disklabel(cxt);
    if (r < 0)
        return err_set(err, ERR_IO, -r, "write the partition table");
    r = fdisk_deassign_device(cxt, 1);
    if (r < 0)
        return err_set(err, ERR_IO, -r, "close the partition table");
    if (number != 0)
        *ret_size = size;
    return 0;
}

int gpt_extend(struct disk *disk, unsigned number, uint64_t *ret_size, struct err *err)
{
    struct table_span spans[TABLES];
    cleanup_disk struct disk tables = DISK_EMPTY;
    cleanup_free unsigned char *bytes = malloc(TABLE_SIZE);
    if (!bytes)
        return err_oom(err);
    if (tables_in_memory(disk, spans, &tables, err) < 0 || extend_in_file(&tables, number, ret_size, err) < 0)
        return -1;
    for (unsigned i = 0; i < TABLES; i++)
        if (disk_read(&tables, bytes, spans[i].len, spans[i].off, err) < 0 ||
            disk_write(disk, bytes, spans[i].len, spans[i].off, err) < 0)
            return -1;
    return 0;
}
