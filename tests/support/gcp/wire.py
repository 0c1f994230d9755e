"""HTTP/1.1 as the emulator needs it: a body that is read as it comes and may be cut, an answer that may be spoilt."""

import copy
import hashlib
import http.server
import json
import os
import socket
import socketserver
import struct
import sys
import time
import traceback
import urllib.parse

from errors import ApiError, Cut, OAuthError, bad
from hashes import Beside

CHUNK = 1 << 20
SMALL = 8 << 20  # what is read whole: JSON, forms


class Response:
    """status; headers; the body: bytes, a JSON value, or ranges of files [(path, offset, length), ...]."""

    def __init__(self, status=200, body=b"", headers=None, kind=None):
        self.status, self.headers, self.files = status, dict(headers or {}), None
        if isinstance(body, (dict, list)):
            body, kind = json.dumps(body).encode(), kind or "application/json; charset=UTF-8"
        self.body = body
        if kind:
            self.headers["Content-Type"] = kind

    @classmethod
    def of_files(cls, status, files, headers):
        response = cls(status, b"", headers)
        response.files = files
        return response

    def length(self):
        return sum(part[2] for part in self.files) if self.files is not None else len(self.body)

    def chunks(self):
        if self.files is None:
            for start in range(0, len(self.body), CHUNK):
                yield self.body[start:start + CHUNK]
            return
        for path, offset, length in self.files:
            with open(path, "rb", buffering=0) as source:
                source.seek(offset)
                while length:
                    data = source.read(min(length, CHUNK))
                    if not data:
                        raise Cut()
                    length -= len(data)
                    yield data


