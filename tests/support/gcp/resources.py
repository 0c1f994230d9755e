"""What every request on a bucket or an object needs: looking it up, preconditions, the resource that goes out, writing."""

import datetime
import re
import time
import urllib.parse

from access import allow, denied
from errors import ApiError, bad, failed_precondition, not_found
from hashes import wrong

BUCKET = re.compile(r"[a-z0-9][-_.a-z0-9]{1,61}[a-z0-9]")
GIVEN = {
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "contentType",
    "customTime",
    "metadata",
    "storageClass",
    "temporaryHold",
    "eventBasedHold",
    "kmsKeyName",
}
KNOWN = GIVEN | {
    "acl",
    "bucket",
    "componentCount",
    "contexts",
    "crc32c",
    "customerEncryption",
    "etag",
    "generation",
    "hardDeleteTime",
    "id",
    "kind",
    "md5Hash",
    "mediaLink",
    "metageneration",
    "name",
    "owner",
    "restoreToken",
    "retention",
    "retentionExpirationTime",
    "selfLink",
    "size",
    "softDeleteTime",
    "timeCreated",
    "timeDeleted",
    "timeFinalized",
    "timeStorageClassUpdated",
    "updated",
}
CLASSES = {
    "STANDARD",
    "NEARLINE",
    "COLDLINE",
    "ARCHIVE",
    "MULTI_REGIONAL",
    "REGIONAL",
    "DURABLE_REDUCED_AVAILABILITY",
}


def stamp(seconds):
    return (
        datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        + "Z"
    )


def unquote(text):
    try:
        return urllib.parse.unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise bad("The name is not UTF-8.") from None


def quote(name):
    return urllib.parse.quote(name, safe="")


def bucket_place(bucket):
    return f"projects/_/buckets/{bucket}"


def place(bucket, name):
    return f"projects/_/buckets/{bucket}/objects/{name}"


def find_bucket(emulator, name):
    bucket = emulator.state.buckets.get(name)
    if not bucket:
        raise not_found("The specified bucket does not exist.")
    return bucket


def find_object(emulator, bucket, name, generation=None):
    record = emulator.state.objects.get(f"{bucket}/{name}")
    if not record or (generation is not None and str(record["meta"]["generation"]) != str(generation)):
        find_bucket(emulator, bucket)
        raise not_found(f"No such object: {bucket}/{name}")
    return record


def check_name(name):
    if not isinstance(name, str) or not name:
        raise bad("Required", "required")
    if len(name.encode()) > 1024 or "\r" in name or "\n" in name or name in (".", "..") or "\0" in name:
        raise bad("The specified object name is not valid.")


def check_given(given):
    """The parts of an object's resource that a client sets. Unknown names are refused, known output names ignored."""
    if unknown := set(given) - KNOWN:
        raise bad(f'Invalid JSON payload received. Unknown name "{sorted(unknown)[0]}": Cannot find field.')
    metadata = given.get("metadata")
    if metadata is not None and (
        not isinstance(metadata, dict) or not all(v is None or isinstance(v, str) for v in metadata.values())
    ):
        raise bad("Invalid value for field 'metadata'")
    if given.get("storageClass", "STANDARD") not in CLASSES:
        raise bad(f"Invalid storage class: {given['storageClass']}")
    return {k: v for k, v in given.items() if k in GIVEN and v is not None}


# --- preconditions ---

NAMES = ("ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch")


def preconditions(given, prefix=""):
    found = {}
    for name in NAMES:
        key = prefix + name[0].upper() + name[1:] if prefix else name
        if key in given:
            try:
                found[name] = int(given[key])
            except (TypeError, ValueError):
                raise bad(f"Invalid value for {key}: {given[key]}", "invalidParameter") from None
    return found


def check(conditions, record):
    """Raises 412 unless all hold of the record, or of there being none."""
    meta = record["meta"] if record else None
    generation = int(meta["generation"]) if meta else 0
    metageneration = int(meta["metageneration"]) if meta else None
    for name, value in conditions.items():
        holds = {
            "ifGenerationMatch": generation == value,
            "ifGenerationNotMatch": generation != value,
            "ifMetagenerationMatch": metageneration == value,
            "ifMetagenerationNotMatch": metageneration is not None and metageneration != value,
        }[name]
        if not holds:
            raise failed_precondition()


def goog_hash(request):
    """X-Goog-Hash: crc32c=...,md5=... (also on several lines) and Content-MD5, as {"crc32c": .., "md5Hash": ..}."""
    found = {}
    for item in request.headers.get("x-goog-hash", "").split(","):
        name, _, value = item.strip().partition("=")
        if name in ("crc32c", "md5"):
            found["md5Hash" if name == "md5" else name] = value
    if "content-md5" in request.headers:
        found["md5Hash"] = request.headers["content-md5"]
    return found


