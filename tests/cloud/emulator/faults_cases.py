"""Faults, one action after the other."""

import os
import threading
import time

from client import UNIT, md5, same


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
    for action, left in (
        ("cut-before-body", 404),
        ("cut-mid-body", 404),
        ("cut-after-body", 404),
        ("drop-after", 200),
    ):
        for reset in (False, True):
            e.fault(action, path=f"name={action}", reset=reset)
            assert e.lost(
                "POST", f"/upload/storage/v1/b/bucket-1/o?uploadType=media&name={action}{reset}", bytes(3000)
            ), action
            same((action, e.get(f"{action}{reset}").status), (action, left))
            e.calm()


def fault_sessions(e):
    """fault cuts in a session: whole units that arrived stay; 308 with less; 503 with some; 410 ends it."""
    data = os.urandom(4 * UNIT)
    session = e.begin("s1")
    e.fault("cut-mid-body", method="PUT", bytes=3 * UNIT + 5)
    e.lost("PUT", session, data, {"Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}"})
    same(e.chunk(session, b"", 0).headers["Range"], f"bytes=0-{3 * UNIT - 1}")
    same(e.chunk(session, data[3 * UNIT :], 3 * UNIT, len(data)).json["md5Hash"], md5(data))
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
    e.lost(
        "PUT", session, data[2 * UNIT :], {"Content-Range": f"bytes {2 * UNIT}-{len(data) - 1}/{len(data)}"}
    )
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
    """fault hold: no answer, with the work undone or done, until the rules are cleared; the log shows it."""
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
    """fault rules: a mistake in a rule is refused, with its name."""
    for rule in (
        {"action": "explode"},
        {"action": "hold", "bites": 3},
        {"action": "status", "nth": 0},
        {"action": "hold", "path": "("},
    ):
        same(e("POST", "/_control/faults", rule).status, 400)
    same(e("POST", "/_control/config", {"colour": 1}).status, 400)
    same(e("GET", "/_control/nothing").status, 404)


CASES = [fault_status, fault_cuts, fault_sessions, fault_answers, fault_hold, fault_rules]
