"""Uploads: media, multipart, resumable, in every form that gcloud, gsutil, rclone and the node client were seen to use.

A resumable session is a record and a file below --state; its URI works after a restart of the emulator.
"""

import email.message
import os
import re
import secrets

import hashes
from errors import ApiError, Cut, bad, not_found
from resources import (
    check,
    check_given,
    count,
    goog_hash,
    may_write,
    preconditions,
    quote,
    resource,
    unquote,
    write,
)
from fields import select
from multipart import Multipart
from wire import Response

UNIT = 256 << 10  # what a session persists is a multiple of this, but for the end
CANCELLED = 499


def start(emulator, request, bucket):
    """POST .../upload/storage/v1/b/B/o"""
    bucket = unquote(bucket)
    if "upload_id" in request.query:  # rclone POSTs its chunks
        return chunk(emulator, request, bucket)
    kind = request.query.get("uploadType")
    handler = {"media": _media, "multipart": _multipart, "resumable": _begin}.get(kind)
    if not handler:
        raise bad(f"Invalid uploadType: {kind}", "invalidParameter")
    return handler(emulator, request, bucket)


# --- in one request ---


def _media(emulator, request, bucket):
    name = request.query.get("name", "")
    may_write(emulator, request, bucket, name)
    given = {"contentType": request.headers.get("content-type") or "application/octet-stream"}
    return _store(emulator, request, bucket, name, given, request.body.chunks(), goog_hash(request))


def _multipart(emulator, request, bucket):
    kind = email.message.Message()
    kind["content-type"] = request.headers.get("content-type", "")
    boundary = (
        (kind.get_param("boundary") or "").strip("'").encode()
    )  # gcloud and gsutil put it into single quotes
    if not kind.get_content_type() == "multipart/related" or not boundary:
        raise bad("Missing multipart boundary", "badRequest")
    parts = Multipart(request.body.chunks(), boundary)
    given = parts.metadata()
    request.parsed = given
    name = request.query.get("name") or given.get("name", "")
    may_write(emulator, request, bucket, name)
    clean = check_given(given)
    clean.setdefault("contentType", parts.media_type or "application/octet-stream")
    wanted = {**{k: given[k] for k in ("crc32c", "md5Hash") if given.get(k)}, **goog_hash(request)}
    return _store(emulator, request, bucket, name, clean, parts.media(), wanted)


def _store(emulator, request, bucket, name, given, chunks, wanted):
    conditions = preconditions(request.query)
    check(conditions, emulator.state.objects.get(f"{bucket}/{name}"))
    blob, hasher = emulator.state.new_blob(), hashes.Hasher()
    path = emulator.state.blob_path(blob)
    try:
        with open(path, "wb", buffering=0) as file:
            for data in chunks:
                hasher.update(data)
                file.write(data)
        meta = write(
            emulator, request, bucket, name, given, [[blob, 0, hasher.size]], hasher, conditions, wanted
        )
    except BaseException:
        os.unlink(path)
        raise
    finally:
        count(emulator, f"object {bucket}/{name}", received=request.body.received)
    return Response(200, select(request, resource(request, bucket, name, meta)))


# --- resumable ---


def _begin(emulator, request, bucket):
    given = request.json(optional=True)
    name = request.query.get("name") or given.get("name", "")
    may_write(emulator, request, bucket, name)
    clean = check_given(given)
    clean.setdefault(
        "contentType", request.headers.get("x-upload-content-type") or "application/octet-stream"
    )
    size = request.headers.get("x-upload-content-length")
    if size is not None and not size.isdigit():
        raise bad("Invalid X-Upload-Content-Length")
    conditions = preconditions(request.query)
    check(conditions, emulator.state.objects.get(f"{bucket}/{name}"))
    identity = secrets.token_urlsafe(48)
    wanted = {**{k: given[k] for k in ("crc32c", "md5Hash") if given.get(k)}, **goog_hash(request)}
    with emulator.state.lock:
        emulator.state.sessions[identity] = {
            "bucket": bucket,
            "name": name,
            "given": clean,
            "size": int(size) if size else None,
            "conditions": conditions,
            "wanted": wanted,
            "blob": emulator.state.new_blob(),
            "persisted": 0,
            "created": emulator.now(),
            "state": "open",
            "fields": request.query.get("fields"),
        }
    request.note["session"] = identity
    count(emulator, f"session {identity}", received=0)
    location = f"{request.base}{request.path}?uploadType=resumable&name={quote(name)}&upload_id={identity}"
    return Response(200, b"", {"Location": location, "X-GUploader-UploadID": identity})


