"""What Compute Engine's importer says it wants of an image's archive (documentation, "Import a boot disk image manually"):
gzip, GNU or old GNU tar, one member disk.raw, a whole number of GiB. Looked at as far as the first tar header; the real
importer reads all of it."""

import zlib

import objects

GIB = 1 << 30


def _number(field):
    """A tar number: octal, or GNU's base 256."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    text = field.rstrip(b"\0 ").strip()
    return int(text, 8) if text else 0


def look(emulator, record):
    """(what is wrong or None, size of the disk in GiB)"""
    stream, head = zlib.decompressobj(31), b""
    for path, offset, length in objects.ranges(emulator, record, 0, min(int(record["meta"]["size"]), 1 << 16)):
        with open(path, "rb") as file:
            file.seek(offset)
            try:
                head += stream.decompress(file.read(length), 512 - len(head)) if len(head) < 512 else b""
            except zlib.error:
                return "The tar archive is not a valid image.", 0
    if len(head) < 512:
        return "The tar archive is not a valid image.", 0
    name, magic, kind = head[:100].split(b"\0")[0], head[257:265], head[156:157]
    if magic != b"ustar  \0":
        return "The tar archive is not a valid image: it is not in GNU format.", 0
    if name != b"disk.raw" or kind not in (b"0", b"\0", b"S"):
        return "The tar archive is not a valid image: its member is not disk.raw.", 0
    size = _number(head[483:495] if kind == b"S" else head[124:136])
    if not size or size % GIB:
        return f"The tar archive is not a valid image: disk.raw is {size} bytes, not a whole number of GiB.", 0
    return None, size // GIB
