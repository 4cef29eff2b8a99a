"""The `index.json` of a layout on the disk, which other programs may change at any time, and what is known of it.

It is asked for every name, and a layout of thousands of images has megabytes of it. So its bytes are not read again
while the system says that the file is the same: its number, size and times. Times have steps of up to two seconds on
some file systems, so this is believed only after the bytes were read again, three seconds later, and had not changed.
A file that is older than a minute is believed during these seconds, too: a change would give it a new time.
"""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

from transload.clock import Clock
from transload.errors import NotFound
from transload.files import local_errors, open_file, read_up_to, replace_file
from transload.limits import INDEX_BYTES
from transload.oci.imagelayout import INDEX, LayoutIndex
from transload.values import field, frozen

SETTLED_S = 3.0
OLD_S = 60.0  # far more than clocks of a file server and of this machine differ where they are kept at all

_Stamp = tuple[int, ...]


@frozen(kw_only=True)
class _Seen:
    """What was read. `stamp` is what the system said of the file, first at `since_s`; `settled`: it can be believed."""

    raw: bytes = field(repr=False)
    index: LayoutIndex
    stamp: _Stamp | None = None
    since_s: float = 0.0
    settled: bool = False


class IndexFile:
    """The `index.json` in the folder `root`. Safe for threads; changes need a lock of their own."""

    def __init__(self, root: Path, clock: Clock) -> None:
        self.path = root / INDEX
        self._locator = f"oci:{root}"
        self._clock = clock
        self._seen = _Seen(raw=b"", index=LayoutIndex.empty())

    def read(self) -> LayoutIndex:
        """The current content. Raises `NotFound`, `LocalError`, and what parsing raises."""
        seen = self._seen
        with local_errors("reading", self.path):
            try:
                file = open_file(self.path)
            except FileNotFoundError as error:
                raise NotFound(f"{self._locator} has no {INDEX}", subject=self._locator) from error
            with file:
                stamp = _stamp(file)
                now_s = self._clock.monotonic_s()  # between: what is changed from here on has a later time
                if stamp is not None and stamp == seen.stamp and self._is_believed(seen, stamp, now_s):
                    return seen.index
                raw = read_up_to(file, INDEX_BYTES + 1)
        index = seen.index if raw == seen.raw else LayoutIndex.parse(raw)
        same = stamp is not None and stamp == seen.stamp and index is seen.index
        since_s = seen.since_s if same else now_s
        settled = same and now_s - since_s >= SETTLED_S
        self._seen = _Seen(raw=raw, index=index, stamp=stamp, since_s=since_s, settled=settled)
        return index

    def _is_believed(self, seen: _Seen, stamp: _Stamp, now_s: float) -> bool:
        if seen.settled:
            return True
        changed_s = max(stamp[-2:]) / 1e9
        return now_s - seen.since_s < SETTLED_S and self._clock.wall_s() - changed_s > OLD_S

    def replace(self, changed: LayoutIndex) -> None:
        """Write a new one. Raises `LocalError`."""
        raw = changed.encode()
        with local_errors("writing", self.path):
            replace_file(self.path, raw)
        self._seen = _Seen(raw=raw, index=changed)


def _stamp(file: FileIO) -> _Stamp | None:
    """What changes when the file does; None where no time tells of each change (Windows)."""
    if os.name != "posix":
        return None
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
