#include "oci/pause.h"

#include <sys/stat.h>

#include "oci/layout.h"
#include "oci/tar.h"

#if defined(__aarch64__)
#define ARCHITECTURE "arm64"
#else
#define ARCHITECTURE "amd64"
#endif

enum { LAYER_MAX = 4 << 20 };

/* Parents before children, the rest by name. */
static const struct tar_entry tree[] = {
    {.name = "bin", .mode = S_IFLNK | 0777, .target = "usr/bin"},
    {.name = "dev", .mode = S_IFDIR | 0755},
    {.name = "etc", .mode = S_IFDIR | 0755},
    {.name = "lib", .mode = S_IFLNK | 0777, .target = "usr/lib"},
    {.name = "lib64", .mode = S_IFLNK | 0777, .target = "usr/lib64"},
    {.name = "opt", .mode = S_IFDIR | 0755},
    {.name = "opt/bin", .mode = S_IFDIR | 0755},
    {.name = "proc", .mode = S_IFDIR | 0555},
    {.name = "sbin", .mode = S_IFLNK | 0777, .target = "usr/sbin"},
    {.name = "sys", .mode = S_IFDIR | 0555},
    {.name = "tmp", .mode = S_IFDIR | 01777},
    {.name = "usr", .mode = S_IFDIR | 0755},
};

static int make_layer(const void *program, size_t size, struct buf *ret, struct err *err)
{
    cleanup_tar struct tar tar = {0};
    if (tar_begin(&tar, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof tree / sizeof *tree; i++)
        if (tar_add(&tar, &tree[i], err) < 0)
            return -1;
    const struct tar_entry pause = {.name = "pause", .mode = S_IFREG | 0755, .bytes = program, .size = size};
    return tar_add(&tar, &pause, err) < 0 ? -1 : tar_end(&tar, ret, err);
}

int oci_pause(const void *program, size_t size, struct buf *ret, struct err *err)
{
    cleanup_buf struct buf layer = BUF_INIT(LAYER_MAX);
    if (make_layer(program, size, &layer, err) < 0)
        return err_wrap(err, "image " OCI_PAUSE_NAME);
    const struct oci_image image = {.name = OCI_PAUSE_NAME,
                                    .architecture = ARCHITECTURE,
                                    .entrypoint = "/pause",
                                    .path = "/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin",
                                    .layer = layer.data,
                                    .layer_size = layer.len};
    return oci_layout(&image, ret, err) < 0 ? err_wrap(err, "image " OCI_PAUSE_NAME) : 0;
}
