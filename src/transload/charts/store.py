"""Charts as a store that can be read: a chart is a repository, and its versions are the tags.

So whatever reads stores (plans, mirrors, bundles, proofs) takes charts from a chart repository too. The artifacts are
made when they are asked for, and are the same each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from transload.charts.artifact import Artifact, artifact_of
from transload.charts.chart import Chart, tag_of
from transload.charts.shelf import Shelf
from transload.errors import BlobUnknown, ManifestUnknown, NotFound, ReferenceInvalid
from transload.limits import CHARTS_KEPT_BYTES, CHARTS_SEARCHED
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.reference import check_repository, check_tag
from transload.ports import Chunk, RequestCosts


class ChartStore:
    """The charts of a `Shelf`, as the artifacts that `helm push` makes of them. Safe for threads.

    The last ones are kept in memory, up to `CHARTS_KEPT_BYTES`; others are read again when they are needed.
    """

    refers = None

    def __init__(self, locator: str, shelf: Shelf, request_costs: RequestCosts | None = None) -> None:
        self.locator = locator
        self.request_costs = request_costs
        self._shelf = shelf
        self._lock = threading.Lock()
        self._reading: dict[tuple[str, str], threading.Lock] = {}
        self._kept: dict[tuple[str, str], tuple[Chart, Artifact]] = {}
        self._where: dict[tuple[str, Digest], str] = {}

    # --- charts

    def chart(self, name: Name) -> Chart:
        """The chart that `name` stands for, with its bytes. Raises `NotFound`, `CorruptError`, …"""
        return self._made(name.repository, self._version(name))[0]

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a chart, in the order of the shelf. Raises `RepositoryUnknown`."""
        return self._shelf.versions(name)

    def places(self, name: str, version: str) -> tuple[str, ...]:
        """The addresses of an archive, some of them `oci://…`; none for files of this machine. Raises `NotFound`."""
        return self._shelf.places(name, version)

    # --- Resolves

    def resolve(self, name: Name) -> Descriptor:
        """The descriptor that `name` stands for. Raises `NotFound`."""
        return self.fetch(name).descriptor

    def fetch(self, name: Name) -> Manifest:
        """The manifest of a chart's artifact. Raises `NotFound`, `CorruptError`."""
        return self._made(name.repository, self._version(name))[1].manifest

    def tags(self, repository: str) -> Iterator[str]:
        """The versions of a chart, as tags. Raises `RepositoryUnknown`."""
        for version in dict.fromkeys(map(tag_of, self._shelf.versions(repository))):
            if _is(check_tag, version):
                yield version

    def repositories(self) -> Iterator[str]:
        """The names of all charts."""
        return (name for name in self._shelf.names() if _is(check_repository, name))

    # --- Reads

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """Whether a chart of this name has such a manifest or blob."""
        with suppress(NotFound):
            return len(self._content(repository, descriptor.digest)) == descriptor.size
        return False

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        """Bytes of a config, an archive or a provenance. Raises `BlobUnknown`, `SizeMismatch`, …"""
        content = self._content(repository, descriptor.digest)
        descriptor.check_size(len(content), self.locator)
        end = descriptor.size if length is None else offset + length
        yield iter((memoryview(content)[offset:end],) if content[offset:end] else ())

    # --- inside

    def _version(self, name: Name) -> str:
        """The version that a name means: a tag has an underscore where a version has a plus sign."""
        if name.digest is not None:
            return self._holder(name.repository, name.digest)
        for version in self._shelf.versions(name.repository):
            if tag_of(version) == name.tag:
                return version
        raise ManifestUnknown(f"{self.locator} has no {name}", subject=str(name))

    def _content(self, repository: str, digest: Digest) -> bytes:
        artifact = self._made(repository, self._holder(repository, digest))[1]
        return artifact.manifest.raw if artifact.manifest.digest == digest else artifact.blobs[digest]

    def _holder(self, repository: str, digest: Digest) -> str:
        """The version of a chart that this content belongs to.

        A saved plan names only the content. The index knows archives by their digests; for anything else the first
        versions are read.
        """
        known = self._where.get((repository, digest)) or self._shelf.version_of(repository, digest)
        if known is not None:
            return known
        for version in self._shelf.versions(repository)[:CHARTS_SEARCHED]:
            self._made(repository, version)
            if (repository, digest) in self._where:
                return self._where[repository, digest]
        raise BlobUnknown(f"{self.locator} has no {digest.short} of {repository}", subject=digest)

    def _made(self, name: str, version: str) -> tuple[Chart, Artifact]:
        """The chart and its artifact, read by one thread only."""
        key = (name, version)
        with self._lock:
            reading = self._reading.setdefault(key, threading.Lock())
        with reading:
            with self._lock:
                if key in self._kept:
                    self._kept[key] = self._kept.pop(key)  # the last one is the one that was used last
                    return self._kept[key]
            chart = self._shelf.chart(name, version)
            made = (chart, artifact_of(chart))
            with self._lock:
                self._keep(key, made)
            return made

    def _keep(self, key: tuple[str, str], made: tuple[Chart, Artifact]) -> None:
        name, version = key
        artifact = made[1]
        for digest in (artifact.manifest.digest, *artifact.blobs):
            self._where.setdefault((name, digest), version)
        self._kept[key] = made
        while len(self._kept) > 1 and sum(map(_weight, self._kept.values())) > CHARTS_KEPT_BYTES:
            del self._kept[next(iter(self._kept))]


def _weight(made: tuple[Chart, Artifact]) -> int:
    return sum(map(len, made[1].blobs.values()))


def _is(check: Callable[[str], str], text: str) -> bool:
    try:
        check(text)
    except ReferenceInvalid:
        return False
    return True
