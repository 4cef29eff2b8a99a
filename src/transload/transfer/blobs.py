"""Brings one blob to the repository of a step: mounts it, or copies it with retries, resuming if the target can."""

from __future__ import annotations

import contextlib
import functools
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from transload.clock import Clock
from transload.errors import (
    BlobUnknown,
    CorruptError,
    DigestMismatch,
    ProtocolTrouble,
    Side,
    SizeMismatch,
    TransloadError,
    at_side,
)
from transload.events import Event, How, Listener, StepMoved, StepRetried
from transload.oci import Descriptor
from transload.planning import BlobStep
from transload.ports import Chunk, Ingest, Source, Target
from transload.threads import Cancellation
from transload.transfer.gathering import Arriving
from transload.values import define, field, frozen

_BACKOFF_S = 0.5
_BACKOFF_MAX_S = 30.0
_PIECE_BYTES = 64 << 10
_PIECE_LEAST_BYTES = 8 << 10
_CHEAP_BYTES = 4 << 20  # to send so few again costs less than to give the blob up
_SWIFT_S, _SLOW_S = 0.1, 0.5
_DAMAGED = (DigestMismatch, SizeMismatch, ProtocolTrouble)
"""What came may have been damaged on the way, or a web page have come in its place, so it is tried once more."""


Passed = Callable[[Iterable[Chunk]], Iterator[Chunk]]
"""The same bytes in the same order, in chunks of any size."""


Begin = Callable[[], AbstractContextManager[Ingest]]
EndsReadings = Callable[[], bool]
"""See `transload.ports.Reads`."""


class Opens(Protocol):
    """Something that bytes can be read from; every source can."""

    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[Chunk]]:
        """See `transload.ports.Reads`."""
        ...


@frozen
class BlobOrigin:
    """Where the bytes of a blob come from."""

    store: Opens
    repository: str
    side: Side


@define
class Advance:
    """How far a blob has come at best, and when. `failures` counts attempts in a row with no new byte at the target."""

    at_s: float
    position: int = 0
    accepted: int = 0
    failures: int = 0

    def reach(self, position: int, now_s: float) -> None:
        """Bytes that were copied before are no advance."""
        if position > self.position:
            self.at_s, self.position = now_s, position

    def begin(self, offset: int) -> None:
        """An attempt begins at `offset`: what the target has accepted so far."""
        if offset > self.accepted:
            self.accepted, self.failures = offset, 0


def _note_nothing(step: BlobStep) -> None:
    """For callers that keep no journal."""


def _note_none(step: BlobStep) -> None:
    """For callers that count no lanes."""


def _ends_none() -> bool:
    """For stores whose readings are ended here."""
    return False


def _may_always(_: BlobStep, length: int) -> int:
    """For callers that limit nothing."""
    return length


