#!/usr/bin/env python3
"""Write an OCI image archive of local files, FROM scratch.

    oci_image.py [--user UID] OUT.tar NAME ENTRYPOINT_JSON FILE…

A FILE is SOURCE=DEST, -TARGET=LINK for a symbolic link, or DEST/ for a folder that everybody may write to.
The same files always give the same archive.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MEDIA = "application/vnd.oci.image."


def main():
    args = arguments()
    layer = layer_of(args.files)
    layer_ref = descriptor(layer, "layer.v1.tar")
    config = dump(config_of(layer_ref, json.loads(args.entrypoint), args.user))
    config_ref = descriptor(config, "config.v1+json")
    manifest = dump(versioned("manifest.v1+json", config=config_ref, layers=[layer_ref]))
    manifest_ref = descriptor(manifest, "manifest.v1+json")
    manifest_ref["annotations"] = {"io.containerd.image.name": args.name}
    with tarfile.open(args.out, "w") as archive:
        add(archive, "oci-layout", dump({"imageLayoutVersion": "1.0.0"}), mode=0o644)
        add(archive, "index.json", dump(versioned("index.v1+json", manifests=[manifest_ref])), mode=0o644)
        for ref, data in ((layer_ref, layer), (config_ref, config), (manifest_ref, manifest)):
            add(archive, "blobs/" + ref["digest"].replace(":", "/"), data, mode=0o644)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--user", default="", help="who the entry point runs as, by number")
    parser.add_argument("out")
    parser.add_argument("name")
    parser.add_argument("entrypoint")
    # Not parsed further by argparse: "-TARGET=LINK" would look like an option to it.
    parser.add_argument("files", nargs=argparse.REMAINDER)
    return parser.parse_args()


def layer_of(files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for folder in sorted(folders_above(files)):
            add(tar, folder, kind=tarfile.DIRTYPE)
        for file in files:
            add_file(tar, file)
    return data.getvalue()


def folders_above(files):
    folder = lambda file: os.path.dirname(file.split("=")[-1].rstrip("/"))
    return {folder(file) for file in files} - {""}


def add_file(tar, file):
    if file.endswith("/"):
        add(tar, file.rstrip("/"), mode=0o1777, kind=tarfile.DIRTYPE)
        return
    source, dest = file.rsplit("=", 1)
    if source.startswith("-"):
        add(tar, dest, kind=tarfile.SYMTYPE, link=source[1:])
        return
    with open(source, "rb") as content:
        add(tar, dest, content.read())


def add(tar, path, data=b"", mode=0o755, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(path)
    info.size, info.mode, info.type, info.linkname = len(data), mode, kind, link
    tar.addfile(info, io.BytesIO(data))


def config_of(layer, entrypoint, user):
    return {
        "architecture": ARCHITECTURES[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": entrypoint} | ({"User": user} if user else {}),
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }


def versioned(media, **fields):
    return {"schemaVersion": 2, "mediaType": MEDIA + media} | fields


def descriptor(data, media):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    return {"mediaType": MEDIA + media, "digest": digest, "size": len(data)}


def dump(value):
    return json.dumps(value, sort_keys=True).encode()


if __name__ == "__main__":
    main()