def _session(emulator, request):
    identity = request.query.get("upload_id", "")
    session = emulator.state.sessions.get(identity)
    if not session:
        raise not_found("No such upload session: start again.")
    request.note["session"] = identity
    expired = emulator.now() - session["created"] > emulator.settings["session_lifetime"]
    if session["state"] == "gone" or (expired and session["state"] == "open"):
        raise ApiError(410, "gone", "The upload session is gone: start again.")
    if session["state"] == "cancelled":
        raise ApiError(CANCELLED, "clientClosedRequest", "Client Closed Request")
    return identity, session


def _range(request):
    """(first byte or None for a question, last byte or None, total or None) of Content-Range."""
    text = request.headers.get("content-range")
    if text is None:
        return 0, None, request.body.length if not request.body.chunked else None
    found = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", text.strip())
    if not found:
        raise bad(f"Failed to parse Content-Range header: {text}", "badRequest")
    first, last, total = (int(g) if g and g != "*" else None for g in found.groups())
    if first is not None and (
        last < first
        or (total is not None and last >= total)
        or (not request.body.chunked and request.body.length != last - first + 1)
    ):
        raise bad("Invalid Content-Range: it does not fit the body.", "badRequest")
    return first, last, total


def chunk(emulator, request, bucket):
    """PUT (or POST) to a session: data, or the question how much is there."""
    identity = request.query.get("upload_id", "")
    with emulator.session_locks[identity]:
        identity, session = _session(emulator, request)
        first, _, total = _range(request)
        short = request.acts("short-308")
        if session["state"] == "done":
            request.body.drain()
            return _finished(request, session)
        if session["size"] is not None and total not in (None, session["size"]):
            raise bad(
                f"The total of Content-Range is {total}, X-Upload-Content-Length was {session['size']}.",
                "badRequest",
            )
        if first is not None:
            whole = "content-range" not in request.headers  # the body is the object, chunked or not
            if first > session["persisted"]:
                raise bad(
                    f"Invalid Content-Range: the session has {session['persisted']} bytes.", "badRequest"
                )
            limit = None
            if short:
                limit = short.get("persist", (request.body.length or 0) // 2 // UNIT * UNIT)
            _receive(emulator, request, identity, first, total, limit, whole)
            session = emulator.state.sessions[identity]
            if whole and total is None:
                total = session["persisted"]
        if total is not None and total == session["persisted"] and not short:
            return _finish(emulator, request, identity, session)
        return _incomplete(request, session)


def _incomplete(request, session):
    headers = {"X-GUploader-UploadID": request.note["session"]}
    if session["persisted"]:
        headers["Range"] = f"bytes=0-{session['persisted'] - 1}"
    if request.headers.get("x-guploader-no-308") == "yes":  # rclone
        return Response(200, b"", {**headers, "X-Http-Status-Code-Override": "308"})
    return Response(308, b"", headers)


def _receive(emulator, request, identity, first, total, limit, whole=False):
    """Appends the body to the session. What it had already is read over; what a cut leaves is kept in whole units."""
    session = dict(emulator.state.sessions[identity])
    had = session["persisted"]
    skip, at = had - first, had
    stop = had + max(0, limit - skip) if limit is not None else None
    hasher = emulator.live.pop(identity, None)
    if not hasher or hasher.size != had:
        hasher = hashes.Hasher() if not had else None
    cut = None
    ignored = 0
    path = emulator.state.blob_path(session["blob"])
    with open(path, "r+b" if os.path.exists(path) else "w+b", buffering=0) as file:
        file.seek(had)
        try:
            for data in request.body.chunks():
                if skip:
                    over = min(skip, len(data))
                    skip, ignored, data = skip - over, ignored + over, data[over:]
                if stop is not None:
                    data = data[: max(0, stop - at)]
                if len(data):
                    file.write(data)
                    if hasher:
                        hasher.update(data)
                    at += len(data)
        except Cut as error:
            cut = error
        if stop is None and not whole and total != at or cut:
            if not cut and 0 < request.body.received < UNIT:
                file.truncate(had)
                _kept(emulator, request, identity, session, had, None, ignored)
                raise bad(
                    "Invalid request. The number of bytes uploaded is required to be equal or greater than 262144, except "
                    "for the final request (it's recommended to be the exact multiple of 262144). The received request "
                    f"contained {request.body.received} bytes, which does not meet this requirement.",
                    "badRequest",
                )
            at = max(had, at // UNIT * UNIT)
        file.truncate(at)
    _kept(emulator, request, identity, session, at, hasher, ignored)
    if cut:
        raise cut


def _kept(emulator, request, identity, session, at, hasher, ignored):
    had = session["persisted"]
    with emulator.state.lock:
        session["persisted"] = at
        emulator.state.sessions[identity] = session
    if hasher and hasher.size == at:
        emulator.live[identity] = hasher
    request.note["persisted"] = at
    received = request.body.received
    count(emulator, f"session {identity}", received=received, persisted=at - had, ignored=ignored)
    count(emulator, f"object {session['bucket']}/{session['name']}", received=received)


def _finish(emulator, request, identity, session):
    blob, path = session["blob"], emulator.state.blob_path(session["blob"])
    if not os.path.exists(path):
        open(path, "wb").close()
    hasher = emulator.live.pop(identity, None)
    if not hasher or hasher.size != session["persisted"]:
        hasher = hashes.of_file(path)
    wanted = {**session["wanted"], **goog_hash(request)}
    bucket, name = session["bucket"], session["name"]
    try:
        meta = write(
            emulator,
            request,
            bucket,
            name,
            session["given"],
            [[blob, 0, hasher.size]],
            hasher,
            session["conditions"],
            wanted,
        )
    except ApiError as error:
        if error.code in (400, 412):  # it can never succeed
            _end(emulator, identity, session, "gone")
        raise
    session = _end(emulator, identity, session, "done", meta)
    return _finished(request, session)


def _finished(request, session):
    if session.get("fields"):
        request.query.setdefault("fields", session["fields"])
    meta = session["meta"]
    return Response(
        200,
        select(request, resource(request, session["bucket"], session["name"], meta)),
        {
            "X-GUploader-UploadID": request.note["session"],
            "X-Goog-Hash": f"crc32c={meta['crc32c']},md5={meta['md5Hash']}",
            "X-Goog-Generation": meta["generation"],
        },
    )


def _end(emulator, identity, session, how, meta=None):
    with emulator.state.lock:
        emulator.state.sessions[identity] = session = {**session, "state": how, "blob": None, "meta": meta}
        emulator.live.pop(identity, None)
    return session


def cancel(emulator, request, bucket):
    identity = request.query.get("upload_id", "")
    with emulator.session_locks[identity]:
        identity, session = _session(emulator, request)
        if session["state"] == "open":
            path = emulator.state.blob_path(session["blob"])
            if os.path.exists(path):
                os.unlink(path)
            _end(emulator, identity, session, "cancelled")
    return Response(CANCELLED, b"")


# --- faults ---


def forget(emulator, request):
    """The session of this request, if it has one, is gone from now on."""
    session = emulator.state.sessions.get(request.query.get("upload_id", ""))
    if session and session["state"] == "open":
        _end(emulator, request.query["upload_id"], session, "gone")


def persist_some(emulator, request, limit):
    """Keeps the first bytes of a session's PUT that a fault is about to fail."""
    identity = request.query.get("upload_id", "")
    session = emulator.state.sessions.get(identity)
    if not limit or not session or session["state"] != "open" or request.method not in ("PUT", "POST"):
        return
    with emulator.session_locks[identity]:
        first, _, total = _range(request)
        if first is not None and first <= session["persisted"]:
            _receive(emulator, request, identity, first, total, limit)


PATH = r"(?:/resumable)?/upload/storage/v1/b/(?P<bucket>[^/]+)/o"
ROUTES = [
    ("POST", PATH, start, "storage"),
    ("PUT", PATH, chunk, "storage"),
    ("DELETE", PATH, cancel, "storage"),
]
