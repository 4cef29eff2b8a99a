"""Uploads under way: the bytes of a blob that a client has sent. It states the digest only at the end.

In a store that keeps the files of uploads, sessions outlive the server, and several servers of one store share them. A
session's state is then its file alone: its name is the session's identifier, which fits only one repository, and its
size is the offset.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import stat
import threading
from pathlib import Path

from transload.clock import Clock
from transload.errors import TooManyRequests
from transload.files import local_errors
from transload.limits import SERVED_UPLOAD_IDLE_S, SERVED_UPLOADS
from transload.ports import Spools
from transload.server.refusals import Refusal
from transload.server.spools import KeptSpool, Room, Spool, UploadGone

IDLE_S = 3600.0  # for sessions that end with the server, and for all when the disk is full
_RECLAIMED_S = 60.0  # when all sessions are taken, one that is idle for longer than this is ended

_IDENTIFIER = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})", re.ASCII)


def _new_identifier(repository: str) -> str:
    chance = secrets.token_hex(16)
    return f"{chance}-{_seal(chance, repository)}"


def _seal(chance: str, repository: str) -> str:
    return hashlib.sha256(f"{chance}/{repository}".encode()).hexdigest()[:16]


def belongs(identifier: str, repository: str) -> bool:
    """Whether this is the identifier of an upload to this repository."""
    form = _IDENTIFIER.fullmatch(identifier)
    return form is not None and form[2] == _seal(form[1], repository)


class ServedUpload:
    """A session of one client. The newest request owns it, so that a dead connection does not block the next one.
    `lock` is held while bytes are written. It waits for hours, so it holds no request: that would keep its buffers too.
    """

    def __init__(self, identifier: str, repository: str, spool: Spool | KeptSpool, now_s: float) -> None:
        self.id = identifier
        self.repository = repository
        self.spool = spool
        self.touched_s = now_s
        self.lock = asyncio.Lock()
        self._owner: object = None

    def take_over(self) -> object:
        """Take the session away from earlier requests. The value stands for the request that does so."""
        self._owner = object()
        return self._owner

    def owned_by(self, request: object) -> bool:
        """Whether no later request has taken the session over."""
        return self._owner is request

    @property
    def location(self) -> str:
        """The address where the session continues; relative, so that it is right behind any proxy."""
        return f"/v2/{self.repository}/blobs/uploads/{self.id}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers with the session's state. Both ends of Range are inclusive; an empty session has 0-0."""
        return {
            "Location": self.location,
            "Range": f"0-{max(0, self.spool.size - 1)}",
            "Docker-Upload-UUID": self.id,
        }


