"""What an engine saves of its images, in a file without a name: it is gone with the process, also after a kill."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from transload.errors import DiskFull
from transload.files import local_errors

_OPEN_FILES = Path("/proc/self/fd")


class Saved:
    """The bytes of an answer to `/images/get`, in a file in `folder`.

    Raises `DiskFull` if the folder has too little room, `LocalError`; an error of `chunks` passes through.
    """

    def __init__(self, chunks: Iterable[bytes], folder: Path) -> None:
        with local_errors("making a temporary file in", folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = (
                tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - `close` closes it
                if _OPEN_FILES.is_dir()
                else tempfile.NamedTemporaryFile(dir=folder, prefix="transload-engine-", buffering=0)  # noqa: SIM115
            )
        try:
            self.size = self._fill(chunks, folder)
        except BaseException:
            self._file.close()
            raise

    @property
    def path(self) -> Path:
        """Where the bytes can be read."""
        return _OPEN_FILES / str(self._file.fileno()) if _OPEN_FILES.is_dir() else Path(self._file.name)

    def close(self) -> None:
        """End the file."""
        self._file.close()

    def _fill(self, chunks: Iterable[bytes], folder: Path) -> int:
        size = 0
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                try:
                    with local_errors("writing what the engine saves to", folder):
                        written = self._file.write(rest)
                except DiskFull as error:
                    error.hint = "TRANSLOAD_STATE_DIR names a folder with more room, or copy fewer images at a time"
                    raise
                rest = rest[written:]
                size += written
        return size
