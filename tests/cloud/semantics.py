"""The emulator's own semantics, one case after the other, in TAP. emulator-test runs it."""

import base64
import hashlib
import os
import struct
import tempfile
import threading
import time

from client import UNIT, Emulator, Tap, archive, quote, same, sys

CRC_OF_DIGITS = base64.b64encode(struct.pack(">I", 0xE3069283)).decode()  # "123456789", RFC 3720's check value


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


# --- objects -------------------------------------------------------------------------------------------------------------


def hashes(e):
    """hashes: given with every object, and refused when they are not those of the bytes."""
    made = e.put("digits", b"123456789").json
    same((made["crc32c"], made["md5Hash"], made["size"]), (CRC_OF_DIGITS, md5(b"123456789"), "9"))
    answer = e.get("digits", "?alt=media")
    same(answer.headers["X-Goog-Hash"], f"crc32c={CRC_OF_DIGITS},md5={md5(b'123456789')}")
    same(e.put("wrong", b"12345678", headers={"X-Goog-Hash": f"crc32c={CRC_OF_DIGITS}"}).status, 400)
    same(e.put("wrong", b"12345678", headers={"Content-MD5": md5(b"1")}).status, 400)
    same(e.get("wrong").status, 404)
    same(e.put("right", b"123456789", headers={"X-Goog-Hash": f"crc32c={CRC_OF_DIGITS}"}).status, 200)
    same(e.put("empty", b"").json["crc32c"], "AAAAAA==")
    same(e.data("empty"), b"")


def multipart(e):
    """multipart: CRLF and LF, quoted boundaries, parts without headers, a name in the query or in the JSON."""
    for number, (newline, mark, head) in enumerate([(b"\r\n", b"b1", b"Content-Type: a/b"), (b"\n", b"=='=", b"Content-Type: a/b"),
                                                    (b"\r\n", b"b3", b"")]):
        data = b"\r\n--b" + bytes(range(256)) * 5000 + b"\n\r\n"
        name = f"multi{number}"
        body = newline.join([b"--" + mark, b"Content-Type: application/json", b"", b'{"name": "%s"}' % name.encode(), b"--" + mark,
                             *([head] if head else []), b"", data, b"--" + mark + b"--", b""])
        kind = f"multipart/related; boundary='{mark.decode()}'" if number == 1 else f"multipart/related; boundary={mark.decode()}"
        for sent in (body, [body[i:i + 1000] for i in range(0, len(body), 1000)]):
            made = e("POST", "/upload/storage/v1/b/bucket-1/o?uploadType=multipart", sent, {"Content-Type": kind})
            same((made.status, made.json.get("md5Hash")), (200, md5(data)))
        same(made.json["contentType"], "a/b" if head else "application/octet-stream")
    broken = e("POST", "/upload/storage/v1/b/bucket-1/o?uploadType=multipart", body[:-9],
               {"Content-Type": "multipart/related; boundary=b3"})
    same(broken.status, 400)


def reading(e):
    """reading: ranges, 416, fields, a name with slashes and umlauts, 404 of object and bucket."""
    e.put("a/ä ö", bytes(range(100)))
    for span, want in (("0-9", range(10)), ("90-", range(90, 100)), ("-5", range(95, 100)), ("95-200", range(95, 100))):
        answer = e.get("a/ä ö", "?alt=media", {"Range": f"bytes={span}"})
        same((answer.status, answer.body), (206, bytes(want)))
    same(answer.headers["Content-Range"], "bytes 95-99/100")
    same(e.get("a/ä ö", "?alt=media", {"Range": "bytes=100-"}).status, 416)
    same(e.get("a/ä ö", "?fields=name,size").json, {"name": "a/ä ö", "size": "100"})
    same((e.get("nothing").status, e.get("nothing").reason), (404, "notFound"))
    same(e.get("x", bucket="no-such-bucket").json["error"]["message"], "The specified bucket does not exist.")


