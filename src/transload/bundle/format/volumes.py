"""How the logical stream of a bundle is cut into volumes: sizes that people write, file names, offsets. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator

from transload.errors import UsageError
from transload.values import frozen
from transload.wording import bytes_in, number_of

SMALLEST_BYTES = 1 << 20

# What fits on the medium, without the space that its file system needs; multiples of 4096, so that cuts are on blocks.
_MEDIA = {
    "fat32": (4 << 30) - (1 << 20),  # the largest file is 4 GiB - 1
    "cd": 690 << 20,
    "dvd": 4470 << 20,  # the smaller kind of single-layer disc holds 4,700,372,992 bytes
    "bd": 22_960 << 20,  # a single-layer disc with spare areas, as they are formatted by default
}
_HINT = f"write a size such as 4GiB or 700MB, one of {', '.join(_MEDIA)}, or none"


def parse_volume_size(text: str) -> int | None:
    """The size of a volume in bytes, from a size or a medium (`fat32`, `cd`, `dvd`, `bd`); None for `none`: not cut.

    K, M, G, T and KiB… are powers of 1024, KB… powers of 1000. Raises `UsageError`.

    >>> parse_volume_size("4GiB"), parse_volume_size("1.5 MB"), parse_volume_size("none")
    (4294967296, 1500000, None)
    """
    wanted = text.strip().lower()
    if wanted == "none":
        return None
    if wanted in _MEDIA:
        return _MEDIA[wanted]
    size = bytes_in(wanted)
    if size is None:
        raise UsageError(f"{text!r} is not a volume size", subject=text, hint=_HINT)
    if size < SMALLEST_BYTES:
        raise UsageError(
            f"a volume of {number_of(size, 'byte')} is too small, at least 1 MiB is needed", subject=text, hint=_HINT
        )
    return size


@frozen
class Extent:
    """A piece of the stream in one volume. `volume` counts from 1; `offset` is in its file."""

    volume: int
    offset: int
    length: int


@frozen
class Cut:
    """A stream of `size` bytes, cut into volumes of `volume_bytes` each (the last one shorter), or not at all."""

    size: int
    volume_bytes: int | None

    def __attrs_post_init__(self) -> None:
        if self.size < 1 or (self.volume_bytes is not None and self.volume_bytes < 1):
            raise ValueError(f"a stream of {self.size} bytes is not cut into volumes of {self.volume_bytes}")

    @property
    def count(self) -> int:
        """How many volumes there are."""
        return -(-self.size // self.volume_bytes) if self.volume_bytes else 1

    @property
    def numbers(self) -> range:
        """The numbers of all volumes."""
        return range(1, self.count + 1)

    def start_of(self, volume: int) -> int:
        """The offset in the stream where a volume begins."""
        return (volume - 1) * (self.volume_bytes or 0)

    def size_of(self, volume: int) -> int:
        """The size of a volume in bytes."""
        return min(self.volume_bytes or self.size, self.size - self.start_of(volume))

    def spans(self, offset: int, length: int) -> Iterator[Extent]:
        """The extents that hold `length` bytes of the stream from `offset` on, in order."""
        while length > 0:
            before, within = divmod(offset, self.volume_bytes or self.size)
            part = min(length, (self.volume_bytes or self.size) - within)
            yield Extent(before + 1, within, part)
            offset, length = offset + part, length - part

    def file_name(self, name: str, volume: int) -> str:
        """The name of a volume's file: `NAME.tar`, or `NAME.001.tar` if there are several."""
        return file_name(name, volume if self.count > 1 else None, self.count)


def file_name(name: str, volume: int | None, count: int = 1) -> str:
    """The name of a volume's file; `volume` None is the whole stream."""
    return f"{name}.tar" if volume is None else f"{name}.{volume:0{max(3, len(str(count)))}}.tar"


_SUFFIX = ".tar"


def is_volume_name(text: str) -> bool:
    """Whether a file of this name may be a volume."""
    return text.lower().endswith(_SUFFIX)


PARTIAL = ".partial"
"""The suffix of a volume's file while its bundle is being made."""
JOURNAL = ".partial.journal"
RECORD = ".partial.record.json"
"""The end of the name of the journal of an unfinished bundle. It goes last, after SHA256SUMS and recovery volumes."""


def finished_name(text: str) -> str | None:
    """The name that an unfinished volume will get; None for other files.

    >>> finished_name("release.002.tar.partial"), finished_name("release.002.tar")
    ('release.002.tar', None)
    """
    name = text[: -len(PARTIAL)]
    return name if text.lower().endswith(PARTIAL) and is_volume_name(name) else None


def spellings(text: str) -> tuple[str, ...]:
    """A volume's file name as it was written, and in capitals, since some media keep no small letters."""
    upper = text.removesuffix(_SUFFIX) + _SUFFIX.upper()
    return tuple(dict.fromkeys((text, upper, text.upper())))


_COPY = re.compile(
    r"(?: - (?:copy|kopie)| \(copy\)| copy(?: [0-9]{1,3})?)?(?: ?\([0-9]{1,3}\))?(?=\.tar$)", re.IGNORECASE
)


def before_copying(text: str) -> str:
    """The name of a file before a program changed it because the name was taken.

    >>> before_copying("release.002 (1).tar")
    'release.002.tar'
    >>> before_copying("release.002 - Copy (2).tar")
    'release.002.tar'
    """
    return _COPY.sub("", text)


_FILE = re.compile(r"(.+?)(?:\.([0-9]{3,4}))?\.tar", re.DOTALL | re.IGNORECASE)


def split_file_name(text: str) -> tuple[str, int | None]:
    """The bundle name and volume number in a file name; a name without `.tar` is a bundle name already.

    Some media return every name in capitals, so `.TAR` is the same.

    >>> split_file_name("release.002.tar"), split_file_name("release.tar"), split_file_name("release-2026.11")
    (('release', 2), ('release', None), ('release-2026.11', None))
    """
    form = _FILE.fullmatch(text)
    return (form[1], int(form[2]) if form[2] else None) if form else (text, None)
