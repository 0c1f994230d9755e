"""Token endpoints, the metadata server, and what a token is good for."""

import base64
import json
import os
import subprocess
import urllib.parse

from client import archive, same

CLOUD = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:"
JWT, TOKEN = "urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:access_token"


def credential(e, name):
    with open(f"{e.folder}/credentials/{name}", encoding="utf-8") as file:
        return json.load(file) if name.endswith(".json") else file.read()


def post(e, path, **form):
    return e(
        "POST", path, urllib.parse.urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"}
    )


def encode(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(e, changes=None, header=None):
    """A JWT of the service account, signed by openssl."""
    account, now = credential(e, "service-account.json"), int(e.clock())
    claims = {
        "iss": account["client_email"],
        "scope": CLOUD,
        "aud": "https://oauth2.googleapis.com/token",
        "iat": now,
        "exp": now + 3600,
        **(changes or {}),
    }
    head = {"alg": "RS256", "typ": "JWT", "kid": account["private_key_id"], **(header or {})}
    text = f"{encode(json.dumps(head).encode())}.{encode(json.dumps(claims).encode())}"
    key = f"{e.folder}/key.pem"
    with open(key, "w", encoding="ascii") as file:
        file.write(account["private_key"])
    signature = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(), capture_output=True, check=True
    ).stdout
    return f"{text}.{encode(signature)}"


def bearer(e, assertion):
    return post(e, "/token", grant_type=GRANT + "jwt-bearer", assertion=assertion)


def works(e, token):
    """The status of a read with that token."""
    return e.get("there", headers={"Authorization": f"Bearer {token}"}).status


def service_account(e):
    """tokens: a JWT signed by openssl is accepted; each wrong claim, and a wrong signature, is refused."""
    e.set(auth="required")
    answer = bearer(e, signed(e))
    same(
        (answer.status, answer.json["token_type"], works(e, answer.json["access_token"])),
        (200, "Bearer", 404),
    )
    now = int(e.clock())
    for changes in (
        {"aud": "https://example.com/token"},
        {"iat": now + 900, "exp": now + 4000},
        {"iat": now - 9000, "exp": now - 5400},
        {"exp": now + 7200},
        {"iss": "nobody@example.com"},
        {"exp": "soon"},
    ):
        answer = bearer(e, signed(e, changes))
        same((changes, answer.status, answer.json["error"]), (changes, 400, "invalid_grant"))
    assertion = signed(e)
    for broken in (
        assertion[:-8] + "AAAAAAAA",
        assertion.replace(".", "", 1),
        "",
        assertion.rpartition(".")[0] + ".AAAA",
    ):
        same(bearer(e, broken).json["error"], "invalid_grant")
    same(bearer(e, signed(e, header={"kid": "another"})).json["error_description"], "Invalid JWT Signature.")
    same(bearer(e, signed(e, header={"alg": "none"})).json["error_description"], "Invalid JWT Signature.")
    same(bearer(e, signed(e, {"scope": ""})).json["error"], "invalid_scope")
    e.set(clock_offset=-4000)  # now the client's clock is ahead
    e.offset = 4000
    same(bearer(e, signed(e)).json["error"], "invalid_grant")
    e.offset = 0


def refresh(e):
    """tokens: a refresh token, its client, and mistakes in each."""
    user = credential(e, "authorized-user.json")
    form = {
        "grant_type": "refresh_token",
        **{k: user[k] for k in ("client_id", "client_secret", "refresh_token")},
    }
    answer = post(e, "/token", **form)
    same((answer.status, works(e, answer.json["access_token"])), (200, 404))
    for changes, status, error in (
        ({"client_id": "x"}, 401, "invalid_client"),
        ({"client_secret": "x"}, 401, "invalid_client"),
        ({"refresh_token": "x"}, 400, "invalid_grant"),
        ({"grant_type": "x"}, 400, "unsupported_grant_type"),
    ):
        answer = post(e, "/token", **{**form, **changes})
        same((answer.status, answer.json["error"]), (status, error))


def external(e):
    """tokens: an exchange for a subject token of the file or the URL, then impersonation; a rotated one is refused."""

    def exchange(subject, **changes):
        form = {
            "grant_type": GRANT + "token-exchange",
            "audience": credential(e, "external-file.json")["audience"],
            "scope": CLOUD,
            "requested_token_type": TOKEN,
            "subject_token": subject,
            "subject_token_type": JWT,
            **changes,
        }
        return post(e, "/sts/v1/token", **form)

    first = credential(e, "subject-token")
    same(exchange(first).json["issued_token_type"], TOKEN)
    e.control("POST", "subject")
    same(
        (exchange(first).json["error"], exchange(credential(e, "subject-token")).status),
        ("invalid_grant", 200),
    )
    one, two = e("GET", "/subject").json["tok"], e("GET", "/subject").json["tok"]
    same((exchange(one).status, exchange(two).status), (400, 200))
    same(exchange(two, audience="x").json["error"], "invalid_target")
    same(exchange(two, scope="").json["error"], "invalid_request")
    token = exchange(two).json["access_token"]
    same(post(e, "/sts/v1/introspect", token=token).json["active"], True)
    same(post(e, "/sts/v1/introspect", token="x").json, {"active": False})
    path = credential(e, "external-url.json")["service_account_impersonation_url"].split(str(e.port))[1]
    head = {"Authorization": f"Bearer {token}"}
    answer = e("POST", path, {"scope": [CLOUD], "lifetime": "1800s", "delegates": None}, head)
    same(
        (answer.status, works(e, answer.json["accessToken"]), answer.json["expireTime"][-1]), (200, 404, "Z")
    )
    same(e("POST", path, {"scope": [CLOUD], "lifetime": "3601s"}, head).status, 400)
    same(e("POST", path, {"scope": []}, head).status, 400)
    same(e("POST", path, {"scope": [CLOUD]}).status, 401)
    e.set(deny=[{"permission": "iam.serviceAccounts.getAccessToken", "resource": "target@"}])
    answer = e("POST", path, {"scope": [CLOUD]}, head)
    same((answer.status, answer.json["error"]["status"]), (403, "PERMISSION_DENIED"))


