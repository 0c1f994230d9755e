"""The log of requests (one JSON object a line), and counters of bytes. README.md names the fields.

Secrets never enter it: no Authorization header, and of a form only the harmless fields.
"""

import json
import threading

SECRET_HEADERS = {"authorization", "cookie", "x-goog-iam-authorization-token"}
PUBLIC_FORM_FIELDS = {
    "grant_type",
    "audience",
    "scope",
    "requested_token_type",
    "subject_token_type",
    "client_id",
}


class Log:
    def __init__(self, path, now):
        self.file = open(path, "a", encoding="utf-8") if path else None
        self.lock, self.entries, self.count, self.now = threading.Lock(), [], 0, now

    def begin(self, request):
        with self.lock:
            self.count += 1
            number = self.count
        return {
            "n": number,
            "time": round(self.now(), 6),
            "method": request.method,
            "path": request.path,
            "query": request.pairs,
            "headers": {k: v for k, v in request.headers.items() if k not in SECRET_HEADERS},
        }

    def end(self, entry, request, status, sent):
        """status 0: there was no answer. sent: bytes of its body."""
        entry = dict(
            entry, seconds=round(self.now() - entry["time"], 6), status=status, sent=sent, **request.note
        )
        entry["body"] = {"bytes": request.body.received, "sha256": request.body.sha256.settle().hexdigest()}
        if request.parsed is not None:
            entry["json"] = request.parsed
        if request.identity:
            entry["auth"] = {k: request.identity.get(k) for k in ("kind", "account")}
        elif "authorization" in request.headers:
            entry["auth"] = {"kind": "unknown"}
        if request.fault:
            entry["fault"] = request.fault.action
        self.write(entry)

    def held(self, entry, request):
        """A request that a fault holds is in the log while it is held, with "held": true; once more when it ends."""
        entry = dict(entry, held=True, fault=request.fault.action, status=0)
        entry["body"] = {"bytes": request.body.received}
        self.write(entry)

    def write(self, entry):
        with self.lock:
            self.entries.append(entry)
            if self.file:
                self.file.write(json.dumps(entry) + "\n")
                self.file.flush()

    def since(self, number):
        with self.lock:
            return [entry for entry in self.entries if entry["n"] > number]

    def clear(self):
        with self.lock:
            self.entries = []


def public_form(form):
    return {k: v if k in PUBLIC_FORM_FIELDS else "(secret)" for k, v in form.items()}
