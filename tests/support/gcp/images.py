"""Images of Compute Engine: insert (checked field by field), get, the head of a family, list, patch, setLabels, deprecate,
delete. Field names and enumerations are those of the v1 API's discovery document as Google's clients of 2026 carry it."""

import base64
import hashlib
import re

import archive
from access import allow, denied
from compute import answer, begin, check_query, page, repeated, settle, stamp
from errors import ApiError, bad, not_found
from fields import select
from resources import unquote
from wire import Response

NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
NAME_SAID = "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'"
LABEL_KEY, LABEL_VALUE = re.compile(r"[\w-]{1,63}"), re.compile(r"[\w-]{0,63}")
FEATURES = {"BARE_METAL_LINUX_COMPATIBLE", "GVNIC", "IDPF", "MULTI_IP_SUBNET", "SECURE_BOOT", "SEV_CAPABLE", "SEV_LIVE_MIGRATABLE",
            "SEV_LIVE_MIGRATABLE_V2", "SEV_SNP_CAPABLE", "SNP_SVSM_CAPABLE", "SUSPEND_RESUME_COMPATIBLE", "TDX_CAPABLE",
            "UEFI_COMPATIBLE", "VIRTIO_SCSI_MULTIQUEUE", "WINDOWS"}
STATES = {"ACTIVE", "DEPRECATED", "OBSOLETE", "DELETED"}
LICENSE = re.compile(r"(?:https?://[^/]+/compute/[^/]+/)?projects/[^/]+/global/licenses/[a-z0-9-]+")
IMAGE = re.compile(r"(?:https?://[^/]+/compute/[^/]+/)?(?:projects/([^/]+)/)?global/images/([^/]+)")
KMS = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+(/cryptoKeyVersions/\d+)?")
LOCATION = re.compile(r"us|eu|asia|[a-z]+-[a-z]+\d{1,2}")
KEYS = {"content", "fileType"}
SHAPE = {  # field: its own fields, or None
    "architecture": None, "deprecated": {"state", "replacement", "deprecated", "obsolete", "deleted", "stateOverride"},
    "description": None, "diskSizeGb": None, "enableConfidentialCompute": None, "family": None, "guestOsFeatures": {"type"},
    "imageEncryptionKey": {"kmsKeyName", "kmsKeyServiceAccount", "rawKey", "rsaEncryptedKey", "sha256"}, "labels": None,
    "labelFingerprint": None, "licenseCodes": None, "licenses": None, "name": None, "params": {"resourceManagerTags"},
    "rawDisk": {"containerType", "sha1Checksum", "source"}, "shieldedInstanceInitialState": {"pk", "keks", "dbs", "dbxs"},
    "sourceType": None, "storageLocations": None, "archiveSizeBytes": None, "creationTimestamp": None, "id": None, "kind": None,
    "satisfiesPzi": None, "satisfiesPzs": None, "selfLink": None, "status": None,
    **{k: None for k in ("sourceDisk", "sourceDiskEncryptionKey", "sourceDiskId", "sourceImage", "sourceImageEncryptionKey",
                         "sourceImageId", "sourceSnapshot", "sourceSnapshotEncryptionKey", "sourceSnapshotId")}}
OUTPUT = {"archiveSizeBytes", "creationTimestamp", "id", "kind", "labelFingerprint", "satisfiesPzi", "satisfiesPzs", "selfLink",
          "status", "deprecated", "diskSizeGb"}


def wrong(field, value, why=""):
    return bad(f"Invalid value for field 'resource.{field}': '{value}'. {why}".strip())


def place(project, name):
    return f"projects/{project}/global/images/{name}"


# --- checks of what a client sends ---------------------------------------------------------------------------------------


def _check_shape(given, shape=None, at="resource"):
    for key, value in given.items():
        if key not in SHAPE:
            raise bad(f"Invalid JSON payload received. Unknown name \"{key}\" at '{at}': Cannot find field.", rpc=True)
        inner = SHAPE[key]
        for entry in value if isinstance(value, list) else [value]:
            if inner is None or entry is None:
                continue
            if not isinstance(entry, dict):
                raise wrong(key, entry)
            if unknown := set(entry) - inner:
                raise bad(f"Invalid JSON payload received. Unknown name \"{sorted(unknown)[0]}\" at '{at}.{key}': Cannot find "
                          "field.", rpc=True)


def _check_labels(labels):
    if not isinstance(labels, dict) or len(labels) > 64:
        raise wrong("labels", labels, "At most 64 labels.")
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key) or not key[0].isalpha() or key != key.lower():
            raise wrong("labels", key, "Label key must start with a lowercase letter, and hold lowercase letters, digits, _ and -.")
        if not isinstance(value, str) or not LABEL_VALUE.fullmatch(value) or value != value.lower():
            raise wrong("labels", value, "Label value violates format constraints.")


