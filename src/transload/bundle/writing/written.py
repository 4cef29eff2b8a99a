"""Which volumes of a bundle were written to media that are somewhere else now: a file of this machine.

    bundle 1 DIGEST     the ledger of the bundle
    sum VOLUME HEX      the SHA-256 of a volume that is about to get its name
    done VOLUME         the volume is on its medium, flushed and named
    undone VOLUME       it is not after all
    mount PATH          where the media are mounted, as in a URL

Lines are appended. What is cut short or unknown is ignored. Without a folder for such files, nothing is remembered
after the run.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from urllib.parse import quote, unquote

from transload.files import Folder, local_errors, read_up_to, write_all
from transload.oci import Digest

_BYTES = 4 << 20  # 9,999 volumes have lines of 80 bytes


class WrittenVolumes:
    """The volumes of the bundle with this ledger that are `done`, and the `sums` of those that are written.

    `mounts` are the places where media were mounted that were written to.
    """

    def __init__(self, folder: Path | None, name: str, ledger: Digest) -> None:
        self.done: set[int] = set()
        self.sums: dict[int, str] = {}
        self.mounts: set[Path] = set()
        self._folder = folder
        self._name = f"{Digest.of(f'{name} {ledger}'.encode()).encoded[:32]}.media"
        self._first = f"bundle 1 {ledger}"
        for line in self._lines():
            with contextlib.suppress(ValueError):
                self._take(line.split(" "))

    def _lines(self) -> list[str]:
        if self._folder is None or not (self._folder / self._name).is_file():
            return []
        with local_errors("reading", self._folder / self._name), Folder(self._folder).open(self._name, "r") as file:
            first, *lines = read_up_to(file, _BYTES).decode("ascii", "replace").split("\n")
        return lines[:-1] if first == self._first else []

    def _take(self, words: list[str]) -> None:
        match words:
            case ["sum", volume, value] if len(value) == 64:
                self.sums[int(volume)] = value
            case ["done", volume]:
                self.done.add(int(volume))
            case ["undone", volume]:
                self.done.discard(int(volume))
            case ["mount", place]:
                self.mounts.add(Path(unquote(place)))

    def note_sum(self, volume: int, value: str) -> None:
        """Note the sum of a volume before it gets its name."""
        self._note(f"sum {volume} {value}")

    def note_done(self, volume: int) -> None:
        """Note that a volume is on its medium."""
        self._note(f"done {volume}")

    def note_mount(self, place: Path) -> None:
        """Note where a medium is mounted that is about to be written to."""
        if place not in self.mounts:
            self._note(f"mount {quote(str(place))}")

    def forget(self, volumes: tuple[int, ...]) -> None:
        """Note that volumes have to be written again."""
        for volume in volumes:
            self._note(f"undone {volume}")

    def _note(self, line: str) -> None:
        self._take(line.split(" "))
        if self._folder is None:
            return
        path = self._folder / self._name
        with local_errors("writing", path):
            self._folder.mkdir(parents=True, exist_ok=True)
            with Folder(self._folder).open(self._name, "a+") as file:
                if file.tell() == 0:
                    write_all(file, f"{self._first}\n".encode())
                write_all(file, f"{line}\n".encode())
                os.fsync(file.fileno())
