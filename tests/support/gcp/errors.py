"""Google's JSON form of an error: {"error": {"code", "message", "errors": [{"domain", "reason", "message"}], "status"?}}.

The words of a message are the services' own where a client was seen to print them or the documentation quotes them; a
client must go by code and reason only.
"""

import json

# google.rpc.Code of an HTTP status, as the newer front ends add it
RPC = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class ApiError(Exception):
    """An answer that is an error. `more` goes into errors[0] (locationType, location), `details` beside it."""

    def __init__(
        self, code, reason, message, domain="global", headers=None, rpc=None, more=None, details=None
    ):
        super().__init__(message)
        self.code, self.reason, self.message, self.domain = code, reason, message, domain
        self.headers, self.rpc, self.more, self.details = headers or {}, rpc, more or {}, details

    def body(self):
        entry = {"message": self.message, "domain": self.domain, "reason": self.reason, **self.more}
        error = {"code": self.code, "message": self.message, "errors": [entry]}
        if self.rpc:
            error["status"] = RPC.get(self.code, self.rpc) if self.rpc is True else self.rpc
        if self.details:
            error["details"] = self.details
        return json.dumps({"error": error}).encode()


class OAuthError(Exception):
    """An answer of a token endpoint (RFC 6749, 5.2)."""

    def __init__(self, code, error, description):
        super().__init__(description)
        self.code, self.error, self.description = code, error, description

    def body(self):
        return json.dumps({"error": self.error, "error_description": self.description}).encode()


class Cut(Exception):
    """The connection ends here, without (the rest of) an answer."""

    def __init__(self, reset=False):
        super().__init__("cut")
        self.reset = reset


def error_info(reason, domain="googleapis.com"):
    """An entry of `details`."""
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain}


def bad(message, reason="invalid", rpc=None):
    return ApiError(400, reason, message, rpc=rpc)


def not_found(message):
    return ApiError(404, "notFound", message)


def failed_precondition():
    return ApiError(
        412,
        "conditionNotMet",
        "At least one of the pre-conditions you specified did not hold.",
        more={"locationType": "header", "location": "If-Match"},
    )
