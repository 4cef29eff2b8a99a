"""`SHA256SUMS`: what each volume hashes to, computed behind the writers while the bytes are still in memory.

A thread follows the frontier, up to where everything is written and proved. Blobs lie in the order in which they are
copied, so that the frontier is never far behind, and no second pass over the disk is needed at the end.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping
from pathlib import Path

from transload.bundle.progress import Progress
from transload.bundle.stream import CHUNK, PathOf, StreamReader
from transload.bundle.volumes import Cut
from transload.errors import Truncated
from transload.files import local_errors, replace_file

SUMS = "SHA256SUMS"
_LINE = re.compile(r"[0-9a-f]{64} [ *](.+)")


class Sums:
    """Hashes volume after volume as far as `advance` allows. `result` waits for all; `stop` gives up."""

    def __init__(self, cut: Cut, path_of: PathOf, progress: Progress) -> None:
        self._cut = cut
        self._path_of = path_of
        self._progress = progress
        self._frontier = 0
        self._stopped = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._buffer = memoryview(bytearray(CHUNK))
        self._thread = threading.Thread(target=self._run, name="sums", daemon=True)

    def start(self) -> None:
        """Begin; the thread ends with `result` or `stop`."""
        self._thread.start()

    def advance(self, frontier: int) -> None:
        """Everything before this place of the stream is final."""
        with self._changed:
            self._frontier = max(self._frontier, frontier)
            self._changed.notify()

    def result(self) -> Mapping[int, str]:
        """The sums of all volumes; call it when the frontier has reached the end. Raises what stopped the thread."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._progress.sums

    def stop(self) -> None:
        """End the thread, wherever it is."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            for volume in self._cut.numbers:
                if volume not in self._progress.sums and not self._sum(volume):
                    return
        except BaseException as error:
            self._error = error

    def _sum(self, volume: int) -> bool:
        """Hash one volume; False if stopped before its end."""
        place = self._cut.start_of(volume)
        end = place + self._cut.size_of(volume)
        found = hashlib.sha256(usedforsecurity=False)
        with StreamReader(self._cut, self._path_of, place) as reader:
            while reader.offset < end:
                ready = self._await(reader.offset, end)
                if not ready:
                    return False
                count = reader.read_into(self._buffer[: min(len(self._buffer), ready - reader.offset)])
                if not count:
                    raise Truncated(f"volume {volume} became shorter while it was hashed", subject=str(reader.path))
                found.update(self._buffer[:count])
        self._progress.note_sum(volume, found.hexdigest())
        return True

    def _await(self, place: int, end: int) -> int:
        """How far can be read, once that is some way behind `place`; 0 when stopped."""
        with self._changed:
            while self._frontier < min(end, place + CHUNK) and not self._stopped:
                self._changed.wait()
            return 0 if self._stopped else min(self._frontier, end)


def write_sums(folder: Path, sums: Mapping[str, str]) -> Path:
    """Put lines for these files into `SHA256SUMS`, as `sha256sum -c` reads it; lines about other files stay."""
    path = folder / SUMS
    with local_errors("writing", path):
        old = path.read_text("utf-8", "surrogateescape").splitlines() if path.exists() else []
        kept = [line for line in old if not ((form := _LINE.fullmatch(line)) and form[1] in sums)]
        lines = [*kept, *(f"{sums[name]}  {name}" for name in sorted(sums))]
        replace_file(path, "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
    return path
