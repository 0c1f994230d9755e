"""What the tests of bake push share: TAP, emulators, a small recipe, runs of bake."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
SAN = os.path.join(BUILD, "san", "bake")
BAKE = SAN if os.access(SAN, os.X_OK) and not os.environ.get("PLAIN") else os.path.join(BUILD, "bake")
EMULATOR = os.path.join(ROOT, "tests", "support", "gcp", "emulator")
failed = 0
counted = 0
tap_lock = threading.Lock()


def result(good, label, why=""):
    global failed, counted
    with tap_lock:
        failed += not good
        counted += 1
        print(f"{'ok' if good else 'not ok'} - {label}", flush=True)
        if not good:
            for line in str(why).splitlines()[-20:]:
                print(f"    {line}")


def check(label, function):
    try:
        function()
        result(True, label)
    except Exception as error:  # a test that raises has failed
        result(False, label, f"{type(error).__name__}: {error}")


def skip(label, why):
    result(True, f"{label} # SKIP {why}")


def end():
    """Prints the plan and exits. A suite that ends early prints none, which tests/run counts as a failure."""
    print(f"1..{counted}")
    sys.exit(1 if failed or not counted else 0)


def note(text):
    with tap_lock:
        print(f"# {text}", flush=True)


def equal(have, want, what=""):
    if have != want:
        raise AssertionError(f"{what}: {have!r} instead of {want!r}")


class Emulator:
    def __init__(self, folder, *options):
        self.folder = folder
        os.makedirs(folder)
        self.credentials = os.path.join(folder, "credentials")
        self.process = subprocess.Popen(
            [sys.executable, EMULATOR, "--state", os.path.join(folder, "state"), "--bucket", "bkt", "--credentials", self.credentials,
             "--set", "operation_seconds=0.05", "--auth-required", *options], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().split()
        if line[:1] != ["ready"]:
            raise RuntimeError("the emulator does not start")
        self.base = f"http://127.0.0.1:{line[1]}"
        self.host = self.base[7:]

    def control(self, method, name, value=None):
        data = json.dumps(value).encode() if value is not None else b"" if method == "POST" else None
        request = urllib.request.Request(f"{self.base}/_control/{name}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.loads(answer.read() or b"null")

    def log(self):
        return self.control("GET", "log")["requests"]

    def fresh(self, *faults):
        """Resets the emulator, with these faults."""
        self.control("POST", "reset")
        self.control("POST", "config", {"deny": []})
        if faults:
            self.control("POST", "faults", list(faults))

    def end_state(self):
        """What must be the same whatever went wrong before."""
        state = self.control("GET", "state")
        objects = {name: (meta["size"], meta["crc32c"]) for name, meta in state["objects"].items()}
        images = {name: (image.get("family"), image.get("labels"), image.get("status"), image["rawDisk"]["source"],
                         (image.get("deprecated") or {}).get("state")) for name, image in state["images"].items()}
        return objects, images

    def environment(self):
        return {"CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{self.base}/storage/v1/",
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{self.base}/compute/v1/",
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS": self.base, "NO_GCE_CHECK": "true",
                "CLOUDSDK_AUTH_TOKEN_HOST": f"{self.base}/token", "GOOGLE_CLOUD_PROJECT": "test-project",
                "GOOGLE_APPLICATION_CREDENTIALS": os.path.join(self.credentials, "service-account.json")}

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Rig:
    """A folder with a recipe that bakes a small package, and environments for bake."""

    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="bake-cloud-")
        self.base_environment = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "SOURCE_DATE_EPOCH": "1600000000",
                                 "HOME": self.path("home"), "XDG_CONFIG_HOME": self.path("config"), "LC_ALL": "C",
                                 "ASAN_OPTIONS": "detect_leaks=1"}
        for name in ("home", "run"):
            os.makedirs(self.path(name))
        self.sequence = 0
        self.bake(["key", "new", "--no-passphrase"])
        subprocess.run([os.path.join(ROOT, "tests/support/minidisk"), self.path("disk.raw")], check=True, capture_output=True,
                       env={**os.environ, "PATH": self.base_environment["PATH"]})
        subprocess.run(["tar", "-C", self.top, "--format=oldgnu", "-S", "--mtime=@1590451200", "-czf", self.path("base.tar.gz"),
                        "disk.raw"], check=True)

    def path(self, *names):
        return os.path.join(self.top, *names)

    def environment(self, emulator=None, cache=None, **more):
        out = {**self.base_environment, "XDG_CACHE_HOME": cache or self.path("cache")}
        return {**out, **(emulator.environment() if emulator else {}), **more}

    def recipe(self, name, files, size=None, kubernetes=None, **image):
        """files: {path: bytes}; size of the disk; kubernetes: the version of a hyperkube, which is a text"""
        inputs, more = [], {}
        if kubernetes:
            script = f"# {kubernetes}\n".encode()
            with open(self.path("run", f"hyperkube-{kubernetes}"), "wb") as file:
                file.write(script)
            more = {"inputs": {"k": {"url": f"file:{self.path('run', f'hyperkube-{kubernetes}')}",
                                     "sha256": hashlib.sha256(script).hexdigest()}},
                    "kubernetes": {"input": "k", "form": "hyperkube", "version": kubernetes}}
        for path, content in files.items():
            local = hashlib.sha256(path.encode()).hexdigest()[:12]
            with open(self.path("run", local), "wb") as file:
                file.write(content)
            inputs.append({"path": path, "from": local})
        with open(self.path("base.tar.gz"), "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        with open(self.path("run", f"{name}.json"), "w", encoding="utf-8") as file:
            json.dump({**more, **({"disk": {"size": size}} if size else {}), "name": name, "agent": False, "files": inputs, "image": image,
                       "base": {"os": "coreos", "url": f"file:{self.path('base.tar.gz')}", "sha256": digest}}, file)
        return f"{name}.json"

    def start(self, arguments, env=None):
        return subprocess.Popen([BAKE, *arguments], cwd=self.path("run"), env=env or self.environment(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def bake(self, arguments, env=None, status=0):
        """Runs bake; gives (stdout, stderr). STATUS None: any."""
        done = subprocess.run([BAKE, *arguments], cwd=self.path("run"), env=env or self.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=600)
        if status is not None and done.returncode != status:
            raise AssertionError(f"bake {' '.join(arguments)}: status {done.returncode}, not {status}: {done.stderr[-1500:]}")
        self.status = done.returncode
        return done.stdout, done.stderr

    def image(self, recipe):
        """Bakes; gives the manifest's path."""
        return self.bake(["image", recipe, "--quiet"])[0].splitlines()[-1]

    def close(self):
        subprocess.run(["chmod", "-R", "u+w", self.top], check=False)
        shutil.rmtree(self.top, ignore_errors=True)


def call(emulator, method, target, value=None):
    """A request to the emulator like one of Google's clients': (status, answer)."""
    with open(os.path.join(emulator.credentials, "access-token"), encoding="utf-8") as file:
        token = file.read().strip()
    request = urllib.request.Request(emulator.base + target, method=method, data=json.dumps(value).encode() if value is not None else None,
                                     headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def events(stdout):
    return [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]


def wait_for(function, what, seconds=300):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := function():
            return found
        time.sleep(0.01)
    raise AssertionError(f"timed out waiting for {what}")
