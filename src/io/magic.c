#include "io/magic.h"

#include <stdint.h>
#include <string.h>

#define AS_RAW "make it raw with qemu-img convert -O raw"

static const struct magic {
    uint32_t off;
    uint8_t len;
    const char *bytes, *words;
} magics[] = {
    {0, 4, "QFI\xfb", "a qcow2 image: " AS_RAW},
    {0, 4, "KDMV", "a VMDK image: " AS_RAW},
    {0, 4, "COWD", "a VMDK image: " AS_RAW},
    {0, 21, "# Disk DescriptorFile",
     "the descriptor of a VMDK image: convert it with qemu-img convert -O raw"},
    {0, 8, "conectix", "a VHD image: " AS_RAW},
    {0, 8, "vhdxfile", "a VHDX image: " AS_RAW},
    {0x40, 4, "\x7f\x10\xda\xbe", "a VirtualBox image (VDI): " AS_RAW},
    {0x8001, 5, "CD001", "an ISO image, made for installing: use the disk image for Compute Engine"},
    {0, 4, "hsqs", "a squashfs file system, not a whole disk: use the disk image for Compute Engine"},
    {0x438, 2, "\x53\xef", "an ext file system, not a whole disk: use the disk image for Compute Engine"},
    {0, 4, "XFSB", "an XFS file system, not a whole disk: use the disk image for Compute Engine"},
    {0x10040, 8, "_BHRfS_M", "a btrfs file system, not a whole disk: use the disk image for Compute Engine"},
    {0, 6, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it and compress its content with xz or zstd"},
    {0, 4, "Rar!", "a RAR archive: unpack it and compress its content with xz or zstd"},
    {0, 4, "LZIP", "compressed by lzip: compress it with xz or zstd instead"},
    {0, 4, "\x89LZO", "compressed by lzop: compress it with xz or zstd instead"},
    {0, 5, "\x5d\0\0\x80\0",
     "compressed by lzma (the format before xz): compress it with xz or zstd instead"},
    {0, 2, "\x1f\x9d", "compressed by compress(1): compress it with xz or zstd instead"},
    {0, 3, "\x1f\x8b\x08", "compressed a second time, by gzip"},
    {0, 6,
     "\xfd"
     "7zXZ\0",
     "compressed a second time, by xz"},
    {0, 4, "\x28\xb5\x2f\xfd", "compressed a second time, by zstd"},
    {0, 4, "PK\3\4", "a zip archive"},
    {0, 8, "!<arch>\n", "a Debian package or another ar archive"},
    {0, 4,
     "\x7f"
     "ELF",
     "a program (ELF)"},
    {0, 9, "<!DOCTYPE", "an HTML page: the server sent a page instead of the file"},
    {0, 9, "<!doctype", "an HTML page: the server sent a page instead of the file"},
    {0, 5, "<html", "an HTML page: the server sent a page instead of the file"},
    {0, 5, "<HTML", "an HTML page: the server sent a page instead of the file"},
    {0, 5, "<?xml", "an XML document: the server may have sent an error instead of the file"},
    {0, 15, "-----BEGIN PGP ", "an OpenPGP key or signature"},
    {0, 26, "version https://git-lfs.gi", "a Git LFS pointer: fetch the file itself with git lfs pull"},
};

const char *magic_words(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (len >= magics[i].off + magics[i].len &&
            memcmp(bytes + magics[i].off, magics[i].bytes, magics[i].len) == 0)
            return magics[i].words;
    return NULL;
}
