"""Folders of images by the thousand, each with ten small blobs, nine of them its own: to measure how all grows.

`python -m benchmarks.growth FOLDER IMAGES [REPOSITORIES]` makes one. The same arguments always give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from transload.oci import mediatype as types

REPOSITORIES = 500
OWN = 9
"""So many blobs each image has for itself: its config and eight layers. One more it shares with others."""
_SHARING = 10  # so many images have a layer in common
_GZIP = bytes.fromhex("1f8b0800000000000003")
_REF = "org.opencontainers.image.ref.name"


def filled(layout: Path, images: int, repositories: int = REPOSITORIES) -> Path:
    """An OCI layout of `images` images, spread over repositories; with one repository they differ by tag only.

    Blobs have 100 bytes to 2 KiB. It is made once: what is there already is not made again.
    """
    finished = layout.with_name(f"{layout.name}.finished")
    if not finished.exists():
        _fill(layout, images, repositories)
        finished.touch()
    return layout


def _fill(layout: Path, images: int, repositories: int) -> None:
    place = layout / "blobs" / "sha256"
    place.mkdir(parents=True, exist_ok=True)
    folder = f"{place}{os.sep}"
    entries = []
    for number in range(images):
        raw = b""
        for raw in _contents(number):  # the last one is the manifest
            _write(folder, raw)
        repository, tag = number % repositories, number // repositories
        entries.append(
            _descriptor(types.OCI_MANIFEST, raw) | {"annotations": {_REF: f"team{repository:03}/app:v{tag}"}}
        )
    index = {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": entries}
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _contents(number: int) -> Iterator[bytes]:
    """The blobs of an image, and its manifest at the end."""
    layers = [_layer(f"base/{number // _SHARING}"), *(_layer(f"{number}/{place}") for place in range(OWN - 1))]
    yield from layers
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Labels": {"org.opencontainers.image.title": f"app{number:05}"}},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
        }
    ).encode()
    yield config
    manifest = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "config": _descriptor(types.OCI_CONFIG, config),
        "layers": [_descriptor(types.OCI_LAYER_GZIP, layer) for layer in layers],
    }
    yield json.dumps(manifest).encode()


def _layer(seed: str) -> bytes:
    size = 100 + hashlib.sha256(seed.encode()).digest()[0] * 7  # 100 to 1885 bytes
    return _GZIP + hashlib.shake_128(seed.encode()).digest(size - len(_GZIP))


def _descriptor(media_type: str, raw: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(raw), "size": len(raw)}


def _digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _write(folder: str, raw: bytes) -> None:
    descriptor = os.open(folder + hashlib.sha256(raw).hexdigest(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.write(descriptor, raw)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    if len(sys.argv) not in {3, 4} or not all(word.isdecimal() for word in sys.argv[2:]):
        sys.exit("python -m benchmarks.growth FOLDER IMAGES [REPOSITORIES]")
    filled(Path(sys.argv[1]), *map(int, sys.argv[2:]))