def _check_text(given):
    if not isinstance(given.get("name"), str) or not NAME.fullmatch(given["name"]):
        raise wrong("name", given.get("name", ""), NAME_SAID)
    if "family" in given and (not isinstance(given["family"], str) or not NAME.fullmatch(given["family"])):
        raise wrong("family", given["family"], NAME_SAID)
    if not isinstance(given.get("description", ""), str) or len(given.get("description", "")) > 2048:
        raise wrong("description", "...", "At most 2048 characters.")
    for field, known in (("architecture", {"X86_64", "ARM64"}), ("sourceType", {"RAW"})):
        if field in given and given[field] not in known:
            raise wrong(field, given[field], f"Must be one of {', '.join(sorted(known))}.")


def _check_lists(given):
    for entry in given.get("guestOsFeatures", []):
        if entry.get("type") not in FEATURES:
            raise wrong("guestOsFeatures[].type", entry.get("type"))
    for entry in given.get("licenses", []):
        if not LICENSE.fullmatch(str(entry)):
            raise wrong("licenses[]", entry, "The URL is malformed.")
    locations = given.get("storageLocations", [])
    if not isinstance(locations, list) or len(locations) > 1 or not all(LOCATION.fullmatch(str(v)) for v in locations):
        raise wrong("storageLocations", locations, "At most one region or multi-region.")
    for number in given.get("licenseCodes", []):
        if not str(number).isdigit():
            raise wrong("licenseCodes[]", number)
    _check_labels(given.get("labels") or {})


def _check_keys(given):
    shielded = given.get("shieldedInstanceInitialState") or {}
    for key, value in shielded.items():
        for entry in [value] if key == "pk" else value:
            if set(entry) - KEYS or entry.get("fileType") not in ("BIN", "X509"):
                raise wrong(f"shieldedInstanceInitialState.{key}", entry)
            try:
                base64.b64decode(entry.get("content", ""), validate=True)
            except ValueError:
                raise wrong(f"shieldedInstanceInitialState.{key}.content", "...", "Not base64.") from None
    key = (given.get("imageEncryptionKey") or {}).get("kmsKeyName")
    if key is not None and not KMS.fullmatch(key):
        raise wrong("imageEncryptionKey.kmsKeyName", key)


SOURCES = [re.compile(p) for p in (
    r"(?:https?://[^/]+)?/storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>.+)",        # gcloud: the JSON API's link
    r"https?://(?:storage\.googleapis\.com|commondatastorage\.googleapis\.com|127\.0\.0\.1(?::\d+)?|localhost(?::\d+)?)/"
    r"(?P<bucket>[^/]+)/(?P<name>.+)")]                                             # the API documentation's form


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


# --- requests --------------------------------------------------------------------------------------------------------------


def fingerprint(labels):
    raw = hashlib.sha256(repr(sorted((labels or {}).items())).encode()).digest()
    return base64.b64encode(raw[:8]).decode()


def resource(request, project, image):
    out = {k: v for k, v in image.items() if k != "created"}
    return {"kind": "compute#image", "selfLink": f"{request.base}/compute/v1/{place(project, image['name'])}", **out}


def insert(emulator, request, project):
    check_query(request, "requestId", "forceCreate")
    given = request.json()
    _check_shape(given)
    given = {k: v for k, v in given.items() if v is not None and k not in OUTPUT}
    allow(emulator, request, "compute.images.create", place(project, given.get("name", "")))
    with emulator.state.lock:
        if before := repeated(emulator, request, project):
            return answer(emulator, request, before)
    _check_text(given)
    _check_lists(given)
    _check_keys(given)
    if "rawDisk" not in given:
        if any(key.startswith("source") and key != "sourceType" for key in given):
            raise ApiError(501, "notImplemented", "The emulator makes images from rawDisk only.")
        raise bad("Invalid value for field 'resource.rawDisk': ''. One of rawDisk, sourceDisk, sourceImage or sourceSnapshot is "
                  "required.", "required")
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
        raise ApiError(403, "quotaExceeded", f"Quota 'IMAGES' exceeded.  Limit: {most}.0 globally.", "usageLimits")
    now = emulator.now()
    image = {"sourceType": "RAW", **given, "id": str(7_000_000_000_000_000_000 + emulator.state.number("image")), "created": now,
             "status": "PENDING", "creationTimestamp": stamp(now), "archiveSizeBytes": source["meta"]["size"],
             "diskSizeGb": str(gib or 0), "labelFingerprint": fingerprint(given.get("labels"))}
    image.setdefault("storageLocations", ["us"])
    if kms := (image.get("imageEncryptionKey") or {}).get("kmsKeyName"):
        if "/cryptoKeyVersions/" not in kms:
            image["imageEncryptionKey"] = {**image["imageEncryptionKey"], "kmsKeyName": kms + "/cryptoKeyVersions/1"}
    emulator.state.images[key] = image
    operation = begin(emulator, request, project, "insert", image, {"status": "READY"})
    if problem and "error" not in operation:
        emulator.state.operations[operation["name"]] = {
            **operation, "error": {"code": "IMAGE_SOURCE_OBJECT_CORRUPT_OR_INACCESSIBLE", "message": problem, "status": 400}}
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
    allow(emulator, request, "compute.images.getFromFamily", f"projects/{project}/global/images/family/{family}")
    with emulator.state.lock:
        settle(emulator)
        heads = [v for k, v in emulator.state.images.items() if k.startswith(project + "/") and v.get("family") == family
                 and v["status"] == "READY" and v.get("deprecated", {}).get("state", "ACTIVE") == "ACTIVE"]
    if not heads:
        raise not_found(f"The resource 'projects/{project}/global/images/family/{family}' was not found")
    newest = max(heads, key=lambda image: (image["created"], image["id"]))
    return Response(200, select(request, resource(request, project, newest)))