def listing(e):
    """listing: prefix, delimiter, pages in order, each name once."""
    for name in ("l/a", "l/b/1", "l/b/2", "l/c", "l/d/1", "m"):
        e.put(name)
    base, found, token = "/storage/v1/b/bucket-1/o?prefix=l/&delimiter=/&maxResults=1", [], ""
    while True:
        page = e("GET", base + token).json
        found += [i["name"] for i in page.get("items", [])] + page.get("prefixes", [])
        if "nextPageToken" not in page:
            break
        token = f"&pageToken={page['nextPageToken']}"
    same(found, ["l/a", "l/b/", "l/c", "l/d/"])
    same([i["name"] for i in e("GET", "/storage/v1/b/bucket-1/o?prefix=l/b").json["items"]], ["l/b/1", "l/b/2"])
    same(e("GET", base + "&fields=items(name),nextPageToken").json["items"], [{"name": "l/a"}])


def preconditions(e):
    """preconditions: 412 on upload, compose, delete, patch; 304 on read; each generation is new."""
    first = e.put("p", b"1", "&ifGenerationMatch=0").json["generation"]
    answer = e.put("p", b"2", "&ifGenerationMatch=0")
    same((answer.status, answer.reason), (412, "conditionNotMet"))
    second = e.put("p", b"2", f"&ifGenerationMatch={first}").json["generation"]
    assert int(second) > int(first)
    same(e.compose("p", ["p"], "?ifGenerationMatch=0").status, 412)
    path = "/storage/v1/b/bucket-1/o/p"
    same(e("DELETE", f"{path}?ifGenerationMatch={first}").status, 412)
    same(e("DELETE", f"{path}?generation={first}").status, 404)
    same(e("GET", f"{path}?ifGenerationNotMatch={second}").status, 304)
    same(e("PATCH", f"{path}?ifMetagenerationMatch=2", {"metadata": {"k": "v"}}).status, 412)
    changed = e("PATCH", f"{path}?ifMetagenerationMatch=1", {"metadata": {"k": "v"}}).json
    same((changed["metadata"], changed["metageneration"], changed["generation"]), ({"k": "v"}, "2", second))
    same(e("DELETE", f"{path}?generation={second}").status, 204)
    same(e("DELETE", path).status, 404)
    same(e.put("p", b"3", "&ifGenerationMatch=x").status, 400)


def compose(e):
    """compose: 1 to 32 sources, in order, composites of composites, no MD5; generations and preconditions of sources."""
    data = b""
    for i in range(33):
        e.put(f"part{i}", bytes([i]) * (i + 1))
        data += bytes([i]) * (i + 1) if i < 32 else b""
    made = e.compose("whole", [f"part{i}" for i in range(32)])
    same((made.status, made.json["componentCount"], "md5Hash" in made.json), (200, 32, False))
    same(e.data("whole"), data)
    e.put("control", data)
    same(made.json["crc32c"], e.get("control").json["crc32c"])
    same(e.compose("whole", [f"part{i}" for i in range(33)]).status, 400)
    same(e.compose("whole", []).status, 400)
    made = e.compose("twice", ["whole", "part32", "whole"])
    same((made.json["componentCount"], e.data("twice")), (65, data + bytes([32]) * 33 + data))
    same(e.get("twice", "?alt=media", {"Range": "bytes=520-570"}).body, e.data("twice")[520:571])
    generation = e.get("part0").json["generation"]
    same(e.compose("c", [{"name": "part0", "generation": "1"}]).status, 404)
    same(e.compose("c", [{"name": "part0", "generation": generation}]).status, 200)
    same(e.compose("c", [{"name": "part0", "objectPreconditions": {"ifGenerationMatch": "1"}}]).status, 412)
    same(e.compose("c", ["part0", "nothing"]).status, 404)
    for i in range(33):
        same(e("DELETE", f"/storage/v1/b/bucket-1/o/part{i}").status, 204)
    same(e.data("whole"), data)


def rewrite(e):
    """rewrite: a copy inside the storage keeps bytes, hashes and metadata."""
    e.put("from", b"abc")
    answer = e("POST", "/storage/v1/b/bucket-1/o/from/rewriteTo/b/bucket-1/o/to%2F1", {}).json
    same((answer["done"], answer["resource"]["name"], e.data("to/1")), (True, "to/1", b"abc"))


