"""`SHA256SUMS`: the SHA-256 of each volume, computed behind the writers while the bytes are still in memory.

Threads follow the frontier, up to where everything is written. Blobs are stored in the order in which they are copied,
so the sums are only a little behind, and little has to be read again at the end. Bytes that are written but not
verified may turn out wrong: a sum counts when everything in its volume is final; if the frontier goes back, it is
computed again.
"""

from __future__ import annotations

import hashlib
import re
import stat
import threading
from collections.abc import Mapping
from pathlib import Path

from transload.bundle.format.stream import PathOf, StreamReader
from transload.bundle.format.volumes import Cut
from transload.bundle.writing.journal import PackJournal
from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import LocalError, Truncated
from transload.files import Folder, local_errors, read_up_to, replace_file
from transload.locks import awaited, claimed
from transload.threads import begin

SUMS = "SHA256SUMS"
_LOCK = f".{SUMS}.lock"
_PATIENCE_S = 30.0
_TRIES = 20
_SUMS_BYTES = 64 << 20
_LINE = re.compile(r"[0-9a-f]{64} [ *](.+)")


_THREADS = 2  # both work at the end, when everything is final at once; before that, one of them waits
_READ_BYTES = 4 << 20  # large reads, since each one waits for all the threads that write


class Sums:
    """Hashes volume after volume, as far as `advance` allows. `result` waits for all of them; `stop` gives up."""

    def __init__(self, cut: Cut, path_of: PathOf, progress: PackJournal) -> None:
        self._cut = cut
        self._path_of = path_of
        self._progress = progress
        self._frontier = self._settled = 0
        self._turn = 0  # how often the frontier went back
        self._unsettled: dict[int, str] = {}
        self._queue: list[int] = []
        self._stopped = False
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the threads; they end with `result` or `stop`."""
        self._queue = [volume for volume in self._cut.numbers if volume not in self._progress.sums]
        for _ in range(min(_THREADS, len(self._queue))):
            thread = threading.Thread(target=self._run, name="sums", daemon=True)
            try:
                begin(thread)
            except LocalError:  # without a thread, `result` hashes
                return
            self._threads.append(thread)

    def advance(self, settled: int, frontier: int) -> None:
        """Note that everything before `settled` is final, and everything before `frontier` is written."""
        with self._changed:
            self._settled = max(self._settled, settled)
            self._frontier = max(self._frontier, frontier, settled)
            for volume in [volume for volume in self._unsettled if self._end_of(volume) <= self._settled]:
                self._progress.note_sum(volume, self._unsettled.pop(volume))
            self._changed.notify_all()

    def retract(self, frontier: int) -> None:
        """Note that the bytes written from `frontier` on were wrong."""
        with self._changed:
            if frontier >= self._frontier:
                return
            self._frontier, self._turn = frontier, self._turn + 1
            wrong = [volume for volume in self._unsettled if self._end_of(volume) > frontier]
            for volume in wrong:
                del self._unsettled[volume]
            self._queue = sorted([*self._queue, *wrong])
            self._changed.notify_all()

    def result(self) -> Mapping[int, str]:
        """The sums of all volumes; call it when everything is final. Raises the error that stopped a thread."""
        for thread in self._threads:
            thread.join()
        if not self._threads:
            self._run()
        if self._error is not None:
            raise self._error
        return self._progress.sums

    def stop(self) -> None:
        """End the threads at once."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _end_of(self, volume: int) -> int:
        return self._cut.start_of(volume) + self._cut.size_of(volume)

    def _run(self) -> None:
        buffer = memoryview(bytearray(min(_READ_BYTES, self._cut.size_of(1))))
        try:
            while (volume := self._next()) is not None:
                self._sum(volume, buffer)
        except Exception as error:  # any error, also a bug, is raised in the thread that waits
            with self._changed:
                self._error, self._stopped = error, True
                self._changed.notify_all()

    def _next(self) -> int | None:
        with self._changed:
            while not self._queue and not self._stopped and len(self._progress.sums) < self._cut.count:
                self._changed.wait()
            return self._queue.pop(0) if self._queue and not self._stopped else None

    def _sum(self, volume: int, buffer: memoryview) -> None:
        """Hash one volume; from its beginning again whenever the frontier goes back meanwhile."""
        while not self._stopped:
            turn = self._turn
            value = self._hash(volume, buffer, turn)
            with self._changed:
                if value is None or turn != self._turn:
                    continue
                if self._end_of(volume) <= self._settled:
                    self._progress.note_sum(volume, value)
                else:
                    self._unsettled[volume] = value
                self._changed.notify_all()
                return

    def _hash(self, volume: int, buffer: memoryview, turn: int) -> str | None:
        """The SHA-256 of a volume; None if stopped, or if the frontier went back."""
        end = self._end_of(volume)
        hasher = hashlib.sha256(usedforsecurity=False)
        with StreamReader(self._cut, self._path_of, self._cut.start_of(volume)) as reader:
            while reader.offset < end:
                ready = self._await(reader.offset, end, turn)
                if ready is None:
                    return None
                count = reader.read_into(buffer[: min(len(buffer), ready - reader.offset)])
                if not count:
                    raise Truncated(f"volume {volume} became shorter while it was hashed", subject=str(reader.path))
                hasher.update(buffer[:count])
        return hasher.hexdigest()

    def _await(self, offset: int, end: int, turn: int) -> int | None:
        """Wait until there is enough to read after `offset`; the end of it, or None if stopped or gone back."""
        with self._changed:
            while self._frontier < min(end, offset + _READ_BYTES) and not self._stopped and turn == self._turn:
                self._changed.wait()
            return None if self._stopped or turn != self._turn else min(self._frontier, end)


