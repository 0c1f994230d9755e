"""Files of credentials of every kind that Google's clients read, good at this emulator: --credentials DIR.

DIR/service-account.json, authorized-user.json, external-file.json, external-url.json (with impersonation),
impersonated.json, access-token, subject-token. The key is made once per --state, so that a restart changes nothing.
"""

import json
import os
import secrets
import subprocess

from access import CLOUD
from tokens import give

AUDIENCE = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/pool/providers/outside"
CLIENT, JWT_TYPE = "emulator.apps.googleusercontent.com", "urn:ietf:params:oauth:token-type:jwt"


def _openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True).stdout


def _write(folder, name, content):
    path = os.path.join(folder, name)
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content, indent=2) + "\n")
    os.rename(path + ".new", path)
    return path


def rotate_subject(emulator):
    """A new subject token in the file; the one before is refused from now on."""
    token = f"subject.{secrets.token_urlsafe(16)}"
    emulator.settings["accounts"]["subject_tokens"] = [token]
    _write(emulator.credentials, "subject-token", token)


def write(emulator, folder, base):
    os.makedirs(folder, 0o700, exist_ok=True)
    key = os.path.join(emulator.state.directory, "service-account.pem")
    if not os.path.exists(key):
        old = os.umask(0o077)
        _openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
        os.umask(old)
    project, secret = emulator.settings["project"], emulator.state.meta.setdefault("secret", secrets.token_urlsafe(24))
    emulator.state.meta["secret"] = secret
    robot, target = (f"{name}@{project}.iam.gserviceaccount.com" for name in ("bake", "target"))
    emulator.credentials = folder
    emulator.settings["accounts"] = {
        "service_accounts": {robot: {"key-1": _openssl("pkey", "-in", key, "-pubout")}, target: {}},
        "clients": {CLIENT: f"GOCSPX-{secret}"}, "refresh_tokens": {f"1//{secret}": "user@example.com"},
        "audiences": [AUDIENCE], "subject_tokens": []}
    impersonate = f"{base}/v1/projects/-/serviceAccounts/{target}:generateAccessToken"
    user = {"type": "authorized_user", "client_id": CLIENT, "client_secret": f"GOCSPX-{secret}", "refresh_token": f"1//{secret}",
            "token_uri": f"{base}/token", "universe_domain": "googleapis.com"}
    outside = {"type": "external_account", "audience": AUDIENCE, "subject_token_type": JWT_TYPE, "token_url": f"{base}/sts/v1/token",
               "universe_domain": "googleapis.com"}
    with open(key, encoding="ascii") as file:
        private = file.read()
    rotate_subject(emulator)
    subject = os.path.join(os.path.abspath(folder), "subject-token")
    _write(folder, "service-account.json",
           {"type": "service_account", "project_id": project, "private_key_id": "key-1", "private_key": private,
            "client_email": robot, "client_id": "100000000000000000001", "token_uri": f"{base}/token",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth", "universe_domain": "googleapis.com"})
    _write(folder, "authorized-user.json", user)
    _write(folder, "external-file.json", {**outside, "credential_source": {"file": subject}})
    _write(folder, "external-url.json",
           {**outside, "credential_source": {"url": f"{base}/subject", "headers": {"X-Subject": "1"},
                                             "format": {"type": "json", "subject_token_field_name": "tok"}},
            "service_account_impersonation_url": impersonate,
            "service_account_impersonation": {"token_lifetime_seconds": 1800}})
    _write(folder, "impersonated.json",
           {"type": "impersonated_service_account", "delegates": [], "service_account_impersonation_url": impersonate,
            "source_credentials": user})
    _write(folder, "access-token", give(emulator, "file", robot, [CLOUD])[0])
