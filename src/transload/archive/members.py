"""The files in a tar. They are found once and then read from the tar; nothing is unpacked.

A tar with the same name twice is refused, because tools differ in which of the two they read. Links are followed only
inside the archive.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from transload.errors import CorruptError, NotFound, Refused, UsageError
from transload.files import chunks_of, closed_after, exactly, local_errors, open_file
from transload.ports import Chunk
from transload.tarheaders import Header, read_headers
from transload.values import frozen

_LINKS = 8  # in a row
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\0": "xz", b"BZh": "bzip2"}


@frozen
class Member:
    """A file in the archive: the offset and the number of its bytes."""

    name: str
    offset: int
    size: int


class Members:
    """The files of the tar at `path`, by name. `file` is where its bytes can be read, if that is elsewhere.

    Raises `NotFound` if there is no file, `Refused` for a compressed one and for names that lead out of the archive,
    `CorruptError` if it is not a tar or is damaged, `LimitExceeded`.
    """

    def __init__(self, path: Path, file: Path | None = None) -> None:
        self.path = path
        self._file = file or path
        self._headers: dict[str, Header] = {}
        with local_errors("reading", path), _opened(self._file) as opened:
            length = opened.seek(0, 2)
            self._check_kind(opened)
            for header in read_headers(opened, length, str(path)):
                self._add(header)

    def _check_kind(self, file: FileIO) -> None:
        """Refuse a compressed archive: it cannot be read at an offset, and unpacking it could fill the disk."""
        file.seek(0)
        begin = file.read(6)
        for magic, program in _COMPRESSED.items():
            if begin.startswith(magic):
                packed, unpacked = (shlex.quote(str(path)) for path in (self.path, _unpacked(self.path)))
                raise Refused(
                    f"{self.path} is compressed with {program}, and transload reads archives uncompressed only",
                    subject=str(self.path),
                    hint=f"unpack it once with {program} -dc {packed} > {unpacked} and name that file",
                )

    def _add(self, header: Header) -> None:
        if not (header.is_file or header.link):
            return
        name = self._inside(header.name)
        if name in self._headers:
            raise CorruptError(
                f"{self.path} has two members called {name!r}, and tools differ in which one they read",
                subject=str(self.path),
                hint="make the archive again in one go, without appending to it",
            )
        self._headers[name] = header

    def _inside(self, name: str) -> str:
        """`name` without `./`. Raises `Refused` if it leads out of the archive."""
        plain = posixpath.normpath(name)
        if plain.startswith(("/", "../")) or plain in {"..", "."} or "\0" in plain:
            raise Refused(f"{self.path} has a member {name[:200]!r}, which leads out of it", subject=str(self.path))
        return plain

    def __contains__(self, name: str) -> bool:
        return name in self._headers

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def find(self, name: str) -> Member | None:
        """The file with this name, links followed; None if there is none. Raises `Refused` for links that lead out."""
        for _ in range(_LINKS):
            header = self._headers.get(name)
            if header is None:
                return None
            if header.is_file:
                return Member(name, header.offset, header.size)
            beside = posixpath.dirname(name) if header.is_symlink else ""
            if header.link.startswith("/"):
                raise Refused(f"{name!r} in {self.path} is a link that leads out of it", subject=str(self.path))
            name = self._inside(posixpath.join(beside, header.link))
        raise Refused(f"{name!r} in {self.path} is one of too many links in a row", subject=str(self.path))

    def read(self, member: Member, limit: int) -> bytes:
        """The first `limit` bytes of a member, whole if it is not longer."""
        with self.open(member, 0, min(limit, member.size)) as chunks:
            return b"".join([bytes(chunk) for chunk in chunks])

    @contextmanager
    def open(self, member: Member, offset: int, length: int) -> Iterator[Iterator[Chunk]]:
        """`length` bytes of a member from `offset` on; each chunk is a view of one buffer."""
        with local_errors("opening", self.path):
            file = _opened(self._file)
        with closed_after(file):
            with local_errors("reading", self.path):
                file.seek(member.offset + offset)
            wanted = min(length, member.size - offset)
            what = f"{member.name} in {self.path}"
            yield exactly(chunks_of(file, self.path, wanted), wanted, what, member.name)


def _opened(path: Path) -> FileIO:
    """Open the archive. Raises `NotFound`, `UsageError` for a folder, `OSError` for any other trouble."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a folder, not an archive", subject=str(path), hint=f"write oci:{path}")
        return open_file(path)
    except FileNotFoundError as error:
        raise NotFound(f"there is no archive {path}", subject=str(path)) from error


def _unpacked(path: Path) -> Path:
    """The name of a compressed archive after it is unpacked."""
    if path.suffix in {".tgz", ".tbz", ".txz"}:
        return path.with_suffix(".tar")
    return path.with_suffix("") if path.suffix in {".gz", ".zst", ".xz", ".bz2"} else path.with_name(f"{path.name}.tar")
