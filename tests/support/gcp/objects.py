"""Objects after they are there: metadata, bytes, listing, change of metadata, deletion, compose, rewrite."""

import base64
import re

import hashes
from access import allow
from errors import ApiError, bad, not_found
from fields import select
from hashes import wrong
from resources import (
    GIVEN,
    check,
    check_given,
    failed_precondition,
    find_bucket,
    find_object,
    may_go,
    may_write,
    place,
    preconditions,
    resource,
    stamp,
    unquote,
    write,
)
from wire import Response

MOST_SOURCES = 32


def _bytes_in(request, size):
    """(first, last) of the Range header, or None for all of it."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        begin, end = max(0, size - int(last)), size - 1
        unsatisfiable = not int(last) or not size
    else:
        begin, end = int(first), min(int(last or size), size - 1)
        unsatisfiable = begin >= size
        if last and int(last) < begin:
            return None
    if unsatisfiable:
        raise ApiError(
            416,
            "requestedRangeNotSatisfiable",
            "Request range not satisfiable",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return begin, end


def ranges(emulator, record, begin, length):
    """The files that hold length bytes of the object from begin on."""
    out = []
    for blob, offset, size in record["parts"]:
        if begin >= size:
            begin -= size
        elif length:
            take = min(length, size - begin)
            out.append((emulator.state.blob_path(blob), offset + begin, take))
            begin, length = 0, length - take
    return out


def get(emulator, request, bucket, name):
    bucket, name = unquote(bucket), unquote(name)
    allow(emulator, request, "storage.objects.get", place(bucket, name))
    record = find_object(emulator, bucket, name, request.query.get("generation"))
    meta, conditions = record["meta"], preconditions(request.query)
    try:
        check(conditions, record)
    except ApiError:
        if any("NotMatch" in key for key in conditions):
            return Response(304)
        raise
    if request.query.get("alt") != "media" and not request.path.startswith("/download/"):
        return Response(200, select(request, resource(request, bucket, name, meta)), {"ETag": meta["etag"]})
    return media(emulator, request, record)


def media(emulator, request, record):
    meta, size = record["meta"], int(record["meta"]["size"])
    spoil = wrong if request.acts("wrong-crc32c") else str
    headers = {
        "Content-Type": meta.get("contentType", "application/octet-stream"),
        "ETag": meta["etag"],
        "Accept-Ranges": "bytes",
        "X-Goog-Hash": ",".join(
            f"{name}={spoil(meta[key])}"
            for name, key in (("crc32c", "crc32c"), ("md5", "md5Hash"))
            if key in meta
        ),
        "X-Goog-Generation": meta["generation"],
        "X-Goog-Metageneration": meta["metageneration"],
        "X-Goog-Storage-Class": meta["storageClass"],
        "X-Goog-Stored-Content-Length": meta["size"],
        "X-Goog-Stored-Content-Encoding": meta.get("contentEncoding", "identity"),
    }
    if "contentEncoding" in meta:
        headers["Content-Encoding"] = meta["contentEncoding"]
    part = _bytes_in(request, size)
    if not part:
        return Response.of_files(200, ranges(emulator, record, 0, size), headers)
    begin, end = part
    headers["Content-Range"] = f"bytes {begin}-{end}/{size}"
    return Response.of_files(206, ranges(emulator, record, begin, end - begin + 1), headers)


def listing(emulator, request, bucket):
    bucket, query = unquote(bucket), request.query
    allow(emulator, request, "storage.objects.list", f"projects/_/buckets/{bucket}")
    find_bucket(emulator, bucket)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    most = page_size(emulator, request, 1000)
    after = _token(query.get("pageToken"))
    with emulator.state.lock:
        names = sorted(
            (key.partition("/")[2] for key in emulator.state.objects if key.partition("/")[0] == bucket),
            key=str.encode,
        )
        records = {name: emulator.state.objects[f"{bucket}/{name}"] for name in names}
    items, prefixes, last = [], [], None
    for name in names:
        if (
            not name.startswith(prefix)
            or name < query.get("startOffset", "")
            or ("endOffset" in query and name >= query["endOffset"])
        ):
            continue
        folder = None
        if delimiter and delimiter in name[len(prefix) :]:
            folder = name[: name.index(delimiter, len(prefix)) + len(delimiter)]
        shown = folder or name
        if (after is not None and shown.encode() <= after.encode()) or (prefixes and folder == prefixes[-1]):
            continue
        if len(items) + len(prefixes) == most:
            break
        if folder:
            prefixes.append(folder)
        else:
            items.append(resource(request, bucket, name, records[name]["meta"]))
        last = shown
    else:
        last = None
    page = {"kind": "storage#objects"}
    page.update(
        {"nextPageToken": base64.urlsafe_b64encode(last.encode()).decode()} if last is not None else {}
    )
    page.update({"prefixes": prefixes} if prefixes else {})
    page.update({"items": items} if items else {})
    return Response(200, select(request, page))


def page_size(emulator, request, most):
    text = request.query.get("maxResults", str(most))
    if not text.isdigit():
        raise bad(f"Invalid value '{text}' for maxResults", "invalidParameter")
    size = min(int(text) or most, most)
    return min(size, emulator.settings["page_size"] or size)


def _token(text):
    if not text:
        return None
    try:
        return base64.urlsafe_b64decode(text).decode()
    except ValueError:
        raise bad("Invalid pageToken", "invalidParameter") from None


def patch(emulator, request, bucket, name):
    bucket, name = unquote(bucket), unquote(name)
    given = request.json()
    allow(emulator, request, "storage.objects.update", place(bucket, name))
    check_given(given)
    with emulator.state.lock:
        record = find_object(emulator, bucket, name, request.query.get("generation"))
        check(preconditions(request.query), record)
        meta = dict(record["meta"])
        if request.method == "PUT":
            meta = {k: v for k, v in meta.items() if k not in GIVEN or k == "storageClass"}
        for key, value in given.items():
            if key not in GIVEN:
                continue
            if key == "metadata" and value is not None and request.method == "PATCH":
                value = {k: v for k, v in {**meta.get("metadata", {}), **value}.items() if v is not None}
            meta[key] = value
        meta = {k: v for k, v in meta.items() if v is not None}
        meta["metageneration"] = str(int(meta["metageneration"]) + 1)
        meta["updated"] = stamp(emulator.now())
        emulator.state.objects[f"{bucket}/{name}"] = {**record, "meta": meta}
    return Response(200, select(request, resource(request, bucket, name, meta)))


def delete(emulator, request, bucket, name):
    bucket, name = unquote(bucket), unquote(name)
    allow(emulator, request, "storage.objects.delete", place(bucket, name))
    with emulator.state.lock:
        record = find_object(emulator, bucket, name, request.query.get("generation"))
        check(preconditions(request.query), record)
        may_go(emulator, bucket, name, record)
        del emulator.state.objects[f"{bucket}/{name}"]
        emulator.state.drop(record["parts"])
    return Response(204)


def compose(emulator, request, bucket, name):
    bucket, name = unquote(bucket), unquote(name)
    given = request.json()
    if unknown := set(given) - {"kind", "destination", "sourceObjects"}:
        raise bad(f'Invalid JSON payload received. Unknown name "{sorted(unknown)[0]}": Cannot find field.')
    may_write(emulator, request, bucket, name)
    clean = check_given(
        given.get("destination") or {}
    )  # gcloud sends the first part's hashes in it: not looked at
    sources, conditions = given.get("sourceObjects") or [], preconditions(request.query)
    if not sources:
        raise bad("You must provide at least one source component.", "required")
    if len(sources) > MOST_SOURCES:
        raise bad(
            f"The number of source components provided ({len(sources)}) exceeds the maximum ({MOST_SOURCES})."
        )
    with emulator.state.lock:  # the sources stay as they are until the new object holds their bytes
        check(conditions, emulator.state.objects.get(f"{bucket}/{name}"))
        parts, components, hasher = [], 0, hashes.Hasher(md5=False)
        records = [_source(emulator, request, bucket, source) for source in sources]
        if len({record["meta"]["storageClass"] for record in records}) > 1:
            raise bad("The source objects of a compose request must all have the same storage class.")
        for record in records:
            parts += record["parts"]
            components += record["meta"].get("componentCount", 1)
        for blob, offset, length in parts:
            _feed(hasher, emulator.state.blob_path(blob), offset, length)
        meta = write(emulator, request, bucket, name, clean, parts, hasher, conditions, {}, components)
    return Response(200, select(request, resource(request, bucket, name, meta)))


def _source(emulator, request, bucket, source):
    if unknown := set(source) - {"name", "generation", "objectPreconditions"}:
        raise bad(f'Invalid JSON payload received. Unknown name "{sorted(unknown)[0]}": Cannot find field.')
    name = source.get("name")
    if not name:
        raise bad("Required", "required")
    allow(emulator, request, "storage.objects.get", place(bucket, name))
    record = emulator.state.objects.get(f"{bucket}/{name}")
    if (
        not record
        or str(source.get("generation", record["meta"]["generation"])) != record["meta"]["generation"]
    ):
        raise not_found(f"Object {name} does not exist.")
    wanted = (source.get("objectPreconditions") or {}).get("ifGenerationMatch")
    if wanted is not None and str(wanted) != record["meta"]["generation"]:
        raise failed_precondition()
    return record


def _feed(hasher, path, offset, length):
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        while length:
            data = file.read(min(length, hashes.CHUNK))
            if not data:
                raise ApiError(500, "internalError", "a blob is shorter than its object")
            hasher.update(data)
            length -= len(data)


def rewrite(emulator, request, bucket, name, to_bucket, to_name):
    """Copies within the storage: one call, always done (Google may take several for large objects)."""
    bucket, name, to_bucket, to_name = unquote(bucket), unquote(name), unquote(to_bucket), unquote(to_name)
    given = request.json(optional=True)
    allow(emulator, request, "storage.objects.get", place(bucket, name))
    may_write(emulator, request, to_bucket, to_name)
    with emulator.state.lock:
        record = find_object(emulator, bucket, name, request.query.get("sourceGeneration"))
        check(preconditions(request.query, "source"), record)
        keep = {k: v for k, v in record["meta"].items() if k in GIVEN}
        meta = write(
            emulator,
            request,
            to_bucket,
            to_name,
            {**keep, **check_given(given)},
            record["parts"],
            _Known(record["meta"]),
            preconditions(request.query),
            {},
            record["meta"].get("componentCount"),
        )
    made = resource(request, to_bucket, to_name, meta)
    if "/copyTo/" in request.path:
        return Response(200, select(request, made))
    return Response(
        200,
        select(
            request,
            {
                "kind": "storage#rewriteResponse",
                "totalBytesRewritten": meta["size"],
                "objectSize": meta["size"],
                "done": True,
                "resource": made,
            },
        ),
    )


class _Known:
    """The hashes that an object has already."""

    def __init__(self, meta):
        self.meta, self.size = meta, int(meta["size"])

    def crc32c(self):
        return self.meta["crc32c"]

    def md5_hash(self):
        return self.meta.get("md5Hash")


def plain(emulator, request, bucket, name):
    """The XML API's read, storage.googleapis.com/B/O, as rawDisk.source names objects."""
    bucket, name = unquote(bucket), unquote(name)
    allow(emulator, request, "storage.objects.get", place(bucket, name))
    return media(emulator, request, find_object(emulator, bucket, name, request.query.get("generation")))


B, O = r"/storage/v1/b/(?P<bucket>[^/]+)/o", r"/(?P<name>[^/]+)"
ROUTES = [
    ("GET", B, listing, "storage"),
    ("GET", B + O, get, "storage"),
    ("GET", "/download" + B + O, get, "storage"),
    ("PATCH", B + O, patch, "storage"),
    ("PUT", B + O, patch, "storage"),
    ("DELETE", B + O, delete, "storage"),
    ("POST", B + O + "/compose", compose, "storage"),
    (
        "POST",
        B + O + r"/(?:rewriteTo|copyTo)/b/(?P<to_bucket>[^/]+)/o/(?P<to_name>[^/]+)",
        rewrite,
        "storage",
    ),
]
