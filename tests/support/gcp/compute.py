"""Operations of Compute Engine: things that take time, may fail inside a 200, and are asked for by `get` and `wait`.

An operation is a record with the time it is due; its effect on the image is applied when that time has passed, by
whoever asks next. So it goes on while the emulator is down.
"""

import datetime
import time

import filters
from access import account, allow
from errors import bad, not_found
from fields import select
from resources import unquote
from wire import Response
import objects

ZERO = "00000000-0000-0000-0000-000000000000"
PACIFIC = datetime.timezone(datetime.timedelta(hours=-8))
STANDARD = {
    "access_token",
    "alt",
    "callback",
    "fields",
    "key",
    "oauth_token",
    "prettyPrint",
    "quotaUser",
    "userIp",
    "$.xgafv",
    "$alt",
    "uploadType",
    "upload_protocol",
}


def stamp(seconds):
    """RFC 3339 with an offset, as Compute Engine writes times."""
    return datetime.datetime.fromtimestamp(seconds, PACIFIC).isoformat(timespec="milliseconds")


def check_query(request, *known):
    if unknown := set(request.query) - STANDARD - set(known):
        raise bad(
            f'Invalid JSON payload received. Unknown name "{sorted(unknown)[0]}": Cannot bind query parameter. Field '
            f"'{sorted(unknown)[0]}' could not be found in request message.",
            rpc=True,
        )


# --- making and settling ---


def repeated(emulator, request, project):
    """The operation that a request with this requestId made before, or None. Call with the lock held."""
    given = request.query.get("requestId")
    if given is None:
        return None
    plain = given.replace("-", "")
    if (
        len(given) != 36
        or len(plain) != 32
        or not all(c in "0123456789abcdefABCDEF" for c in plain)
        or given == ZERO
    ):
        raise bad(f"Invalid value for field 'requestId': '{given}'. Must be a valid, non-zero UUID.")
    before = emulator.state.requests.get(f"{project} {given.lower()}")
    if not before:
        return None
    if before["what"] != f"{request.method} {request.path}":
        raise bad(f"Invalid value for field 'requestId': '{given}'. It was used for another request.")
    return emulator.state.operations[before["operation"]]


def begin(emulator, request, project, kind, image, effect):
    """Starts an operation on the image (a record with id and name). Call with the lock held."""
    number, now = emulator.state.number("operation"), time.time()
    name = f"operation-{int(now * 1000)}-{number:013x}-{number * 2654435761 % (1 << 32):08x}"
    record = {
        "name": name,
        "id": str(6_000_000_000_000_000_000 + number),
        "project": project,
        "operationType": kind,
        "image": image["name"],
        "targetId": image["id"],
        "user": account(request),
        "inserted": emulator.now(),
        "due": now + emulator.settings["operation_seconds"],
        "lasts": emulator.settings["operation_seconds"],
        "effect": effect,
        "done": False,
    }
    if fault := request.acts("operation-error"):
        record["error"] = {
            "code": fault.get("code", "INTERNAL_ERROR"),
            "message": fault.get("message", "Internal error."),
            "status": fault.get("status", 500),
        }
    emulator.state.operations[name] = record
    if request_id := request.query.get("requestId"):
        emulator.state.requests[f"{project} {request_id.lower()}"] = {
            "operation": name,
            "what": f"{request.method} {request.path}",
        }
    return record


def settle(emulator):
    """Applies what is due. Call with the lock held."""
    now = time.time()
    for name, record in list(emulator.state.operations.items()):
        if not record["done"] and record["due"] <= now:
            key = f"{record['project']}/{record['image']}"
            image = emulator.state.images.get(key)
            if image and image["id"] == record["targetId"]:
                _apply(emulator, key, image, record)
            emulator.state.operations[name] = dict(record, done=True)


def _apply(emulator, key, image, record):
    failed = "error" in record
    if record["operationType"] == "insert" and failed:
        if emulator.settings["failed_images"] == "kept":
            emulator.state.images[key] = dict(image, status="FAILED")
        else:
            del emulator.state.images[key]
    elif failed:
        return
    elif record["operationType"] == "delete":
        del emulator.state.images[key]
    else:
        merged = {**image, **record["effect"]}
        emulator.state.images[key] = {k: v for k, v in merged.items() if v is not None}


# --- requests ---

