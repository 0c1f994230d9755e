"""Images of Compute Engine: insert, get, the head of a family, list, patch, setLabels, deprecate, delete."""

import base64
import hashlib
import re

import archive
from access import allow, denied
from compute import answer, begin, check_query, page, repeated, settle, stamp
from errors import ApiError, bad, not_found
from fields import select
from image_fields import (
    OUTPUT,
    check_keys,
    check_labels,
    check_lists,
    check_shape,
    check_text,
    deprecation,
    without_nulls,
    wrong,
)
from resources import unquote
from wire import Response

SOURCES = [
    re.compile(p)
    for p in (
        r"(?:https?://[^/]+)?/storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>.+)",  # gcloud: the JSON API's link
        r"https?://(?:storage\.googleapis\.com|commondatastorage\.googleapis\.com|127\.0\.0\.1(?::\d+)?|localhost(?::\d+)?)/"
        r"(?P<bucket>[^/]+)/(?P<name>.+)",
    )
]  # the API documentation's form


def source_object(emulator, request, source):
    """The record of the object that rawDisk.source names."""
    for pattern in SOURCES:
        if isinstance(source, str) and (found := pattern.fullmatch(source)):
            bucket, name = found["bucket"], unquote(found["name"])
            break
    else:
        raise wrong("rawDisk.source", source, "The URL is malformed.")
    if not name.endswith(".tar.gz"):
        raise wrong("rawDisk.source", source, "The disk image archive must be a .tar.gz file.")
    if denied(emulator, request, "storage.objects.get", f"projects/_/buckets/{bucket}/objects/{name}"):
        raise ApiError(403, "forbidden", "Required 'read' permission for 'rawDisk.source'")
    record = emulator.state.objects.get(f"{bucket}/{name}")
    if not record:
        raise not_found(f"The resource '{source}' was not found")
    return record


def place(project, name):
    return f"projects/{project}/global/images/{name}"


# --- requests ---


def fingerprint(labels):
    raw = hashlib.sha256(repr(sorted((labels or {}).items())).encode()).digest()
    return base64.b64encode(raw[:8]).decode()


def same_fingerprint(one, other):
    """gcloud decodes a fingerprint, and sends it in the alphabet of base64 that is safe in URLs."""
    return str(one).translate(str.maketrans("-_", "+/")) == other


def resource(request, project, image):
    out = {k: v for k, v in image.items() if k != "created"}
    return {
        "kind": "compute#image",
        "selfLink": f"{request.base}/compute/v1/{place(project, image['name'])}",
        **out,
    }


def insert(emulator, request, project):
    check_query(request, "requestId", "forceCreate")
    given = request.json()
    check_shape(given)
    given = without_nulls({k: v for k, v in given.items() if k not in OUTPUT})
    allow(emulator, request, "compute.images.create", place(project, given.get("name", "")))
    with emulator.state.lock:
        if before := repeated(emulator, request, project):
            return answer(emulator, request, before)
    check_text(given)
    check_lists(given)
    check_keys(given)
    if "rawDisk" not in given:
        if any(key.startswith("source") and key != "sourceType" for key in given):
            raise ApiError(501, "notImplemented", "The emulator makes images from rawDisk only.")
        raise bad(
            "Invalid value for field 'resource.rawDisk': ''. One of rawDisk, sourceDisk, sourceImage or sourceSnapshot is "
            "required.",
            "required",
        )
    raw = given["rawDisk"]
    if raw.get("containerType", "TAR") != "TAR":
        raise wrong("rawDisk.containerType", raw["containerType"])
    source = source_object(emulator, request, raw.get("source"))
    problem, gib = archive.look(emulator, source) if emulator.settings["check_archives"] else (None, 1)
    with emulator.state.lock:
        return _insert(emulator, request, project, given, source, problem, gib)