class Body:
    """The body of one request, plain or chunked. Raises Cut where the connection ends early or a fault says so."""

    def __init__(self, reader, headers):
        self.reader, self.sha256 = reader, Beside(hashlib.sha256())
        self.received, self.cut_at, self.cut_reset, self.corrupt, self.lost = 0, None, False, False, False
        self.chunked = "chunked" in headers.get("transfer-encoding", "").lower()
        try:
            self.length = None if self.chunked else int(headers.get("content-length") or 0)
        except ValueError:
            raise bad("Content-Length is not a number") from None
        self.left = self.length
        self.done = self.length == 0

    def _line(self):
        line = self.reader.readline(1 << 16)
        if not line.endswith(b"\n"):
            raise Cut()
        return line.strip()

    def _next_chunk(self):
        size = self._line().split(b";")[0]
        self.left = int(size, 16)
        if not self.left:
            while self._line():
                pass
            self.done = True

    def _fill(self, view):
        """Reads until the view is full; gives how much came before the connection ended."""
        got = 0
        while got < len(view):
            try:
                more = self.reader.readinto1(view[got:])
            except OSError:
                more = 0
            if not more:
                self.lost = True
                break
            got += more
        return got

    def chunks(self):
        """Yields memory views; each has a buffer of its own."""
        while not self.done:
            if self.lost or (self.cut_at is not None and self.received >= self.cut_at):
                raise Cut(self.cut_reset)
            if self.chunked and not self.left:
                self._next_chunk()
                continue
            want = min(self.left, CHUNK, *([self.cut_at - self.received] if self.cut_at is not None else []))
            view = memoryview(bytearray(want))
            got = self._fill(view)
            if not got:
                continue
            view = view[:got]
            if self.corrupt:
                view[got // 2] ^= 0xFF
                self.corrupt = False
            self.received += got
            self.left -= got
            self.sha256.update(view)
            if not self.left and not self.lost:
                if self.chunked:
                    self._line()
                else:
                    self.done = True
            yield view

    def read(self, limit=SMALL):
        """The whole body, at most limit bytes."""
        data = bytearray()
        for chunk in self.chunks():
            data += chunk
            if len(data) > limit:
                raise ApiError(413, "uploadTooLarge", f"The body is larger than {limit} bytes.")
        return bytes(data)

    def drain(self):
        for _ in self.chunks():
            pass


class Request:
    def __init__(self, handler):
        self.method = handler.command
        target = handler.path
        if "://" in target.split("?")[0]:  # through a proxy
            target = "/" + target.split("://", 1)[1].partition("/")[2]
        self.target = target
        self.path, _, raw_query = target.partition("?")
        self.pairs = urllib.parse.parse_qsl(raw_query, keep_blank_values=True)
        self.query = dict(self.pairs)
        self.headers = {k.lower(): v for k, v in handler.headers.items()}
        self.body = Body(handler.rfile, self.headers)
        self.scheme = "https" if handler.server.tls else "http"
        self.base = f"{self.scheme}://{self.headers.get('host', 'localhost')}"
        self.fault = self.identity = self.parsed = None
        self.note = {}  # what the log says besides
        self.peer = handler.client_address[0]

    def inside(self, inner):
        """The request that is a part of this one's body: method, target, headers and body are its own."""
        made = copy.copy(self)
        made.method, made.target, made.headers, made.body = inner.method, inner.target, inner.headers, inner.body
        made.path, _, raw_query = made.target.partition("?")
        made.pairs = urllib.parse.parse_qsl(raw_query, keep_blank_values=True)
        made.query, made.fault, made.note = dict(made.pairs), None, {}
        return made

    def json(self, optional=False):
        """The body as a JSON object."""
        raw = self.body.read()
        if optional and not raw.strip():
            return {}
        try:
            value = json.loads(raw)
        except ValueError:
            raise bad("Parse Error", "parseError") from None
        if not isinstance(value, dict):
            if optional and value == "":  # the compute client of node sends "" where there is no body
                return {}
            raise bad("Parse Error", "parseError")
        self.parsed = value
        return value

    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.read().decode("utf-8", "replace"), keep_blank_values=True))

    def acts(self, action):
        """The fault of this request if it is of that action."""
        return self.fault if self.fault and self.fault.action == action else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version, sys_version = "emulator", ""

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return super().date_time_string(self.server.emulator.now() if timestamp is None else timestamp)

    def _any(self):
        self.close_connection = self.close_connection or False
        try:
            request = Request(self)
        except ApiError as error:
            self.close_connection = True
            self._write(Response(error.code, error.body(), kind="application/json"), None)
            return
        if request.path.startswith("/_control"):
            self._write(self.server.emulator.control(request), None)
            return
        self._one(request)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _any

    def _one(self, request):
        emulator = self.server.emulator
        entry = emulator.log.begin(request)
        sent, status = 0, 0
        try:
            response = self._answer(emulator, request)
            status = response.status
            if request.acts("hold-after"):
                emulator.log.held(entry, request)
                emulator.faults.hold(request.fault)
                raise Cut()
            if drop := request.acts("drop-after"):
                raise Cut(drop.get("reset", False))
            sent = self._write(response, request.fault)
        except Cut as cut:
            self._hang_up(cut.reset)
        except OSError:
            self._hang_up(False)
        emulator.log.end(entry, request, status, sent)

    def _answer(self, emulator, request):
        try:
            response = emulator.answer(request)
        except (ApiError, OAuthError) as error:
            response = Response(error.code, error.body(), getattr(error, "headers", {}), "application/json; charset=UTF-8")
        except Cut:
            raise
        except Exception:  # a mistake of the emulator's own: not retried by a client, and in its stderr
            traceback.print_exc()
            error = ApiError(501, "emulatorBug", traceback.format_exc(limit=-1))
            response = Response(error.code, error.body(), kind="application/json; charset=UTF-8")
        if request.headers.get("expect") and not request.body.received and not request.body.done:
            self.close_connection = True
        request.body.drain()
        return response

    def _write(self, response, fault):
        """Sends the answer as the fault would have it. Gives the count of bytes of the body that went out."""
        action = fault.action if fault else None
        length = response.length()
        send, cut = length, False
        if action == "short-body":
            send = length = min(fault.get("bytes", length // 2), length)
        elif action == "close-mid-answer":
            send, cut = min(fault.get("bytes", length // 2), length), True
        lines = [f"{self.protocol_version} {response.status} {self.responses.get(response.status, ('Answer',))[0]}",
                 "Server: emulator", f"Date: {self.date_time_string()}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        if response.status != 204:
            lines.append(f"Content-Length: {length}")
        if self.close_connection:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        if self.command == "HEAD" or response.status in (204, 304):
            self.wfile.write(head)
            return 0
        sent, spoil, rate = 0, action == "corrupt-answer", fault.get("rate") if fault else None
        for chunk in response.chunks():
            chunk = chunk[:send - sent]
            if not chunk:
                break
            if spoil:
                middle = len(chunk) // 2
                chunk, spoil = chunk[:middle] + bytes([chunk[middle] ^ 0xFF]) + chunk[middle + 1:], False
            step = max(1, int(rate / 10)) if rate else len(chunk)
            for start in range(0, len(chunk), step):
                self.wfile.write(head + chunk[start:start + step])
                head = b""
                if rate:
                    time.sleep(0.1)
            sent += len(chunk)
        if head:
            self.wfile.write(head)
        if cut:
            raise Cut(fault.get("reset", False))
        return sent

    def _hang_up(self, reset):
        self.close_connection = True
        try:
            if reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                self.connection.shutdown(socket.SHUT_WR)
            if reset:
                os.close(self.connection.detach())
        except OSError:
            pass

    def finish(self):
        try:
            super().finish()
        except (OSError, ValueError):
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 256
    tls = None

    def __init__(self, address, emulator, tls=None):
        self.emulator, self.tls = emulator, tls
        super().__init__(address, Handler)

    def finish_request(self, request, client_address):
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()
