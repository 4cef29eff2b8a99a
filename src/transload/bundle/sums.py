"""`SHA256SUMS`: what each volume hashes to, computed behind the writers while the bytes are still in memory.

Threads follow the frontier, up to where everything is written and proved. Blobs lie in the order in which they are
copied, so that it is behind by what is on its way only, and nothing has to be read from the disk again at the end.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from transload.bundle.progress import Progress
from transload.bundle.stream import PathOf, StreamReader
from transload.bundle.volumes import Cut
from transload.errors import Truncated
from transload.files import local_errors, replace_file

SUMS = "SHA256SUMS"
_LINE = re.compile(r"[0-9a-f]{64} [ *](.+)")


_THREADS = 2  # at the end, when everything is final at once; before that, one of them waits
_READ_BYTES = 4 << 20  # few turns, since each of them waits for all the threads that write


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
        self._open: Iterator[int] = iter(())
        self._threads = [
            threading.Thread(target=self._run, name="sums", daemon=True) for _ in range(min(_THREADS, cut.count))
        ]
        self._started = False

    def start(self) -> None:
        """Begin; the threads end with `result` or `stop`."""
        self._started = True
        self._open = iter([volume for volume in self._cut.numbers if volume not in self._progress.sums])
        for thread in self._threads:
            thread.start()

    def advance(self, frontier: int) -> None:
        """Everything before this place of the stream is final."""
        with self._changed:
            self._frontier = max(self._frontier, frontier)
            self._changed.notify_all()

    def result(self) -> Mapping[int, str]:
        """The sums of all volumes; call it when the frontier has reached the end. Raises what stopped a thread."""
        self._join()
        if self._error is not None:
            raise self._error
        return self._progress.sums

    def stop(self) -> None:
        """End the threads, wherever they are."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._join()

    def _join(self) -> None:
        for thread in self._threads if self._started else ():
            thread.join()

    def _run(self) -> None:
        buffer = memoryview(bytearray(min(_READ_BYTES, self._cut.size_of(1))))
        try:
            while (volume := self._next()) is not None and self._sum(volume, buffer):
                pass
        except Exception as error:
            self._error = error

    def _next(self) -> int | None:
        with self._changed:
            return next(self._open, None)

    def _sum(self, volume: int, buffer: memoryview) -> bool:
        """Hash one volume; False if stopped before its end."""
        place = self._cut.start_of(volume)
        end = place + self._cut.size_of(volume)
        found = hashlib.sha256(usedforsecurity=False)
        with StreamReader(self._cut, self._path_of, place) as reader:
            while reader.offset < end:
                ready = self._await(reader.offset, end)
                if not ready:
                    return False
                count = reader.read_into(buffer[: min(len(buffer), ready - reader.offset)])
                if not count:
                    raise Truncated(f"volume {volume} became shorter while it was hashed", subject=str(reader.path))
                found.update(buffer[:count])
        self._progress.note_sum(volume, found.hexdigest())
        return True

    def _await(self, place: int, end: int) -> int:
        """How far can be read, once that is some way behind `place`; 0 when stopped."""
        with self._changed:
            while self._frontier < min(end, place + _READ_BYTES) and not self._stopped:
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