def _insert(emulator, request, project, given, source, problem, gib):
    settle(emulator)
    if before := repeated(emulator, request, project):  # it came twice at the same time
        return answer(emulator, request, before)
    key = f"{project}/{given['name']}"
    if key in emulator.state.images:
        raise ApiError(409, "alreadyExists", f"The resource '{place(project, given['name'])}' already exists")
    most = emulator.settings["max_images"]
    if most and sum(k.startswith(project + "/") for k in emulator.state.images) >= most:
        raise ApiError(
            403, "quotaExceeded", f"Quota 'IMAGES' exceeded.  Limit: {most}.0 globally.", "usageLimits"
        )
    now = emulator.now()
    image = {
        "sourceType": "RAW",
        **given,
        "id": str(7_000_000_000_000_000_000 + emulator.state.number("image")),
        "created": now,
        "status": "PENDING",
        "creationTimestamp": stamp(now),
        "archiveSizeBytes": source["meta"]["size"],
        "diskSizeGb": str(gib or 0),
        "labelFingerprint": fingerprint(given.get("labels")),
    }
    image.setdefault("storageLocations", ["us"])
    if kms := (image.get("imageEncryptionKey") or {}).get("kmsKeyName"):
        if "/cryptoKeyVersions/" not in kms:
            image["imageEncryptionKey"] = {
                **image["imageEncryptionKey"],
                "kmsKeyName": kms + "/cryptoKeyVersions/1",
            }
    emulator.state.images[key] = image
    operation = begin(emulator, request, project, "insert", image, {"status": "READY"})
    if problem and "error" not in operation:
        emulator.state.operations[operation["name"]] = {
            **operation,
            "error": {
                "code": "IMAGE_SOURCE_OBJECT_CORRUPT_OR_INACCESSIBLE",
                "message": problem,
                "status": 400,
            },
        }
    return answer(emulator, request, operation)


def _find(emulator, request, project, name, permission):
    allow(emulator, request, permission, place(project, name))
    settle(emulator)
    image = emulator.state.images.get(f"{project}/{name}")
    if not image:
        raise not_found(f"The resource '{place(project, name)}' was not found")
    return image


def get(emulator, request, project, name):
    check_query(request)
    with emulator.state.lock:
        image = _find(emulator, request, project, name, "compute.images.get")
    return Response(200, select(request, resource(request, project, image)))


def head_of_family(emulator, request, project, family):
    """The newest image of the family that is ready and neither deprecated, obsolete nor deleted."""
    check_query(request, "zone")
    allow(
        emulator, request, "compute.images.getFromFamily", f"projects/{project}/global/images/family/{family}"
    )
    with emulator.state.lock:
        settle(emulator)
        heads = [
            v
            for k, v in emulator.state.images.items()
            if k.startswith(project + "/")
            and v.get("family") == family
            and v["status"] == "READY"
            and v.get("deprecated", {}).get("state", "ACTIVE") == "ACTIVE"
        ]
        newest = max(heads, key=lambda image: (image["created"], image["id"]), default=None)
        shown = _shown(emulator, project, family, newest)
    if not shown:
        raise not_found(f"The resource 'projects/{project}/global/images/family/{family}' was not found")
    return Response(200, select(request, resource(request, project, shown)))


def _shown(emulator, project, family, newest):
    """What readers of the family get: with family_lag, the head before for that many more reads."""
    key, name = (project, family), newest and newest["name"]
    known, left = emulator.heads.get(key, (None, emulator.settings["family_lag"]))
    if known == name:
        left = emulator.settings["family_lag"]
    elif left > 0:
        left, name = left - 1, known
    else:
        left = emulator.settings["family_lag"]
    emulator.heads[key] = (name, left)
    return emulator.state.images.get(f"{project}/{name}")


def listing(emulator, request, project):
    check_query(request, "filter", "maxResults", "orderBy", "pageToken", "returnPartialSuccess")
    allow(emulator, request, "compute.images.list", f"projects/{project}")
    with emulator.state.lock:
        settle(emulator)
        found = [
            resource(request, project, v)
            for k, v in emulator.state.images.items()
            if k.startswith(project + "/")
        ]
    return page(emulator, request, "compute#imageList", f"projects/{project}/global/images", found)


