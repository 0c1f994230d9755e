"""Objects and buckets."""

import concurrent.futures
import hashlib
import os

from client import CRC_OF_DIGITS, md5, same


def hashes(e):
    """hashes: part of every object, and refused when they are not those of the bytes."""
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
    for number, (newline, mark, head) in enumerate(
        [
            (b"\r\n", b"b1", b"Content-Type: a/b"),
            (b"\n", b"=='=", b"Content-Type: a/b"),
            (b"\r\n", b"b3", b""),
        ]
    ):
        data = b"\r\n--b" + bytes(range(256)) * 5000 + b"\n\r\n"
        name = f"multi{number}"
        body = newline.join(
            [
                b"--" + mark,
                b"Content-Type: application/json",
                b"",
                b'{"name": "%s"}' % name.encode(),
                b"--" + mark,
                *([head] if head else []),
                b"",
                data,
                b"--" + mark + b"--",
                b"",
            ]
        )
        kind = (
            f"multipart/related; boundary='{mark.decode()}'"
            if number == 1
            else f"multipart/related; boundary={mark.decode()}"
        )
        for sent in (body, [body[i : i + 1000] for i in range(0, len(body), 1000)]):
            made = e(
                "POST", "/upload/storage/v1/b/bucket-1/o?uploadType=multipart", sent, {"Content-Type": kind}
            )
            same((made.status, made.json.get("md5Hash")), (200, md5(data)))
        same(made.json["contentType"], "a/b" if head else "application/octet-stream")
    broken = e(
        "POST",
        "/upload/storage/v1/b/bucket-1/o?uploadType=multipart",
        body[:-9],
        {"Content-Type": "multipart/related; boundary=b3"},
    )
    same(broken.status, 400)


def reading(e):
    """reading: ranges, 416, fields, a name with slashes and umlauts, 404 of object and bucket."""
    e.put("a/ä ö", bytes(range(100)))
    for span, want in (
        ("0-9", range(10)),
        ("90-", range(90, 100)),
        ("-5", range(95, 100)),
        ("95-200", range(95, 100)),
    ):
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
    same(
        [i["name"] for i in e("GET", "/storage/v1/b/bucket-1/o?prefix=l/b").json["items"]], ["l/b/1", "l/b/2"]
    )
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


def many(e):
    """many at once: 32 parts over 8 connections, each whole; one object written by all of them is one of them."""
    data = [os.urandom(300_000 + i) for i in range(32)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: e.put(f"many/{i}", data[i]).json["md5Hash"], range(32)))
        raced = list(pool.map(lambda i: e.put("one", data[i], "&ifGenerationMatch=0").status, range(32)))
    same(made, [md5(part) for part in data])
    same((raced.count(200), raced.count(412)), (1, 31))
    assert e.data("one") in data
    same(e.compose("all", [f"many/{i}" for i in range(32)]).json["size"], str(sum(map(len, data))))
    same(hashlib.md5(e.data("all")).digest(), hashlib.md5(b"".join(data)).digest())


def rewrite(e):
    """rewrite: a copy inside the storage keeps bytes, hashes and metadata."""
    e.put("from", b"abc")
    answer = e("POST", "/storage/v1/b/bucket-1/o/from/rewriteTo/b/bucket-1/o/to%2F1", {}).json
    same((answer["done"], answer["resource"]["name"], e.data("to/1")), (True, "to/1", b"abc"))


def buckets(e):
    """buckets: made with location and lifecycle, 409 when they exist or are taken, refused when wrong; rules delete old objects."""
    make = "/storage/v1/b?project=p"
    rule = {"rule": [{"action": {"type": "Delete"}, "condition": {"age": 7, "matchesPrefix": ["segments/"]}}]}
    made = e("POST", make, {"name": "fresh-1", "location": "europe-west1", "lifecycle": rule}).json
    same((made["location"], made["locationType"], made["lifecycle"]), ("EUROPE-WEST1", "region", rule))
    same(
        (e("POST", make, {"name": "fresh-1"}).status, e("POST", make, {"name": "fresh-1"}).reason),
        (409, "conflict"),
    )
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


def classes(e):
    """storage classes: of the bucket, of the request, moved by a rule or Autoclass; compose accepts one class only."""

    def of(name, bucket="cool-1"):
        return e.get(name, bucket=bucket).json["storageClass"]

    rule = {"action": {"type": "SetStorageClass", "storageClass": "ARCHIVE"}, "condition": {"age": 9}}
    about = {"name": "cool-1", "storageClass": "NEARLINE", "lifecycle": {"rule": [rule]}}
    same(e("POST", "/storage/v1/b?project=p", about).status, 200)
    same(e("POST", "/storage/v1/b?project=p", {"name": "auto-1", "autoclass": {"enabled": True}}).status, 200)
    for bucket in ("cool-1", "auto-1"):
        e.put("old", bucket=bucket)
    same((of("old"), of("old", "auto-1")), ("NEARLINE", "STANDARD"))
    e.control("POST", "lifecycle", {"days": 30})
    same((of("old"), of("old", "auto-1")), ("ARCHIVE", "NEARLINE"))
    e.put("new", bucket="cool-1")
    path = "/storage/v1/b/cool-1/o/both/compose"
    sources = [{"name": "old"}, {"name": "new"}]
    answer = e("POST", path, {"destination": {}, "sourceObjects": sources})
    same((answer.status, answer.reason), (400, "invalid"))
    e.put("old", bucket="cool-1")
    same(e("POST", path, {"destination": {}, "sourceObjects": sources}).json["storageClass"], "NEARLINE")
    broken = {"action": {"type": "SetStorageClass"}, "condition": {"age": 9}}
    same(e("POST", "/storage/v1/b?project=p", {"name": "x-12", "lifecycle": {"rule": [broken]}}).status, 400)


def retention(e):
    """retention: objects under a policy or a hold are neither deleted nor replaced, with the reason; new ones are accepted."""
    about = {"name": "kept-1", "retentionPolicy": {"retentionPeriod": "86400"}}
    same(e("POST", "/storage/v1/b?project=p", about).status, 200)
    held = {"name": "held-1", "defaultEventBasedHold": True}
    same(e("POST", "/storage/v1/b?project=p", held).status, 200)
    for bucket, reason in (("kept-1", "retentionPolicyNotMet"), ("held-1", "objectUnderActiveHold")):
        e.put("o", bucket=bucket)
        answer = e("DELETE", f"/storage/v1/b/{bucket}/o/o")
        same((answer.status, answer.reason), (403, reason))
        answer = e.put("o", bucket=bucket)
        same((answer.status, answer.reason), (403, reason))
        same(e.put("another", bucket=bucket).status, 200)
    e("PATCH", "/storage/v1/b/held-1/o/o", {"eventBasedHold": False})
    same(e("DELETE", "/storage/v1/b/held-1/o/o").status, 204)
    e.set(clock_offset=90000)
    same(e("DELETE", "/storage/v1/b/kept-1/o/o").status, 204)
    e.set(clock_offset=0)


CASES = [
    hashes,
    multipart,
    reading,
    listing,
    preconditions,
    compose,
    many,
    rewrite,
    buckets,
    classes,
    retention,
]
