"""Where a `ChartStore` takes its charts from: the port, and archives on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from transload.charts.chart import Chart
from transload.errors import LimitExceeded, LocalError, ManifestUnknown, RepositoryUnknown
from transload.files import local_errors, read_file
from transload.limits import CHART_PACKED_BYTES, PROVENANCE_BYTES
from transload.oci import Digest
from transload.wording import hint


class Shelf(Protocol):
    """Knows charts by name and version, and has their archives."""

    def names(self) -> Iterable[str]:
        """Every chart."""
        ...

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a chart, in the order of the shelf. Raises `RepositoryUnknown` if there is no such chart."""
        ...

    def version_of(self, name: str, digest: Digest) -> str | None:
        """The version whose archive has this digest, if the shelf knows that without reading archives."""
        ...

    def places(self, name: str, version: str) -> tuple[str, ...]:
        """The addresses of an archive, if it is not on this machine. Raises `NotFound`."""
        ...

    def chart(self, name: str, version: str) -> Chart:
        """The chart, proved against the digest that the shelf states. Raises `NotFound`, `CorruptError`."""
        ...


class ArchiveFiles:
    """The chart archives at a path: one `.tgz`, or those in a folder. They are read when the first chart is asked for.

    Raises `LocalError` for what cannot be read, `CorruptError` for an archive that is no chart.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[tuple[str, str], tuple[Path, Digest]] | None = None

    def names(self) -> tuple[str, ...]:
        """Every chart, sorted."""
        return tuple(sorted({name for name, _ in self._known()}))

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a chart, in the order of the files' names."""
        versions = tuple(version for other, version in self._known() if other == name)
        if not versions:
            raise unknown_chart(name, self.names(), str(self._path))
        return versions

    def version_of(self, name: str, digest: Digest) -> str | None:
        """The version whose archive has this digest."""
        return next((key[1] for key, (_, known) in self._known().items() if key[0] == name and known == digest), None)

    def places(self, name: str, version: str) -> tuple[str, ...]:  # noqa: ARG002 - they are here
        """None: the archives are here."""
        return ()

    def chart(self, name: str, version: str) -> Chart:
        """The chart with its provenance, if the file `….tgz.prov` lies beside the archive."""
        try:
            path, _ = self._known()[name, version]
        except KeyError:
            raise unknown_version(name, version, self.versions(name), str(self._path)) from None
        return read_archive(path)

    def _known(self) -> dict[tuple[str, str], tuple[Path, Digest]]:
        if self._files is None:
            charts = ((path, read_archive(path)) for path in self._paths())
            self._files = {(chart.name, chart.version): (path, chart.digest) for path, chart in charts}
        return self._files

    def _paths(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path]
        with local_errors("reading", self._path):
            return sorted(path for path in self._path.iterdir() if path.suffix == ".tgz")


def read_archive(path: Path) -> Chart:
    """The chart in a file, with the provenance beside it. Raises `LocalError`, `CorruptError`, `LimitExceeded`."""
    content = _read(path, CHART_PACKED_BYTES)
    beside = path.with_name(f"{path.name}.prov")
    return Chart.parse(content, str(path), _read(beside, PROVENANCE_BYTES) if beside.is_file() else None)


def _read(path: Path, limit: int) -> bytes:
    if path.is_dir():
        raise LocalError(
            f"{path} is a folder, not the archive of a chart", subject=str(path), hint=f"helm package {path} makes one"
        )
    with local_errors("reading", path):
        content = read_file(path, limit + 1)
    if len(content) > limit:
        raise LimitExceeded(f"{path} has more than {limit} bytes", subject=str(path))
    return content


def unknown_chart(name: str, names: Iterable[str], where: str) -> RepositoryUnknown:
    """The error for a chart that a shelf does not have, with names that look like it."""
    return RepositoryUnknown(
        f"{where} has no chart {name[:140]!r}", subject=name, hint=hint(name, list(names), what="the charts there are")
    )


def unknown_version(name: str, version: str, versions: Iterable[str], where: str) -> ManifestUnknown:
    """The error for a version that a shelf does not have, with versions that look like it."""
    return ManifestUnknown(
        f"{where} has no version {version[:80]!r} of {name}",
        subject=f"{name}:{version}",
        hint=hint(version, list(versions), what="the versions there are"),
    )