@frozen(kw_only=True)
class Placing:
    """What bringing a blob needs. After `attempts` failures in a row without a new byte at the target it is given up.

    A small blob that the target cannot take now gets half of `give_up_after_s` instead; until one has waited for all of
    that in vain, so that many of them do not take hours.

    `moving` is called before an attempt, and may wait; `sent` when the last byte is on its way, before it has arrived.
    `may_move` is called with the number of bytes that come next; it says how many of them may, and raises if none may.
    `intend` is called with a step before its last byte goes out, and again before the blob is committed.
    `recheck` asks the target for each blob first, since a plan that was made earlier may be partly done by now.
    `publishers` reads foreign layers that the source lacks, from the URLs in their descriptors. A blob that makes no
    progress for `give_up_after_s` is not tried again. `pace` passes the bytes on, and may take its time.
    `begun` waits for what began to move before, and says whether that is there now.
    """

    target: Target
    listen: Listener
    cancellation: Cancellation
    clock: Clock
    attempts: int
    recheck: bool = False
    publishers: Opens | None = None
    give_up_after_s: float = 120.0
    intend: Callable[[BlobStep], None] = _note_nothing
    may_move: Callable[[BlobStep, int], int] = _may_always
    moving: Callable[[BlobStep], None] = _note_none
    sent: Callable[[BlobStep], None] = _note_none
    pace: Passed | None = None
    begun: Callable[[BlobStep, Listener], bool] | None = None
    _waited_in_vain: threading.Event = field(factory=threading.Event, init=False)

    def place(self, step: BlobStep, source: Source) -> How:
        """Make the step's blob visible in its repository. Raises the error of the last attempt."""
        tried = 0

        def heard(event: Event) -> None:
            nonlocal tried
            if isinstance(event, StepRetried):
                tried = event.attempt
            self.listen(event)

        if self.begun is not None and self.begun(step, heard):
            return "copied"
        origin = BlobOrigin(source, step.source_repository, "source")
        if self.recheck:
            with at_side("target"):
                if self.target.exists(step.repository, step.descriptor):
                    return "present"
        if step.origin is not None:
            with at_side("target"):
                if self.target.mounts and self.target.mounts.mount(step.descriptor, step.origin, step.repository):
                    return "mounted"
                # After a refused mount, do not fetch the blob from a remote source again: the target has it nearby.
                if source.request_costs is not None and self.target.exists(step.origin, step.descriptor):
                    origin = BlobOrigin(self.target, step.origin, "target")
        try:
            self.copy(step, origin, tried=tried)
        except BlobUnknown as error:
            if not step.descriptor.is_foreign or error.side != "source":
                raise
            self._copy_foreign(step, error)
        return "copied"

    def read(self, step: BlobStep, source: Source, content: bytes | None = None) -> bytes:
        """The bytes of a small blob, checked, read as often as it takes. Raises the error of the last attempt.

        If it was read together with others, its checked `content` is known.
        """
        if content is not None:
            self.cancellation.check()
            self.listen(StepMoved(step.id, 0))
            self.listen(StepMoved(step.id, step.descriptor.size))
            return content
        arriving = Arriving(step.descriptor)

        def begin() -> AbstractContextManager[Ingest]:
            arriving.abandon()
            return contextlib.nullcontext(arriving)

        self.copy(step, BlobOrigin(source, step.source_repository, "source"), begin)
        return arriving.content

    def _copy_foreign(self, step: BlobStep, lacking: BlobUnknown) -> None:
        """Copy a layer that the source lacks from where its publisher keeps it, as the manifest says."""
        if self.publishers is None or not step.descriptor.urls:
            lacking.hint = "it is a foreign layer, and the manifest names no URL for it: leave --foreign-layers out"
            raise lacking
        try:
            self.copy(step, BlobOrigin(self.publishers, step.source_repository, "source"))
        except CorruptError as error:
            from transload.net.address import redacted  # imported late: a copy between folders needs no network code

            error.hint = (
                f"the source lacks this foreign layer, and what is at {redacted(step.descriptor.urls[0])} differs"
            )
            raise

    def copy(self, step: BlobStep, origin: BlobOrigin, begin: Begin | None = None, *, tried: int = 0) -> None:
        """Copy the bytes from `origin`, as often as it takes. Raises the error of the last attempt.

        `begin` gives the ingest, if it is not that of the target. The blob was `tried` so often before, for the count.
        """
        begin = begin or functools.partial(self.target.begin, step.repository, step.descriptor)
        chances = 1
        attempt = 1 + tried
        advance = Advance(self.clock.monotonic_s())
        while True:
            try:
                return self._attempt(step, origin, advance, begin)
            except TransloadError as error:
                wrong = isinstance(error, _DAMAGED)
                advance.failures += 1
                if not (error.retryable or (wrong and chances)) or self._is_enough(step, error, advance):
                    raise
                chances -= wrong
                wait_s = error.retry_after_s or _wait_s(advance.failures)
                if self.clock.monotonic_s() + wait_s - advance.at_s > self.give_up_after_s:
                    raise
                self.listen(StepRetried(step.id, error, attempt, wait_s))
                self.clock.sleep_s(wait_s, self.cancellation.wake)
                self.cancellation.check()
                attempt += 1

    def _is_enough(self, step: BlobStep, error: TransloadError, advance: Advance) -> bool:
        if advance.failures < self.attempts:
            return False
        cheap = error.side == "target" and error.retryable and step.descriptor.size <= _CHEAP_BYTES
        if not cheap or self._waited_in_vain.is_set():
            return True
        if self.clock.monotonic_s() - advance.at_s < self.give_up_after_s / 2:
            return False
        self._waited_in_vain.set()
        return True

    def _attempt(self, step: BlobStep, origin: BlobOrigin, advance: Advance, begin: Begin) -> None:
        blob = step.descriptor
        ends: EndsReadings = getattr(origin.store, "ends_readings", _ends_none)

        def watched(chunks: Iterable[Chunk], position: int, when_read: Callable[[], None]) -> Iterator[Chunk]:
            with at_side(origin.side):
                handed = self.pace(chunks) if self.pace else chunks
                for piece in self._that_may(step, paced(handed, self.clock, self.cancellation, ends)):
                    if position + len(piece) >= blob.size:
                        self.intend(step)
                    yield piece
                    position += len(piece)
                    advance.reach(position, self.clock.monotonic_s())
                    self.listen(StepMoved(step.id, position))
                    if position >= blob.size:
                        when_read()

        self.moving(step)
        try:
            with at_side("target"), contextlib.ExitStack() as stack:
                ingest = stack.enter_context(begin())
                advance.begin(offset := ingest.offset)
                self.listen(StepMoved(step.id, offset))
                chunks: Iterable[Chunk] = ()
                if offset < blob.size:
                    with at_side(origin.side):
                        chunks = stack.enter_context(origin.store.open(origin.repository, blob, offset))
                ingest.write(watched(chunks, offset, self._told_by(ingest, step)))
                self.intend(step)
                ingest.commit()
        except (DigestMismatch, SizeMismatch) as error:
            error.side = origin.side  # the target noticed it, but the side that sent the bytes is to blame
            if isinstance(error, DigestMismatch):
                error.message = f"damaged content: {error.message}"
            error.hint = error.hint or _MENDED_BY[getattr(origin.store, "locator", "").partition(":")[0]]
            raise

    def _that_may(self, step: BlobStep, pieces: Iterable[Chunk]) -> Iterator[Chunk]:
        """The pieces, the last one only as far as it may move. Raises what `may_move` raises."""
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                length = self.may_move(step, len(rest))
                yield rest[:length]
                rest = rest[length:]

    def _told_by(self, ingest: Ingest, step: BlobStep) -> Callable[[], None]:
        """Let an ingest that sends bytes on tell when they are sent; for others, reading them to the end tells it."""

        def told() -> None:
            self.sent(step)

        if not hasattr(ingest, "when_sent"):
            return told
        ingest.when_sent = told
        return lambda: None


