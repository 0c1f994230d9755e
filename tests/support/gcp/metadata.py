"""The metadata server as far as clients look for a token: /computeMetadata/v1/. It answers only those who send
Metadata-Flavor: Google, and says the same in its answer, unless the setting metadata_flavor is off."""

from access import CLOUD
from errors import ApiError
from tokens import give
from wire import Response

TEXT = "application/text"


def _email(emulator):
    return f"node@{emulator.settings['project']}.iam.gserviceaccount.com"


def root(emulator, request):
    return _dress(emulator, Response(200, b"computeMetadata/\n", kind=TEXT))


def _dress(emulator, response):
    response.headers["Server"] = "Metadata Server for VM"
    if emulator.settings["metadata_flavor"]:
        response.headers["Metadata-Flavor"] = "Google"
    return response


def value(emulator, request, path):
    if request.headers.get("metadata-flavor") != "Google" or "x-forwarded-for" in request.headers:
        return Response(403, b"<title>Error 403 (Forbidden)!!1</title> Your client does not have permission to get URL: missing "
                             b"Metadata-Flavor:Google header.\n", kind="text/html; charset=UTF-8")
    email, path = _email(emulator), path.strip("/")
    plain = {"project/project-id": emulator.settings["project"], "project/numeric-project-id": "123456789012",
             "universe/universe-domain": emulator.settings["universe_domain"], "instance/service-accounts": f"default/\n{email}/\n",
             "instance": "service-accounts/\nzone\n", "instance/zone": "projects/123456789012/zones/us-central1-a",
             "instance/id": "4242424242424242424", "": "instance/\nproject/\nuniverse/\n"}
    if path in plain:
        return _dress(emulator, Response(200, plain[path].encode(), kind=TEXT))
    for name in ("default", email):
        start = f"instance/service-accounts/{name}"
        if path == start:
            if request.query.get("recursive") == "true":
                return _dress(emulator, Response(200, {"aliases": ["default"], "email": email, "scopes": [CLOUD]}))
            return _dress(emulator, Response(200, b"aliases\nemail\nidentity\nscopes\ntoken\n", kind=TEXT))
        if path == start + "/email":
            return _dress(emulator, Response(200, email.encode(), kind=TEXT))
        if path == start + "/scopes":
            return _dress(emulator, Response(200, CLOUD.encode() + b"\n", kind=TEXT))
        if path == start + "/token":
            scopes = request.query.get("scopes", CLOUD).replace(",", " ").split()
            token, seconds = give(emulator, "metadata", email, scopes)
            return _dress(emulator, Response(200, {"access_token": token, "expires_in": seconds, "token_type": "Bearer"}))
    error = ApiError(404, "notFound", "not found")
    return _dress(emulator, Response(404, error.message.encode(), kind="text/html; charset=UTF-8"))


ROUTES = [("GET", "/", root, None), ("GET", "/computeMetadata/v1/?(?P<path>.*)", value, None)]
