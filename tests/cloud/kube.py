"""As much of Kubernetes as the examples use: kubectl's create, apply and replace for what they create, and pods as a kubelet
starts them: volumes with their owners and modes, init containers first, users, environment, working folder, mounts."""

import base64
import json
import os
import re
import shutil
import stat
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import box  # noqa: E402

DATA_MAX = 1 << 20  # of a ConfigMap or a Secret


def from_files(options):
    data = {}
    for value in options:
        name, _, path = value.rpartition("=") if "=" in value else ("", "", value)
        for file in sorted(os.path.join(path, f) for f in os.listdir(path)) if os.path.isdir(path) else [path]:
            if os.path.isdir(file):
                continue  # as kubectl does
            key = name or os.path.basename(file)
            if not re.fullmatch(r"[-._a-zA-Z0-9]+", key):
                raise SystemExit(f"error: {key!r} is not a key")
            with open(file, "rb") as content:
                data[key] = base64.b64encode(content.read()).decode()
    if sum(len(v) * 3 // 4 for v in data.values()) > DATA_MAX:
        raise SystemExit("error: data is too long")
    return data


def kubectl(state, words):
    """Runs a kubectl command line on the objects in the folder STATE. Applied files are recorded for the test, which runs
    what they describe."""
    options = [w for w in words if w.startswith("-")]
    names = [w for i, w in enumerate(words) if not w.startswith("-") and (i == 0 or words[i - 1] not in ("-f", "-o"))]
    file = words[words.index("-f") + 1] if "-f" in words else None
    if names[:1] == ["create"]:
        kind, name = names[1], names[-1]
        if kind not in ("secret", "configmap") or (kind == "secret") != (names[2] == "generic"):
            raise SystemExit(f"error: create {names}")
        object_ = {"kind": kind, "name": name, "data": from_files([o[12:] for o in options if o.startswith("--from-file=")])}
        if "--dry-run=client" in options:
            return print(json.dumps(object_))
        if os.path.exists(f"{state}/{kind}-{name}"):
            raise SystemExit(f"error: {kind} {name} exists")
    elif file == "-" and names == ["replace"]:
        object_ = json.load(sys.stdin)
        if not os.path.exists(f"{state}/{object_['kind']}-{object_['name']}"):
            raise SystemExit("error: it is not there")
    elif names in (["apply"], ["replace"]) and file and os.path.exists(file):
        with open(f"{state}/applied", "a", encoding="utf-8") as out:
            out.write(f"{names[0]} {os.path.basename(file)}\n")
        return None
    else:
        raise SystemExit(f"error: kubectl {words}")
    with open(f"{state}/{object_['kind']}-{object_['name']}", "w", encoding="utf-8") as out:
        json.dump(object_["data"], out)
    return None


def give_to_group(top, group, policy, read_only=False):
    """kubelet's SetVolumeOwnership: the group owns everything with the owner's rights, or only the top is checked."""
    mode = os.stat(top).st_mode
    if policy == "OnRootMismatch" and os.stat(top).st_gid == group and mode & 0o2770 == 0o2770:
        return
    for folder, names, files in os.walk(top, topdown=False):
        for path in [os.path.join(folder, f) for f in files] + [folder]:
            if os.path.islink(path):
                os.lchown(path, -1, group)
                continue
            more = 0o440 if read_only else 0o660
            if os.path.isdir(path):
                more |= 0o2110
            mode = stat.S_IMODE(os.stat(path).st_mode)
            os.chown(path, -1, group)
            os.chmod(path, mode | more)


class Kube:
    def __init__(self, folder):
        self.folder, self.pods = folder, 0
        os.makedirs(os.path.join(folder, "claims"))

    def projected(self, place, kind, name, mode):
        """A ConfigMap or Secret as mounted: files in a dated folder, links to them."""
        with open(f"{self.folder}/{kind}-{name}", encoding="utf-8") as file:
            data = json.load(file)
        dated = os.path.join(place, "..2026_01_01")
        os.makedirs(dated)
        os.symlink("..2026_01_01", os.path.join(place, "..data"))
        for key, value in data.items():
            with open(os.path.join(dated, key), "wb") as file:
                file.write(base64.b64decode(value))
            os.chmod(os.path.join(dated, key), mode)
            os.symlink(f"..data/{key}", os.path.join(place, key))

    def volume(self, volume, pod, security):
        """(folder, read-only regardless of the mount)"""
        place = os.path.join(pod, "volumes", volume["name"])
        group, policy = security.get("fsGroup"), security.get("fsGroupChangePolicy", "Always")
        if "persistentVolumeClaim" in volume:
            place = os.path.join(self.folder, "claims", volume["persistentVolumeClaim"]["claimName"])
            os.makedirs(place, exist_ok=True)  # a new file system's top: root, 0755
            if group:
                give_to_group(place, group, policy)
            return place, False
        os.makedirs(place)
        if "emptyDir" in volume:
            os.chmod(place, 0o777)
            if group:
                give_to_group(place, group, policy)
            return place, False
        source = volume.get("configMap") or volume["secret"]
        kind = "configmap" if "configMap" in volume else "secret"
        self.projected(place, kind, source.get("name") or source["secretName"], source.get("defaultMode", 0o644))
        if group:
            give_to_group(place, group, policy, read_only=True)
        return place, True

    def run(self, template, root, more_env, index=None):
        """One pod: [(container's name, result)]. It stops at the first that fails."""
        spec, done = template["spec"], []
        self.pods += 1
        pod = os.path.join(self.folder, f"pod{self.pods}")
        security = spec.get("securityContext", {})
        volumes = {v["name"]: self.volume(v, pod, security) for v in spec["volumes"]}
        for container in spec.get("initContainers", []) + spec["containers"]:
            mine = {**security, **container.get("securityContext", {})}
            env = {e["name"]: e["value"] for e in container.get("env", [])}
            if index is not None:
                env["JOB_COMPLETION_INDEX"] = str(index)
            words = [re.sub(r"\$\((\w+)\)", lambda m: env.get(m[1], m[0]), w) for w in container["command"] + container.get("args", [])]
            mounts = []
            for mount in container["volumeMounts"]:
                source, read_only = volumes[mount["name"]]
                if "subPath" in mount:
                    source = os.path.join(source, mount["subPath"])
                    os.makedirs(source, exist_ok=True)
                mounts.append((source, mount["mountPath"], read_only or mount.get("readOnly", False)))
            if mine.get("runAsNonRoot") and mine.get("runAsUser", 0) == 0:
                raise AssertionError(f"{container['name']} would run as root")
            done.append((container["name"], box.run(
                root, words, env={**more_env, **env}, cwd=container.get("workingDir", "/"), uid=mine.get("runAsUser", 0),
                gid=mine.get("runAsGroup", 0), groups=[g for g in [mine.get("fsGroup")] if g], mounts=mounts,
                read_only=mine.get("readOnlyRootFilesystem", False), restricted=mine.get("allowPrivilegeEscalation") is False)))
            if done[-1][1].returncode:
                break
        shutil.rmtree(pod)
        return done


if __name__ == "__main__":
    kubectl(os.environ["KUBE_STATE"], sys.argv[1:])
