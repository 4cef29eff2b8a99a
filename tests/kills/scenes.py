"""Where releases are copied while the copier is killed: each scene is a command, what it passes, and what must come."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from attrs import frozen

from tests.kills.fuse import Fuse
from tests.real.servers import Registry
from transload import pack, verify
from transload.errors import NotFound
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Name
from transload.ports import Source
from transload.registry.store import RegistryStore
from transload.server import ServeSettings, serve
from transload.testing.images import Built, fill, image
from transload.testing.laboratory import Fault, Laboratory, Tally
from transload.testing.layers import layer

_BASE = layer("base", 3 << 20)
RELEASE: Mapping[str, Built] = {
    "acme/database": image("database", [_BASE, layer("data", 11 << 20), 30_000]),
    "acme/gateway": image("gateway", [_BASE, 1 << 20]),
    "acme/proxy": image("proxy", [_BASE, 900_000, 200_000]),
    "acme/ui": image("ui", [150_000]),
}
TAG = "v1"
SIZES = {
    content.descriptor.digest: content.descriptor.size
    for built in RELEASE.values()
    for content in built.walk_contents()
}
TOTAL = sum(SIZES.values())
_VOLUME, _VOLUMES = 5_000_000, 4
_DONE = re.compile(r"^done (\S+)$", re.MULTILINE)


@frozen
class World:
    """What all rounds share: a vendor's registry that serves the release, a docker-registry, and a bundle."""

    vendor: str
    registry: Registry
    bundle: Path


@frozen
class Place:
    """A command line, the laboratories that it talks to, and what is at its target.

    `finished` has the digests that are complete there; `check_tags` asserts that no tag is there without all below it;
    `prove` asserts that all is there, and nothing else.
    """

    words: list[str]
    finished: Callable[[], set[str]]
    check_tags: Callable[[], None]
    prove: Callable[[], None]
    source: Laboratory | None = None
    target: Laboratory | None = None

    def wait_until_quiet(self) -> None:
        """Wait until the servers have dealt with all that a dead child has sent."""
        for laboratory in filter(None, (self.source, self.target)):
            laboratory.wait_until_quiet()

    def count_anew(self) -> tuple[Tally, Tally]:
        """What was counted at the source and at the target; from now on it is counted from zero."""
        tallies = []
        for laboratory in (self.source, self.target):
            tallies.append(laboratory.tally if laboratory else Tally())
            if laboratory:
                laboratory.tally = Tally()
        return tallies[0], tallies[1]


Scene = Callable[..., "contextlib.AbstractContextManager[Place]"]


@contextlib.contextmanager
def made_world(registry: Registry, folder: Path) -> Iterator[World]:
    """Publish the release, and pack it once."""
    vendor = MemoryStore()
    for repository, built in RELEASE.items():
        fill(vendor, built, repository, TAG)
    with serve(vendor) as served:
        name = folder / "release"
        pack(_references(served.host_port), name, volume_size=_VOLUME)
        yield World(served.host_port, registry, name)


def _references(host_port: str) -> list[str]:
    return [f"{host_port}/{repository}:{TAG}" for repository in RELEASE]


# --- mirror


@contextlib.contextmanager
def mirror_to_docker_registry(world: World, folder: Path, faults: list[Fault], rate: float | None) -> Iterator[Place]:
    """distribution 2.8, which drops an upload that broke."""
    with (
        Laboratory(world.vendor, faults, rate=rate) as source,
        Laboratory(world.registry.host, faults, rate=rate) as target,
    ):
        words = ["mirror", *_references(source.host_port), "--to", f"{target.host_port}/{folder.name}"]
        yield _at_registry(world, folder, words, source, target)


@contextlib.contextmanager
def mirror_to_resuming_registry(world: World, folder: Path, faults: list[Fault], rate: float | None) -> Iterator[Place]:
    """Our own server, which keeps what has arrived of an upload."""
    store = LayoutStore(folder / "served", create=True)
    with (
        Laboratory(world.vendor, faults, rate=rate) as source,
        serve(store, ServeSettings(writable=True)) as served,
        Laboratory(served.host_port, faults, rate=rate) as target,
    ):
        words = ["mirror", *_references(source.host_port), "--to", target.host_port]
        yield _at_folder(folder / "served", words, source, target)


@contextlib.contextmanager
def mirror_to_folder(world: World, folder: Path, faults: list[Fault], rate: float | None) -> Iterator[Place]:
    """A folder in OCI image layout."""
    with Laboratory(world.vendor, faults, rate=rate) as source:
        words = ["mirror", *_references(source.host_port), "--to", f"oci:{folder / 'copy'}"]
        yield _at_folder(folder / "copy", words, source)


# --- pack and push


@contextlib.contextmanager
def pack_volumes(world: World, folder: Path, faults: list[Fault], rate: float | None) -> Iterator[Place]:
    """A bundle in volumes."""
    with _packed(world, folder, faults, rate) as place:
        yield place


@contextlib.contextmanager
def pack_with_recovery(world: World, folder: Path, faults: list[Fault], rate: float | None) -> Iterator[Place]:
    """A bundle in volumes of one size, and two recovery volumes."""
    with _packed(world, folder, faults, rate, "--recovery", "2") as place:
        yield place