def buckets(e):
    """buckets: made with location and lifecycle, 409 when there or taken, refused when wrong; rules delete what is old."""
    make = "/storage/v1/b?project=p"
    rule = {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 7, "matchesPrefix": ["segments/"]}}]}
    made = e("POST", make, {"name": "fresh-1", "location": "europe-west1", "lifecycle": rule}).json
    same((made["location"], made["locationType"], made["lifecycle"]), ("EUROPE-WEST1", "region", rule))
    same((e("POST", make, {"name": "fresh-1"}).status, e("POST", make, {"name": "fresh-1"}).reason), (409, "conflict"))
    e.set(taken_buckets=["theirs"])
    same(e("POST", make, {"name": "theirs"}).status, 409)
    same(e("POST", make, {"name": "x"}).status, 400)
    same(e("POST", make, {"name": "fresh-2", "location": "atlantis"}).status, 400)
    same(e("POST", make, {"name": "fresh-2", "lifecycles": {}}).status, 400)
    same(e("GET", "/storage/v1/b/fresh-1").json["location"], "EUROPE-WEST1")
    same(e("GET", "/storage/v1/b/fresh-2").status, 404)
    e.put("segments/1", bucket="fresh-1")
    e.put("image.tar.gz", bucket="fresh-1")
    same(e.control("POST", "lifecycle", {"days": 6})["deleted"], [])
    same(e.control("POST", "lifecycle", {"days": 8})["deleted"], ["fresh-1/segments/1"])
    same(e("DELETE", "/storage/v1/b/fresh-1").status, 409)


# --- resumable -----------------------------------------------------------------------------------------------------------


def resumable(e):
    """resumable: unknown size, 308 with and without Range, whole units, the last chunk tells the total."""
    data = os.urandom(3 * UNIT + 77)
    session = e.begin("res", given={"metadata": {"a": "b"}, "contentType": "application/gzip"})
    answer = e.chunk(session, b"", 0)
    same((answer.status, answer.headers["Range"]), (308, None))
    answer = e.chunk(session, data[:UNIT + 5], 0)
    same((answer.status, answer.headers["Range"]), (308, f"bytes=0-{UNIT - 1}"))
    same(e.chunk(session, data[UNIT:UNIT + 10], UNIT).status, 400)
    same(e.chunk(session, data[2 * UNIT:], 2 * UNIT, len(data)).status, 400)
    answer = e.chunk(session, data[:2 * UNIT], 0)  # the first unit is there: it is read over
    same(answer.headers["Range"], f"bytes=0-{2 * UNIT - 1}")
    answer = e.chunk(session, data[2 * UNIT:], 2 * UNIT, len(data))
    same((answer.status, answer.json["md5Hash"], answer.json["metadata"]), (200, md5(data), {"a": "b"}))
    again = e.chunk(session, b"", 0)
    same((again.status, again.json["generation"]), (200, answer.json["generation"]))
    identity = session.rpartition("=")[2]
    counter = e.control("GET", "counters")["sessions"][identity]
    same((counter["persisted"], counter["ignored"]), (len(data), UNIT))


def resumable_forms(e):
    """resumable: one PUT without Content-Range, POST with X-GUploader-No-308, a size known ahead, an empty object, cancel."""
    data = os.urandom(UNIT + 9)
    same(e("PUT", e.begin("one"), data).json["md5Hash"], md5(data))
    same(e("PUT", e.begin("piped"), [data[:1000], data[1000:]]).json["md5Hash"], md5(data))
    session = e.begin("rclone")
    answer = e("POST", session, data[:UNIT], {"Content-Range": f"bytes 0-{UNIT - 1}/*", "X-GUploader-No-308": "yes"})
    same((answer.status, answer.headers["X-Http-Status-Code-Override"], answer.headers["Range"]), (200, "308", f"bytes=0-{UNIT - 1}"))
    same(e("POST", session, data[UNIT:], {"Content-Range": f"bytes {UNIT}-{len(data) - 1}/{len(data)}"}).json["md5Hash"], md5(data))
    session = e.begin("sized", headers={"X-Upload-Content-Length": str(len(data))})
    same(e.chunk(session, data[:-1], 0, len(data) - 1).status, 400)
    same(e.chunk(session, data, 0, len(data)).status, 200)
    same(e.chunk(e.begin("none"), b"", 0, 0).json["size"], "0")
    session = e.begin("cancelled")
    same(e("DELETE", session).status, 499)
    same(e.chunk(session, data, 0, len(data)).status, 499)
    same(e.chunk(session.replace("upload_id=", "upload_id=x"), data, 0, len(data)).status, 404)


