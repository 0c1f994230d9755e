"""As much of GitHub Actions as the example uses: which events start which jobs, a job's container with the runner's folders in
it, checkout, cache, Google's identity, and steps that are scripts."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import box  # noqa: E402

RUNNER = 1001  # the user who owns the workspace
GROUP = 127


def starts(workflow, event, ref):
    """Whether EVENT on REF starts this workflow. YAML parses the key "on" as true."""
    rules = workflow.get("on", workflow.get(True))
    if event not in rules:
        return False
    branches = (rules[event] or {}).get("branches") if isinstance(rules[event], dict) else None
    return not branches or any(fnmatch.fnmatch(ref.removeprefix("refs/heads/"), b) for b in branches)


class Runner:
    def __init__(self, folder, root, origin, secrets, credentials, environment):
        self.folder, self.root, self.origin = folder, root, origin
        self.secrets, self.credentials, self.environment = secrets, credentials, environment
        self.runs = 0
        os.makedirs(os.path.join(folder, "caches"))

    def value(self, text):
        """${{ ... }}: names of contexts, == and strings: all that the example uses."""
        def one(match):
            words = match[1].strip().split(".", 1)
            return str({"github": self.github, "secrets": self.secrets, "env": self.env}[words[0]][words[1]])
        return re.sub(r"\$\{\{([^}]*)\}\}", one, text) if isinstance(text, str) else text

    def allows(self, condition):
        if condition is None:
            return True
        left, right = (side.strip() for side in condition.split("=="))
        names = {f"github.{key}": value for key, value in self.github.items()}
        return (names[left] if left in names else left.strip("'")) == (names[right] if right in names else right.strip("'"))

    def box(self, words, env, cwd):
        uid = int(re.search(r"--user[ =](\d+)", self.options)[1]) if "--user" in self.options else self.image_user
        return box.run(self.root, words, env={**self.environment, **self.env, **env}, cwd=cwd, uid=uid, gid=uid, restricted=False, mounts=[
            (self.work, "/__w", False), (self.home, "/github/home", False), (os.path.dirname(self.origin), "/origin", False)])

    def script(self, step):
        shell = step.get("shell")
        name = f"{self.temp}/step.sh"
        with open(name, "w", encoding="utf-8") as file:
            file.write(self.value(step["run"]))
        os.chmod(name, 0o644)
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail"] if shell == "bash" else ["sh", "-e"]
        env = {k: self.value(v) for k, v in step.get("env", {}).items()}
        return self.box([*words, "/__w/_temp/step.sh"], env, self.inside)

    def checkout(self, step):
        """With git in the container, a clone that may push; without it, the files of an archive."""
        if self.box(["git", "--version"], {}, "/").returncode:
            return self.box(["false"], {}, "/")
        url = f"file:///origin/{os.path.basename(self.origin)}"
        return self.box(["sh", "-ec", f"git clone -q --depth 1 --branch {self.github['ref_name']} {url} ."], {}, self.inside)

    def cache(self, step):
        place, key = os.path.join(self.workspace, step["with"]["path"]), self.value(step["with"]["key"])
        found = sorted((c for c in os.listdir(f"{self.folder}/caches") if c.startswith(step["with"]["restore-keys"].strip())),
                       key=lambda c: os.stat(f"{self.folder}/caches/{c}").st_mtime)
        if found:
            subprocess.run(["tar", "-C", self.workspace, "-xpf", f"{self.folder}/caches/{found[-1]}"], check=True)
        self.after.append((place, key))
        return subprocess.CompletedProcess([], 0, "", "")

    def google(self, step):
        name = "gha-creds-0123456789abcdef.json"
        shutil.copy(self.credentials, f"{self.workspace}/{name}")
        os.chown(f"{self.workspace}/{name}", RUNNER, GROUP)
        self.env.update(GOOGLE_APPLICATION_CREDENTIALS=f"{self.inside}/{name}", GOOGLE_CLOUD_PROJECT=step["with"]["project_id"])
        return subprocess.CompletedProcess([], 0, "", "")

    def folders(self):
        top = os.path.join(self.folder, f"run{self.runs}")
        self.work, self.home = os.path.join(top, "work"), os.path.join(top, "home")
        self.temp, self.workspace, self.inside = f"{self.work}/_temp", f"{self.work}/node/node", "/__w/node/node"
        for path in (self.home, self.temp, self.workspace):
            os.makedirs(path)
        self.summary = f"{self.temp}/summary"
        open(self.summary, "w", encoding="utf-8").close()
        for folder, _, files in os.walk(top):
            for path in [folder, *(os.path.join(folder, f) for f in files)]:
                os.chown(path, RUNNER, GROUP)

    def run(self, workflow, event, ref, image_user):
        """One run: {job: [(step, result)]}, without jobs that do not start."""
        self.runs += 1
        done = {}
        self.github = {"ref": ref, "ref_name": ref.removeprefix("refs/heads/"), "event_name": event, "run_id": str(self.runs),
                       # as outside of the container: of no use in it
                       "workspace": "/home/runner/work/node/node"}
        for name, job in workflow["jobs"].items():
            if not starts(workflow, event, ref) or not self.allows(job.get("if")):
                continue
            self.folders()
            container = job["container"]
            self.options = container.get("options", "") if isinstance(container, dict) else ""
            self.image_user, self.after = image_user, []
            self.env = {"HOME": "/github/home", "GITHUB_WORKSPACE": self.inside, "RUNNER_TEMP": "/__w/_temp", "CI": "true",
                        "GITHUB_STEP_SUMMARY": "/__w/_temp/summary"}
            self.env.update({k: self.value(v) for k, v in {**workflow.get("env", {}), **job.get("env", {})}.items()})
            done[name] = []
            for step in job["steps"]:
                uses = step.get("uses", "").split("@")[0]
                act = {"": self.script, "actions/checkout": self.checkout, "actions/cache": self.cache,
                       "google-github-actions/auth": self.google}[uses]
                done[name].append((step.get("name", uses), act(step)))
                if done[name][-1][1].returncode:
                    break
            for place, key in self.after:
                if os.path.isdir(place) and not done[name][-1][1].returncode:
                    subprocess.run(["tar", "-C", self.workspace, "-cpf", f"{self.folder}/caches/{key}", os.path.basename(place)], check=True)
        return done
