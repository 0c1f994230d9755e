/* Runs one stage for scripts/bench, which measures it from outside; bake runs several stages at once.
 *
 *   bench-tool pack [--small] THREADS DISK ARCHIVE
 *                                          the disk, which is not modified, to a tar.gz
 *   bench-tool unpack ARCHIVE CACHE        the base into a cache, or out of it
 *   bench-tool patch [--view] DISK FILE... files into /opt/bench of ROOT, as any user
 *   bench-tool grow DISK BYTES             the disk, ROOT and its file system
 *   bench-tool fsck DISK                   e2fsck on ROOT
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/fs.h"
#include "io/file.h"
#include "layout/layout.h"
#include "pack/pack.h"
#include "unpack/unpack.h"

enum { FILES_MAX = 64, EPOCH = 1600000000 };

static const struct partition *root_of(const struct layout *layout)
{
    return &layout->partitions[layout->root];
}

static int open_disk(const char *path, bool view, struct disk *ret, struct err *err)
{
    int fd = open(path, (view ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "open %s", path);
    return view ? disk_over(fd, ret, err) : disk_from_fd(fd, ret, err);
}

static int pack(int argc, char **argv, struct err *err)
{
    cleanup_disk struct disk disk = DISK_EMPTY;
    cleanup_packed struct packed packed = {0};
    struct pack_options options = {.epoch = EPOCH, .small = argc > 0 && strcmp(argv[0], "--small") == 0};
    argv += options.small;
    argc -= options.small;
    if (argc != 3)
        return err_set(err, ERR_USAGE, 0, "pack [--small] THREADS DISK ARCHIVE");
    options.threads = (unsigned)strtoul(argv[0], NULL, 10);
    cleanup_close int out = open(argv[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (out < 0)
        return err_sys(err, errno, "open %s", argv[2]);
    if (open_disk(argv[1], true, &disk, err) < 0)
        return -1;
    return pack_disk(&disk, &options, out, NULL, &packed, err);
}

static int unpack(int argc, char **argv, struct err *err)
{
    if (argc != 2)
        return err_set(err, ERR_USAGE, 0, "unpack ARCHIVE CACHE");
    struct trusted artifact = {.origin = argv[0]};
    struct cache *cache = NULL;
    const struct cache_options options = {.dir = argv[1]};
    cleanup_disk struct disk disk = DISK_EMPTY;
    if (file_open(argv[0], &artifact.fd, &artifact.size, err) < 0 ||
        sha256_of(argv[0], strlen(argv[0]), &artifact.sha256, err) < 0 || /* only names the entry */
        cache_open(&options, &cache, err) < 0)
        return -1;
    int r = unpack_base(&artifact, cache, NULL, NULL, NULL, &disk, err);
    cache_close(cache);
    close(artifact.fd);
    return r;
}

static int patch(int argc, char **argv, struct err *err)
{
    bool view = argc > 0 && strcmp(argv[0], "--view") == 0;
    argv += view;
    argc -= view;
    cleanup_disk struct disk disk = DISK_EMPTY;
    struct layout layout;
    struct plan_op ops[FILES_MAX + 1] = {0};
    char paths[FILES_MAX + 1][64];
    if (argc < 2 || argc > FILES_MAX)
        return err_set(err, ERR_USAGE, 0, "patch [--view] DISK FILE...");
    if (open_disk(argv[0], view, &disk, err) < 0 || layout_read(&disk, NULL, &layout, err) < 0)
        return -1;
    for (int i = 0; i < argc; i++) {
        struct plan_op *op = &ops[i];
        snprintf(paths[i], sizeof paths[i], i == 0 ? "/opt/bench" : "/opt/bench/%d", i);
        *op = (struct plan_op){.kind = i == 0 ? PLAN_DIR : PLAN_FILE,
                               .partition = root_of(&layout)->number,
                               .path = paths[i],
                               .image_path = paths[i],
                               .mode = 0755};
        if (i > 0 && (file_open(argv[i], &op->content.fd, &op->content.size, err) < 0 ||
                      file_sha256(op->content.fd, 0, op->content.size, NULL, &op->content.sha256, err) < 0))
            return -1;
    }
    const struct plan plan = {.ops = ops, .op_count = (size_t)argc, .epoch = EPOCH};
    cleanup_fs_changes struct fs_changes changes = {0};
    if (fs_apply(&disk, &layout, &plan, NULL, &changes, err) < 0)
        return -1;
    for (int i = 1; i < argc; i++)
        close(ops[i].content.fd);
    return 0;
}

static int grow(int argc, char **argv, struct err *err)
{
    cleanup_disk struct disk disk = DISK_EMPTY;
    struct layout layout;
    if (argc != 2)
        return err_set(err, ERR_USAGE, 0, "grow DISK BYTES");
    if (open_disk(argv[0], false, &disk, err) < 0 || layout_read(&disk, NULL, &layout, err) < 0 ||
        layout_grow(&disk, strtoull(argv[1], NULL, 10), true, &layout, err) < 0)
        return -1;
    return fs_grow(&disk, root_of(&layout), "/var/tmp", EPOCH, NULL, err);
}

static int fsck(int argc, char **argv, struct err *err)
{
    cleanup_disk struct disk disk = DISK_EMPTY;
    struct layout layout;
    if (argc != 1)
        return err_set(err, ERR_USAGE, 0, "fsck DISK");
    if (open_disk(argv[0], true, &disk, err) < 0 || layout_read(&disk, NULL, &layout, err) < 0)
        return -1;
    struct plan_op op = {.kind = PLAN_DIR, .partition = root_of(&layout)->number}; /* ROOT is written to */
    const struct plan plan = {.ops = &op, .op_count = 1, .epoch = EPOCH};
    return fs_fsck(&disk, &layout, &plan, "/var/tmp", NULL, err);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int, char **, struct err *);
    } commands[] = {{"pack", pack}, {"unpack", unpack}, {"patch", patch}, {"grow", grow}, {"fsck", fsck}};
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
        struct err err = {0};
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        if (commands[i].run(argc - 2, argv + 2, &err) == 0)
            return 0;
        fprintf(stderr, "bench-tool: %s: %s\n", argv[1], err.text);
        return 1;
    }
    fprintf(stderr, "usage: bench-tool pack|unpack|patch|grow|fsck ...\n");
    return 2;
}