def metadata(e):
    """tokens: the metadata server sends one, and its flavour header, only to requests with that header."""
    path, head = "/computeMetadata/v1/instance/service-accounts/default/token?scopes=" + CLOUD, {
        "Metadata-Flavor": "Google"
    }
    same(e("GET", path).status, 403)
    same(e("GET", path, headers={**head, "X-Forwarded-For": "10.0.0.1"}).status, 403)
    answer = e("GET", path, headers=head)
    same(
        (answer.status, answer.headers["Metadata-Flavor"], works(e, answer.json["access_token"])),
        (200, "Google", 404),
    )
    same(e("GET", "/").headers["Metadata-Flavor"], "Google")
    same(e("GET", "/computeMetadata/v1/project/project-id", headers=head).body, b"test-project")
    same(e("GET", "/computeMetadata/v1/instance/nothing", headers=head).status, 404)
    e.set(metadata_flavor=False)
    same(e("GET", path, headers=head).headers["Metadata-Flavor"], None)


def expiry(e):
    """tokens: good until they expire or are revoked, for the scopes they have, in a project that may be billed."""
    e.set(auth="required", token_lifetime=60)
    token = bearer(e, signed(e)).json["access_token"]
    same((works(e, token), works(e, "ya29.unknown"), e.get("there").status), (404, 401, 401))
    e.set(clock_offset=61)
    answer = e.get("there", headers={"Authorization": f"Bearer {token}"})
    same((answer.status, answer.reason), (401, "authError"))
    assert "invalid_token" in answer.headers["WWW-Authenticate"]
    e.set(clock_offset=0)
    e.control("POST", "revoke")
    same(works(e, token), 401)
    token = bearer(e, signed(e, {"scope": CLOUD + ".read-only"})).json["access_token"]
    answer = e.put("x", headers={"Authorization": f"Bearer {token}"})
    same((works(e, token), answer.status, answer.reason), (404, 403, "insufficientPermissions"))
    e.set(user_projects=["paid"])
    token = bearer(e, signed(e)).json["access_token"]
    for project, status in (("paid", 404), ("other", 403)):
        same(
            e.get(
                "there", headers={"Authorization": f"Bearer {token}", "X-Goog-User-Project": project}
            ).status,
            status,
        )
    same(e("GET", "/compute/v1/projects/p/global/images").json["error"]["status"], "UNAUTHENTICATED")
    e.set(accept_tokens=["of-a-file"])
    same(works(e, "of-a-file"), 404)


def session_uri(e):
    """tokens: a session's URI authorizes its upload without a token."""
    e.set(auth="required")
    head = {"Authorization": f"Bearer {bearer(e, signed(e)).json['access_token']}"}
    session = e.begin("s", headers=head)
    same((e.chunk(session, b"abc", 0, 3).status, e.put("other").status), (200, 401))


def secrecy(e):
    """tokens: neither they nor the secrets they were issued for are in the log."""
    bearer(e, signed(e))
    refresh(e)
    with open(f"{e.folder}/log", encoding="utf-8") as file:
        text = file.read()
    user, key = (
        credential(e, "authorized-user.json"),
        credential(e, "service-account.json")["private_key"].splitlines()[1],
    )
    for secret in (
        user["client_secret"],
        user["refresh_token"],
        key,
        "ya29.",
        credential(e, "subject-token"),
        "eyJ",
    ):
        assert secret not in text, secret
    same(
        [
            name
            for name in sorted(os.listdir(f"{e.folder}/credentials"))
            if os.stat(f"{e.folder}/credentials/{name}").st_mode & 0o77
        ],
        [],
    )


def batch(e):
    """batch: several requests in one, each with its own answer."""
    e.put("disk.tar.gz", archive())
    body = "".join(
        f"--===\nContent-Type: application/http\nContent-ID: <a+{i}>\n\nGET {path} HTTP/1.1\nAccept: */*\n\n\n"
        for i, path in enumerate(
            ("/compute/v1/projects/p/global/images?maxResults=5", "/storage/v1/b/bucket-1/o/none")
        )
    )
    answer = e(
        "POST", "/batch/compute/v1", body + "--===--\n", {"Content-Type": 'multipart/mixed; boundary="==="'}
    )
    same((answer.status, answer.body.count(b"HTTP/1.1 200"), answer.body.count(b"HTTP/1.1 404")), (200, 1, 1))
    assert b"<response-a+1>" in answer.body and b"compute#imageList" in answer.body


CASES = [service_account, refresh, external, metadata, expiry, session_uri, secrecy, batch]