def listing(emulator, request, project):
    check_query(request, "filter", "maxResults", "orderBy", "pageToken", "returnPartialSuccess")
    allow(emulator, request, "compute.images.list", f"projects/{project}")
    with emulator.state.lock:
        settle(emulator)
        found = [resource(request, project, v) for k, v in emulator.state.images.items() if k.startswith(project + "/")]
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
    _check_shape(given)
    if more := set(given) - {"family", "description", "labels", "labelFingerprint", "architecture", "guestOsFeatures", "name",
                             "licenses", "licenseCodes", "deprecated"}:
        raise bad(f"Invalid value for field 'resource.{sorted(more)[0]}'. The field cannot be changed.")
    clean = {k: v for k, v in given.items() if v not in (None, "") and k not in ("deprecated", "labelFingerprint")}
    _check_text({"name": name, **clean})
    _check_lists(clean)

    def effect(image):
        if clean.get("name", name) != name:
            raise wrong("name", clean["name"], "It cannot be changed.")
        if "labels" in given and given.get("labelFingerprint", image["labelFingerprint"]) != image["labelFingerprint"]:
            raise _stale()
        out = {k: None if v == "" else v for k, v in given.items() if k not in ("deprecated", "labelFingerprint", "name")}
        if "deprecated" in given:
            out["deprecated"] = _deprecation(given["deprecated"] or {})
        if "labels" in out:
            out["labelFingerprint"] = fingerprint(out["labels"])
        return out

    return _change(emulator, request, project, name, "compute.images.update", "patch", effect)


def _stale():
    return ApiError(412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed",
                    more={"locationType": "header", "location": "If-Match"})


def set_labels(emulator, request, project, name):
    check_query(request)
    given = request.json()
    if unknown := set(given) - {"labels", "labelFingerprint"}:
        raise bad(f"Invalid JSON payload received. Unknown name \"{sorted(unknown)[0]}\": Cannot find field.", rpc=True)
    labels = given.get("labels") or {}
    _check_labels(labels)

    def effect(image):
        if given.get("labelFingerprint") != image["labelFingerprint"]:
            raise _stale()
        return {"labels": labels, "labelFingerprint": fingerprint(labels)}

    return _change(emulator, request, project, name, "compute.images.setLabels", "setLabels", effect)


def _deprecation(given):
    if unknown := set(given) - SHAPE["deprecated"]:
        raise bad(f"Invalid JSON payload received. Unknown name \"{sorted(unknown)[0]}\": Cannot find field.", rpc=True)
    state = given.get("state", "ACTIVE")
    if state not in STATES:
        raise wrong("state", state)
    if "replacement" in given and not IMAGE.fullmatch(str(given["replacement"])):
        raise wrong("replacement", given["replacement"], "The URL is malformed.")
    for key in ("deprecated", "obsolete", "deleted"):
        if key in given and not re.match(r"\d{4}-\d\d-\d\d(T\d\d:\d\d)?", str(given[key])):
            raise wrong(key, given[key], "Must be an RFC 3339 time.")
    return {"state": "ACTIVE"} if state == "ACTIVE" else given


def deprecate(emulator, request, project, name):
    check_query(request, "requestId")
    status = _deprecation(request.json())
    return _change(emulator, request, project, name, "compute.images.deprecate", "deprecate", lambda image: {"deprecated": status})


def delete(emulator, request, project, name):
    check_query(request, "requestId")
    return _change(emulator, request, project, name, "compute.images.delete", "delete", lambda image: {})


IMAGES = r"/compute/v1/projects/(?P<project>[^/]+)/global/images"
ONE = IMAGES + r"/(?P<name>[^/]+)"
ROUTES = [("POST", IMAGES, insert, "compute"), ("GET", IMAGES, listing, "compute"), ("GET", ONE, get, "compute"),
          ("GET", IMAGES + r"/family/(?P<family>[^/]+)", head_of_family, "compute"), ("PATCH", ONE, patch, "compute"),
          ("POST", ONE + "/setLabels", set_labels, "compute"), ("POST", ONE + "/deprecate", deprecate, "compute"),
          ("DELETE", ONE, delete, "compute")]
