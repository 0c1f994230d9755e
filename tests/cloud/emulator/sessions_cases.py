"""Resumable uploads, and what a restart leaves."""

import os

from client import CRC_OF_DIGITS, UNIT, archive, md5, same


def resumable(e):
    """resumable: unknown size, 308 with and without Range, whole units, the last chunk has the total."""
    data = os.urandom(3 * UNIT + 77)
    session = e.begin("res", given={"metadata": {"a": "b"}, "contentType": "application/gzip"})
    answer = e.chunk(session, b"", 0)
    same((answer.status, answer.headers["Range"]), (308, None))
    answer = e.chunk(session, data[: UNIT + 5], 0)
    same((answer.status, answer.headers["Range"]), (308, f"bytes=0-{UNIT - 1}"))
    same(e.chunk(session, data[UNIT : UNIT + 10], UNIT).status, 400)
    same(e.chunk(session, data[2 * UNIT :], 2 * UNIT, len(data)).status, 400)
    answer = e.chunk(session, data[: 2 * UNIT], 0)  # the first unit is stored already: it is skipped
    same(answer.headers["Range"], f"bytes=0-{2 * UNIT - 1}")
    answer = e.chunk(session, data[2 * UNIT :], 2 * UNIT, len(data))
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
    answer = e(
        "POST", session, data[:UNIT], {"Content-Range": f"bytes 0-{UNIT - 1}/*", "X-GUploader-No-308": "yes"}
    )
    same(
        (answer.status, answer.headers["X-Http-Status-Code-Override"], answer.headers["Range"]),
        (200, "308", f"bytes=0-{UNIT - 1}"),
    )
    same(
        e("POST", session, data[UNIT:], {"Content-Range": f"bytes {UNIT}-{len(data) - 1}/{len(data)}"}).json[
            "md5Hash"
        ],
        md5(data),
    )
    session = e.begin("sized", headers={"X-Upload-Content-Length": str(len(data))})
    same(e.chunk(session, data[:-1], 0, len(data) - 1).status, 400)
    same(e.chunk(session, data, 0, len(data)).status, 200)
    same(e.chunk(e.begin("none"), b"", 0, 0).json["size"], "0")
    session = e.begin("cancelled")
    same(e("DELETE", session).status, 499)
    same(e.chunk(session, data, 0, len(data)).status, 499)
    same(e.chunk(session.replace("upload_id=", "upload_id=x"), data, 0, len(data)).status, 404)


def resumable_checks(e):
    """resumable: preconditions at the start and at the end, X-Goog-Hash on the last PUT; a failure ends the session."""
    e.put("there")
    answer = e(
        "POST", "/upload/storage/v1/b/bucket-1/o?uploadType=resumable&name=there&ifGenerationMatch=0", {}
    )
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
    """restart: kill -9 of the emulator; a session continues at its Range; objects, images and operations still exist."""
    data = os.urandom(4 * UNIT)
    e.put("kept", b"kept")
    e.put("disk.tar.gz", archive())
    session = e.begin("over")
    same(e.chunk(session, data[: 2 * UNIT], 0, len(data)).status, 308)
    e.set(operation_seconds=1)
    operation = e.insert("kept-image").json["name"]
    e.kill()
    e.start()
    same(e.chunk(session, b"", 0).headers["Range"], f"bytes=0-{2 * UNIT - 1}")
    same(e.chunk(session, data[2 * UNIT :], 2 * UNIT, len(data)).json["md5Hash"], md5(data))
    same(e.data("kept"), b"kept")
    same(e.compute("POST", f"operations/{operation}/wait").json["status"], "DONE")
    same(e.compute("GET", "images/kept-image").json["status"], "READY")


CASES = [resumable, resumable_forms, resumable_checks, restart]
