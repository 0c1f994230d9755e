"""The emulator as one object: its settings, the way of a request through faults, quotas, authentication and routes."""

import collections
import json
import re
import threading
import time

import access
import batch
import compute
import images
import metadata
import objects
import storage
import tokens
import uploads
from control import control
from errors import ApiError, Cut, error_info, not_found
from faults import Faults
from log import Log
from state import State
from wire import Response

# What --set KEY=JSON and POST /_control/config take, with what holds without them.
SETTINGS = {
    "auth": "open",  # "required": only tokens that this emulator gave out; "open": others are let through too
    "accept_tokens": [],  # further access tokens that are good, e.g. for --access-token-file
    "token_lifetime": 3599,  # seconds
    "deny": [],  # [{"permission": REGEX, "resource": REGEX, "account": REGEX}]: 403
    # [{"match": REGEX of "METHOD path", "limit": N, "seconds": S}]: 429 rateLimitExceeded, or "status", "reason" and, as
    # google.rpc.ErrorInfo has it, "detail"
    "quotas": [],
    "object_write_interval": 0,  # seconds between two writes of one object name (Google: 1): 429
    "max_images": 0,  # of a project (0: any): 403 quotaExceeded
    "operation_seconds": 0.2,  # how long an operation runs
    "operation_lag": 0,  # the first N questions about an operation are answered 404
    "family_lag": 0,  # readers of a family get the head before for N more reads
    "wait_hold": 120,  # how long `wait` is held at most (Google: 120)
    "check_archives": True,  # an image's archive is read as the importer does
    "failed_images": "removed",  # or "kept": what an insert that fails leaves (status FAILED)
    "page_size": 0,  # pages are at most this long, whatever is asked (0: Google's limits)
    "session_lifetime": 604800,  # of a resumable session, seconds; then 410
    "clock_offset": 0,  # seconds: the emulator's clock (Date, checks of JWTs, expiry)
    "metadata_flavor": True,  # false: the metadata server's answers lack Metadata-Flavor: Google
    "user_projects": None,  # projects that x-goog-user-project may name (null: all)
    "taken_buckets": [],  # names that belong to somebody else: 409 on insert
    "universe_domain": "googleapis.com",
    "project": "test-project",
    "location": "US",  # of a bucket made without one
    "accounts": {},  # see tokens.py
}


class Emulator:
    def __init__(self, directory, log=None, settings=None, faults=None, buckets=()):
        self.settings = json.loads(json.dumps(SETTINGS))
        self.configure(settings or {})
        self.state = State(directory)
        self.faults = Faults()
        self.faults.add(faults or [])
        self.log = Log(log, self.now)
        self.buckets, self.credentials = list(buckets), None
        self.make_buckets()
        self.live = {}  # hashers of sessions, while this process knows what they have read
        self.session_locks = collections.defaultdict(threading.Lock)
        self.written = {}  # when an object name was last written
        self.heads = {}  # of families, as they were shown last: (name, reads until the next one shows)
        self.asked = collections.Counter()  # how often an operation was asked for, while it is not known yet
        self.calls = collections.defaultdict(collections.deque)
        self.routes = [
            (method, re.compile(path + "$"), handler, api)
            for module in (uploads, objects, storage, compute, images, tokens, metadata, batch)
            for method, path, handler, api in module.ROUTES
        ]

    def now(self):
        return time.time() + self.settings["clock_offset"]

    def configure(self, values):
        if unknown := set(values) - set(SETTINGS):
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
        for rule in values.get("deny", []) + values.get("quotas", []):
            for key in ("permission", "resource", "account", "match"):
                try:
                    re.compile(rule.get(key, ""))
                except re.error as error:
                    raise ValueError(f"{key}: {error}") from None
        self.settings.update(values)

    def make_buckets(self):
        """Those of --bucket."""
        with self.state.lock:
            for entry in self.buckets:
                name, _, location = entry.partition(":")
                if name not in self.state.buckets:
                    storage.make(self, name, location or None)

    def control(self, request):
        return control(self, request)

    # --- one request ---------------------------------------------------------------------------------------------------

    def answer(self, request):
        request.fault = fault = self.faults.match(request.method, request.target)
        if fault and (early := self._early(request, fault)):
            return early
        return self.dispatch(request)

    def dispatch(self, request):
        """The answer to a request (of the wire or inside a batch), without its fault."""
        self._quota(request)
        known = False
        for method, pattern, handler, api in self.routes:
            if not (match := pattern.match(request.path)):
                continue
            known = True
            if method == request.method:
                if api:
                    access.authenticate(self, request, api)
                return handler(self, request, **match.groupdict())
        if known:
            raise ApiError(405, "httpMethodNotAllowed", f"{request.method} is not allowed here")
        raise not_found("Not Found")

    def _early(self, request, fault):
        """What a fault does before the work. Gives the answer where there will be no work."""
        action, body = fault.action, request.body
        if action == "cut-before-body":
            raise Cut(fault.get("reset", False))
        if action == "cut-after-body":
            body.drain()
            raise Cut(fault.get("reset", False))
        if action == "cut-mid-body":
            body.cut_at, body.cut_reset = fault.get("bytes", (body.length or 2) // 2), fault.get(
                "reset", False
            )
        elif action == "corrupt-upload":
            body.corrupt = True
        elif action == "slow":
            time.sleep(fault.get("delay", 0))
        elif action == "hold":
            body.drain()
            self.log.held(self.log.begin(request), request)
            self.faults.hold(fault)
            raise Cut()
        elif action == "gone":
            body.drain()
            uploads.forget(self, request)
            raise ApiError(410, "gone", "The requested resource is gone.")
        elif action == "answer":
            body.drain()
            return Response(fault.get("status"), fault.get("body", "").encode(), fault.get("headers"))
        elif action == "status":
            uploads.persist_some(self, request, fault.get("persist", 0))
            body.drain()
            raise status_error(fault)
        return None

    def _quota(self, request):
        for quota in self.settings["quotas"]:
            if not re.search(quota["match"], f"{request.method} {request.path}"):
                continue
            with self.state.lock:
                calls, now = self.calls[quota["match"]], time.monotonic()
                while calls and calls[0] < now - quota["seconds"]:
                    calls.popleft()
                if len(calls) < quota["limit"]:
                    calls.append(now)
                    continue
            status, reason = quota.get("status", 429), quota.get("reason", "rateLimitExceeded")
            details = quota.get("detail") and [error_info(quota["detail"])]
            raise ApiError(status, reason, "Rate Limit Exceeded", "usageLimits", rpc=True, details=details)


REASONS = {
    400: "invalid",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    408: "requestTimeout",
    409: "conflict",
    410: "gone",
    412: "conditionNotMet",
    429: "rateLimitExceeded",
    500: "internalError",
    502: "badGateway",
    503: "backendError",
    504: "gatewayTimeout",
}


def status_error(fault):
    status = fault.get("status", 503)
    domain = fault.get("domain", "usageLimits" if status == 429 else "global")
    retry = fault.get("retry_after")
    return ApiError(
        status,
        fault.get("reason", REASONS.get(status, "unknown")),
        fault.get("message", "Backend Error"),
        domain,
        headers={"Retry-After": str(retry)} if retry is not None else None,
        rpc=status == 429 or None,
    )
