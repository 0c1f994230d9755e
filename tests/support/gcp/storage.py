"""Buckets: insert with location and lifecycle, get, list, patch, delete."""

import re

from access import allow
from errors import ApiError, bad
from fields import select
from resources import BUCKET, CLASSES, bucket_place, check, find_bucket, may_go, preconditions, stamp, unquote
from wire import Response
import objects

# https://cloud.google.com/storage/docs/locations; a region is recognized by its form
MULTI = {"ASIA", "EU", "US"}
DUAL = {"ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4"}
REGION = re.compile(r"(africa|asia|australia|europe|me|northamerica|southamerica|us)-[a-z]+\d{1,2}")
KNOWN = {
    "acl",
    "autoclass",
    "billing",
    "cors",
    "customPlacementConfig",
    "defaultEventBasedHold",
    "defaultObjectAcl",
    "encryption",
    "etag",
    "generation",
    "hierarchicalNamespace",
    "iamConfiguration",
    "id",
    "ipFilter",
    "kind",
    "labels",
    "lifecycle",
    "location",
    "locationType",
    "logging",
    "metageneration",
    "name",
    "objectRetention",
    "owner",
    "projectNumber",
    "retentionPolicy",
    "rpo",
    "satisfiesPZS",
    "selfLink",
    "softDeletePolicy",
    "storageClass",
    "timeCreated",
    "updated",
    "versioning",
    "website",
}
SET = KNOWN - {
    "etag",
    "generation",
    "id",
    "kind",
    "location",
    "locationType",
    "metageneration",
    "name",
    "owner",
    "projectNumber",
    "selfLink",
    "timeCreated",
    "updated",
}
ACTIONS = {"Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"}
CONDITIONS = {
    "age",
    "createdBefore",
    "customTimeBefore",
    "daysSinceCustomTime",
    "daysSinceNoncurrentTime",
    "isLive",
    "matchesPattern",
    "matchesPrefix",
    "matchesStorageClass",
    "matchesSuffix",
    "noncurrentTimeBefore",
    "numNewerVersions",
}


def _resource(request, bucket):
    return {
        "kind": "storage#bucket",
        "id": bucket["name"],
        "selfLink": f"{request.base}/storage/v1/b/{bucket['name']}",
        "projectNumber": "123456789012",
        "etag": f"B{bucket['metageneration']}=",
        **bucket,
    }


def _location(text):
    if not isinstance(text, str):
        raise bad("The specified location constraint is not valid.")
    kinds = {
        "multi-region": text.upper() in MULTI,
        "dual-region": text.upper() in DUAL,
        "region": REGION.fullmatch(text.lower()),
    }
    for kind, yes in kinds.items():
        if yes:
            return text.upper(), kind
    raise bad("The specified location constraint is not valid.")


def _check(given):
    if unknown := set(given) - KNOWN:
        raise bad(f'Invalid JSON payload received. Unknown name "{sorted(unknown)[0]}": Cannot find field.')
    for rule in (given.get("lifecycle") or {}).get("rule") or []:
        action, condition = rule.get("action") or {}, rule.get("condition") or {}
        if action.get("type") not in ACTIONS:
            raise bad("A lifecycle management request must specify a valid action.")
        if not condition or set(condition) - CONDITIONS:
            raise bad("A lifecycle management request must specify at least one valid condition.")
        if not isinstance(condition.get("age", 0), int) or not isinstance(
            condition.get("matchesPrefix", []), list
        ):
            raise bad("Invalid value in a lifecycle condition.")
        if action["type"] == "SetStorageClass" and action.get("storageClass") not in CLASSES:
            raise bad("A lifecycle management request must specify a storage class.")
    if given.get("storageClass", "STANDARD") not in CLASSES:
        raise bad(f"Invalid storage class: {given['storageClass']}")
    period = (given.get("retentionPolicy") or {}).get("retentionPeriod", 1)
    if not str(period).isdigit() or int(period) < 1:
        raise bad("Retention period must be a positive number of seconds.")


def make(emulator, name, location=None, given=None):
    place, kind = _location(location or emulator.settings["location"])
    now = stamp(emulator.now())
    bucket = {
        "name": name,
        "location": place,
        "locationType": kind,
        "storageClass": "STANDARD",
        "timeCreated": now,
        "updated": now,
        "metageneration": "1",
        **{k: v for k, v in (given or {}).items() if k in SET and v is not None},
    }
    emulator.state.buckets[name] = bucket
    return bucket


def insert(emulator, request):
    given = request.json()
    name = given.get("name", "")
    if not request.query.get("project"):
        raise bad("Required parameter: project", "required")
    allow(emulator, request, "storage.buckets.create", f"projects/{request.query['project']}/buckets/{name}")
    if not isinstance(name, str) or not BUCKET.fullmatch(name):
        raise bad(f"Invalid bucket name: '{name}'")
    _check(given)
    with emulator.state.lock:
        if name in emulator.settings["taken_buckets"]:
            raise ApiError(
                409,
                "conflict",
                "The requested bucket name is not available. The bucket namespace is shared by all users "
                "of the system. Please select a different name and try again.",
            )
        if name in emulator.state.buckets:
            raise ApiError(
                409,
                "conflict",
                "Your previous request to create the named bucket succeeded and you already own it.",
            )
        bucket = make(emulator, name, given.get("location"), given)
    return Response(200, select(request, _resource(request, bucket)))


