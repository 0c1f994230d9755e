"""Images and operations."""

import gzip
import tarfile

from client import archive, entry, quote, same


def insert(e):
    """images: insert takes time, then the image exists as requested; the same name again is 409."""
    e.put("disk.tar.gz", archive(size=3 << 30))
    e.set(operation_seconds=0.4)
    key = {"content": "AAEC", "fileType": "X509"}
    answer = e.insert(
        "i1",
        family="fam",
        labels={"a": "b"},
        architecture="X86_64",
        guestOsFeatures=[{"type": "UEFI_COMPATIBLE"}],
        licenses=["https://www.googleapis.com/compute/v1/projects/vm-options/global/licenses/enable-vmx"],
        storageLocations=["europe-west1"],
        shieldedInstanceInitialState={"pk": key, "dbs": [key]},
        imageEncryptionKey={"kmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"},
        description="d",
    )
    assert answer.json["status"] in ("PENDING", "RUNNING"), answer.json
    same(
        (e.compute("GET", "images/i1").json["status"], e.compute("GET", "images/family/fam").status),
        ("PENDING", 404),
    )
    operation = e.done(answer)
    same((operation["status"], operation["progress"], "error" in operation), ("DONE", 100, False))
    image = e.compute("GET", "images/i1").json
    same(
        (image["status"], image["diskSizeGb"], image["family"], image["labels"]),
        ("READY", "3", "fam", {"a": "b"}),
    )
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
    """images: unknown fields and values, an invalid source, an invalid archive; the last is an error of the operation."""
    e.put("disk.tar.gz", archive())
    e.put("disk.tgz", archive())
    for fields in (
        {"name": "Upper"},
        {"colour": 1},
        {"architecture": "X86"},
        {"guestOsFeatures": [{"type": "FAST"}]},
        {"guestOsFeatures": [{"kind": "GVNIC"}]},
        {"family": "-f"},
        {"labels": {"A": "b"}},
        {"labels": {"a": "B"}},
        {"licenses": ["free"]},
        {"storageLocations": ["us", "eu"]},
        {"sourceType": "ISO"},
        {"rawDisk": {}},
        {"shieldedInstanceInitialState": {"pk": {"content": "?", "fileType": "X509"}}},
        {"rawDisk": {"source": "gs://bucket-1/disk.tar.gz"}},
        {"rawDisk": {"source": "https://storage.googleapis.com/bucket-1/disk.tgz"}},
        {"imageEncryptionKey": {"kmsKeyName": "k"}},
    ):
        same((fields, e.insert(**{"name": "wrong", **fields}).status), (fields, 400))
    same(
        e.insert("wrong", rawDisk={"source": "https://storage.googleapis.com/bucket-1/none.tar.gz"}).status,
        404,
    )
    same(e.insert("wrong", "?force=1").status, 400)
    for data in (
        b"no gzip",
        archive("disk"),
        archive(size=5),
        archive(form=tarfile.USTAR_FORMAT),
        archive()[:20],
    ):
        e.put("bad.tar.gz", data)
        operation = e.done(
            e.insert(
                "bad", rawDisk={"source": f"http://127.0.0.1:{e.port}/storage/v1/b/bucket-1/o/bad.tar.gz"}
            )
        )
        same(
            (operation["status"], operation["httpErrorStatusCode"], len(operation["error"]["errors"])),
            ("DONE", 400, 1),
        )
        same(e.compute("GET", "images/bad").status, 404)
    e.set(failed_images="kept")
    e.done(
        e.insert("bad", rawDisk={"source": f"http://127.0.0.1:{e.port}/storage/v1/b/bucket-1/o/bad.tar.gz"})
    )
    same(e.compute("GET", "images/bad").json["status"], "FAILED")
    e.set(failed_images="removed")
    e.fault(
        "operation-error",
        method="POST",
        path="/images",
        code="QUOTA_EXCEEDED",
        message="too much",
        status=403,
    )
    operation = e.done(e.insert("broken"))
    same(
        (operation["error"]["errors"], operation["httpErrorMessage"]),
        ([{"code": "QUOTA_EXCEEDED", "message": "too much"}], "FORBIDDEN"),
    )


def whole_archives(e):
    """images: the whole archive is read: gzip members, the sparse map, a second member, the end."""

    def problem(data):
        e.put("disk.tar.gz", data)
        operation = e.done(e.insert("whole"))
        if "error" not in operation:
            e.done(e.compute("DELETE", "images/whole"))
        return operation["error"]["errors"][0]["message"] if "error" in operation else None

    pieces = [(i << 20, 4096) for i in range(50)]
    whole = entry(pieces=pieces) + bytes(1024)
    same(problem(gzip.compress(whole)), None)
    same(problem(gzip.compress(whole[:700]) + gzip.compress(whole[700:])), None)
    other = bytearray(entry(pieces=pieces))
    other[600] ^= 1  # in the map's second block
    for data, words in (
        (entry() + entry("second") + bytes(1024), "a second member"),
        (entry() + entry(), "a second member"),
        (whole[:30000], "cut short"),
        (entry(), "without a block of zeros"),
        (whole + b"x", "follows its end"),
        (bytes(other) + bytes(1024), "sparse map"),
        (entry(pieces=[(4096, 512), (0, 512)]) + bytes(1024), "out of order"),
    ):
        said = problem(gzip.compress(data))
        assert said and words in said, (words, said)
    assert "cut short" in problem(gzip.compress(whole)[:-9])


