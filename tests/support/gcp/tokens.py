"""Token endpoints: OAuth (a signed JWT, a refresh token), the token exchange of STS, iamcredentials, and the source of
subject tokens for external accounts that read theirs from a URL.

setting "accounts": {"service_accounts": {EMAIL: {KEY ID: PEM of the public key}}, "clients": {ID: SECRET},
"refresh_tokens": {TOKEN: ACCOUNT}, "subject_tokens": [TOKEN], "audiences": [AUDIENCE], "project": P}
"""

import datetime
import json
import secrets

import jwt
from access import CLOUD, account, allow, unauthorized
from errors import ApiError, OAuthError, bad
from log import public_form
from resources import unquote
from wire import Response

AUDIENCE = "https://oauth2.googleapis.com/token"  # of every service account's JWT, wherever it is sent
MOST = 3600
SLACK = 300  # how far a client's clock may be off; Google's is not documented, five minutes is what clients assume
GRANTS = "urn:ietf:params:oauth:grant-type:"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
SUBJECT_TYPES = {
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
    "urn:ietf:params:oauth:token-type:saml2",
    "urn:ietf:params:aws:token-type:aws4_request",
}


def give(emulator, kind, who, scopes, lifetime=None):
    """A new access token: (token, seconds)."""
    seconds = (
        emulator.settings["token_lifetime"]
        if lifetime is None
        else min(lifetime, emulator.settings["token_lifetime"])
    )
    token = f"ya29.{kind}.{secrets.token_urlsafe(40)}"
    with emulator.state.lock:
        emulator.state.tokens[token] = {
            "kind": kind,
            "account": who,
            "scopes": scopes,
            "expires": emulator.now() + seconds,
        }
    return token, seconds


def _answer(token, seconds, **more):
    return Response(
        200,
        {"access_token": token, "expires_in": seconds, "token_type": "Bearer", **more},
        {"Cache-Control": "no-store"},
    )


def oauth(emulator, request):
    form = request.form()
    request.note["form"] = public_form(form)
    grant = form.get("grant_type")
    if grant == GRANTS + "jwt-bearer":
        return _jwt_bearer(emulator, request, form)
    if grant == "refresh_token":
        return _refresh(emulator, form)
    raise OAuthError(400, "unsupported_grant_type", f"Invalid grant_type: {grant}")


