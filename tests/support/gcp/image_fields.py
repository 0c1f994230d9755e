"""What a client may say of an image, checked field by field: names and enumerations are those of the v1 API's discovery
document as Google's clients of 2026 carry it."""

import base64
import re

from errors import bad

NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
NAME_SAID = "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'"
LABEL_KEY, LABEL_VALUE = re.compile(r"[\w-]{1,63}"), re.compile(r"[\w-]{0,63}")
FEATURES = set(
    "BARE_METAL_LINUX_COMPATIBLE GVNIC IDPF MULTI_IP_SUBNET SECURE_BOOT SEV_CAPABLE SEV_LIVE_MIGRATABLE "
    "SEV_LIVE_MIGRATABLE_V2 SEV_SNP_CAPABLE SNP_SVSM_CAPABLE SUSPEND_RESUME_COMPATIBLE TDX_CAPABLE UEFI_COMPATIBLE "
    "VIRTIO_SCSI_MULTIQUEUE WINDOWS".split()
)
STATES = {"ACTIVE", "DEPRECATED", "OBSOLETE", "DELETED"}
LICENSE = re.compile(r"(?:https?://[^/]+/compute/[^/]+/)?projects/[^/]+/global/licenses/[a-z0-9-]+")
IMAGE = re.compile(r"(?:https?://[^/]+/compute/[^/]+/)?(?:projects/([^/]+)/)?global/images/([^/]+)")
KMS = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+(/cryptoKeyVersions/\d+)?")
LOCATION = re.compile(r"us|eu|asia|[a-z]+-[a-z]+\d{1,2}")
KEYS = {"content", "fileType"}
SHAPE = {  # field: its own fields, or None
    "architecture": None,
    "deprecated": {"state", "replacement", "deprecated", "obsolete", "deleted", "stateOverride"},
    "description": None,
    "diskSizeGb": None,
    "enableConfidentialCompute": None,
    "family": None,
    "guestOsFeatures": {"type"},
    "imageEncryptionKey": {"kmsKeyName", "kmsKeyServiceAccount", "rawKey", "rsaEncryptedKey", "sha256"},
    "labels": None,
    "labelFingerprint": None,
    "licenseCodes": None,
    "licenses": None,
    "name": None,
    "params": {"resourceManagerTags"},
    "rawDisk": {"containerType", "sha1Checksum", "source"},
    "shieldedInstanceInitialState": {"pk", "keks", "dbs", "dbxs"},
    "sourceType": None,
    "storageLocations": None,
    "archiveSizeBytes": None,
    "creationTimestamp": None,
    "id": None,
    "kind": None,
    "satisfiesPzi": None,
    "satisfiesPzs": None,
    "selfLink": None,
    "status": None,
    **{
        k: None
        for k in (
            "sourceDisk",
            "sourceDiskEncryptionKey",
            "sourceDiskId",
            "sourceImage",
            "sourceImageEncryptionKey",
            "sourceImageId",
            "sourceSnapshot",
            "sourceSnapshotEncryptionKey",
            "sourceSnapshotId",
        )
    },
}
OUTPUT = {
    "archiveSizeBytes",
    "creationTimestamp",
    "id",
    "kind",
    "labelFingerprint",
    "satisfiesPzi",
    "satisfiesPzs",
    "selfLink",
    "status",
    "deprecated",
    "diskSizeGb",
}


def wrong(field, value, why=""):
    return bad(f"Invalid value for field 'resource.{field}': '{value}'. {why}".strip())


def without_nulls(value):
    """A null is as good as nothing, in lists too: Packer sends guestOsFeatures: [null, {...}]."""
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value if v is not None] if isinstance(value, list) else value


def check_shape(given, shape=None, at="resource"):
    for key, value in given.items():
        if key not in SHAPE:
            raise bad(
                f"Invalid JSON payload received. Unknown name \"{key}\" at '{at}': Cannot find field.",
                rpc=True,
            )
        inner = SHAPE[key]
        for entry in value if isinstance(value, list) else [value]:
            if inner is None or entry is None:
                continue
            if not isinstance(entry, dict):
                raise wrong(key, entry)
            if unknown := set(entry) - inner:
                raise bad(
                    f"Invalid JSON payload received. Unknown name \"{sorted(unknown)[0]}\" at '{at}.{key}': Cannot find "
                    "field.",
                    rpc=True,
                )


def check_labels(labels):
    if not isinstance(labels, dict) or len(labels) > 64:
        raise wrong("labels", labels, "At most 64 labels.")
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key) or not key[0].isalpha() or key != key.lower():
            raise wrong(
                "labels",
                key,
                "Label key must start with a lowercase letter, and hold lowercase letters, digits, _ and -.",
            )
        if not isinstance(value, str) or not LABEL_VALUE.fullmatch(value) or value != value.lower():
            raise wrong("labels", value, "Label value violates format constraints.")


def check_text(given):
    if not isinstance(given.get("name"), str) or not NAME.fullmatch(given["name"]):
        raise wrong("name", given.get("name", ""), NAME_SAID)
    if "family" in given and (not isinstance(given["family"], str) or not NAME.fullmatch(given["family"])):
        raise wrong("family", given["family"], NAME_SAID)
    if not isinstance(given.get("description", ""), str) or len(given.get("description", "")) > 2048:
        raise wrong("description", "...", "At most 2048 characters.")
    for field, known in (("architecture", {"X86_64", "ARM64"}), ("sourceType", {"RAW"})):
        if field in given and given[field] not in known:
            raise wrong(field, given[field], f"Must be one of {', '.join(sorted(known))}.")


def check_lists(given):
    for entry in given.get("guestOsFeatures", []):
        if entry.get("type") not in FEATURES:
            raise wrong("guestOsFeatures[].type", entry.get("type"))
    for entry in given.get("licenses", []):
        if not LICENSE.fullmatch(str(entry)):
            raise wrong("licenses[]", entry, "The URL is malformed.")
    locations = given.get("storageLocations", [])
    if (
        not isinstance(locations, list)
        or len(locations) > 1
        or not all(LOCATION.fullmatch(str(v)) for v in locations)
    ):
        raise wrong("storageLocations", locations, "At most one region or multi-region.")
    for number in given.get("licenseCodes", []):
        if not str(number).isdigit():
            raise wrong("licenseCodes[]", number)
    check_labels(given.get("labels") or {})


def check_keys(given):
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


def deprecation(given):
    if unknown := set(given) - SHAPE["deprecated"]:
        raise bad(
            f'Invalid JSON payload received. Unknown name "{sorted(unknown)[0]}": Cannot find field.',
            rpc=True,
        )
    state = given.get("state", "ACTIVE")
    if state not in STATES:
        raise wrong("state", state)
    if "replacement" in given and not IMAGE.fullmatch(str(given["replacement"])):
        raise wrong("replacement", given["replacement"], "The URL is malformed.")
    for key in ("deprecated", "obsolete", "deleted"):
        if key in given and not re.match(r"\d{4}-\d\d-\d\d(T\d\d:\d\d)?", str(given[key])):
            raise wrong(key, given[key], "Must be an RFC 3339 time.")
    return {"state": "ACTIVE"} if state == "ACTIVE" else given
