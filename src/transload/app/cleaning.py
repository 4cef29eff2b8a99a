"""What ended runs left behind: halves of blobs, bundles and files that nobody goes on with. Found, and removed.

Invariants:
1. only files with names that transload gives are found, and the folders of images for gates, only in folders of its own
   or beside its files, and no link is followed;
2. what another process holds, or wrote to lately, stays.
"""

from __future__ import annotations

import contextlib
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from transload.app import stagingplace
from transload.app.location import Location
from transload.app.runid import NOTE_NAME, RUNS
from transload.bundle.format.volumes import JOURNAL, PARTIAL, RECORD, finished_name, split_file_name
from transload.clock import Clock
from transload.errors import Busy, LocalError, LocksMissing, UsageError
from transload.files import Folder, local_errors
from transload.layout.ingest import OWN
from transload.layout.spools import UPLOAD
from transload.values import frozen

ATTESTED = "attested"
"""The folder of what gates said: see `app.attesting`."""

DAY_S = 86_400.0
_MEDIA_S = 30 * DAY_S  # discs are burnt over weeks, and what was learnt about registries is kept as long
_WRITTEN = "write oci:DIR or bundle:NAME; half uploads at a registry are cancelled by a run to it after a day"
_NO_FOLDER = "check the path, or mount the medium"
_BESIDE = re.compile(r"\..{1,40}\.[0-9]{1,10}\.[0-9a-f]{8}", re.DOTALL)  # see `files.replace_file`


@frozen(kw_only=True)
class Leftover:
    """A file that an ended run left, or a folder of images for gates.

    `what` says what it is; nobody has written to it for `age_s` seconds. `size` is in bytes, of a folder with all that
    is in it; `is_folder` says that it is one.
    """

    path: Path
    what: str
    size: int
    age_s: float
    is_folder: bool = False


@frozen
class _Place:
    """A folder to look in, and what the files in it are: nothing for files that are not ours or still of use."""

    folder: Folder
    name: str = ""

    def what(self, name: str) -> str | None:
        """What a file is, by its name; None for one that stays."""
        if _BESIDE.fullmatch(name):
            return "a file that was half written"
        kind = self.folder.names[-1] if self.folder.names else ""
        if kind == "ingest":
            return _what_arrives(name)
        if kind == "journal" and name.endswith(".jsonl"):
            return "notes of a run that was not finished"
        if kind == RUNS and NOTE_NAME.fullmatch(name):
            return "the note of a run that was stopped"
        if kind == "media" and name.endswith(".media"):
            return "notes on which media a bundle was written to"
        if kind == ATTESTED and name.endswith(".json"):
            return "what a gate said, for an image that did not arrive, or for a bundle"
        finished = finished_name(name) if name.endswith(PARTIAL) else None
        own = {self.name + JOURNAL, self.name + RECORD} if self.name else frozenset()
        if name in own or (self.name and finished and split_file_name(finished)[0] == self.name):
            return "part of a bundle that was not finished"
        return None

    def age_s(self, older_than_s: float) -> float:
        """For how long nobody must have written to a file here: for what bundles need again, 30 days at least."""
        return max(older_than_s, _MEDIA_S) if self.folder.names[-1:] in {("media",), (ATTESTED,)} else older_than_s

    def holder(self, name: str) -> str:
        """The name of the file that a process holds while it works on this one."""
        if self.folder.names[-1:] == ("ingest",) and not name.endswith(".lock"):
            return f"{name}.lock"
        return self.name + JOURNAL if self.name and not _BESIDE.fullmatch(name) else name


def _what_arrives(name: str) -> str | None:
    if name.startswith(UPLOAD) and name.endswith(OWN):
        return "half an upload to a served folder"
    if name.endswith(".lock"):
        return "a lock that nobody holds"
    return "half a blob"


def leftovers(location: Location | None, state: Path | None, older_than_s: float, clock: Clock) -> list[Leftover]:
    """What lies in a store, or without `location` in the state folder, and was not touched for `older_than_s` seconds.

    Raises `LocalError` for a store that does not exist, `UsageError` for one in which transload leaves nothing.
    """
    found = []
    for place in _places(location, state):
        with local_errors("looking into", place.folder.path):
            found += list(_in_place(place, older_than_s, clock))
    return found + (list(_for_gates(state, older_than_s, clock)) if location is None else [])


