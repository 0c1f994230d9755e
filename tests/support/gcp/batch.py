"""/batch/compute/v1 and /batch/storage/v1: several requests in one multipart/mixed body, as gcloud sends them when it lists
images of many projects."""

import email
import email.message
import io

from errors import ApiError, bad
from wire import Body, Response


class _Inner:
    """One request of a batch, with what dispatch needs of a Request."""

    def __init__(self, outer, text):
        head, _, payload = text.partition(b"\n\n")
        line, *rest = head.decode("utf-8", "replace").split("\n")
        self.method, self.target = line.split(" ")[:2]
        self.headers = {k.strip().lower(): v.strip() for k, _, v in (entry.partition(":") for entry in rest)}
        self.headers.pop("transfer-encoding", None)
        self.headers["content-length"] = str(len(payload))
        if "authorization" in outer.headers:
            self.headers.setdefault("authorization", outer.headers["authorization"])
        self.body = Body(io.BytesIO(payload), self.headers)


def run(emulator, request, **_):
    message = email.message_from_bytes(b"Content-Type: " + request.headers.get("content-type", "").encode() + b"\r\n\r\n"
                                       + request.body.read())
    if not message.is_multipart():
        raise bad("Failed to parse batch request.", "badRequest")
    out = []
    for part in message.get_payload():
        inner = _Inner(request, part.get_payload(decode=True).replace(b"\r\n", b"\n").lstrip(b"\n"))
        try:
            answer = emulator.dispatch(request.inside(inner))
            status, body = answer.status, answer.body
        except ApiError as error:
            status, body = error.code, error.body()
        identity = part.get("Content-ID", "<0>").strip("<>")
        out.append(f"--batch_answer\r\nContent-Type: application/http\r\nContent-ID: <response-{identity}>\r\n\r\n"
                   f"HTTP/1.1 {status} Answer\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
                   f"{body.decode()}\r\n")
    request.note["batch"] = len(out)
    return Response(200, ("".join(out) + "--batch_answer--\r\n").encode(), kind="multipart/mixed; boundary=batch_answer")


ROUTES = [("POST", r"/batch(?:/(?:compute|storage)/v1)?", run, None)]
