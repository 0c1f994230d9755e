"""What Compute Engine's importer says it wants of an image's archive (documentation, "Import a boot disk image manually"):
gzip, GNU or old GNU tar, one member disk.raw, a whole number of GiB. All of the archive is read: every member of the gzip,
every header of the tar, the whole sparse map, and the end."""

import zlib

import objects

GIB = 1 << 30
BLOCK = 512
CHUNK = 1 << 16  # compressed: it may inflate to a thousand times as much


class Bad(Exception):
    """The archive is not an image; the text says why."""


def _number(field):
    """A tar number: octal, or GNU's base 256."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    text = field.rstrip(b"\0 ").strip()
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise Bad("a header has a malformed number") from None


class Stream:
    """The bytes of the tar, from an object that is a gzip of one or more members."""

    def __init__(self, emulator, record):
        self.chunks, self.held, self.at = self._inflate(emulator, record), b"", 0

    @staticmethod
    def _compressed(emulator, record):
        for path, offset, length in objects.ranges(emulator, record, 0, int(record["meta"]["size"])):
            with open(path, "rb") as file:
                file.seek(offset)
                while length:
                    data = file.read(min(length, CHUNK))
                    if not data:
                        raise Bad("it is cut short")
                    length -= len(data)
                    yield data

    def _inflate(self, emulator, record):
        member = None
        for data in self._compressed(emulator, record):
            while data:
                member = member or zlib.decompressobj(31)
                try:
                    out = member.decompress(data)
                except zlib.error as error:
                    raise Bad(f"it is not gzip: {error}") from None
                if out:
                    yield out
                data = member.unused_data
                if member.eof:
                    member = None
        if member:
            raise Bad("the gzip is cut short")

    def _more(self):
        """Is there anything to read?"""
        if self.at == len(self.held):
            self.held, self.at = next(self.chunks, b""), 0
        return self.at < len(self.held)

    def read(self, size):
        """Fewer bytes only at the end."""
        out = b""
        while len(out) < size and self._more():
            take = min(size - len(out), len(self.held) - self.at)
            out += self.held[self.at : self.at + take]
            self.at += take
        return out

    def skip(self, size):
        while size:
            if not self._more():
                raise Bad("disk.raw is cut short")
            take = min(size, len(self.held) - self.at)
            self.at, size = self.at + take, size - take


def _header(block):
    if len(block) < BLOCK:
        raise Bad("it ends without a block of zeros")
    if _number(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 32:
        raise Bad("a header's checksum is wrong")
    if block[257:265] != b"ustar  \0":
        raise Bad("it is not in GNU format")
    return block


def _sparse_map(stream, head):
    """The pieces (offset, length) of a member of type S: four in the header, 21 in each block that follows."""
    pieces, entries, more = [], head[386:482], head[482]
    while True:
        for at in range(0, len(entries), 24):
            if entries[at] == 0:
                break
            pieces.append((_number(entries[at : at + 12]), _number(entries[at + 12 : at + 24])))
        if not more:
            return pieces
        block = stream.read(BLOCK)
        if len(block) < BLOCK:
            raise Bad("its sparse map is cut short")
        entries, more = block[:504], block[504]


def _member(stream, head):
    """Reads the one member; gives the size of disk.raw."""
    name, kind, stored = head[:100].split(b"\0")[0], head[156:157], _number(head[124:136])
    if name != b"disk.raw" or kind not in (b"0", b"\0", b"S"):
        raise Bad("its member is not disk.raw")
    size, end = stored, 0
    if kind == b"S":
        size, pieces = _number(head[483:495]), _sparse_map(stream, head)
        for offset, length in pieces:
            if offset < end or offset + length > size:
                raise Bad("its sparse map is out of order")
            end = offset + length
        if sum(length for _, length in pieces) != stored or end != size:
            raise Bad("its sparse map is not of the size that the header says")
    if not size or size % GIB:
        raise Bad(f"disk.raw is {size} bytes, not a whole number of GiB")
    stream.skip(stored + -stored % BLOCK)
    return size


def _read(emulator, record):
    stream = Stream(emulator, record)
    size = _member(stream, _header(stream.read(BLOCK)))
    block = stream.read(BLOCK)
    if block != bytes(BLOCK):
        _header(block)
        raise Bad("it has a second member")
    while block := stream.read(CHUNK):
        if block.strip(b"\0"):
            raise Bad("something follows its end")
    return size


def look(emulator, record):
    """(what is wrong or None, size of the disk in GiB)"""
    try:
        return None, _read(emulator, record) // GIB
    except Bad as error:
        return f"The tar archive is not a valid image: {error}.", 0
