"""What the tests of the emulator share: starting one, a request to it, its side door, TAP lines."""

import base64
import gzip
import hashlib
import http.client
import json
import os
import signal
import struct
import subprocess
import tarfile
import time
import traceback
import urllib.parse

EMULATOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support", "gcp", "emulator")
UNIT = 256 << 10
CRC_OF_DIGITS = base64.b64encode(
    struct.pack(">I", 0xE3069283)
).decode()  # "123456789", RFC 3720's check value


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def reason(self):
        return self.json["error"]["errors"][0]["reason"]


class Emulator:
    """A process of the emulator; kill() and start() again keep its state and port."""

    def __init__(self, folder, *options):
        self.folder, self.options, self.port, self.process = folder, list(options), 0, None
        self.offset = 0  # of the client's clock, seconds
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [
                EMULATOR,
                "--listen",
                f"127.0.0.1:{self.port}",
                "--state",
                f"{self.folder}/state",
                "--log",
                f"{self.folder}/log",
                *self.options,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        word, _, port = self.process.stdout.readline().partition(" ")
        assert word == "ready", "the emulator did not start"
        self.port = int(port)

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait()
        self.process.stdout.close()

    def clock(self):
        return time.time() + self.offset

    def __call__(self, method, target, body=None, headers=None, timeout=30):
        """One request on a connection of its own. A dict is sent as JSON, a list in chunked encoding."""
        headers = dict(headers or {})
        if isinstance(body, dict):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, list):
            body = iter(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(
                method, target, body, headers, encode_chunked=not isinstance(body, (str, bytes, type(None)))
            )
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def lost(self, *arguments, **more):
        """The connection ends without an answer."""
        try:
            self(*arguments, **more)
        except (http.client.HTTPException, OSError):
            return True
        return False

    # --- the control interface ---

    def control(self, method, name, value=None):
        answer = self(method, f"/_control/{name}", json.dumps(value) if value is not None else None)
        assert answer.status == 200, answer.body
        return answer.json

    def fault(self, action, **rule):
        return self.control("POST", "faults", {"action": action, **rule})["ids"][0]

    def calm(self):
        self.control("DELETE", "faults")

    def set(self, **values):
        self.control("POST", "config", values)

    def requests(self, since=0):
        return self.control("GET", f"log?since={since}")["requests"]

    # --- storage ---

    def put(self, name, data=b"x", query="", bucket="bucket-1", headers=None):
        return self(
            "POST",
            f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(name)}{query}",
            data,
            headers,
        )

    def begin(self, name, query="", headers=None, given=None):
        """A resumable session's path and query."""
        answer = self(
            "POST",
            f"/upload/storage/v1/b/bucket-1/o?uploadType=resumable&name={quote(name)}{query}",
            given or {},
            headers,
        )
        assert answer.status == 200, answer.body
        return answer.headers["Location"].split(str(self.port), 1)[1]

    def chunk(self, session, data, first, total="*", **more):
        span = f"bytes {first}-{first + len(data) - 1}/{total}" if data else f"bytes */{total}"
        return self("PUT", session, data, {"Content-Range": span, **more.pop("headers", {})}, **more)

    def get(self, name, query="", headers=None, bucket="bucket-1"):
        return self("GET", f"/storage/v1/b/{bucket}/o/{quote(name)}{query}", headers=headers)

    def data(self, name):
        return self.get(name, "?alt=media").body

    def compose(self, name, sources, query=""):
        sources = [s if isinstance(s, dict) else {"name": s} for s in sources]
        return self(
            "POST",
            f"/storage/v1/b/bucket-1/o/{quote(name)}/compose{query}",
            {"destination": {}, "sourceObjects": sources},
        )

    # --- compute ---

    def compute(self, method, path, body=None, project="p"):
        return self(method, f"/compute/v1/projects/{project}/global/{path}", body)

    def insert(self, name, query="", **fields):
        return self.compute(
            "POST",
            f"images{query}",
            {
                "name": name,
                "rawDisk": {"source": "https://storage.googleapis.com/bucket-1/disk.tar.gz"},
                **fields,
            },
        )

    def done(self, answer):
        """The operation in the answer, once it is done."""
        assert answer.status == 200, answer.body
        return self.compute("POST", f"operations/{answer.json['name']}/wait").json


def quote(name):
    return urllib.parse.quote(name, safe="")


def number(value):
    """A tar number of twelve bytes: octal, or GNU's base 256."""
    return b"%011o\0" % value if value < 1 << 33 else b"\x80" + value.to_bytes(11, "big")


def entry(name="disk.raw", size=1 << 30, form=tarfile.GNU_FORMAT, pieces=()):
    """A sparse member of that size, with data of zeros at PIECES ((offset, length), ...), and the (size, 0) that ends its map."""
    member = tarfile.TarInfo(name)
    member.size = sum(length for _, length in pieces)
    pieces = [*pieces, (size, 0)]
    texts = [number(offset) + number(length) for offset, length in pieces]
    head = bytearray(member.tobuf(form)[:512])
    if form == tarfile.GNU_FORMAT:
        head[156:157] = b"S"
        head[386:482] = b"".join(texts[:4]).ljust(96, b"\0")
        head[482] = len(texts) > 4
        head[483:495] = number(size)
    head[148:156] = b"%06o\0 " % (sum(head) - sum(head[148:156]) + 8 * 32)
    blocks = [texts[i : i + 21] for i in range(4, len(texts), 21)]
    more = [b"".join(b).ljust(504, b"\0") + bytes([b is not blocks[-1]]) + bytes(7) for b in blocks]
    return bytes(head) + b"".join(more) + bytes(member.size + -member.size % 512)


def archive(name="disk.raw", size=1 << 30, form=tarfile.GNU_FORMAT, pieces=()):
    """An image's archive."""
    return gzip.compress(entry(name, size, form, pieces) + bytes(1024), mtime=0)


class Tap:
    """Runs functions as test cases; a case is named by the first line of its docstring."""

    def __init__(self):
        self.failed = self.count = 0

    def run(self, case, *arguments):
        self.count += 1
        name = case.__doc__.splitlines()[0].rstrip(".")
        try:
            case(*arguments)
            print(f"ok - {name}", flush=True)
        except Exception:  # noqa: BLE001
            self.failed += 1
            print(f"not ok - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"    {line}", flush=True)

    def end(self):
        """The plan, and the suite's status; a suite that ends early prints no plan."""
        print(f"1..{self.count}", flush=True)
        return bool(self.failed or not self.count)


def same(have, want):
    assert have == want, f"{have!r}, not {want!r}"