def check_hashes(wanted, hasher):
    for key, label, have in (
        ("crc32c", "CRC32C", hasher.crc32c()),
        ("md5Hash", "MD5 hash", hasher.md5_hash()),
    ):
        want = wanted.get(key)
        if want and have and want != have:
            raise bad(f'Provided {label} "{want}" doesn\'t match calculated {label} "{have}".')


# --- objects ---


def default_class(emulator, bucket, given):
    """The storage class of a new object."""
    about = find_bucket(emulator, bucket)
    if (about.get("autoclass") or {}).get("enabled"):
        return "STANDARD"  # whatever is asked for
    return given.get("storageClass", about["storageClass"])


def may_go(emulator, bucket, name, record):
    """Raises 403 where a hold or the bucket's retention policy forbids that the object is deleted or replaced."""
    meta = record["meta"]
    if meta.get("temporaryHold") or meta.get("eventBasedHold"):
        raise ApiError(
            403,
            "objectUnderActiveHold",
            f"Object '{bucket}/{name}' is under active hold and cannot be deleted, overwritten or archived until hold is "
            "removed.",
        )
    period = int((find_bucket(emulator, bucket).get("retentionPolicy") or {}).get("retentionPeriod", 0))
    until = datetime.datetime.fromisoformat(meta["timeCreated"]) + datetime.timedelta(seconds=period)
    if emulator.now() < until.timestamp():
        raise ApiError(
            403,
            "retentionPolicyNotMet",
            f"Object '{bucket}/{name}' is subject to bucket's retention policy or object retention and cannot be deleted or "
            f"overwritten until {until.isoformat()}",
        )


def resource(request, bucket, name, meta):
    path, generation = f"/storage/v1/b/{quote(bucket)}/o/{quote(name)}", meta["generation"]
    out = {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{generation}",
        "selfLink": request.base + path,
        "mediaLink": f"{request.base}/download{path}?generation={generation}&alt=media",
        "name": name,
        "bucket": bucket,
        **meta,
    }
    if request.acts("wrong-crc32c"):
        out.update({key: wrong(out[key]) for key in ("crc32c", "md5Hash") if key in out})
    return out


def may_write(emulator, request, bucket, name):
    allow(emulator, request, "storage.objects.create", place(bucket, name))
    find_bucket(emulator, bucket)
    check_name(name)
    # Replacing needs the right to delete as well; that is known only when the object is there.
    if f"{bucket}/{name}" in emulator.state.objects and denied(
        emulator, request, "storage.objects.delete", place(bucket, name)
    ):
        allow(emulator, request, "storage.objects.delete", place(bucket, name))


def write(emulator, request, bucket, name, given, parts, hasher, conditions, wanted, components=None):
    """Makes the object (a new generation) and gives its metadata; the parts are then its own."""
    check_hashes(wanted, hasher)
    key, state = f"{bucket}/{name}", emulator.state
    with state.lock:
        may_write(emulator, request, bucket, name)
        old = state.objects.get(key)
        check(conditions, old)
        if old:
            may_go(emulator, bucket, name, old)
        _pace(emulator, key)
        now, generation = stamp(emulator.now()), str(state.generation())
        meta = {
            **given,
            "generation": generation,
            "metageneration": "1",
            "storageClass": default_class(emulator, bucket, given),
            "size": str(hasher.size),
            "crc32c": hasher.crc32c(),
            "etag": f"C{generation[-9:]}=",
            "timeCreated": now,
            "updated": now,
            "timeStorageClassUpdated": now,
            "timeFinalized": now,
        }
        if find_bucket(emulator, bucket).get("defaultEventBasedHold"):
            meta.setdefault("eventBasedHold", True)
        if components:
            meta["componentCount"] = components
        else:
            meta["md5Hash"] = hasher.md5_hash()
        state.hold(parts)
        state.objects[key] = {"meta": meta, "parts": parts}
        if old:
            state.drop(old["parts"])
        count(emulator, f"object {key}", writes=1, stored=hasher.size)
        return meta


def _pace(emulator, key):
    interval, now = emulator.settings["object_write_interval"], time.monotonic()
    if now - emulator.written.get(key, -1e9) < interval:
        raise ApiError(
            429,
            "rateLimitExceeded",
            f"The object {key} exceeded the rate limit for object mutation operations (create, "
            "update, and delete). Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429.",
            "usageLimits",
        )
    emulator.written[key] = now


def count(emulator, key, **more):
    with emulator.state.lock:
        counter = dict(emulator.state.counters.get(key, {}))
        for name, value in more.items():
            counter[name] = counter.get(name, 0) + value
        emulator.state.counters[key] = counter
