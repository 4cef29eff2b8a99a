"""A chart as it was published: the bytes of its archive, which are never changed, and what its `Chart.yaml` says."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from transload.documents.value import Value
from transload.errors import ContentDiffers, CorruptError, LimitExceeded, TransloadError
from transload.limits import CHART_BYTES, CHART_FILES, YAML_BYTES
from transload.oci import Digest
from transload.oci.reference import check_repository, check_tag
from transload.values import field, frozen

_METADATA = "Chart.yaml"
_PIECE = 64 << 10


def tag_of(version: str) -> str:
    """The tag of a version: a tag cannot hold a plus sign, and Helm writes an underscore in its place.

    >>> tag_of("1.2.3+build.5")
    '1.2.3_build.5'
    """
    return version.replace("+", "_")


@frozen(kw_only=True)
class Chart:
    """A Helm chart.

    `content` is its archive (`.tgz`), `provenance` the file with its signature that lies beside it (`.tgz.prov`), if
    there is one. `origin` says for people where it comes from. Make one with `Chart.parse`.
    """

    content: bytes = field(repr=False)
    metadata: Mapping[str, Any] = field(repr=False, eq=False)
    origin: str
    provenance: bytes | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, content: bytes, origin: str, provenance: bytes | None = None) -> Chart:
        """A chart from the bytes of its archive. Raises `CorruptError` if they are no chart, `LimitExceeded`."""
        try:
            metadata = Value.from_yaml(_metadata_in(content, origin), f"{origin}!{_METADATA}")
            name, version = (metadata.get(key).text() for key in ("name", "version"))
            if "/" in check_repository(name):
                raise CorruptError(f"the name {name[:80]!r} has a slash")
            check_tag(tag_of(version))
        except LimitExceeded:
            raise
        except TransloadError as error:
            raise CorruptError(f"{origin} is not a chart that can be stored: {error}", subject=origin) from error
        return cls(content=content, metadata=metadata.content, origin=origin, provenance=provenance)

    @property
    def name(self) -> str:
        """The chart's name, as a registry can hold it."""
        return str(self.metadata["name"])

    @property
    def version(self) -> str:
        """The chart's version, such as `1.2.3+build.5`."""
        return str(self.metadata["version"])

    @property
    def tag(self) -> str:
        """The tag under which Helm stores the chart: its version, with an underscore for a plus sign."""
        return tag_of(self.version)

    @cached_property
    def digest(self) -> Digest:
        """The digest of the archive, as an `index.yaml` states it."""
        return Digest.of(self.content)

    def check_is(self, name: str, version: str) -> None:
        """Raise `ContentDiffers` if the archive holds another chart, or another version of it, than is said of it."""
        if (self.name, self.version.removeprefix("v")) != (name, version.removeprefix("v")):
            raise ContentDiffers(
                f"{self.origin} holds {self.name} {self.version}, and {name} {version} was expected",
                subject=self.origin,
                hint="the repository contradicts itself; tell whoever runs it",
            )


def _metadata_in(content: bytes, origin: str) -> bytes:
    """The `Chart.yaml` of the chart itself, which lies in the only folder at the top; those of subcharts lie deeper."""
    unpacked = _Unpacked(content, origin)
    try:
        with tarfile.open(fileobj=unpacked, mode="r|") as archive:
            metadata = _first_metadata(archive, origin)
        unpacked.read_to_end()
    except (tarfile.TarError, zlib.error, EOFError, ValueError) as error:
        raise CorruptError(f"it is damaged, or not a .tgz: {error}") from error
    if metadata is None:
        raise CorruptError(f"there is no {_METADATA} in it")
    return metadata


def _first_metadata(archive: tarfile.TarFile, origin: str) -> bytes | None:
    for number, member in enumerate(archive):
        if number >= CHART_FILES:
            raise LimitExceeded(f"{origin} has more than {CHART_FILES} files", subject=origin)
        parts = PurePosixPath(member.name).parts
        if len(parts) == 2 and parts[1] == _METADATA and member.isreg():
            file = archive.extractfile(member)
            return file.read(YAML_BYTES + 1) if file else b""
    return None


class _Unpacked(io.RawIOBase):
    """The tar in a gzip stream, up to a limit: a few kilobytes can unpack to gigabytes."""

    def __init__(self, content: bytes, origin: str) -> None:
        self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._rest = content
        self._origin = origin
        self._size = 0

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def read_to_end(self) -> None:
        """Read the rest, so that an archive that was cut off is noticed. Raises `EOFError`, `zlib.error`."""
        while self.read(_PIECE):
            pass
        if not self._inflater.eof:
            raise EOFError("it ends too early")

    def read(self, size: int = -1) -> bytes:
        """The next bytes; none at the end."""
        piece = b""
        while not piece and not self._inflater.eof and self._rest:
            piece = self._inflater.decompress(self._rest, size if 0 < size < _PIECE else _PIECE)
            self._rest = self._inflater.unconsumed_tail
        self._size += len(piece)
        if self._size > CHART_BYTES:
            raise LimitExceeded(
                f"{self._origin} is over {CHART_BYTES >> 20} MiB when it is unpacked", subject=self._origin
            )
        return piece
