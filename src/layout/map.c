/* layout_map() of layout/layout.h: which partition a path is on, and whether it may be written. */
#include "layout/layout.h"

#include <string.h>

/* Mount points on a running node: files baked below them would be hidden, lost or harmful. */
static const struct {
    const char *path, *why;
} refused[] = {
    {"/usr", "/usr is read-only and protected by dm-verity: one changed byte and the node does not boot. Put "
             "programs into /opt/bin and configuration into /etc"},
    {"/boot",
     "/boot is the EFI system partition with the loader and the first-boot flag: it must not change"},
    {"/dev", "the kernel creates /dev at boot"},
    {"/proc", "the kernel creates /proc at boot"},
    {"/sys", "the kernel creates /sys at boot"},
    {"/run", "/run is empty at every boot: write a tmpfiles.d file or a unit instead"},
    {"/tmp", "/tmp is empty at every boot"},
};

int layout_map(const struct layout *layout, const char *image_path, unsigned *ret_partition,
               char ret_path[static PATH_CAP], struct err *err)
{
    const char *oem_mount = layout->os == OS_FLATCAR ? "/oem" : "/usr/share/oem";
    const struct partition *target = &layout->partitions[layout->root];
    const char *inside = image_path;
    if (layout->oem >= 0 && path_under(image_path, oem_mount)) {
        target = &layout->partitions[layout->oem];
        inside = image_path + strlen(oem_mount);
        if (*inside == '\0')
            inside = "/";
    } else {
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
            if (path_under(image_path, refused[i].path))
                return err_set(err, ERR_LAYOUT, 0, "%s cannot be written: %s", image_path, refused[i].why);
    }
    size_t len = strlen(inside);
    if (len >= PATH_CAP)
        return err_set(err, ERR_LAYOUT, 0, "%.100s...: path too long", image_path);
    memcpy(ret_path, inside, len + 1);
    *ret_partition = target->number;
    return 0;
}
