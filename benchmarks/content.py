"""What is copied: two monthly releases, many small images, layers of any size; made from a seed, or given as a layout.

Large layers are sparse files: a few bytes in each MiB differ, the rest are zeros, so 10 GiB are made in seconds and
take no room at the source. No tool that is measured compresses what it moves, and none leaves zeros out.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import field, frozen

from transload.layout import LayoutStore
from transload.oci import Descriptor, Manifest, Name
from transload.oci import mediatype as types
from transload.testing.images import Built, image, multi_platform
from transload.testing.layers import layer
from transload.testing.releases import fill_release, release

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
IMAGES = 18
RELEASE_BYTES = 390 * MIB
PREFIX, TARGET_PREFIX = "vendor", "site"
GZIP = bytes.fromhex("1f8b0800000000000003")  # skopeo compresses layers that do not begin so, and writes a new manifest
_REF = "org.opencontainers.image.ref.name"


@frozen
class Goods:
    """Images of an OCI layout, by tag: what a run copies. The tags are in order of age."""

    layout: Path
    names: tuple[Name, ...] = field(repr=False)

    @property
    def tags(self) -> tuple[str, ...]:
        """The releases, oldest first."""
        return tuple(sorted({name.tag for name in self.names if name.tag}))

    def of(self, tag: str) -> Goods:
        """Only this release."""
        return Goods(self.layout, tuple(name for name in self.names if name.tag == tag))

    def manifests(self) -> dict[Name, Manifest]:
        """What each name stands for: a manifest, or an index."""
        return {name: root for name, root in _roots(self.layout).items() if name in set(self.names)}

    def graphs(self) -> dict[Name, tuple[Manifest, ...]]:
        """Every manifest of each image, those below an index first."""
        return {name: tuple(_below(self.layout, root)) for name, root in self.manifests().items()}

    def places(self) -> dict[str, tuple[int, str]]:
        """Every blob once: its size, and a repository that has it."""
        return {
            blob.digest: (blob.size, name.repository)
            for name, graph in self.graphs().items()
            for manifest in graph
            for blob in manifest.blobs
        }

    def blobs(self) -> dict[str, int]:
        """Every blob's size by its digest."""
        return {digest: size for digest, (size, _) in self.places().items()}

    @property
    def size(self) -> int:
        """Bytes of all blobs, each counted once."""
        return sum(self.blobs().values())

    def file(self, digest: str) -> Path:
        """Where a blob or a manifest lies."""
        return blob_file(self.layout, digest)


def opened(layout: Path) -> Goods:
    """Every tagged image of a layout."""
    return Goods(layout, tuple(_roots(layout)))


def seeded(folder: Path, size: int = RELEASE_BYTES, images: int = IMAGES) -> Goods:
    """Two releases of about `size` bytes each, of which most is shared; made once, kept in `folder`."""
    layout = folder / f"releases-{images}-{size}"
    if not _is_finished(layout):
        store = LayoutStore(layout, create=True)
        for version in (1, 2):
            fill_release(store, release("bench", images, size, version))
        _finish(layout)
    return opened(layout)


def many(folder: Path, images: int) -> Goods:
    """`images` small images: a layer that all share, one that ten share, one of their own; each tenth is an index."""

    def built(number: int) -> Built:
        if number % 10 == 9:
            return multi_platform(f"many/{number}", (800, 2500))
        own = layer(f"many/own/{number}", 500 + 37 * (number % 100))
        return image(f"many/{number}", [layer("many/base", 40 * KIB), layer(f"many/{number // 10}", 9 * KIB), own])

    return _made(folder / f"many-{images}", ((f"app{number:05}", "v1", built(number)) for number in range(images)))