def resumable_checks(e):
    """resumable: preconditions at the start and at the end, X-Goog-Hash on the last PUT; such a session is over."""
    e.put("there")
    answer = e("POST", "/upload/storage/v1/b/bucket-1/o?uploadType=resumable&name=there&ifGenerationMatch=0", {})
    same(answer.status, 412)
    session = e.begin("race", "&ifGenerationMatch=0")
    e.put("race", b"other")
    same(e.chunk(session, b"mine", 0, 4).status, 412)
    same((e.data("race"), e.chunk(session, b"", 0).status), (b"other", 410))
    session = e.begin("hash")
    same(e.chunk(session, b"mine", 0, 4, headers={"X-Goog-Hash": f"crc32c={CRC_OF_DIGITS}"}).status, 400)
    same(e.get("hash").status, 404)
    e.set(session_lifetime=-1)
    same(e.chunk(e.begin("old"), b"mine", 0, 4).status, 410)
    e.set(session_lifetime=604800)


def restart(e):
    """restart: kill -9 of the emulator; a session goes on at its Range, objects, images and operations are there."""
    data = os.urandom(4 * UNIT)
    e.put("kept", b"kept")
    e.put("disk.tar.gz", archive())
    session = e.begin("over")
    same(e.chunk(session, data[:2 * UNIT], 0, len(data)).status, 308)
    e.set(operation_seconds=1)
    operation = e.insert("kept-image").json["name"]
    e.kill()
    e.start()
    same(e.chunk(session, b"", 0).headers["Range"], f"bytes=0-{2 * UNIT - 1}")
    same(e.chunk(session, data[2 * UNIT:], 2 * UNIT, len(data)).json["md5Hash"], md5(data))
    same(e.data("kept"), b"kept")
    same(e.compute("POST", f"operations/{operation}/wait").json["status"], "DONE")
    same(e.compute("GET", "images/kept-image").json["status"], "READY")


# --- faults --------------------------------------------------------------------------------------------------------------


def fault_status(e):
    """fault status: the Nth request that matches, with Retry-After and reason; the next one passes."""
    e.fault("status", method="POST", path="uploadType=media", nth=2, status=503, retry_after=7)
    same(e.put("f1").status, 200)
    answer = e.put("f2")
    same((answer.status, answer.reason, answer.headers["Retry-After"]), (503, "backendError", "7"))
    same((e.get("f2").status, e.put("f2").status), (404, 200))
    e.fault("status", path="/o/f1", status=429, times=0)
    same([e.get("f1").status, e.get("f1").status, e.get("f1").reason], [429, 429, "rateLimitExceeded"])
    same(e.control("GET", "faults")["faults"][1]["fired"], 3)


def fault_cuts(e):
    """fault cuts: before, in and after the body, and after the work; what each leaves behind."""
    for action, left in (("cut-before-body", 404), ("cut-mid-body", 404), ("cut-after-body", 404), ("drop-after", 200)):
        for reset in (False, True):
            e.fault(action, path=f"name={action}", reset=reset)
            assert e.lost("POST", f"/upload/storage/v1/b/bucket-1/o?uploadType=media&name={action}{reset}", bytes(3000)), action
            same((action, e.get(f"{action}{reset}").status), (action, left))
            e.calm()


