"""A body of multipart/related, read as it comes."""

import json
import re

from errors import bad


class Multipart:
    """multipart/related of two parts, read as it comes. Lines end in LF (gcloud, gsutil) or CRLF; a part may be without
    headers (rclone)."""

    def __init__(self, chunks, boundary):
        self.chunks, self.boundary, self.rest, self.media_type = chunks, boundary, b"", None

    def _until(self, pattern, said, limit=1 << 20):
        """Takes what comes before the pattern from the body; the pattern goes as well."""
        while not (found := re.search(pattern, self.rest)):
            if len(self.rest) > limit:
                raise bad("A part's headers, or the metadata, are too long.", "badRequest")
            try:
                self.rest += bytes(next(self.chunks))
            except StopIteration:
                raise bad(f"Invalid multipart request with {said}.", "badRequest") from None
        head, self.rest = self.rest[: found.start()], self.rest[found.end() :]
        return head

    def _head(self):
        """The next part's headers, up to the empty line; there may be none."""
        return self._until(rb"^\r?\n|\r?\n\r?\n", "0 mime parts")

    def metadata(self):
        self._head()
        mark = re.escape(b"--" + self.boundary)
        text = self._until(rb"\r?\n" + mark + rb"[ \t]*\r?\n", "1 mime part")
        try:
            value = json.loads(text) if text.strip() else {}
        except ValueError:
            raise bad("Parse Error", "parseError") from None
        if not isinstance(value, dict):
            raise bad("Parse Error", "parseError")
        head = self._head()
        for line in head.splitlines():
            key, _, content = line.partition(b":")
            if key.strip().lower() == b"content-type":
                self.media_type = content.strip().decode("latin-1")
        return value

    def media(self):
        keep = len(self.boundary) + 64
        tail = self.rest
        for data in self.chunks:
            tail += bytes(data)
            if len(tail) > keep:
                yield tail[:-keep]
                tail = tail[-keep:]
        if len(tail) > keep:  # all of it came with the metadata
            yield tail[:-keep]
            tail = tail[-keep:]
        end = re.search(rb"\r?\n--" + re.escape(self.boundary) + rb"--[ \t\r\n]*$", tail)
        if not end:
            raise bad("The multipart body has no end.", "badRequest")
        yield tail[: end.start()]
