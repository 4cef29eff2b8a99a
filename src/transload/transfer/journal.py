"""What an unfinished run left at a target: a hint for the next one, which asks the target before it relies on it.

A registry does not list a repository that has blobs but no manifest yet. Without the journal, the next run would
take such a repository for a new one and send everything again. Nor does a registry list the uploads that it holds in
part: only who has an upload's address can go on with it.

Each line is JSON: `[repository, digest]` for a blob that arrived, or whose last request is about to be made;
`[repository, digest, address, time]` for an upload that goes on at `address`, noted at `time` in seconds since 1970.
`[repository, digest, ""]` says that it has ended. Older versions wrote no time.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import Busy, LocalError, TransloadError
from transload.files import Folder, local_errors, read_file, read_up_to, write_all
from transload.limits import JOURNAL_ADDRESS_LENGTH, JOURNAL_BYTES, SMALL_JSON_BYTES, SMALL_JSON_VALUES
from transload.oci import Digest
from transload.oci.reference import check_repository
from transload.strictjson import read_json
from transload.values import frozen

_OWN = 0o600  # an address may be all that is needed to write to an upload


@frozen
class NotedUpload:
    """An upload that was noted and has not ended. `noted_s` is in seconds since 1970; 0 if it is not known."""

    repository: str
    digest: Digest
    address: str
    noted_s: int = 0


class Journal:
    """Appends one line for each thing to remember; safe to use from several threads.

    With `path` None nothing is kept. A line that a crash cut short is ignored. Raises `LocalError` if it cannot write.
    """

    def __init__(self, path: Path | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._noted = _Noted() if path is None else _read(path)
        self._begun = False
        self._file: FileIO | None = None  # while it is held; bytes of a locked file take no second handle on Windows

    def knows(self, repository: str, digest: Digest) -> bool:
        """Whether an earlier run noted this blob."""
        return (repository, digest) in self._noted.blobs

    def places(self, digest: Digest) -> tuple[str, ...]:
        """Repositories to which an earlier run brought this blob; one of them may be complete by now."""
        return tuple(sorted(repository for repository, noted in self._noted.blobs if noted == digest))

    def note(self, repository: str, digest: Digest) -> None:
        """Remember that the target holds this blob, or will as soon as it has answered the closing request.

        It is noted before that request: the registry may store the blob although nobody is left to read the answer.
        """
        if self._path is None:
            return
        with self._lock:
            if (repository, digest) not in self._noted.blobs:
                self._append(self._path, [repository, digest])
                self._noted.blobs.add((repository, digest))

    @property
    def is_kept(self) -> bool:
        """Whether a later run will find what is noted."""
        return self._path is not None

    def can_write(self) -> bool:
        """Whether it is kept, and something can be noted now: tried at the file, which is made if there is none."""
        if self._path is None:
            return False
        try:
            with local_errors("writing", self._path):
                _append_to(self._path, b"")
        except LocalError:
            return False
        return True

    @property
    def has_uploads(self) -> bool:
        """Whether an earlier run left an upload unfinished."""
        return bool(self._noted.uploads)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is noted."""
        return not self._noted.blobs and not self._noted.uploads

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the journal for a run. Only who holds it may go on with noted uploads: two would spoil them.

        If another run to the same target holds it, the block is entered without it. Inside such a block, a further one
        changes nothing.
        """
        if self._path is None or self._file is not None:
            yield
            return
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError, LocalError):  # without it nothing is taken up, which is only slower
                self._path.parent.mkdir(parents=True, exist_ok=True)
                file = stack.enter_context(Folder(self._path.parent).locked(self._path.name))
                _keep_to_owner(file)
                file.seek(0)
                self._noted = _Noted.of(read_up_to(file, JOURNAL_BYTES))  # another run may have gone on meanwhile
                self._file = file
            try:
                yield
            finally:
                self._file = None

    def address(self, repository: str, digest: Digest) -> str | None:
        """Where an unfinished upload of this blob goes on; None if none is noted, or if another run is under way."""
        noted = self._noted.uploads.get((repository, digest)) if self._file else None
        return noted.address if noted else None

    def uploads(self) -> tuple[NotedUpload, ...]:
        """Every upload that was noted and has not ended."""
        with self._lock:
            return tuple(self._noted.uploads.values()) if self._file else ()

    def note_address(self, repository: str, digest: Digest, address: str | None) -> None:
        """Remember where the upload of a blob goes on; with None, that it has ended. If it cannot write, it does not.

        Addresses of more than `JOURNAL_ADDRESS_LENGTH` characters are not kept.
        """
        if address is not None and len(address) > JOURNAL_ADDRESS_LENGTH:
            address = None
        with self._lock:
            noted = self._noted.uploads.get((repository, digest))
            if self._path is None or (noted.address if noted else None) == address:
                return
            upload = NotedUpload(repository, digest, address or "", int(self._clock.wall_s()))
            self._noted.take(upload)
            with contextlib.suppress(LocalError):  # the upload goes on; only a later process would not find it
                self._append(self._path, _line_of(upload))

    def clear(self) -> None:
        """Forget the blobs: the run is complete, and the manifests now say what is there.

        Uploads that have not ended stay noted: they belong to a run of other images. If another run to the same target
        is under way, its notes stay.
        """
        if self._path is None or not self._path.exists():
            return
        folder = Folder(self._path.parent)
        with local_errors("removing", self._path):
            try:
                with folder.locked(self._path.name):
                    pass  # nobody else is at it
            except Busy:
                return
            except LocalError:
                pass  # a file system without locks
            uploads = _read(self._path, blobs=False).uploads.values()
            folder.unlink(self._path.name)
            if uploads:
                lines = "".join(json.dumps(_line_of(upload)) + "\n" for upload in uploads)
                _append_to(self._path, lines.encode())

    def _append(self, path: Path, entry: list[str | int]) -> None:
        line = json.dumps(entry) + "\n"
        # A crash may have left a line without an end. The first new line must not become part of it.
        text = (line if self._begun else f"\n{line}").encode()
        with local_errors("writing", path):
            if self._file is not None:
                write_all(self._file, text)
            else:
                _append_to(path, text)
        self._begun = True


def _append_to(path: Path, text: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with Folder(path.parent).open(path.name, "a+", _OWN) as file:
        _keep_to_owner(file)
        write_all(file, text)


def _keep_to_owner(file: FileIO) -> None:
    """Older versions let others read it."""
    with contextlib.suppress(OSError):
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), _OWN)


def _line_of(upload: NotedUpload) -> list[str | int]:
    when = [upload.noted_s] if upload.address and upload.noted_s else []
    return [upload.repository, str(upload.digest), upload.address, *when]


class _Noted:
    """What the lines of a journal come to."""

    def __init__(self) -> None:
        self.blobs: set[tuple[str, Digest]] = set()
        self.uploads: dict[tuple[str, Digest], NotedUpload] = {}

    @classmethod
    def of(cls, content: bytes, *, blobs: bool = True) -> _Noted:
        """All of them, or without the blobs, which takes far less time where there are thousands."""
        noted = cls()
        for line in content.splitlines():
            if not blobs and line.count(b",") == 1:
                continue
            with contextlib.suppress(ValueError, TypeError, TransloadError):  # a line of a crash, or of somebody else
                noted._take_line(line)
        return noted

    def _take_line(self, line: bytes) -> None:
        repository, digest, *rest = read_json(line, limit=SMALL_JSON_BYTES, values=SMALL_JSON_VALUES)
        pair = (check_repository(repository) if repository else "", Digest(digest))
        if not rest:
            self.blobs.add(pair)
            return
        address, noted_s = rest if len(rest) > 1 else (*rest, 0)
        if isinstance(address, str) and len(address) <= JOURNAL_ADDRESS_LENGTH and type(noted_s) is int:
            self.take(NotedUpload(*pair, address, noted_s))

    def take(self, upload: NotedUpload) -> None:
        """Note an upload; without an address, that it has ended."""
        if upload.address:
            self.uploads[upload.repository, upload.digest] = upload
        else:
            self.uploads.pop((upload.repository, upload.digest), None)


def _read(path: Path, *, blobs: bool = True) -> _Noted:
    try:
        with local_errors("reading", path):
            return _Noted.of(read_file(path, JOURNAL_BYTES), blobs=blobs)
    except LocalError:  # it does not exist or cannot be read: it was only a hint
        return _Noted()
