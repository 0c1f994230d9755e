"""/_control: the tests' side door, for loopback only. Neither logged nor counted, and no fault touches it."""

import datetime
import json

import credentials
import storage
from errors import ApiError
from wire import Response


def control(emulator, request):
    if not request.peer.startswith("127.") and request.peer != "::1":
        return Response(403, {"error": "loopback only"})
    name = request.path.removeprefix("/_control").strip("/")
    handler = HANDLERS.get(f"{request.method} {name}")
    if not handler:
        return Response(
            404, {"error": f"no {request.method} {request.path}; there are: {', '.join(sorted(HANDLERS))}"}
        )
    try:
        return Response(200, handler(emulator, request))
    except ApiError as error:
        return Response(error.code, {"error": error.message})
    except (ValueError, TypeError, AttributeError) as error:
        return Response(400, {"error": str(error)})


def _value(request):
    raw = request.body.read()
    return json.loads(raw) if raw.strip() else {}


def _add_faults(emulator, request):
    return {"ids": emulator.faults.add(_value(request))}


def _clear_faults(emulator, _):
    emulator.faults.clear()
    return {}


def _configure(emulator, request):
    emulator.configure(_value(request))
    return emulator.settings


def _log(emulator, request):
    return {"requests": emulator.log.since(int(request.query.get("since", 0))), "count": emulator.log.count}


def _clear_log(emulator, _):
    emulator.log.clear()
    return {}


def _counters(emulator, _):
    with emulator.state.lock:
        return {
            "objects": {k[7:]: v for k, v in emulator.state.counters.items() if k.startswith("object ")},
            "sessions": {k[8:]: v for k, v in emulator.state.counters.items() if k.startswith("session ")},
            "requests": emulator.log.count,
        }


def _clear_counters(emulator, _):
    with emulator.state.lock:
        emulator.state.counters.clear()
    return {}


def _state(emulator, _):
    with emulator.state.lock:
        state = emulator.state
        return {
            "buckets": state.buckets,
            "objects": {k: v["meta"] for k, v in state.objects.items()},
            "images": state.images,
            "operations": state.operations,
            "sessions": {k: {n: v[n] for n in v if n not in ("blob",)} for k, v in state.sessions.items()},
        }


def _revoke(emulator, _):
    """Every access token given out so far is bad from now on."""
    with emulator.state.lock:
        for token, record in list(emulator.state.tokens.items()):
            emulator.state.tokens[token] = dict(record, revoked=True)
        return {"revoked": len(emulator.state.tokens)}


def _subject(emulator, _):
    """A new subject token in the file of --credentials; the old one is refused."""
    credentials.rotate_subject(emulator)
    return {}


def _lifecycle(emulator, request):
    return {"deleted": storage.lifecycle(emulator, int(_value(request)["days"]))}


def _age(emulator, request):
    """All objects and images as if they had been made N days earlier."""
    earlier = datetime.timedelta(days=int(_value(request)["days"]))
    with emulator.state.lock:
        for name, record in list(emulator.state.objects.items()):
            meta = dict(record["meta"])
            for field in ("timeCreated", "updated", "timeStorageClassUpdated"):
                if field in meta:
                    when = datetime.datetime.fromisoformat(meta[field]) - earlier
                    meta[field] = when.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
            emulator.state.objects[name] = dict(record, meta=meta)
        for name, image in list(emulator.state.images.items()):
            when = datetime.datetime.fromisoformat(image["creationTimestamp"]) - earlier
            emulator.state.images[name] = dict(image, creationTimestamp=when.isoformat(timespec="milliseconds"))
    return {}


def _reset(emulator, _):
    """Everything as at the first start, but for the settings: no buckets, objects, images, tokens, rules, counters, log."""
    emulator.faults.clear()
    emulator.state.wipe()
    emulator.live.clear()
    emulator.heads.clear()
    emulator.asked.clear()
    emulator.log.clear()
    emulator.make_buckets()
    return {}


HANDLERS = {
    "GET faults": lambda emulator, _: {"faults": emulator.faults.report()},
    "POST faults": _add_faults,
    "DELETE faults": _clear_faults,
    "GET config": lambda emulator, _: emulator.settings,
    "POST config": _configure,
    "GET log": _log,
    "DELETE log": _clear_log,
    "GET counters": _counters,
    "DELETE counters": _clear_counters,
    "GET state": _state,
    "POST revoke": _revoke,
    "POST reset": _reset,
    "POST age": _age,
    "POST subject": _subject,
    "POST lifecycle": _lifecycle,
}
