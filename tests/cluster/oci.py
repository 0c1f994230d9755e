"""A container image of one layer as an OCI image layout in one tar, which `ctr images import` reads: for images that are made
without a builder and without a registry."""

import hashlib
import io
import json
import tarfile

MEDIA = "application/vnd.oci.image."
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def of_root(member):
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


class Layout:
    def __init__(self, tar):
        self.tar = tar

    def put(self, name, content):
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self.tar.addfile(member, io.BytesIO(content))

    def blob(self, kind, content):
        """Its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        self.put(f"blobs/sha256/{digest}", content)
        return {"mediaType": f"{MEDIA}{kind}", "digest": f"sha256:{digest}", "size": len(content)}


def write(path, root, name):
    """The files below ROOT, owned by root, as the image NAME."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as layer:
        layer.add(root, ".", filter=of_root)
    platform = {"architecture": "amd64", "os": "linux"}
    with tarfile.open(path, "w") as tar:
        layout = Layout(tar)
        layer = layout.blob("layer.v1.tar", packed.getvalue())
        config = layout.blob("config.v1+json", json.dumps({
            **platform, "config": {"Env": [f"PATH={PATH}"], "User": "1000:1000"},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode())
        manifest = layout.blob("manifest.v1+json", json.dumps({
            "schemaVersion": 2, "mediaType": f"{MEDIA}manifest.v1+json", "config": config, "layers": [layer]}).encode())
        manifest |= {"platform": platform, "annotations": {"io.containerd.image.name": name}}
        layout.put("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        layout.put("index.json", json.dumps({"schemaVersion": 2, "mediaType": f"{MEDIA}index.v1+json", "manifests": [manifest]}).encode())