HTTP = {
    400: "BAD REQUEST",
    403: "FORBIDDEN",
    404: "NOT FOUND",
    409: "CONFLICT",
    412: "PRECONDITION FAILED",
    429: "TOO MANY REQUESTS",
    500: "INTERNAL SERVER ERROR",
    503: "SERVICE UNAVAILABLE",
}


def resource(request, record):
    base, now = f"{request.base}/compute/v1/projects/{record['project']}/global", time.time()
    left = record["due"] - now
    status = "DONE" if record["done"] else "PENDING" if left > record["lasts"] * 0.9 else "RUNNING"
    out = {
        "kind": "compute#operation",
        "id": record["id"],
        "name": record["name"],
        "operationType": record["operationType"],
        "targetLink": f"{base}/images/{record['image']}",
        "targetId": record["targetId"],
        "status": status,
        "user": record["user"],
        "progress": 100 if status == "DONE" else 0,
        "insertTime": stamp(record["inserted"]),
        "startTime": stamp(record["inserted"]),
        "selfLink": f"{base}/operations/{record['name']}",
    }
    if status == "DONE":
        out["endTime"] = stamp(record["inserted"] + record["lasts"])
        if "error" in record:
            error = record["error"]
            out["error"] = {"errors": [{"code": error["code"], "message": error["message"]}]}
            out["httpErrorStatusCode"] = error["status"]
            out["httpErrorMessage"] = HTTP.get(error["status"], "ERROR")
    return out


def answer(emulator, request, record):
    with emulator.state.lock:
        settle(emulator)
        return Response(200, select(request, resource(request, emulator.state.operations[record["name"]])))


def _find(emulator, request, project, operation):
    place = f"projects/{project}/global/operations/{operation}"
    allow(emulator, request, "compute.globalOperations.get", place)
    record = emulator.state.operations.get(operation)
    with emulator.state.lock:
        emulator.asked[operation] += 1
        late = emulator.asked[operation] <= emulator.settings["operation_lag"]
    if not record or record["project"] != project or late:
        raise not_found(f"The resource '{place}' was not found")
    return record


def get(emulator, request, project, operation):
    check_query(request)
    return answer(emulator, request, _find(emulator, request, unquote(project), operation))


def wait(emulator, request, project, operation):
    """Returns when the operation is done, or after wait_hold seconds however it stands."""
    check_query(request)
    request.json(optional=True)
    record = _find(emulator, request, unquote(project), operation)
    time.sleep(max(0.0, min(record["due"] - time.time() + 0.001, emulator.settings["wait_hold"])))
    return answer(emulator, request, record)


def listing(emulator, request, project):
    check_query(request, "filter", "maxResults", "orderBy", "pageToken", "returnPartialSuccess")
    allow(emulator, request, "compute.globalOperations.list", f"projects/{project}")
    with emulator.state.lock:
        settle(emulator)
        found = [resource(request, r) for r in emulator.state.operations.values() if r["project"] == project]
    return page(emulator, request, "compute#operationList", f"projects/{project}/global/operations", found)


def page(emulator, request, kind, identity, found):
    """filter, orderBy, maxResults and pageToken of a list method."""
    keep, order = filters.compile_filter(request.query.get("filter", "")), request.query.get("orderBy", "")
    found = [item for item in found if keep(item)]
    if order == "creationTimestamp desc":
        found.sort(key=lambda item: (item.get("creationTimestamp", ""), item["id"]), reverse=True)
    elif order in ("", "name"):
        found.sort(key=lambda item: item["name"])
    else:
        raise bad(f"Invalid value for field 'orderBy': '{order}'.")
    start, most = request.query.get("pageToken") or "0", objects.page_size(emulator, request, 500)
    if not start.isdigit():
        raise bad("Invalid value for field 'pageToken'.")
    out = {"kind": kind, "id": identity, "selfLink": f"{request.base}/compute/v1/{identity}"}
    if items := found[int(start) : int(start) + most]:
        out["items"] = items
    if len(found) > int(start) + most:
        out["nextPageToken"] = str(int(start) + most)
    return Response(200, select(request, out))


OPERATIONS = r"/compute/v1/projects/(?P<project>[^/]+)/global/operations"
ROUTES = [
    ("GET", OPERATIONS, listing, "compute"),
    ("GET", OPERATIONS + r"/(?P<operation>[^/]+)", get, "compute"),
    ("POST", OPERATIONS + r"/(?P<operation>[^/]+)/wait", wait, "compute"),
]