def write_sums(folder: Path, sums: Mapping[str, str], clock: Clock = SYSTEM_CLOCK) -> Path:
    """Write lines for these files into `SHA256SUMS`, for `sha256sum -c`; lines about other files stay.

    Another process may do the same for another bundle: one waits for the other. Raises `Busy` after half a minute.
    """
    path, own = folder / SUMS, [f"{sums[name]}  {name}" for name in sorted(sums)]
    with awaited(Folder(folder), _LOCK, clock, _PATIENCE_S, claimed) as held, local_errors("writing", path):
        if held:
            _clean(Folder(folder))
        # Where the file system has no locks, another process may replace the file in between: once more then.
        for _ in range(1 if held else _TRIES):
            lines = [line for line in _listed(folder) if not ((form := _LINE.fullmatch(line)) and form[1] in sums)]
            content = "".join(f"{line}\n" for line in (*lines, *own))
            replace_file(path, content.encode("utf-8", "surrogateescape"))
            if held or set(own) <= set(_listed(folder)):
                break
        if not held:
            Folder(folder).unlink(_LOCK)  # it was made, and could not be locked
    return path


def listed_sums(folder: Path) -> Mapping[str, str]:
    """The sum of each file that `SHA256SUMS` lists, by its name. Raises `LocalError`."""
    with local_errors("reading", folder / SUMS):
        forms = [_LINE.fullmatch(line) for line in _listed(folder)]
    return {form[1]: form[0][:64] for form in forms if form}


def are_listed(folder: Path, sums: Mapping[str, str]) -> bool:
    """Whether `SHA256SUMS` has exactly these lines about these files."""
    with local_errors("reading", folder / SUMS):
        lines = [line for line in _listed(folder) if (form := _LINE.fullmatch(line)) and form[1] in sums]
    return sorted(lines) == sorted(f"{value}  {name}" for name, value in sums.items())


def _clean(folder: Folder) -> None:
    """Delete what killed processes left of this file; nobody else writes it now."""
    for name in folder.entries():
        if name.startswith(f".{SUMS}.") and name != _LOCK:
            folder.unlink(name)


def _listed(folder: Path) -> list[str]:
    """The existing lines; none if the file is a link, which could copy a private file onto the medium."""
    status = Folder(folder).status(SUMS)
    if status is None or not stat.S_ISREG(status.st_mode):
        return []
    with Folder(folder).open(SUMS, "r") as file:
        raw = read_up_to(file, _SUMS_BYTES + 1)
    if len(raw) > _SUMS_BYTES:
        raise LocalError(f"{folder / SUMS} is too large for a list of sums", subject=str(folder / SUMS))
    return raw.decode("utf-8", "surrogateescape").splitlines()