def nulls(e):
    """images: a null in a list is ignored, and an empty object of Secure Boot keys is accepted; Packer sends both."""
    e.put("disk.tar.gz", archive())
    features = [None, {"type": "UEFI_COMPATIBLE"}, None]
    e.done(e.insert("nulls", guestOsFeatures=features, shieldedInstanceInitialState={}, licenses=[None]))
    image = e.compute("GET", "images/nulls").json
    same(
        (image["status"], image["guestOsFeatures"], image["licenses"]),
        ("READY", [{"type": "UEFI_COMPATIBLE"}], []),
    )
    same(e.insert("n2", guestOsFeatures=["GVNIC"]).status, 400)


def stale_success(e):
    """images: the requestId of an insert that is over gives its old operation, even if the image was deleted or failed."""
    e.put("disk.tar.gz", archive())
    uuid = "?requestId=11111111-2222-4333-8444-555555555556"
    first = e.done(e.insert("stale", uuid, labels={"a": "b"}))
    e.done(e.compute("DELETE", "images/stale"))
    again = e.insert("stale", uuid, labels={"c": "d"}).json
    same((again["name"], again["status"], "error" in again), (first["name"], "DONE", False))
    same(e.compute("GET", "images/stale").status, 404)
    e.fault("operation-error", method="POST", path="/images", code="INTERNAL_ERROR", message="no")
    failed = "?requestId=11111111-2222-4333-8444-555555555557"
    e.done(e.insert("stale", failed))
    e.calm()
    again = e.insert("stale", failed).json
    same((again["status"], again["error"]["errors"][0]["code"]), ("DONE", "INTERNAL_ERROR"))


def limits(e):
    """limits: 403 with a reason, and with one in the details, until the time has passed."""
    rule = {"match": "GET .*/images$", "limit": 1, "seconds": 0.2, "status": 403}
    e.set(quotas=[{**rule, "detail": "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED"}])
    same(e.compute("GET", "images").status, 200)
    answer = e.compute("GET", "images")
    same((answer.status, answer.reason), (403, "rateLimitExceeded"))
    same(answer.json["error"]["details"][0]["reason"], "CONCURRENT_OPERATIONS_QUOTA_EXCEEDED")
    while e.compute("GET", "images").status == 403:
        pass
    e.set(quotas=[])


def late(e):
    """late: an operation that is not known yet, and a family whose readers get the previous head for a while."""
    e.put("disk.tar.gz", archive())
    e.set(operation_lag=2, family_lag=2)
    name = e.insert("late", family="lag").json["name"]
    asked = [e.compute("POST", f"operations/{name}/wait").status for _ in range(3)]
    same(asked, [404, 404, 200])

    def heads():
        answers = [e.compute("GET", "images/family/lag") for _ in range(4)]
        return [a.json["name"] if a.status == 200 else a.status for a in answers]

    same(heads(), [404, 404, "late", "late"])
    e.set(operation_lag=0)
    e.done(e.insert("later", family="lag"))
    same(heads(), ["late", "late", "later", "later"])
    e.set(family_lag=0)


def family(e):
    """images: a family resolves to its newest image that is ready and not deprecated; undoing restores the old head."""
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
    """images: setLabels needs the fingerprint of the current labels."""
    e.put("disk.tar.gz", archive())
    e.done(e.insert("l1", labels={"a": "b"}))
    mark = e.compute("GET", "images/l1").json["labelFingerprint"]
    e.done(e.compute("POST", "images/l1/setLabels", {"labels": {"c": "d"}, "labelFingerprint": mark}))
    same(e.compute("GET", "images/l1").json["labels"], {"c": "d"})
    same(e.compute("POST", "images/l1/setLabels", {"labels": {}, "labelFingerprint": mark}).status, 412)


def image_lists(e):
    """images: lists with filters and pages; an invalid filter is refused."""
    e.put("disk.tar.gz", archive())
    for name in ("n1", "n2", "m1"):
        last = e.insert(name, family="lf", labels={"kind": name[0]})
    e.done(last)

    def names(query):
        return [i["name"] for i in e.compute("GET", f"images?{query}").json.get("items", [])]

    for text, want in (
        ("labels.kind=n", ["n1", "n2"]),
        ("family = lf AND name != n1", ["m1", "n2"]),
        ('name eq "n.*"', ["n1", "n2"]),
        ("(name=n1) OR (name=m1)", ["m1", "n1"]),
        ("NOT name:n*", ["m1"]),
        ("labels:kind", ["m1", "n1", "n2"]),
        ('(labels.kind = "n") (status = READY)', ["n1", "n2"]),
    ):
        same((text, names(f"filter={quote(text)}")), (text, want))
    page = e.compute("GET", "images?maxResults=2").json
    same([i["name"] for i in page["items"]], ["m1", "n1"])
    same(names(f"maxResults=2&pageToken={page['nextPageToken']}"), ["n2"])
    same(names("orderBy=creationTimestamp%20desc"), ["m1", "n2", "n1"])
    same(e.compute("GET", "images?filter=name%3D").status, 400)


def slow_operations(e):
    """operations: wait returns after its maximum, and the operation continues."""
    e.put("disk.tar.gz", archive())
    e.set(operation_seconds=0.6, wait_hold=0.1)
    answer, waits = e.insert("slow").json, 1
    while (operation := e.compute("POST", f"operations/{answer['name']}/wait").json)["status"] != "DONE":
        waits += 1
    e.set(operation_seconds=0.2, wait_hold=120)
    assert waits >= 3 and operation["endTime"]
    same(e.compute("GET", "operations/operation-0").status, 404)


CASES = [
    insert,
    insert_once,
    insert_wrong,
    whole_archives,
    nulls,
    stale_success,
    limits,
    late,
    family,
    labels,
    image_lists,
    slow_operations,
]