_MENDED_BY = defaultdict(
    lambda: "something on the way may change it, such as a proxy or a cache; if not, tell the publisher",
    bundle="copy the volume again from where it was made",
    oci="copy the folder again; transload verify oci:DIR --deep finds what else is damaged",
    archive="copy the archive again, or save it again",
)


def paced(
    chunks: Iterable[Chunk], clock: Clock, cancellation: Cancellation, ends_readings: EndsReadings = _ends_none
) -> Iterator[Chunk]:
    """The same bytes in pieces that are soon sent, so that progress can be shown.

    A slow line takes half a minute for a whole chunk; on a fast line, more pieces would cost time. When the run is to
    end, the rest of a chunk is still handed on, since it has arrived and can be kept; unless that takes long. So is all
    that a reading still gives that ends by itself.
    """
    size = _PIECE_BYTES
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            piece, rest = rest[:size], rest[size:]
            began_s = clock.monotonic_s()
            yield piece
            took_s = clock.monotonic_s() - began_s
            if took_s > _SLOW_S or not (rest or ends_readings()):
                cancellation.check()
            if took_s > _SLOW_S:
                size = max(len(piece) // 2, _PIECE_LEAST_BYTES)
            elif took_s < _SWIFT_S and len(piece) == size:
                size *= 2


def _wait_s(attempt: int) -> float:
    return random.uniform(0, min(_BACKOFF_MAX_S, _BACKOFF_S * 2**attempt))  # noqa: S311 - jitter is no secret
