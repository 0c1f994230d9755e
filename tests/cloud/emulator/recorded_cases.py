"""Requests in the very forms that clients were recorded with which are not run here: the node clients, and corners of
those that are. Each has to be understood; of the answers only what is asserted here is looked at."""

from client import archive, same

SOURCE = "https://storage.googleapis.com/bucket-1/o.tar.gz"
UUID = "11111111-2222-4333-8444-555555555555"


def node_storage(e):
    """@google-cloud/storage: chunked multipart with the name in the query, a session without size, compose, list, delete."""
    base, media = "/upload/storage/v1/b/bucket-1/o", bytes(1000)
    mark = "4b974637-8541-4f9c-85d2-80b437a2b25d"
    body = (
        (
            f'--{mark}\r\nContent-Type: application/json\r\n\r\n{{"contentType":"application/octet-stream"}}\r\n--{mark}\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        + media
        + f"\r\n--{mark}--".encode()
    )
    made = e(
        "POST",
        f"{base}?uploadType=multipart&name=n%2Fsmall",
        [body[:100], body[100:]],
        {"Content-Type": f"multipart/related; boundary={mark}"},
    )
    same((made.status, made.json["size"]), (200, "1000"))
    opened = e(
        "POST",
        f"{base}?name=n%2Fbig&uploadType=resumable&ifGenerationMatch=0",
        {"metadata": {"a": "b"}},
        {"X-Upload-Content-Type": "application/gzip"},
    )
    session = opened.headers["Location"].split(str(e.port), 1)[1]
    chunk, rest = bytes(8388608), bytes(3222784)
    same(e("PUT", session, chunk, {"Content-Range": "bytes 0-8388607/*"}).headers["Range"], "bytes=0-8388607")
    same(
        e("PUT", session, [chunk], {"Content-Range": "bytes 8388608-16777215/*"}).headers["Range"],
        "bytes=0-16777215",
    )
    made = e("PUT", session, rest, {"Content-Range": "bytes 16777216-19999999/20000000"}).json
    same((made["contentType"], made["metadata"], made["size"]), ("application/gzip", {"a": "b"}, "20000000"))
    same(e.compose("n/comp", ["n/small", "n/small"]).status, 200)
    same(len(e("GET", "/storage/v1/b/bucket-1/o?prefix=n%2F").json["items"]), 3)
    same(e.data("n/small"), media)
    same(e("DELETE", "/storage/v1/b/bucket-1/o/n%2Fcomp").status, 204)


def node_compute(e):
    """@google-cloud/compute: insert with requestId, wait with the body \"\", get, getFromFamily."""
    e.put("o.tar.gz", archive())
    head = {"Content-Type": "application/json", "x-goog-request-params": "project=test-project"}
    body = {
        "guestOsFeatures": [{"type": "UEFI_COMPATIBLE"}],
        "labels": {},
        "architecture": "X86_64",
        "diskSizeGb": "10",
        "family": "fam",
        "name": "node-1",
        "rawDisk": {"source": SOURCE},
    }
    base = "/compute/v1/projects/test-project/global"
    operation = e("POST", f"{base}/images?requestId={UUID}", body, head).json
    same(e("POST", f"{base}/operations/{operation['name']}/wait", '""', head).json["status"], "DONE")
    same(e("GET", f"{base}/images/node-1", headers=head).json["status"], "READY")
    same(e("GET", f"{base}/images/family/fam", headers=head).json["name"], "node-1")


def gcloud_forms(e):
    """gcloud: the first part's hashes in a compose's destination, a whole resource in a PATCH, fingerprints in URL-safe base64."""
    first = e.put("gcloud/tmp/0", b"0").json
    e.put("gcloud/tmp/1", b"1")
    body = {
        "destination": {
            "bucket": "bucket-1",
            "contentType": "text/plain",
            "crc32c": first["crc32c"],
            "md5Hash": first["md5Hash"],
            "name": "whole",
            "size": "1",
        },
        "sourceObjects": [
            {"name": "gcloud/tmp/0", "generation": first["generation"]},
            {"name": "gcloud/tmp/1"},
        ],
    }
    same(e("POST", "/storage/v1/b/bucket-1/o/whole/compose?alt=json", body).json["size"], "2")
    resource = e.get("whole").json
    same(
        e(
            "PATCH",
            "/storage/v1/b/bucket-1/o/whole?alt=json&projection=noAcl",
            {**resource, "metadata": {"k": "v"}},
        ).json["metadata"],
        {"k": "v"},
    )
    e.put("o.tar.gz", archive())
    for number in range(64):  # until a fingerprint has a character that differs between the two alphabets
        e.done(e.insert(f"i{number}", labels={"n": str(number)}, rawDisk={"source": SOURCE}))
        mark = e.compute("GET", f"images/i{number}").json["labelFingerprint"]
        if set(mark) & set("+/"):
            break
    safe = mark.translate(str.maketrans("+/", "-_"))
    assert safe != mark
    same(
        e.compute(
            "POST", f"images/i{number}/setLabels?alt=json", {"labels": {}, "labelFingerprint": safe}
        ).status,
        200,
    )


def gcloud_questions(e):
    """gcloud: requests a bucket, its layout, a session's state without a total, images by pages of 500."""
    same(e("GET", "/storage/v1/b/bucket-1?alt=json&projection=noAcl").status, 200)
    same(
        e("GET", "/storage/v1/b/bucket-1/storageLayout?alt=json").json["hierarchicalNamespace"],
        {"enabled": False},
    )
    session = e.begin("q").replace("/upload/", "/resumable/upload/")
    same(e("PUT", session, headers={"Content-Range": "bytes */*", "Content-Length": "0"}).status, 308)
    same(e("GET", "/compute/v1/projects/test-project/global/images?alt=json&maxResults=500").status, 200)
    same(
        e(
            "GET",
            "/storage/v1/b/bucket-1/o?alt=json&includeFoldersAsPrefixes=True&delimiter=%2F&maxResults=1000",
        ).status,
        200,
    )


CASES = [node_storage, node_compute, gcloud_forms, gcloud_questions]