def blobs(folder: Path, count: int) -> Goods:
    """One image for each hundred of `count` blobs of a few hundred bytes."""
    images = ((f"tiny{number:04}", "v1", image(f"tiny/{number}", [100] * 99)) for number in range(count // 100))
    return _made(folder / f"blobs-{count}", images)


def one_layer(folder: Path, size: int, name: str = "huge") -> Goods:
    """One image with one layer of `size` bytes."""
    return sparse(folder / f"layer-{name}-{size}", {name: (size,)})


def large(folder: Path, size: int, images: int = IMAGES) -> Goods:
    """A release of `size` bytes: one layer that all images share, and layers from a quarter of the whole downwards."""
    weights = [1 / (number + 1) for number in range(images)]
    own = [int(size * 0.85 * weight / sum(weights)) for weight in weights]
    return sparse(
        folder / f"large-{images}-{size}",
        {f"large{number:02}": (int(size * 0.15), own[number]) for number in range(images)},
    )


def sparse(layout: Path, images: dict[str, tuple[int, ...]]) -> Goods:
    """An image for each name with layers of these sizes. Layers of the same size at the same place are shared."""
    if not _is_finished(layout):
        found: dict[tuple[int, int], Descriptor] = {}
        for sizes in images.values():
            for place, size in enumerate(sizes):
                if (place, size) not in found:
                    found[place, size] = _sparse_layer(layout, f"{place}/{size}", size)
        roots = [
            (name, "v1", _written_image(layout, name, [found[place] for place in enumerate(sizes)]))
            for name, sizes in images.items()
        ]
        _index(layout, roots)
        _finish(layout)
    return opened(layout)


def at_target(name: Name) -> Name:
    """What every tool calls an image at the target: skopeo keeps the last part of a repository only."""
    return Name(f"{TARGET_PREFIX}/{last_part(name)}", name.tag)


def write_references(goods: Goods, host: str, path: Path) -> Path:
    """A list of references, as `transload mirror` takes it."""
    path.write_text("".join(f"{host}/{PREFIX}/{name} -> {last_part(name)}:{name.tag}\n" for name in goods.names))
    return path


def write_sync(goods: Goods, host: str, path: Path, *, verify_tls: bool) -> Path:
    """The same as skopeo's source file (`skopeo sync --src yaml`)."""
    images: defaultdict[str, list[str]] = defaultdict(list)
    for name in goods.names:
        images[f"{PREFIX}/{name.repository}"].append(str(name.tag))
    path.write_text(json.dumps({host: {"tls-verify": verify_tls, "images": images}}))  # JSON is YAML
    return path


def last_part(name: Name) -> str:
    """The last part of a repository."""
    return name.repository.rpartition("/")[2]


def blob_file(layout: Path, digest: str) -> Path:
    """Where a layout keeps a blob or a manifest."""
    algorithm, _, encoded = digest.partition(":")
    return layout / "blobs" / algorithm / encoded


# --- inside


@functools.lru_cache(maxsize=64)
def _roots(layout: Path) -> dict[Name, Manifest]:
    entries = json.loads((layout / "index.json").read_text())["manifests"]
    roots = {}
    for entry in entries:
        repository, _, tag = entry.get("annotations", {}).get(_REF, "").rpartition(":")
        if repository:
            raw = blob_file(layout, entry["digest"]).read_bytes()
            roots[Name(repository, tag)] = Manifest.parse(raw, entry["mediaType"])
    return roots


@functools.lru_cache(maxsize=5000)
def _below(layout: Path, root: Manifest) -> tuple[Manifest, ...]:
    found: list[Manifest] = []
    for child in root.manifests:
        raw = blob_file(layout, child.digest).read_bytes()
        found += _below(layout, Manifest.parse(raw, child.media_type))
    return (*found, root)


def _made(layout: Path, images: Iterable[tuple[str, str, Built]]) -> Goods:
    """Written here and not through a store, which flushes each file."""
    if not _is_finished(layout):
        roots = []
        for repository, tag, built in images:
            for content in built.walk_contents():
                if not blob_file(layout, content.descriptor.digest).exists():
                    _put(layout, content.read())
            for part in built.walk():
                _put(layout, part.manifest.raw)
            roots.append((repository, tag, built.manifest))
        _index(layout, roots)
        _finish(layout)
    return opened(layout)


def _written_image(layout: Path, name: str, layers: list[Descriptor]) -> Manifest:
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": {"name": name}},
        "rootfs": {"type": "layers", "diff_ids": [entry.digest for entry in layers]},
    }
    raw = json.dumps(config).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": types.OCI_MANIFEST,
        "config": {"mediaType": types.OCI_CONFIG, "digest": _put(layout, raw), "size": len(raw)},
        "layers": [entry.to_json() for entry in layers],
    }
    manifest = Manifest.parse(json.dumps(document).encode(), types.OCI_MANIFEST)
    _put(layout, manifest.raw)
    return manifest


def _sparse_layer(layout: Path, seed: str, size: int) -> Descriptor:
    making = layout / "making"
    making.parent.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256()
    zeros = bytes(MIB)
    with making.open("wb") as file:
        file.truncate(size)
        for start in range(0, size, MIB):
            mark = hashlib.shake_128(f"{seed}/{start}".encode()).digest(64)
            mark = (mark if start else GZIP + mark)[: size - start]
            file.seek(start)
            file.write(mark)
            sha256.update(mark)
            sha256.update(memoryview(zeros)[: min(MIB, size - start) - len(mark)])
    digest = f"sha256:{sha256.hexdigest()}"
    place = blob_file(layout, digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    making.replace(place)
    entry = {"mediaType": types.OCI_LAYER_GZIP, "digest": digest, "size": size}
    return Descriptor.from_json(entry, "a sparse layer")


def _put(layout: Path, raw: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    place = blob_file(layout, digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(raw)
    return digest


def _index(layout: Path, roots: Iterable[tuple[str, str, Manifest]]) -> None:
    def entries() -> Iterator[dict[str, object]]:
        for repository, tag, root in roots:
            yield {**root.descriptor.to_json(), "annotations": {_REF: f"{repository}:{tag}"}}

    document = {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": list(entries())}
    (layout / "index.json").write_text(json.dumps(document))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _is_finished(layout: Path) -> bool:
    if not layout.with_suffix(".finished").exists():
        shutil.rmtree(layout, ignore_errors=True)
        return False
    return True


def _finish(layout: Path) -> None:
    layout.with_suffix(".finished").touch()