def get(emulator, request, bucket):
    name = unquote(bucket)
    allow(emulator, request, "storage.buckets.get", bucket_place(name))
    found = find_bucket(emulator, name)
    check(preconditions(request.query), {"meta": {"generation": 0, **found}})
    return Response(200, select(request, _resource(request, found)))


def listing(emulator, request):
    allow(emulator, request, "storage.buckets.list", f"projects/{request.query.get('project')}")
    most, prefix = objects.page_size(emulator, request, 1000), request.query.get("prefix", "")
    after = request.query.get("pageToken", "")
    names = [name for name in sorted(emulator.state.buckets) if name.startswith(prefix) and name > after]
    page = {
        "kind": "storage#buckets",
        "items": [_resource(request, emulator.state.buckets[name]) for name in names[:most]],
    }
    if len(names) > most:
        page["nextPageToken"] = names[most - 1]
    return Response(200, select(request, page))


def patch(emulator, request, bucket):
    name, given = unquote(bucket), request.json()
    allow(emulator, request, "storage.buckets.update", bucket_place(name))
    _check(given)
    with emulator.state.lock:
        old = find_bucket(emulator, name)
        check(preconditions(request.query), {"meta": {"generation": 0, **old}})
        new = {
            k: v for k, v in {**old, **{k: v for k, v in given.items() if k in SET}}.items() if v is not None
        }
        new["metageneration"], new["updated"] = str(int(old["metageneration"]) + 1), stamp(emulator.now())
        emulator.state.buckets[name] = new
    return Response(200, select(request, _resource(request, new)))


def delete(emulator, request, bucket):
    name = unquote(bucket)
    allow(emulator, request, "storage.buckets.delete", bucket_place(name))
    with emulator.state.lock:
        find_bucket(emulator, name)
        if any(key.startswith(name + "/") for key in emulator.state.objects):
            raise ApiError(409, "conflict", "The bucket you tried to delete is not empty.")
        del emulator.state.buckets[name]
    return Response(204)


def layout(emulator, request, bucket):
    """What gcloud asks before it lists or moves: is this a bucket with folders of their own? It is not."""
    name = unquote(bucket)
    allow(emulator, request, "storage.objects.list", bucket_place(name))
    found = find_bucket(emulator, name)
    return Response(
        200,
        {
            "kind": "storage#storageLayout",
            "bucket": name,
            "location": found["location"],
            "locationType": found["locationType"],
            "hierarchicalNamespace": {"enabled": False},
        },
    )


def lifecycle(emulator, days):
    """Google applies lifecycle rules once a day or so; here: as if everything were that many days older. Gives what went."""
    gone = []
    with emulator.state.lock:
        for key, record in list(emulator.state.objects.items()):
            bucket, _, thing = key.partition("/")
            about = emulator.state.buckets[bucket]
            if (about.get("autoclass") or {}).get("enabled") and days >= 30:
                record = _reclass(emulator, key, record, "NEARLINE")
            for rule in (about.get("lifecycle") or {}).get("rule") or []:
                action = rule["action"]
                if not _holds(rule["condition"], days, thing):
                    continue
                if action["type"] == "SetStorageClass":
                    record = _reclass(emulator, key, record, action["storageClass"])
                elif action["type"] == "Delete":
                    try:
                        may_go(emulator, bucket, thing, record)
                    except ApiError:
                        continue
                    del emulator.state.objects[key]
                    emulator.state.drop(record["parts"])
                    gone.append(key)
                    break
    return gone


def _holds(condition, days, thing):
    return (
        set(condition) <= {"age", "matchesPrefix", "matchesSuffix"}
        and days >= condition.get("age", 0)
        and thing.startswith(tuple(condition.get("matchesPrefix", [""])))
        and thing.endswith(tuple(condition.get("matchesSuffix", [""])))
    )


def _reclass(emulator, key, record, name):
    record = {**record, "meta": {**record["meta"], "storageClass": name}}
    emulator.state.objects[key] = record
    return record


B = "/storage/v1/b"
ROUTES = [
    ("GET", B, listing, "storage"),
    ("POST", B, insert, "storage"),
    ("GET", B + "/(?P<bucket>[^/]+)", get, "storage"),
    ("PATCH", B + "/(?P<bucket>[^/]+)", patch, "storage"),
    ("PUT", B + "/(?P<bucket>[^/]+)", patch, "storage"),
    ("DELETE", B + "/(?P<bucket>[^/]+)", delete, "storage"),
    ("GET", B + "/(?P<bucket>[^/]+)/storageLayout", layout, "storage"),
]
