"""Archives made by hand with the standard library, as the tools that write them lay them out."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transload.oci import Digest, Name
from transload.oci.mediatype import OCI_LAYER_GZIP
from transload.oci.refname import CONTAINERD_NAME, REF_NAME
from transload.testing.images import Built, image

VERSION = b'{"imageLayoutVersion": "1.0.0"}'
Files = dict[str, bytes | str]
"""Members in order: bytes are a file, a text is a symbolic link."""


def write_tar(path: Path, files: Mapping[str, bytes | str], form: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in files.items():
            add(tar, name, content)
    return path


def add(tar: tarfile.TarFile, name: str, content: bytes | str, **more: Any) -> None:
    info = tarfile.TarInfo(name)
    if isinstance(content, str):
        info.type, info.linkname = tarfile.SYMTYPE, content
    else:
        info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)


def blob_name(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def layout_files(listed: Mapping[Name, Built], full: bool = False) -> Files:
    """An image layout; `full` writes names as containerd does, else as skopeo does."""
    files: Files = {"oci-layout": VERSION}
    entries = []
    for name, built in listed.items():
        for each in built.walk():
            files[blob_name(each.digest)] = each.manifest.raw
        for descriptor, raw in built.walk_blobs():
            files[blob_name(descriptor.digest)] = raw
        annotations = {REF_NAME: f"{name.repository}:{name.tag}"}
        if full:
            annotations = {REF_NAME: str(name.tag), CONTAINERD_NAME: f"docker.io/{name.repository}:{name.tag}"}
        entries.append(built.descriptor.to_json() | ({"annotations": annotations} if name.tag else {}))
    return files | {"index.json": json.dumps({"schemaVersion": 2, "manifests": entries}).encode()}


class Saved:
    """An image as docker keeps it: the config, and layers that are not compressed."""

    def __init__(self, seed: object, layers: Any = (2000, 100_000)) -> None:
        self.built = image(seed, layers)
        self.config = self.built.contents[0].read()
        self.layers = [gzip.decompress(content.read()) for content in self.built.contents[1:]]

    @property
    def config_digest(self) -> Digest:
        return Digest.of(self.config)

    def old(self) -> tuple[Files, dict[str, Any]]:
        """As docker 20 writes it: a folder for each layer; and the entry of manifest.json."""
        files: Files = {}
        for place, layer in enumerate(self.layers):
            folder = Digest.of(f"{self.config_digest}/{place}".encode()).encoded
            files |= {f"{folder}/VERSION": b"1.0", f"{folder}/json": b"{}", f"{folder}/layer.tar": layer}
        names = [name for name in files if name.endswith("layer.tar")]
        config = f"{self.config_digest.encoded}.json"
        return files | {config: self.config}, {"Config": config, "Layers": names}

    def flat(self) -> tuple[Files, dict[str, Any]]:
        """As skopeo and podman write it: layers by digest, and links for readers of the oldest format."""
        files: Files = {}
        for layer in self.layers:
            name = f"{Digest.of(layer).encoded}.tar"
            files |= {name: layer, f"{Digest.of(layer + b'v1').encoded}/layer.tar": f"../{name}"}
        config = f"{self.config_digest.encoded}.json"
        layers = [name for name, content in files.items() if isinstance(content, str)]
        return files | {config: self.config}, {"Config": config, "Layers": layers}


def saved_files(*images: tuple[tuple[Files, dict[str, Any]], list[str] | None]) -> Files:
    """What `docker save` writes: each image in one of its forms, with its RepoTags."""
    files: Files = {}
    entries = []
    for (content, entry), tags in images:
        files |= content
        entries.append({"Config": entry["Config"], "RepoTags": tags, "Layers": entry["Layers"]})
    return files | {"manifest.json": json.dumps(entries).encode(), "repositories": b"{}"}


def compressed(saved: Saved) -> tuple[Files, dict[str, Any]]:
    """As jib and others write it: layers stay as they were published."""
    layers = [content for content in saved.built.contents if content.descriptor.media_type == OCI_LAYER_GZIP]
    files: Files = {f"{content.descriptor.digest.encoded}.tar.gz": content.read() for content in layers}
    return files | {str(saved.config_digest): saved.config}, {
        "Config": str(saved.config_digest),
        "Layers": list(files),
    }