def _change(emulator, request, project, name, permission, kind, effect_of):
    """Starts the operation that changes the image, if its requestId is new."""
    with emulator.state.lock:
        allow(emulator, request, permission, place(project, name))
        if before := repeated(emulator, request, project):
            return answer(emulator, request, before)
        image = _find(emulator, request, project, name, permission)
        return answer(emulator, request, begin(emulator, request, project, kind, image, effect_of(image)))


def patch(emulator, request, project, name):
    check_query(request, "requestId")
    given = request.json()
    check_shape(given)
    given = {k: without_nulls(v) for k, v in given.items()}
    if more := set(given) - {
        "family",
        "description",
        "labels",
        "labelFingerprint",
        "architecture",
        "guestOsFeatures",
        "name",
        "licenses",
        "licenseCodes",
        "deprecated",
    }:
        raise bad(f"Invalid value for field 'resource.{sorted(more)[0]}'. The field cannot be changed.")
    clean = {
        k: v for k, v in given.items() if v not in (None, "") and k not in ("deprecated", "labelFingerprint")
    }
    check_text({"name": name, **clean})
    check_lists(clean)

    def effect(image):
        if clean.get("name", name) != name:
            raise wrong("name", clean["name"], "It cannot be changed.")
        if "labelFingerprint" in given and not same_fingerprint(
            given["labelFingerprint"], image["labelFingerprint"]
        ):
            raise _stale()
        out = {
            k: None if v == "" else v
            for k, v in given.items()
            if k not in ("deprecated", "labelFingerprint", "name")
        }
        if "deprecated" in given:
            out["deprecated"] = deprecation(given["deprecated"] or {})
        if "labels" in out:
            out["labelFingerprint"] = fingerprint(out["labels"])
        return out

    return _change(emulator, request, project, name, "compute.images.update", "patch", effect)


def _stale():
    return ApiError(
        412,
        "conditionNotMet",
        "Labels fingerprint either invalid or resource labels have changed",
        more={"locationType": "header", "location": "If-Match"},
    )


def set_labels(emulator, request, project, name):
    check_query(request)
    given = request.json()
    if unknown := set(given) - {"labels", "labelFingerprint"}:
        raise bad(
            f'Invalid JSON payload received. Unknown name "{sorted(unknown)[0]}": Cannot find field.',
            rpc=True,
        )
    labels = given.get("labels") or {}
    check_labels(labels)

    def effect(image):
        if not same_fingerprint(given.get("labelFingerprint"), image["labelFingerprint"]):
            raise _stale()
        return {"labels": labels, "labelFingerprint": fingerprint(labels)}

    return _change(emulator, request, project, name, "compute.images.setLabels", "setLabels", effect)


def deprecate(emulator, request, project, name):
    check_query(request, "requestId")
    status = deprecation(request.json())
    return _change(
        emulator,
        request,
        project,
        name,
        "compute.images.deprecate",
        "deprecate",
        lambda image: {"deprecated": status},
    )


def delete(emulator, request, project, name):
    check_query(request, "requestId")
    return _change(emulator, request, project, name, "compute.images.delete", "delete", lambda image: {})


IMAGES = r"/compute/v1/projects/(?P<project>[^/]+)/global/images"
ONE = IMAGES + r"/(?P<name>[^/]+)"
ROUTES = [
    ("POST", IMAGES, insert, "compute"),
    ("GET", IMAGES, listing, "compute"),
    ("GET", ONE, get, "compute"),
    ("GET", IMAGES + r"/family/(?P<family>[^/]+)", head_of_family, "compute"),
    ("PATCH", ONE, patch, "compute"),
    ("POST", ONE + "/setLabels", set_labels, "compute"),
    ("POST", ONE + "/deprecate", deprecate, "compute"),
    ("DELETE", ONE, delete, "compute"),
]
