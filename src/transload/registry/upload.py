"""Uploads a blob: a small one whole, a large one as a stream, or in pieces where bodies have a limit.

The ladder: a small blob is sent by POST and a PUT with the body. A large one is sent by POST, one PATCH of known length
without Content-Range, and an empty PUT: most registries accept this flow, and its last request is cheap to repeat.
Where that does not work, `Capabilities` remembers what to do instead, and the next `begin` does it: the bytes have to
be read from their source again anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from transload.errors import CorruptError, ServerTrouble, SizeMismatch
from transload.oci import Descriptor, Digest, Verifier
from transload.ports import Chunk, UploadNotes
from transload.registry.api import Api
from transload.registry.digestcheck import DigestCheck
from transload.registry.ownsession import is_own_session
from transload.registry.session import UploadSession
from transload.wording import number_of


class BodyTooShort(Exception):
    """The chunks ended before the announced length. Raised so that the connection is closed and does not wait."""


class ChunkedBody:
    """Passes chunks on in bodies of an exact length.

    `at` is the position of the first chunk in the blob; `moved` is told what was sent. Bytes that an interrupted upload
    sends again are not hashed twice; the registry checks by the digest that they are the same.
    """

    def __init__(
        self, chunks: Iterable[Chunk], verifier: Verifier | ProvedLater, at: int, moved: Callable[[int], None]
    ) -> None:
        self._chunks = iter(chunks)
        self._moved = moved
        self._verifier = verifier
        self._at = at
        self._rest: memoryview = memoryview(b"")

    def skip(self, to: int) -> None:
        """Hash the bytes before position `to`, which the registry has. Raises `BodyTooShort` and as `take` does."""
        for _ in self._pieces(max(0, to - self._at), proved=False):
            pass

    def take(self, length: int, *, proved: bool = False) -> Iterator[memoryview]:
        """Exactly `length` bytes. With `proved`, the last chunk is sent only if the digest is right.

        Raises `BodyTooShort`, `SizeMismatch`, `DigestMismatch`, and what the chunks raise.
        """
        for piece in self._pieces(length, proved=proved):
            yield piece
            self._moved(len(piece))

    def _pieces(self, length: int, *, proved: bool) -> Iterator[memoryview]:
        left = length
        while left:
            chunk = self._rest or self._next()
            if chunk is None:
                raise BodyTooShort
            piece, self._rest = chunk[:left], chunk[left:]
            left -= len(piece)
            if proved and not left:
                self._verifier.check()
            yield piece

    def finish(self) -> None:
        """Check that no more bytes come than promised. Raises `SizeMismatch`."""
        while self._next() is not None:
            pass

    def _next(self) -> memoryview | None:
        for chunk in self._chunks:
            view = memoryview(chunk)
            if len(view):
                self._hash(view)
                return view
        return None

    def _hash(self, view: memoryview) -> None:
        known = max(0, min(self._verifier.seen - self._at, len(view)))
        self._at += len(view)
        if known < len(view):
            self._verifier.update(view[known:] if known else view)


class ProvedLater:
    """Stands for a `Verifier` where the bytes before `seen` were sent by an earlier process: only their count is known.

    Whether the content is right is left to the registry, which compares the digest when the upload is closed.
    """

    def __init__(self, descriptor: Descriptor, seen: int) -> None:
        self.seen = seen
        self._descriptor = descriptor

    def update(self, chunk: Chunk) -> None:
        """Count the next bytes. Raises `SizeMismatch` as soon as there are more than promised."""
        self.seen += len(chunk)
        if self.seen > self._descriptor.size:
            self.check()

    def check(self) -> None:
        """Raise `SizeMismatch` unless exactly the promised number of bytes came."""
        if self.seen != self._descriptor.size:
            raise SizeMismatch(
                f"content of {self._descriptor.digest.short} has {number_of(self.seen, 'byte')},"
                f" its descriptor says {self._descriptor.size}",
                subject=self._descriptor.digest,
            )


_OCTETS = "application/octet-stream"
Key = tuple[str, Digest]


class Uploads:
    """Begins uploads at one registry. Keeps unfinished ones for the next `begin` of the same blob.

    With notes, it also goes on with large uploads of an earlier process (see `Continues`).
    """

    def __init__(self, api: Api, small_blob_bytes: int) -> None:
        self._api = api
        self._small_blob_bytes = small_blob_bytes
        self._lock = threading.Lock()
        self._parked: dict[Key, Upload] = {}
        self._doubted: set[Key] = set()
        self._notes: UploadNotes | None = None
        self._proving = DigestCheck(api)

    def keep_notes(self, notes: UploadNotes | None) -> None:
        """See `Continues`."""
        self._notes = notes

    @property
    def kept_bytes(self) -> int:
        """See `Continues`."""
        with self._lock:
            return sum(upload.acknowledged for upload in self._parked.values())

    def cancel(self, repository: str, digest: Digest, address: str) -> None:
        """See `Continues`. Only the address of an upload to this repository at this registry is asked for."""
        if is_own_session(address, self._api.origin, repository):
            UploadSession(self._api, repository, Descriptor(_OCTETS, digest, 0)).cancel(address)

    @contextmanager
    def begin(self, repository: str, descriptor: Descriptor) -> Iterator[Upload]:
        """See `Ingests`."""
        key = (repository, descriptor.digest)
        with self._lock:
            upload = self._parked.pop(key, None)
        if upload is None or not upload.fits(descriptor):
            upload = self._new(repository, descriptor)
        try:
            yield upload
        finally:
            if upload.is_unfinished:
                with self._lock:
                    self._parked[key] = upload
            if upload.doubted:
                self._doubted.add(key)

    def _new(self, repository: str, descriptor: Descriptor) -> Upload:
        doubted = (repository, descriptor.digest) in self._doubted
        if descriptor.size <= self._small_blob_bytes:
            return SmallUpload(self._api, repository, descriptor, doubted=doubted)
        return Upload(self._api, repository, descriptor, doubted=doubted, notes=self._notes, digest_check=self._proving)


class Upload:
    """One large blob on its way in.

    Bytes that an earlier process sent were not hashed in this one. Where the registry is known to refuse a wrong
    digest, its check at the end is the proof for them. Elsewhere they are read again from the source and hashed, but
    not sent.
    """

    def __init__(
        self,
        api: Api,
        repository: str,
        descriptor: Descriptor,
        *,
        doubted: bool = False,
        notes: UploadNotes | None = None,
        digest_check: DigestCheck | None = None,
    ) -> None:
        self._api = api
        self._repository = repository
        self._descriptor = descriptor
        self._notes = notes
        self._digest_check = digest_check
        self._session = self._new_session(doubted)
        self._verifier: Verifier | ProvedLater = Verifier(descriptor.digest, descriptor.size)
        self._address = notes.address(repository, descriptor.digest) if notes else None
        self._taken_up = False
        self._certain = True
        self._closed = False
        self._stored = False
        self._gone = 0
        self.when_sent: Callable[[], None] = lambda: None

    def _new_session(self, doubted: bool) -> UploadSession:
        notes, digest = self._notes, self._descriptor.digest
        if notes is None:
            return UploadSession(self._api, self._repository, self._descriptor, doubted=doubted)

        def keep(address: str | None) -> None:
            notes.note_address(self._repository, digest, address)

        return UploadSession(self._api, self._repository, self._descriptor, doubted=doubted, keep=keep)

    def fits(self, descriptor: Descriptor) -> bool:
        """Whether this unfinished upload is for the same blob."""
        return self._descriptor == descriptor

    @property
    def doubted(self) -> bool:
        """Whether the registry has called right bytes wrong, so that it is believed the next time."""
        return self._session.doubted

    @property
    def acknowledged(self) -> int:
        """How many bytes the registry is known to keep for a later process."""
        return self._session.offset if self._certain else 0

    @property
    def is_unfinished(self) -> bool:
        """Whether the upload can be continued later."""
        return not self._closed and self._session.is_open

    @property
    def offset(self) -> int:
        """See `Ingest`; asks the registry after an interruption, also of an earlier process."""
        self._settle()
        return min(self._session.offset, self._verifier.seen)

    def write(self, chunks: Iterable[Chunk]) -> None:
        """See `Ingest`. If the chunks end before the blob does, it stays unfinished and can be resumed."""
        pieces = ChunkedBody(chunks, self._verifier, self.offset, self._moved)
        self._certain, self._gone = False, self._session.offset
        try:
            pieces.skip(self._session.offset)
            self._send(pieces)
        except BodyTooShort:
            return
        except CorruptError:
            self.abandon()
            raise
        self._certain = True

    def commit(self) -> None:
        """See `Ingest`. After a failure at the registry, commit may be called again."""
        if not self._stored:
            self._checked(self._verifier)
            if self._session.offset != self._descriptor.size:
                raise ServerTrouble(f"{self._session.doing}: the registry has not received all of it")
            self._session.put()
        self._closed = True

    def abandon(self) -> None:
        """See `Ingest`."""
        self._closed = True
        self._session.cancel()

    def _moved(self, count: int) -> None:
        self._api.writing.moved(count)
        self._gone += count
        if self._gone == self._descriptor.size:
            self.when_sent()

    def _checked(self, verifier: Verifier | ProvedLater) -> None:
        """Check the content. Wrong content is dropped, because it would be wrong on the next attempt too."""
        try:
            verifier.check()
        except CorruptError:
            self.abandon()
            raise

    def _settle(self) -> None:
        """Find out how much of an interrupted upload the registry has. If that fails, start again at 0."""
        if self._address is not None:
            self._take_up(self._address)
            self._address = None
        if self._certain:
            return
        sent = self._verifier.seen - self._session.offset
        if not (self._session.ask_offset(sent) and self._accounts_for_all()):
            self._begin_anew()
        self._certain = True

    def _accounts_for_all(self) -> bool:
        """Whether the registry has no more than it was sent. Of an earlier process it may have got more by now."""
        if self._session.offset > self._verifier.seen and isinstance(self._verifier, ProvedLater):
            self._verifier = ProvedLater(self._descriptor, self._session.offset)
        return self._taken_up or self._session.offset <= self._verifier.seen

    def _take_up(self, address: str) -> None:
        if not self._session.take_up(address):
            self._begin_anew()
            self._session.open()
            self._session.learn_whether_it_tells()
            return
        self._taken_up = True
        if self._session.offset and self._digest_check and self._digest_check.passed(self._repository):
            self._verifier = ProvedLater(self._descriptor, self._session.offset)

    def _begin_anew(self) -> None:
        self._session.cancel()
        self._session = self._new_session(self._session.doubted)
        self._verifier = Verifier(self._descriptor.digest, self._descriptor.size)
        self._taken_up = False

    def _send(self, pieces: ChunkedBody) -> None:
        capabilities, session, size = self._api.capabilities, self._session, self._descriptor.size
        session.open()
        if capabilities.upload_mode == "put" and session.offset == 0:
            session.put(pieces.take(size, proved=True), size)
            self._stored = True
        elif capabilities.upload_mode == "pieces":
            while session.offset < size:
                length = min(capabilities.piece_size(session.piece_minimum), size - session.offset)
                session.patch(pieces.take(length), length, ranged=True)
        elif session.offset < size and session.wants_open_end():
            self._send_on(pieces.take(size - session.offset))
        elif session.offset < size:
            left = size - session.offset
            session.patch(pieces.take(left), left, ranged=False)
        pieces.finish()

    def _send_on(self, chunks: Iterable[Chunk]) -> None:
        before = self._session.offset
        try:
            self._session.patch_on(chunks)
        finally:
            self._certain = self._session.offset > before  # it has answered, so this is all that it got


class SmallUpload(Upload):
    """One small blob: kept in memory until commit, then sent in one body."""

    def __init__(self, api: Api, repository: str, descriptor: Descriptor, *, doubted: bool = False) -> None:
        super().__init__(api, repository, descriptor, doubted=doubted)
        self._content = bytearray()

    @property
    def is_unfinished(self) -> bool:
        """Whether the upload can be continued later."""
        return not self._closed

    @property
    def offset(self) -> int:
        """See `Ingest`."""
        return len(self._content)

    def write(self, chunks: Iterable[Chunk]) -> None:
        """See `Ingest`."""
        for chunk in chunks:
            if len(self._content) + len(chunk) > self._descriptor.size:
                self.abandon()
                raise SizeMismatch(
                    f"content of {self._descriptor.digest.short} is longer than the promised"
                    f" {number_of(self._descriptor.size, 'byte')}",
                    subject=self._descriptor.digest,
                )
            self._content += chunk

    def commit(self) -> None:
        """See `Ingest`."""
        verifier = Verifier(self._descriptor.digest, self._descriptor.size)
        verifier.update(self._content)
        self._checked(verifier)
        try:
            self._put(bytes(self._content))
        except BaseException:
            self._session = self._new_session(self._session.doubted)
            raise
        self._closed = True

    def _put(self, content: bytes) -> None:
        """Send all in the PUT; by PATCH if the PUT may not have a body (old Artifactory) or not one of this size."""
        capabilities, session = self._api.capabilities, self._session
        length = capabilities.piece_size(0) if capabilities.upload_mode == "pieces" else len(content)
        if capabilities.single_post and length >= len(content) and session.post(content):
            return
        session.open()
        if length >= len(content) and capabilities.put_with_body is not False:
            session.put(content, len(content))
            self._api.writing.moved(len(content))
            return
        for start in range(0, len(content), max(length, 1)):
            piece = content[start : start + length]
            session.patch([piece], len(piece), ranged=length < len(content))
        session.put()