@contextlib.contextmanager
def _packed(world: World, folder: Path, faults: list[Fault], rate: float | None, *options: str) -> Iterator[Place]:
    into = folder / "packed"
    into.mkdir()
    with Laboratory(world.vendor, faults, rate=rate) as source:
        words = ["pack", *_references(source.host_port), "-o", str(into / "release"), "--volume-size", str(_VOLUME)]

        def finished() -> set[str]:
            journals = list(into.glob("*.journal"))
            return {digest for path in journals for digest in _DONE.findall(path.read_text(errors="replace"))}

        def prove() -> None:
            kinds = Counter(path.suffixes[0][:2] if path.suffix == ".tar" else path.name for path in into.iterdir())
            assert kinds == {".0": _VOLUMES, "SHA256SUMS": 1} | ({".r": 2} if options else {})
            assert verify(f"bundle:{into / 'release'}").good
            _check_sums(into)

        yield Place([*words, *options], finished, lambda: None, prove, source=source)


@contextlib.contextmanager
def push_to_docker_registry(world: World, folder: Path, faults: list[Fault], rate: float | None) -> Iterator[Place]:
    """From the bundle; what is read is read from the disk."""
    with Laboratory(world.registry.host, faults, rate=rate) as target:
        words = ["push", str(world.bundle), "--to", f"{target.host_port}/{folder.name}"]
        yield _at_registry(world, folder, words, None, target)


@contextlib.contextmanager
def push_to_resuming_registry(world: World, folder: Path, faults: list[Fault], rate: float | None) -> Iterator[Place]:
    """From the bundle to our own server."""
    store = LayoutStore(folder / "served", create=True)
    with (
        serve(store, ServeSettings(writable=True)) as served,
        Laboratory(served.host_port, faults, rate=rate) as target,
    ):
        words = ["push", str(world.bundle), "--to", target.host_port]
        yield _at_folder(folder / "served", words, None, target)


SCENES: Mapping[str, Scene] = {
    "mirror-docker-registry": mirror_to_docker_registry,
    "mirror-resuming": mirror_to_resuming_registry,
    "mirror-folder": mirror_to_folder,
    "pack": pack_volumes,
    "pack-recovery": pack_with_recovery,
    "push-docker-registry": push_to_docker_registry,
    "push-resuming": push_to_resuming_registry,
}


def opened(
    name: str, world: World, folder: Path, fuse: Fuse, rate: float | None = None
) -> contextlib.AbstractContextManager[Place]:
    """A scene by its name, with a fuse in every laboratory."""
    return SCENES[name](world, folder, [fuse.fault], rate)


# --- what is there


def _at_registry(
    world: World, folder: Path, words: list[str], source: Laboratory | None, target: Laboratory | None
) -> Place:
    repositories = world.registry.root / "docker/registry/v2/repositories" / folder.name

    def finished() -> set[str]:
        return {f"sha256:{link.parent.name}" for link in repositories.glob("**/_layers/sha256/*/link")}

    def check_tags() -> None:
        with Http(NetSettings()) as http:
            _check_tags(RegistryStore(world.registry.host, http), f"{folder.name}/")

    def prove() -> None:
        with Http(NetSettings()) as http:
            _prove(RegistryStore(world.registry.host, http), f"{folder.name}/")

    return Place(words, finished, check_tags, prove, source=source, target=target)


def _at_folder(path: Path, words: list[str], source: Laboratory | None, target: Laboratory | None = None) -> Place:
    def finished() -> set[str]:
        return {f"sha256:{blob.name}" for blob in path.glob("blobs/sha256/*")}

    def check_tags() -> None:
        if (path / "index.json").exists():
            _check_tags(LayoutStore(path))

    def prove() -> None:
        _prove(LayoutStore(path))
        manifests = {built.digest for built in RELEASE.values()}
        assert finished() == SIZES.keys() | manifests
        files = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}
        left = {name for name in files if not name.startswith("blobs/sha256/")}
        # A server keeps broken uploads until they were idle for long; a kill may come before a lock's file is deleted.
        kept = (".transload/ingest/",) if target else (".lock",)
        left = {name for name in left if not (name.startswith(kept) or name.endswith(kept))}
        assert left <= {"oci-layout", "index.json", ".transload/lock"}

    return Place(words, finished, check_tags, prove, source=source, target=target)


def _prove(store: Source, prefix: str = "") -> None:
    """Every manifest is there under its tag, and every blob is there and is itself: all its bytes are hashed."""
    proved: set[str] = set()
    for repository, built in RELEASE.items():
        assert store.fetch(Name(prefix + repository, TAG)).raw == built.manifest.raw
        for content in built.walk_contents():
            descriptor = content.descriptor
            assert store.exists(prefix + repository, descriptor), f"{repository} lacks {descriptor.digest}"
            if descriptor.digest not in proved:
                proved.add(descriptor.digest)
                hashed = hashlib.sha256()
                with store.open(prefix + repository, descriptor) as chunks:
                    for chunk in chunks:
                        hashed.update(chunk)
                assert f"sha256:{hashed.hexdigest()}" == descriptor.digest


def _check_tags(store: Source, prefix: str = "") -> None:
    for repository, built in RELEASE.items():
        with contextlib.suppress(NotFound):
            store.resolve(Name(prefix + repository, TAG))
            for content in built.walk_contents():
                assert store.exists(prefix + repository, content.descriptor), f"{repository}:{TAG} is not complete"


def _check_sums(folder: Path) -> None:
    """SHA256SUMS lists every other file, and rightly."""
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    listed = {name.lstrip("*"): digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    files = {path.name: path for path in folder.iterdir() if path.name != "SHA256SUMS"}
    assert listed.keys() == files.keys()
    for name, path in files.items():
        with path.open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == listed[name]
