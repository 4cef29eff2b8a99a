"""Files whose names and contents come from elsewhere: which names are safe, and how a file gets its name."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from io import BufferedWriter
from pathlib import Path
from types import TracebackType

from transload.expressions import late
from transload.files.durable import fsync_folder
from transload.files.trouble import local_errors

# Some systems read these as a path, a stream or a device. A name must mean the same file on every system.
_UNSAFE = late(r'[\x00-\x1f\x7f/\\:*?"<>|]|^\.|[. ]$')
_DEVICE = late(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def is_plain_name(name: str) -> bool:
    """Whether this names one visible file inside a folder, and the same one on every system.

    >>> [is_plain_name(name) for name in ("notes 1.txt", "../notes", "a/b", "C:notes", ".profile", "nul.txt", "")]
    [True, False, False, False, False, False, False]
    """
    return bool(name) and name.isprintable() and not (_UNSAFE.search(name) or _DEVICE.fullmatch(name))


class Arrivals:
    """Files on their way into `folder`. All of them get their names if the block ends without an error, else none.

    Until then each has a temporary name in the folder. An existing file with its name is replaced.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begun: list[tuple[Path, Path]] = []

    def __enter__(self) -> Arrivals:
        return self

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[BufferedWriter]:
        """A new file to write, which will get the name `name`. Raises `DiskFull`, `LocalError`."""
        path = self._folder / name
        beside = self._folder / f".{os.getpid()}.{os.urandom(4).hex()}.partial"
        self._begun.append((beside, path))
        with local_errors("writing", path), beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                for beside, path in self._begun:
                    with local_errors("writing", path):
                        beside.replace(path)
                with local_errors("flushing", self._folder):
                    fsync_folder(self._folder)
        finally:
            for beside, _ in self._begun:
                with contextlib.suppress(OSError):  # the first error is the one to report
                    beside.unlink(missing_ok=True)
