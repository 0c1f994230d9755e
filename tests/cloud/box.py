"""Root file systems made of Debian packages by name, as a Containerfile asks for them, and programs run in them as a container
runtime would: user, groups, mounts, environment, read-only root. The files are those of this machine's installed packages, so
that nothing is fetched; what the named packages do not contain does not exist."""

import functools
import glob
import os
import re
import shutil
import subprocess

STATUS, INFO = "/var/lib/dpkg/status", "/var/lib/dpkg/info"
# files that maintainer scripts write
WRITTEN = ("/etc/nsswitch.conf", "/etc/alternatives", "/etc/ssl/certs")


@functools.cache
def installed():
    """{name: fields} of the installed packages, and of names that they provide."""
    packages, provides = {}, {}
    with open(STATUS, encoding="utf-8") as file:
        for paragraph in file.read().split("\n\n"):
            fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.M))
            if fields.get("Status") != "install ok installed":
                continue
            packages[fields["Package"]] = fields
            for name in re.findall(r"([a-z0-9][a-z0-9+.-]+)", re.sub(r"\([^)]*\)", "", fields.get("Provides", ""))):
                provides.setdefault(name, fields["Package"])
    return packages, provides


def closure(names):
    """What a minimal Debian has, and NAMES with all they depend on. A name that is not installed here is an error."""
    packages, provides = installed()
    found = set()
    todo = [name for name, fields in packages.items() if fields.get("Essential") == "yes" or fields.get("Priority") == "required"]
    for name in names:
        if name not in packages:
            raise AssertionError(f"{name} is not installed: run scripts/setup test")
        todo.append(name)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        for field in ("Depends", "Pre-Depends"):
            for wanted in packages[name].get(field, "").split(","):
                options = [re.split(r"[ (:]", option.strip())[0] for option in wanted.split("|")]
                have = next((o if o in packages else provides[o] for o in options if o in packages or o in provides), None)
                if have:
                    todo.append(have)
    return sorted(found)


def place(root, path):
    """Puts one path of this machine into ROOT: a hard link where nothing writes, otherwise a copy."""
    target = root + path
    if os.path.lexists(target):
        return
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
    elif os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    elif os.path.isfile(path):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            if not os.path.realpath(path).startswith("/usr/"):
                raise OSError
            os.link(path, target)
        except OSError:
            shutil.copy2(path, target)


def rootfs(root, names):
    """A root file system with the packages NAMES, in ROOT."""
    for name in ("bin", "sbin", "lib", "lib64"):  # before any file in them, which would make them real folders
        os.makedirs(os.path.join(root, "usr", name), exist_ok=True)
        os.symlink(f"usr/{name}", os.path.join(root, name))
    for package in closure(names):
        lists = glob.glob(f"{INFO}/{package}.list") + glob.glob(f"{INFO}/{package}:*.list")
        for path in "\n".join(open(name, encoding="utf-8").read() for name in lists).splitlines():
            if path != "/." and not path.startswith(("/usr/share/doc/", "/usr/share/locale/", "/usr/share/man/")):
                place(root, path)
    for path in WRITTEN:
        if os.path.isdir(path):
            os.makedirs(root + path, exist_ok=True)
        for inner in sorted(glob.glob(path + "/*") if os.path.isdir(path) else [path]):
            if os.path.lexists(root + inner):
                os.unlink(root + inner)
            place(root, inner)
    for name in ("passwd", "group"):
        shutil.copy2(f"/usr/share/base-passwd/{name}.master", f"{root}/etc/{name}")
    for name in ("dev", "proc", "sys", "run", "tmp", "root", "var/tmp", "var/lib", "var/cache"):
        os.makedirs(os.path.join(root, name), exist_ok=True)
    os.chmod(os.path.join(root, "tmp"), 0o1777)
    subprocess.run(["ldconfig", "-r", root], check=True, env={"PATH": "/usr/sbin:/usr/bin"})


def run(root, command, *, env, cwd="/", uid=0, gid=0, groups=(), mounts=(), read_only=False, restricted=False, timeout=600):
    """Runs COMMAND in ROOT. MOUNTS: (folder or file of this machine, place in ROOT, read-only). RESTRICTED: no capabilities, and no
    way to new ones. The network is this machine's."""
    script = ['mount --make-rprivate /', f'root={root}', 'mount --bind "$root" "$root"', 'mount -t proc proc "$root/proc"',
              'mount --rbind /dev "$root/dev"', 'mount -t tmpfs tmpfs "$root/run"']
    for source, target, ro in mounts:
        if os.path.isdir(source):
            os.makedirs(root + target, exist_ok=True)
        elif not os.path.exists(root + target):
            os.makedirs(os.path.dirname(root + target), exist_ok=True)
            open(root + target, "w", encoding="utf-8").close()
        script.append(f'mount --bind "{source}" "$root{target}"')
        if ro:
            script.append(f'mount -o remount,bind,ro "$root{target}"')
    if read_only:
        script.append('mount -o remount,bind,ro "$root"')
    script.append('exec chroot "$root" "$@"')
    drop = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"] if restricted else []
    which = [f"--groups={','.join(map(str, groups))}"] if groups else ["--clear-groups"]
    inside = ["setpriv", f"--reuid={uid}", f"--regid={gid}", *which, *drop, "env", "-i",
              *(f"{key}={value}" for key, value in {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **env}.items()),
              "sh", "-c", 'cd "$0" && exec "$@"', cwd, *command]
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-euc", "\n".join(script), "box", *inside],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