def fault_sessions(e):
    """fault cuts in a session: whole units of what came stay; 308 with less; 503 with some; 410 ends it."""
    data = os.urandom(4 * UNIT)
    session = e.begin("s1")
    e.fault("cut-mid-body", method="PUT", bytes=3 * UNIT + 5)
    e.lost("PUT", session, data, {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"})
    same(e.chunk(session, b"", 0).headers["Range"], f"bytes=0-{3 * UNIT - 1}")
    same(e.chunk(session, data[3 * UNIT:], 3 * UNIT, len(data)).json["md5Hash"], md5(data))
    session = e.begin("s2")
    e.fault("short-308", method="PUT", persist=UNIT)
    answer = e.chunk(session, data, 0, len(data))
    same((answer.status, answer.headers["Range"]), (308, f"bytes=0-{UNIT - 1}"))
    e.fault("short-308", method="PUT", persist=0)
    answer = e.chunk(session, data[UNIT:], UNIT, len(data))
    same((answer.status, answer.headers["Range"]), (308, f"bytes=0-{UNIT - 1}"))
    e.fault("status", method="PUT", status=500, persist=UNIT)
    same(e.chunk(session, data[UNIT:], UNIT, len(data)).status, 500)
    same(e.chunk(session, b"", 0).headers["Range"], f"bytes=0-{2 * UNIT - 1}")
    e.fault("drop-after", method="PUT")
    e.lost("PUT", session, data[2 * UNIT:], {"Content-Range": f"bytes {2 * UNIT}-{len(data) - 1}/{len(data)}"})
    same(e.chunk(session, b"", 0).json["md5Hash"], md5(data))
    session = e.begin("s3")
    e.chunk(session, data[:UNIT], 0, len(data))
    e.fault("gone", method="PUT")
    same([e.chunk(session, data[UNIT:], UNIT, len(data)).status, e.chunk(session, b"", 0).status], [410, 410])


def fault_answers(e):
    """fault answers: short with and without the truth in Content-Length, slow, wrong crc32c, a flipped byte, not JSON."""
    data = os.urandom(1000)
    e.put("f", data)
    e.fault("close-mid-answer", method="GET")
    assert e.lost("GET", "/storage/v1/b/bucket-1/o/f?alt=media")
    e.fault("short-body", method="GET", bytes=10)
    same(e.data("f"), data[:10])
    e.fault("corrupt-answer", method="GET")
    same(sum(a != b for a, b in zip(e.data("f"), data)), 1)
    right = e.get("f").json["crc32c"]
    e.fault("wrong-crc32c", method="GET", times=2)
    assert e.get("f").json["crc32c"] != right and right not in e.get("f", "?alt=media").headers["X-Goog-Hash"]
    e.fault("wrong-crc32c", method="POST")
    assert e.put("f", data).json["crc32c"] != right
    e.fault("corrupt-upload", method="POST")
    assert e.put("f2", data).json["crc32c"] != right
    began = time.monotonic()
    e.fault("slow", method="GET", delay=0.2, rate=2000)
    e.put("f", data)
    assert e.data("f") == data and time.monotonic() - began > 0.6
    e.fault("answer", status=200, body="<html>", headers={"Content-Type": "text/html"})
    same(e.get("f").body, b"<html>")


def fault_hold(e):
    """fault hold: no answer, with the work undone or done, until the rules are cleared; the log tells while it lasts."""
    for action, left in (("hold", 404), ("hold-after", 200)):
        since = e.control("GET", "log")["count"]
        e.fault(action, method="POST")
        thread = threading.Thread(target=e.put, args=(action,))
        threading.excepthook = lambda _: None
        thread.start()
        for _ in range(100):
            if held := [r for r in e.requests(since) if r.get("held")]:
                break
            time.sleep(0.05)
        same((held[0]["fault"], e.get(action).status), (action, left))
        e.calm()
        thread.join(10)
        assert not thread.is_alive()


def fault_rules(e):
    """fault rules: what is wrong in a rule is refused, and names it."""
    for rule in ({"action": "explode"}, {"action": "hold", "bites": 3}, {"action": "status", "nth": 0}, {"action": "hold", "path": "("}):
        same(e("POST", "/_control/faults", rule).status, 400)
    same(e("POST", "/_control/config", {"colour": 1}).status, 400)
    same(e("GET", "/_control/nothing").status, 404)


# --- images --------------------------------------------------------------------------------------------------------------


def insert(e):
    """images: insert takes time, then the image is there as it was asked for; a second name is 409."""
    e.put("disk.tar.gz", archive(size=3 << 30))
    e.set(operation_seconds=0.4)
    key = {"content": "AAEC", "fileType": "X509"}
    answer = e.insert("i1", family="fam", labels={"a": "b"}, architecture="X86_64", guestOsFeatures=[{"type": "UEFI_COMPATIBLE"}],
                      licenses=["https://www.googleapis.com/compute/v1/projects/vm-options/global/licenses/enable-vmx"],
                      storageLocations=["europe-west1"], shieldedInstanceInitialState={"pk": key, "dbs": [key]},
                      imageEncryptionKey={"kmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}, description="d")
    assert answer.json["status"] in ("PENDING", "RUNNING"), answer.json
    same((e.compute("GET", "images/i1").json["status"], e.compute("GET", "images/family/fam").status), ("PENDING", 404))
    operation = e.done(answer)
    same((operation["status"], operation["progress"], "error" in operation), ("DONE", 100, False))
    image = e.compute("GET", "images/i1").json
    same((image["status"], image["diskSizeGb"], image["family"], image["labels"]), ("READY", "3", "fam", {"a": "b"}))
    assert image["imageEncryptionKey"]["kmsKeyName"].endswith("/k/cryptoKeyVersions/1")
    answer = e.insert("i1")
    same((answer.status, answer.reason), (409, "alreadyExists"))


def insert_once(e):
    """images: the same requestId gives the same operation; a zero or broken UUID is refused."""
    e.put("disk.tar.gz", archive())
    uuid = "?requestId=11111111-2222-4333-8444-555555555555"
    first = e.insert("once", uuid).json["name"]
    same(e.insert("once", uuid).json["name"], first)
    same(e.insert("once").status, 409)
    same(e.insert("once", "?requestId=00000000-0000-0000-0000-000000000000").status, 400)
    same(e.insert("once", "?requestId=1").status, 400)
    same(e.compute("DELETE", f"images/once{uuid}").status, 400)


def insert_wrong(e):
    """images: unknown fields and values, a source that is none, an archive that is none; the operation tells the last."""
    e.put("disk.tar.gz", archive())
    e.put("disk.tgz", archive())
    for fields in ({"name": "Upper"}, {"colour": 1}, {"architecture": "X86"}, {"guestOsFeatures": [{"type": "FAST"}]},
                   {"guestOsFeatures": [{"kind": "GVNIC"}]}, {"family": "-f"}, {"labels": {"A": "b"}}, {"labels": {"a": "B"}},
                   {"licenses": ["free"]}, {"storageLocations": ["us", "eu"]}, {"sourceType": "ISO"}, {"rawDisk": {}},
                   {"shieldedInstanceInitialState": {"pk": {"content": "?", "fileType": "X509"}}},
                   {"rawDisk": {"source": "gs://bucket-1/disk.tar.gz"}},
                   {"rawDisk": {"source": "https://storage.googleapis.com/bucket-1/disk.tgz"}},
                   {"imageEncryptionKey": {"kmsKeyName": "k"}}):
        same((fields, e.insert(**{"name": "wrong", **fields}).status), (fields, 400))
    same(e.insert("wrong", rawDisk={"source": "https://storage.googleapis.com/bucket-1/none.tar.gz"}).status, 404)
    same(e.insert("wrong", "?force=1").status, 400)
    import tarfile
    for data in (b"no gzip", archive("disk"), archive(size=5), archive(form=tarfile.USTAR_FORMAT), archive()[:20]):
        e.put("bad.tar.gz", data)
        operation = e.done(e.insert("bad", rawDisk={"source": f"http://127.0.0.1:{e.port}/storage/v1/b/bucket-1/o/bad.tar.gz"}))
        same((operation["status"], operation["httpErrorStatusCode"], len(operation["error"]["errors"])), ("DONE", 400, 1))
        same(e.compute("GET", "images/bad").status, 404)
    e.set(failed_images="kept")
    e.done(e.insert("bad", rawDisk={"source": f"http://127.0.0.1:{e.port}/storage/v1/b/bucket-1/o/bad.tar.gz"}))
    same(e.compute("GET", "images/bad").json["status"], "FAILED")
    e.set(failed_images="removed")
    e.fault("operation-error", method="POST", path="/images", code="QUOTA_EXCEEDED", message="too much", status=403)
    operation = e.done(e.insert("broken"))
    same((operation["error"]["errors"], operation["httpErrorMessage"]), ([{"code": "QUOTA_EXCEEDED", "message": "too much"}], "FORBIDDEN"))


def family(e):
    """images: a family is its newest image that is ready and not deprecated; undoing brings the old head back."""
    e.put("disk.tar.gz", archive())
    for name in ("f1", "f2", "f3"):
        e.done(e.insert(name, family="ff"))

    def head():
        answer = e.compute("GET", "images/family/ff")
        return answer.json["name"] if answer.status == 200 else answer.status

    same(head(), "f3")
    replacement = "https://www.googleapis.com/compute/v1/projects/p/global/images/f2"
    e.done(e.compute("POST", "images/f3/deprecate", {"state": "DEPRECATED", "replacement": replacement}))
    same((head(), e.compute("GET", "images/f3").json["deprecated"]["replacement"]), ("f2", replacement))
    e.done(e.compute("POST", "images/f2/deprecate", {"state": "OBSOLETE"}))
    e.done(e.compute("PATCH", "images/f1", {"family": "other"}))
    same((head(), e.compute("GET", "images/family/other").json["name"]), (404, "f1"))
    e.done(e.compute("POST", "images/f3/deprecate", {"state": "ACTIVE"}))
    same(head(), "f3")
    same(e.compute("POST", "images/f3/deprecate", {"state": "OLD"}).status, 400)
    same(e.compute("POST", "images/f3/deprecate", {"state": "DEPRECATED", "replacement": "f2"}).status, 400)
    e.done(e.compute("DELETE", "images/f3"))
    same((head(), e.compute("DELETE", "images/f3").status), (404, 404))


def labels(e):
    """images: setLabels needs the fingerprint of the labels that are there."""
    e.put("disk.tar.gz", archive())
    e.done(e.insert("l1", labels={"a": "b"}))
    mark = e.compute("GET", "images/l1").json["labelFingerprint"]
    e.done(e.compute("POST", "images/l1/setLabels", {"labels": {"c": "d"}, "labelFingerprint": mark}))
    same(e.compute("GET", "images/l1").json["labels"], {"c": "d"})
    same(e.compute("POST", "images/l1/setLabels", {"labels": {}, "labelFingerprint": mark}).status, 412)


def image_lists(e):
    """images: lists with filters and pages; a filter that is none is refused."""
    e.put("disk.tar.gz", archive())
    for name in ("n1", "n2", "m1"):
        last = e.insert(name, family="lf", labels={"kind": name[0]})
    e.done(last)

    def names(query):
        return [i["name"] for i in e.compute("GET", f"images?{query}").json.get("items", [])]

    for text, want in (("labels.kind=n", ["n1", "n2"]), ("family = lf AND name != n1", ["m1", "n2"]), ('name eq "n.*"', ["n1", "n2"]),
                       ("(name=n1) OR (name=m1)", ["m1", "n1"]), ("NOT name:n*", ["m1"]), ("labels:kind", ["m1", "n1", "n2"]),
                       ('(labels.kind = "n") (status = READY)', ["n1", "n2"])):
        same((text, names(f"filter={quote(text)}")), (text, want))
    page = e.compute("GET", "images?maxResults=2").json
    same([i["name"] for i in page["items"]], ["m1", "n1"])
    same(names(f"maxResults=2&pageToken={page['nextPageToken']}"), ["n2"])
    same(names("orderBy=creationTimestamp%20desc"), ["m1", "n2", "n1"])
    same(e.compute("GET", "images?filter=name%3D").status, 400)


def slow_operations(e):
    """operations: wait holds no longer than it may, and the operation runs on."""
    e.put("disk.tar.gz", archive())
    e.set(operation_seconds=0.6, wait_hold=0.1)
    answer, waits = e.insert("slow").json, 1
    while (operation := e.compute("POST", f"operations/{answer['name']}/wait").json)["status"] != "DONE":
        waits += 1
    e.set(operation_seconds=0.2, wait_hold=120)
    assert waits >= 3 and operation["endTime"]
    same(e.compute("GET", "operations/operation-0").status, 404)


# --- who may -------------------------------------------------------------------------------------------------------------


def forbidden(e):
    """403: by permission, resource and account, in the words of each API; the source of an image has to be readable."""
    e.put("disk.tar.gz", archive())
    e.set(deny=[{"permission": "storage.objects.create", "resource": "/objects/secret"}, {"permission": "compute.images.create"}])
    answer = e.put("secret")
    same((answer.status, answer.reason), (403, "forbidden"))
    assert "storage.objects.create" in answer.json["error"]["message"]
    answer = e.insert("no")
    same((answer.status, answer.json["error"]["message"]), (403, "Required 'compute.images.create' permission for "
                                                            "'projects/p/global/images/no'"))
    e.set(deny=[{"permission": "storage.objects.get"}])
    same((e.get("disk.tar.gz").status, e.insert("no").status), (403, 403))
    e.set(deny=[])
    e.set(user_projects=["paid"], auth="open")


def quotas(e):
    """429: so many requests in so many seconds, writes of one name, and how many images a project may have."""
    e.put("disk.tar.gz", archive())
    e.set(quotas=[{"match": "^GET .*/images", "limit": 2, "seconds": 0.5}], max_images=1)
    same([e.compute("GET", "images").status for _ in range(3)], [200, 200, 429])
    same(e.compute("GET", "images").json["error"]["status"], "RESOURCE_EXHAUSTED")
    time.sleep(0.6)
    same(e.compute("GET", "images").status, 200)
    e.set(quotas=[], object_write_interval=60)
    same([e.put("often").status, e.put("often").status, e.put("other").status], [200, 429, 200])
    e.set(object_write_interval=0)
    e.done(e.insert("first"))
    answer = e.insert("second")
    same((answer.status, answer.reason), (403, "quotaExceeded"))


def log(e):
    """the log: method, path, query, sizes and sha256, no token; counters of bytes per object."""
    since = e.control("GET", "log")["count"]
    e.put("logged", b"123456789", headers={"Authorization": "Bearer very-secret"})
    entry = e.requests(since)[0]
    same((entry["method"], entry["status"], entry["body"]), ("POST", 200, {"bytes": 9, "sha256": hashlib.sha256(b"123456789").hexdigest()}))
    same(dict(entry["query"])["name"], "logged")
    with open(f"{e.folder}/log", encoding="utf-8") as file:
        text = file.read()
    assert "very-secret" not in text and '"name", "logged"' in text
    same(e.control("GET", "counters")["objects"]["bucket-1/logged"], {"writes": 1, "stored": 9, "received": 9})


CASES = [hashes, multipart, reading, listing, preconditions, compose, rewrite, buckets, resumable, resumable_forms, resumable_checks,
         restart, fault_status, fault_cuts, fault_sessions, fault_answers, fault_hold, fault_rules, insert, insert_once, insert_wrong,
         family, labels, image_lists, slow_operations, forbidden, quotas, log]


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        emulator = Emulator(folder, "--bucket", "bucket-1", "--set", "operation_seconds=0.05")
        defaults = emulator.control("GET", "config")
        for case in CASES:
            emulator.control("POST", "reset")
            emulator.control("POST", "config", defaults)
            tap.run(case, emulator)
        emulator.kill()
    return tap.failed


if __name__ == "__main__":
    sys.exit(bool(main()))
