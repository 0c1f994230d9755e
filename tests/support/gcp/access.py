"""Who asks, and may they: access tokens, scopes, permissions. The messages are those that clients print to their users."""

import re

from errors import ApiError

CLOUD = "https://www.googleapis.com/auth/cloud-platform"
SCOPES = {  # of them one must be granted (documentation of each API, "OAuth scopes")
    "storage": {CLOUD, "https://www.googleapis.com/auth/devstorage.full_control",
                "https://www.googleapis.com/auth/devstorage.read_write"},
    "compute": {CLOUD, "https://www.googleapis.com/auth/compute"},
    "iam": {CLOUD, "https://www.googleapis.com/auth/iam"},
}
READ_SCOPES = {
    "storage": {CLOUD + ".read-only", "https://www.googleapis.com/auth/devstorage.read_only"},
    "compute": {CLOUD + ".read-only", "https://www.googleapis.com/auth/compute.readonly"},
    "iam": set(),
}


def unauthorized(api, missing):
    challenge = 'Bearer realm="https://accounts.google.com/"' + ("" if missing else ', error="invalid_token"')
    if api == "storage":
        message = "Login Required." if missing else "Invalid Credentials"
        return ApiError(401, "required" if missing else "authError", message, headers={"WWW-Authenticate": challenge},
                        more={"locationType": "header", "location": "Authorization"})
    if missing:
        message = ("Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other "
                   "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.")
    else:
        message = ("Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
                   "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.")
    return ApiError(401, "required" if missing else "authError", message, headers={"WWW-Authenticate": challenge},
                    rpc="UNAUTHENTICATED", more={"locationType": "header", "location": "Authorization"})


def authenticate(emulator, request, api):
    """Sets request.identity, or raises 401 or, for a scope that is missing, 403."""
    if request.path.startswith("/compute"):
        api = "compute"
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if not token or scheme.lower() != "bearer":
        # a session's URI is a capability of its own: its holder needs no token (documentation, "Resumable uploads")
        if emulator.settings["auth"] == "open" or "upload_id" in request.query:
            return
        raise unauthorized(api, True)
    record = emulator.state.tokens.get(token)
    if not record:
        if emulator.settings["auth"] == "open" or token in emulator.settings["accept_tokens"]:
            return
        raise unauthorized(api, False)
    request.identity = record
    if record.get("revoked") or record["expires"] <= emulator.now():
        raise unauthorized(api, False)
    wanted = SCOPES[api] | (READ_SCOPES[api] if request.method == "GET" else set())
    if not wanted & set(record["scopes"]):
        raise ApiError(403, "insufficientPermissions", "Request had insufficient authentication scopes.", rpc=True,
                       headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="insufficient_scope"'},
                       details=[{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "googleapis.com",
                                 "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}])
    _user_project(emulator, request)


def _user_project(emulator, request):
    project, allowed = request.headers.get("x-goog-user-project"), emulator.settings["user_projects"]
    if project and allowed is not None and project not in allowed:
        raise ApiError(403, "forbidden", f"Caller does not have required permission to use project {project}. Grant the caller "
                       "the roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use "
                       "permission.", rpc=True,
                       details=[{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "googleapis.com",
                                 "reason": "USER_PROJECT_DENIED"}])


def account(request):
    return (request.identity or {}).get("account", "anonymous")


def denied(emulator, request, permission, resource):
    for rule in emulator.settings["deny"]:
        if (re.search(rule.get("permission", ""), permission) and re.search(rule.get("resource", ""), resource)
                and re.search(rule.get("account", ""), account(request))):
            return True
    return False


def allow(emulator, request, permission, resource):
    """Raises 403 where a rule of "deny" forbids it. resource: projects/_/buckets/B[/objects/O], projects/P/global/images/I."""
    if not denied(emulator, request, permission, resource):
        return
    if permission.startswith("storage."):
        kind = "object" if permission.startswith("storage.objects.") else "bucket"
        raise ApiError(403, "forbidden", f"{account(request)} does not have {permission} access to the Google Cloud Storage "
                       f"{kind}. Permission '{permission}' denied on resource (or it may not exist).")
    if permission.startswith("iam."):
        raise ApiError(403, "forbidden", f"Permission '{permission}' denied on resource (or it may not exist).", rpc=True,
                       details=[{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED",
                                 "domain": "iam.googleapis.com", "metadata": {"permission": permission}}])
    raise ApiError(403, "forbidden", f"Required '{permission}' permission for '{resource}'")
