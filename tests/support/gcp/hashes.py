"""crc32c and MD5 as Cloud Storage gives them: base64 of the big-endian u32, base64 of the 16 bytes.

Python has no crc32c. ISA-L's crc32_iscsi does it at memory speed, and bake is built with ISA-L anyway; without the
library a table takes its place, a thousand times slower, and says so on stderr.
"""

import base64
import concurrent.futures
import ctypes
import hashlib
import struct
import sys

CHUNK = 1 << 20


def _isal():
    for name in ("libisal.so.2", "libisal.so"):
        try:
            function = ctypes.CDLL(name).crc32_iscsi
        except (OSError, AttributeError):
            continue
        function.restype, function.argtypes = ctypes.c_uint, [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint]

        def update(state, data):
            if isinstance(data, memoryview):
                data = (ctypes.c_char * len(data)).from_buffer(data) if not data.readonly else bytes(data)
            elif isinstance(data, bytearray):
                data = (ctypes.c_char * len(data)).from_buffer(data)
            return function(data, len(data), state)

        return update
    return None


def _table():
    print("emulator: libisal is missing: crc32c in Python, about 5 MB/s", file=sys.stderr, flush=True)
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)

    def update(state, data):
        for byte in data:
            state = table[(state ^ byte) & 0xFF] ^ state >> 8
        return state

    return update


_update = _isal() or _table()
if _update(0xFFFFFFFF, b"123456789") ^ 0xFFFFFFFF != 0xE3069283:  # the check value of RFC 3720's CRC
    sys.exit("emulator: crc32c of \"123456789\" is wrong: this libisal cannot be used")


_pool = concurrent.futures.ThreadPoolExecutor(8)


class Beside:
    """A hash of hashlib that is worked out on another core, one piece behind. What is fed to it must not change after."""

    def __init__(self, digest):
        self.digest, self.pending = digest, None

    def update(self, data):
        self.settle()
        if len(data) < 1 << 16:
            self.digest.update(data)
        else:
            self.pending = _pool.submit(self.digest.update, data)

    def settle(self):
        if self.pending:
            self.pending.result()
            self.pending = None
        return self.digest


class Hasher:
    """crc32c, and MD5 unless told otherwise, of what is fed to it."""

    def __init__(self, md5=True):
        self.state, self.size = 0xFFFFFFFF, 0
        self.md5 = Beside(hashlib.md5(usedforsecurity=False)) if md5 else None

    def update(self, data):
        self.state = _update(self.state, data)
        self.size += len(data)
        if self.md5:
            self.md5.update(data)

    def crc32c(self):
        return base64.b64encode(struct.pack(">I", self.state ^ 0xFFFFFFFF)).decode()

    def md5_hash(self):
        return base64.b64encode(self.md5.settle().digest()).decode() if self.md5 else None


def of_file(path, md5=True):
    hasher = Hasher(md5)
    with open(path, "rb", buffering=0) as source:
        while data := source.read(CHUNK):
            hasher.update(data)
    return hasher


def wrong(value):
    """Another hash of the same form."""
    raw = bytearray(base64.b64decode(value))
    raw[0] ^= 0x5A
    return base64.b64encode(raw).decode()