class ServedUploads:
    """Every session of a server. Sessions end when nobody has used them for a day; an hour if the store keeps none.

    The methods work with files, so threads call them.
    """

    def __init__(self, folder: Path | None, clock: Clock, *, spools: Spools | None = None) -> None:
        self._folder = folder
        self._clock = clock
        self._spools = spools
        self._room = Room()
        self._open: dict[str, ServedUpload] = {}
        self._turn = threading.Lock()
        self._others = SERVED_UPLOADS  # of other servers; not known yet
        self.stopping = threading.Event()

    def begin(self, repository: str, *, whole: bool = False) -> ServedUpload:
        """Open a session. Raises `TooManyRequests` when too many are open, `LocalError`.

        `whole`: all bytes come with this request. Nobody will go on with it, so there are not more of them than
        connections, and it needs no file yet.
        """
        identifier = _new_identifier(repository)
        if whole:
            return self._enter(identifier, repository, self._own(identifier))
        with self._turn:
            self._make_place()
            if self._spools is None:
                return self._enter(identifier, repository, self._own(identifier))
            spool = self._kept(self._spools, identifier)
            spool.create()
            return self._enter(identifier, repository, spool)

    def known(self, repository: str, identifier: str) -> ServedUpload | None:
        """The session with this identifier, if this server has used it. It looks at no file."""
        upload = self._open.get(identifier)
        if upload is None or upload.repository != repository:
            return None
        self.touch(upload)
        return upload

    def find(self, repository: str, identifier: str) -> ServedUpload:
        """The session with this identifier, of an earlier server too. Raises a `Refusal` with BLOB_UPLOAD_UNKNOWN."""
        upload = self._open.get(identifier)
        if upload is None and self._spools is not None and belongs(identifier, repository):
            spool = self._kept(self._spools, identifier)
            try:
                spool.refresh()
            except UploadGone as error:
                raise unknown(repository) from error
            with self._turn:
                upload = self._open.get(identifier) or self._enter(identifier, repository, spool)
        if upload is None or upload.repository != repository:
            raise unknown(repository)
        self.touch(upload)
        return upload

    def touch(self, upload: ServedUpload) -> None:
        """Note that a session is in use."""
        upload.touched_s = self._clock.monotonic_s()

    def end(self, upload: ServedUpload) -> None:
        """Close a session and delete its remaining bytes."""
        self._open.pop(upload.id, None)
        upload.take_over()
        upload.spool.discard()

    def sweep(self) -> None:
        """End the sessions that nobody has used for too long, and delete what lies among their files and is none."""
        with self._turn:
            uploads = self._all()
            self._others = len(uploads) - len(self._open)
            for identifier in uploads:
                kept = self._spools is not None
                if self._idle_s(identifier) > (SERVED_UPLOAD_IDLE_S if kept else IDLE_S):
                    self._end(identifier)

    def end_idle(self) -> None:
        """End the sessions that were idle for an hour, because the disk is full."""
        with self._turn:
            for identifier in self._all():
                if self._idle_s(identifier) > IDLE_S:
                    self._end(identifier)

    def close(self) -> None:
        """Forget every session. What the store keeps of them stays there."""
        for upload in list(self._open.values()):
            if not upload.spool.outlives:
                self.end(upload)
        self._open.clear()

    def _own(self, identifier: str) -> Spool:
        return Spool(identifier, self._folder, spools=self._spools, room=self._room)

    def _kept(self, spools: Spools, identifier: str) -> KeptSpool:
        return KeptSpool(*spools.spool_file(identifier), self.stopping)

    def _enter(self, identifier: str, repository: str, spool: Spool | KeptSpool) -> ServedUpload:
        upload = ServedUpload(identifier, repository, spool, self._clock.monotonic_s())
        self._open[identifier] = upload
        return upload

    def _all(self) -> set[str]:
        return set(self._open).union(() if self._spools is None else self._spools.spooled())

    def _make_place(self) -> None:
        if len(self._open) + self._others < SERVED_UPLOADS:  # as counted a minute ago
            return
        uploads = self._all()
        if len(uploads) < SERVED_UPLOADS:
            return
        longest_s, identifier = max((self._idle_s(identifier), identifier) for identifier in uploads)
        if longest_s <= _RECLAIMED_S:
            raise TooManyRequests(f"{len(uploads)} uploads are under way", retry_after_s=60)
        self._end(identifier)

    def _idle_s(self, identifier: str) -> float:
        """For how long nobody has used a session; infinite for one that nobody can use. A clock may have been set."""
        upload = self._open.get(identifier)
        idle_s = float("inf") if upload is None else self._clock.monotonic_s() - upload.touched_s
        if self._spools is None or not (upload is None or upload.spool.outlives):
            return idle_s
        folder, name = self._spools.spool_file(identifier)
        with local_errors("looking for", folder.path / name):
            status = folder.status(name)
        if status is None or not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            return float("inf")
        return min(idle_s, abs(self._clock.wall_s() - status.st_mtime))

    def _end(self, identifier: str) -> None:
        upload = self._open.get(identifier)
        if upload is not None:
            self.end(upload)
        elif self._spools is not None:
            self._kept(self._spools, identifier).discard()


def unknown(repository: str) -> Refusal:
    """The refusal for a session that is not there."""
    return Refusal(404, "BLOB_UPLOAD_UNKNOWN", f"{repository} has no such upload; begin a new one")
