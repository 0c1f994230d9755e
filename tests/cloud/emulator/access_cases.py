"""Who may do what and how often; the log."""

import hashlib
import time

from client import archive, same


def forbidden(e):
    """403: by permission, resource and account, in each API's words; the source of an image must be readable."""
    e.put("disk.tar.gz", archive())
    e.set(
        deny=[
            {"permission": "storage.objects.create", "resource": "/objects/secret"},
            {"permission": "compute.images.create"},
        ]
    )
    answer = e.put("secret")
    same((answer.status, answer.reason), (403, "forbidden"))
    assert "storage.objects.create" in answer.json["error"]["message"]
    answer = e.insert("no")
    same(
        (answer.status, answer.json["error"]["message"]),
        (403, "Required 'compute.images.create' permission for " "'projects/p/global/images/no'"),
    )
    e.set(deny=[{"permission": "storage.objects.get"}])
    same((e.get("disk.tar.gz").status, e.insert("no").status), (403, 403))
    e.set(deny=[])
    e.set(user_projects=["paid"], auth="open")


def quotas(e):
    """429: the rate of requests, writes of one name, and the number of images in a project."""
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
    same(
        (entry["method"], entry["status"], entry["body"]),
        ("POST", 200, {"bytes": 9, "sha256": hashlib.sha256(b"123456789").hexdigest()}),
    )
    same(dict(entry["query"])["name"], "logged")
    with open(f"{e.folder}/log", encoding="utf-8") as file:
        text = file.read()
    assert "very-secret" not in text and '"name", "logged"' in text
    same(
        e.control("GET", "counters")["objects"]["bucket-1/logged"], {"writes": 1, "stored": 9, "received": 9}
    )


CASES = [forbidden, quotas, log]
