"""The files of a chart, from its folder or its `.tgz`: only those that can name images, and no more than the limits.

Invariants, held by `unpacked` and `collected`:
1. names are relative to the chart's folder, with `/` between their parts, and lead nowhere else;
2. links are not followed; what is not a plain file is left out, and told;
3. files and bytes are counted over the whole chart, with the subcharts packed in it (`Room`).

The limits on bytes are those of Helm's own loader (helm.sh/helm/v3/pkg/chart/loader/archive.go).
"""

from __future__ import annotations

import gzip
import io
import posixpath
import stat
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from transload.discovery.charts.ignoring import LIMIT_BYTES, Pattern, is_ignored, patterns_in
from transload.errors import CorruptError, LimitExceeded, Refused
from transload.files import Folder, closed_after, local_errors, read_up_to
from transload.limits import CHART_BYTES, CHART_FILE_BYTES, CHART_FILES, CHART_PACKED_BYTES
from transload.tarheaders import Header, read_headers
from transload.values import define, frozen
from transload.wording import in_words

GZIP = b"\x1f\x8b"
CHART_FILE = "Chart.yaml"
"""The file that makes a folder a chart."""

_IGNORED = ".helmignore"
_SINGLE = {CHART_FILE, "values.yaml", "requirements.yaml"}
_FOLDERS = ("templates/", "crds/", "charts/")


@define
class Room:
    """How many bytes and files a chart may still have."""

    bytes: int = CHART_BYTES
    files: int = CHART_FILES

    def take_file(self, chart: str) -> None:
        """Count one file. Raises `LimitExceeded`."""
        self.files -= 1
        if self.files < 0:
            raise LimitExceeded(f"{chart} has more than {CHART_FILES} files", subject=chart)

    def take_bytes(self, count: int, chart: str) -> None:
        """Count bytes. Raises `LimitExceeded`."""
        self.bytes -= count
        if self.bytes < 0:
            raise LimitExceeded(f"{chart} unpacks to more than {in_words(CHART_BYTES)}", subject=chart)


@frozen
class Files:
    """The files of a chart that can name images, and for each that could not be read, why."""

    contents: dict[str, bytes]
    unread: dict[str, str]


def is_packed(name: str, content: bytes) -> bool:
    """Whether this is a packed chart by its name and first bytes; `-` is standard input, which has no name."""
    return (name == "-" or name.endswith((".tgz", ".tar.gz"))) and content.startswith(GZIP)


def unpacked(content: bytes, chart: str, room: Room) -> Files:
    """The files of a packed chart; `chart` names it in errors. Raises `CorruptError`, `LimitExceeded`, `Refused`."""
    tar = io.BytesIO(_decompressed(content, chart, room))
    files = Files({}, {})
    for header in read_headers(tar, len(tar.getbuffer()), chart):
        room.take_file(chart)
        name = _inside(header.name, chart)
        if not wanted(name):
            continue
        if name in files.contents or name in files.unread:
            raise CorruptError(f"{chart} has two files called {name!r}, and tools differ in which one they read")
        if reason := _not_plain(header):
            files.unread[name] = reason
        elif header.is_file:
            tar.seek(header.offset)
            files.contents[name] = tar.read(header.size)
    return files


def _decompressed(content: bytes, chart: str, room: Room) -> bytes:
    if len(content) > CHART_PACKED_BYTES:
        raise LimitExceeded(f"{chart} has more than {in_words(CHART_PACKED_BYTES)}", subject=chart)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            tar = stream.read(room.bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise CorruptError(
            f"{chart} is not a packed chart: {error}", subject=chart, hint="download it again, or run helm package"
        ) from error
    room.take_bytes(len(tar), chart)
    return tar


def _inside(name: str, chart: str) -> str:
    """The name below the archive's only folder, as Helm reads it."""
    plain = name.replace("\\", "/")
    if plain.startswith("/") or ".." in plain.split("/") or "\0" in plain or plain[1:2] == ":":
        raise Refused(f"{chart} has a file {name[:200]!r}, which leads out of the chart", subject=chart)
    return posixpath.normpath(plain).partition("/")[2]


def _not_plain(header: Header) -> str:
    if header.link:
        return "a link, and links in a chart are not followed"
    if header.is_file and header.size > CHART_FILE_BYTES:
        return too_large(header.size)
    return ""


def too_large(count_bytes: int) -> str:
    """Why a file of this many bytes is not read."""
    return f"the file has {in_words(count_bytes)}, and {in_words(CHART_FILE_BYTES)} of a chart's file are read"


def wanted(name: str) -> bool:
    """Whether a file of a chart can name images, or holds a subchart."""
    return name in _SINGLE or name.startswith(_FOLDERS)


def collected(root: Path, room: Room) -> Files:
    """The files of a chart's folder. Raises `LimitExceeded`; `LocalError` if the folder cannot be read."""
    files, patterns = Files({}, {}), _patterns(Folder(root), root)
    for folder, names in _walk(Folder(root), root, room, patterns):
        for name in names:
            inside = (*folder.names, name)
            if wanted("/".join(inside)) and not is_ignored(inside, patterns, folder=False):
                _collect(folder, name, "/".join(inside), files, room)
    return files


def _patterns(root: Folder, path: Path) -> list[Pattern]:
    """What `.helmignore` leaves out; nothing if it is no plain file."""
    with local_errors("reading", path):
        status = root.status(_IGNORED)
        if status is None or not stat.S_ISREG(status.st_mode):
            return []
        with closed_after(root.open(_IGNORED, "r")) as file:
            return patterns_in(read_up_to(file, LIMIT_BYTES).decode(errors="replace"))


def _walk(root: Folder, path: Path, room: Room, patterns: Sequence[Pattern]) -> Iterator[tuple[Folder, list[str]]]:
    """Every folder below `root` that can hold wanted files, and the names of what is not a folder in it."""
    left = [root]
    while left:
        folder = left.pop()
        others: list[str] = []
        with local_errors("reading", path):
            for name in sorted(folder.entries()):
                room.take_file(str(path))
                status = folder.status(name)
                if status is None or not stat.S_ISDIR(status.st_mode):
                    others.append(name)
                elif is_ignored((*folder.names, name), patterns, folder=True):
                    continue
                elif wanted("/".join((*folder.names, name, ""))) or folder.names:
                    left.append(folder.inner(name))
        yield folder, others


def _collect(folder: Folder, name: str, inside: str, files: Files, room: Room) -> None:
    status = folder.status(name)
    if status is None:
        return
    packed = name.endswith(".tgz")
    if stat.S_ISLNK(status.st_mode):
        files.unread[inside] = "a link, and links in a chart are not followed: pack the chart with helm package"
    elif not stat.S_ISREG(status.st_mode):
        files.unread[inside] = "not a plain file"
    elif not packed and status.st_size > CHART_FILE_BYTES:
        files.unread[inside] = too_large(status.st_size)
    else:
        limit = CHART_PACKED_BYTES if packed else CHART_FILE_BYTES
        with local_errors("reading", folder.path / name), closed_after(folder.open(name, "r")) as file:
            content = read_up_to(file, limit + 1)
        room.take_bytes(len(content), str(folder.root))
        files.contents[inside] = content