def clean(
    location: Location | None, state: Path | None, older_than_s: float, clock: Clock, *, dry_run: bool = False
) -> list[Leftover]:
    """Remove what `leftovers` finds, and return it; with `dry_run` only return it. Raises what `leftovers` raises."""
    found = leftovers(location, state, older_than_s, clock)
    return [leftover for leftover in found if dry_run or remove(location, state, leftover)]


def remove(location: Location | None, state: Path | None, leftover: Leftover) -> bool:
    """Remove what was found; False if it is in use by now, or gone."""
    for place in _places(location, state):
        name = leftover.path.name
        if place.folder.path == leftover.path.parent and place.what(name) is not None and not _is_held(place, name):
            with local_errors("removing", leftover.path), contextlib.suppress(FileNotFoundError):
                place.folder.unlink(name)
                return True
    if location is None and state is not None:
        base = Folder(state, (stagingplace.FOLDER,))
        lefts = [left for left in stagingplace.abandoned(base) if left.path == leftover.path]
        return any(stagingplace.remove(base, left) for left in lefts)
    return False


def _for_gates(state: Path | None, older_than_s: float, clock: Clock) -> Iterator[Leftover]:
    """The folders of images that runs with gates left when they were killed."""
    for left in stagingplace.abandoned(Folder(state, (stagingplace.FOLDER,))) if state is not None else ():
        age_s = clock.wall_s() - left.changed_s
        if age_s >= older_than_s:
            what = "images for gates, of a run that was killed"
            yield Leftover(path=left.path, what=what, size=left.size, age_s=age_s, is_folder=True)


def place_of(text: str) -> Location:
    """The store that `text` names. Raises `UsageError` for what names none."""
    try:
        return Location.parse(text)
    except UsageError:
        raise UsageError(f"{text[:200]!r} is no store that can be cleaned", hint=_WRITTEN) from None


def _places(location: Location | None, state: Path | None) -> tuple[_Place, ...]:
    if location is None:
        folder = Folder(state) if state is not None and state.is_dir() else None
        return (
            (
                _Place(folder),
                _Place(folder.inner("journal")),
                _Place(folder.inner(RUNS)),
                _Place(folder.inner("media")),
                _Place(folder.inner(ATTESTED)),
            )
            if folder
            else ()
        )
    path = Path(location.value)
    if location.kind == "oci":
        if not path.is_dir():
            raise LocalError(f"there is no folder {path}", subject=str(path), hint=_NO_FOLDER)
        return (_Place(Folder(path)), _Place(Folder(path, (".transload", "ingest"))))
    if location.kind == "bundle":
        if not path.absolute().parent.is_dir():
            raise LocalError(f"there is no folder {path.absolute().parent}", subject=str(path), hint=_NO_FOLDER)
        return (_Place(Folder(path.absolute().parent), path.name.removesuffix(".tar")),)
    raise UsageError(
        f"{location} is neither a folder nor a bundle, and only these are cleaned",
        subject=str(location),
        hint=_WRITTEN,
    )


def _in_place(place: _Place, older_than_s: float, clock: Clock) -> Iterator[Leftover]:
    try:
        names = sorted(place.folder.entries())
    except FileNotFoundError:
        return
    for name in names:
        what = place.what(name)
        status = place.folder.status(name) if what else None
        if what is None or status is None or not stat.S_ISREG(status.st_mode):
            continue
        age_s = clock.wall_s() - status.st_mtime
        if age_s >= place.age_s(older_than_s) and not _is_held(place, name):
            yield Leftover(path=place.folder.path / name, what=what, size=status.st_size, age_s=age_s)


def _is_held(place: _Place, name: str) -> bool:
    """Whether another process works on the file. Looking makes no lock file."""
    holder = place.holder(name)
    if place.folder.status(holder) is None:
        return False
    try:
        with place.folder.locked(holder):
            return False
    except Busy:
        return True
    except LocksMissing:
        return False