def _jwt_bearer(emulator, request, form):
    try:
        header, claims, signed, signature = jwt.parse(form.get("assertion", ""))
    except ValueError:
        raise OAuthError(400, "invalid_grant", "Invalid JWT: Failed to parse.") from None
    request.note["jwt"] = {"header": header, "claims": claims}
    keys = emulator.settings["accounts"].get("service_accounts", {}).get(claims.get("iss"))
    if keys is None:
        raise OAuthError(400, "invalid_grant", "Invalid grant: account not found")
    if header.get("alg") != "RS256":
        raise OAuthError(400, "invalid_grant", "Invalid JWT Signature.")
    candidates = (
        [keys[header["kid"]]]
        if header.get("kid") in keys
        else []
        if header.get("kid")
        else list(keys.values())
    )
    if not any(jwt.verify(pem, signed, signature) for pem in candidates):
        raise OAuthError(400, "invalid_grant", "Invalid JWT Signature.")
    if claims.get("aud") not in (AUDIENCE, f"{request.base}/token"):
        raise OAuthError(400, "invalid_grant", "Invalid JWT: audience is not the token endpoint.")
    now, made, ends = emulator.now(), claims.get("iat"), claims.get("exp")
    if (
        not all(isinstance(v, (int, float)) for v in (made, ends))
        or made > now + SLACK
        or ends < now - SLACK
        or ends - made > MOST
        or ends <= made
    ):
        raise OAuthError(
            400,
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
            "timeframe. Check your iat and exp values in the JWT claim.",
        )
    if "target_audience" in claims:  # an identity token; none is checked here, so it is not signed
        claims = {
            "iss": "https://accounts.google.com",
            "aud": claims["target_audience"],
            "email": claims["iss"],
            "sub": claims["iss"],
            "iat": int(now),
            "exp": int(now) + MOST,
        }
        return Response(
            200,
            {
                "id_token": ".".join(
                    [jwt.encode(b'{"alg":"none"}'), jwt.encode(json.dumps(claims).encode()), ""]
                )
            },
        )
    scopes = claims.get("scope", "").split()
    if not scopes:
        raise OAuthError(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
    return _answer(*give(emulator, "jwt-bearer", claims.get("sub") or claims["iss"], scopes))


def _refresh(emulator, form):
    accounts = emulator.settings["accounts"]
    if form.get("client_id") not in accounts.get("clients", {}):
        raise OAuthError(401, "invalid_client", "The OAuth client was not found.")
    if accounts["clients"][form["client_id"]] != form.get("client_secret"):
        raise OAuthError(401, "invalid_client", "Unauthorized")
    who = accounts.get("refresh_tokens", {}).get(form.get("refresh_token"))
    if not who:
        raise OAuthError(400, "invalid_grant", "Token has been expired or revoked.")
    scopes = form.get("scope", CLOUD).split()
    return _answer(*give(emulator, "refresh_token", who, scopes), scope=" ".join(scopes))


def exchange(emulator, request):
    """STS: a subject token of an outside issuer for an access token (RFC 8693)."""
    form = request.form()
    request.note["form"] = public_form(form)
    accounts = emulator.settings["accounts"]
    if form.get("grant_type") != GRANTS + "token-exchange":
        raise OAuthError(400, "unsupported_grant_type", "Invalid grant_type.")
    for name in ("audience", "scope", "requested_token_type", "subject_token", "subject_token_type"):
        if not form.get(name):
            raise OAuthError(400, "invalid_request", f"Missing required field: {name}.")
    if form["requested_token_type"] != ACCESS_TOKEN:
        raise OAuthError(400, "invalid_request", "Invalid requested_token_type.")
    if form["subject_token_type"] not in SUBJECT_TYPES:
        raise OAuthError(400, "invalid_request", "Invalid subject_token_type.")
    if form["audience"] not in accounts.get("audiences", []):
        raise OAuthError(
            400,
            "invalid_target",
            'The target service indicated by the "audience" parameters is invalid. This might '
            "either be because the pool or provider is disabled or deleted or because it doesn't exist.",
        )
    if form["subject_token"] not in accounts.get("subject_tokens", []) + emulator.state.meta.get(
        "subjects", []
    ):
        raise OAuthError(
            400,
            "invalid_grant",
            "The given credential is rejected by the attribute condition, or has expired.",
        )
    who = f"principal:{form['audience'].removeprefix('//iam.googleapis.com')}/subject/outside"
    return _answer(
        *give(emulator, "token-exchange", who, form["scope"].split()), issued_token_type=ACCESS_TOKEN
    )


def introspect(emulator, request):
    """RFC 7662: whose a token is. gcloud asks it of a token that STS gave, to name the account."""
    token = request.form().get("token", "")
    record = emulator.state.tokens.get(token)
    if not record or record.get("revoked") or record["expires"] <= emulator.now():
        return Response(200, {"active": False})
    return Response(
        200,
        {
            "active": True,
            "username": record["account"],
            "scope": " ".join(record["scopes"]),
            "exp": int(record["expires"]),
        },
    )


def subject(emulator, _):
    """The URL source of subject tokens: another one each time, and only the latest is good."""
    token = f"subject.{secrets.token_urlsafe(16)}"
    with emulator.state.lock:
        emulator.state.meta["subjects"] = [token]
    return Response(200, {"tok": token})


def generate(emulator, request, email):
    """iamcredentials generateAccessToken, also with a chain of delegates."""
    email, given = unquote(email), request.json()
    if "authorization" not in request.headers:
        raise unauthorized("iam", True)
    if unknown := set(given) - {"delegates", "scope", "lifetime"}:
        raise bad(
            f'Invalid JSON payload received. Unknown name "{sorted(unknown)[0]}": Cannot find field.',
            rpc=True,
        )
    lifetime = given.get("lifetime") or "3600s"
    if not given.get("scope"):
        raise bad("Request contains an invalid argument.", "badRequest", rpc=True)
    if (
        not isinstance(lifetime, str)
        or not lifetime.endswith("s")
        or not lifetime[:-1].isdigit()
        or not 0 < int(lifetime[:-1]) <= MOST
    ):
        raise bad("The access token lifetime cannot exceed 3600 seconds.", "badRequest", rpc=True)
    for who in [*(given.get("delegates") or []), email]:
        who = who.rpartition("/")[2]
        allow(emulator, request, "iam.serviceAccounts.getAccessToken", f"projects/-/serviceAccounts/{who}")
        known = emulator.settings["accounts"].get("service_accounts")
        if known is not None and who not in known:
            raise ApiError(404, "notFound", "Not found; Gaia id not found for email " + who, rpc=True)
    token, seconds = give(emulator, "impersonated", email, list(given["scope"]), int(lifetime[:-1]))
    request.note["impersonated_by"] = account(request)
    ends = datetime.datetime.fromtimestamp(emulator.now() + seconds, datetime.timezone.utc)
    return Response(200, {"accessToken": token, "expireTime": ends.strftime("%Y-%m-%dT%H:%M:%SZ")})


ROUTES = [
    ("POST", "/token", oauth, None),
    ("POST", "(?:/sts)?/v1/token", exchange, None),
    ("POST", "(?:/sts)?/v1/introspect", introspect, None),
    ("GET", "/subject", subject, None),
    ("POST", r"/v1/projects/-/serviceAccounts/(?P<email>[^/:]+):generateAccessToken", generate, "iam"),
]
