"""What the failures of a run tell about its stores, so that no further step fails in the same way after a long wait."""

from __future__ import annotations

from transload.clock import Clock
from transload.errors import (
    CertificateUntrusted,
    CredentialsRejected,
    DiskFull,
    LoginMissing,
    MediumLost,
    NotFound,
    ReadOnly,
    TransloadError,
    Unreachable,
)
from transload.oci import Digest
from transload.planning import BlobStep, Step

# A target that answered so will not answer differently for the next step.
_HOPELESS = (CredentialsRejected, LoginMissing, ReadOnly, CertificateUntrusted, DiskFull, MediumLost)


class Troubles:
    """Which stores are of no use any more, and which content of a source is bad."""

    def __init__(self, clock: Clock, give_up_after_s: float) -> None:
        self._clock = clock
        self._give_up_after_s = give_up_after_s
        self._moved_s = clock.monotonic_s()
        self._down: dict[str, TransloadError] = {}
        self._bad: dict[tuple[str, Digest], TransloadError] = {}

    def moved(self) -> None:
        """Something went on."""
        self._moved_s = self._clock.monotonic_s()

    def hopeless(self, step: Step) -> TransloadError | None:
        """The error that ended the work with the target or this source, so that no further step waits for it."""
        source = self._down.get(f"source {step.source_store}") if isinstance(step, BlobStep) else None
        return self._down.get("target") or source

    def refuse_bad(self, step: Step) -> None:
        """Raise the error that this content of this source had before."""
        known = isinstance(step, BlobStep) and self._bad.get((step.source_store, step.descriptor.digest))
        if known:
            raise known

    def learn(self, step: Step, error: TransloadError) -> None:
        """A step failed."""
        hopeless = isinstance(error, _HOPELESS) or (isinstance(error, Unreachable) and self._is_lasting(error))
        if error.side == "source" and isinstance(error, MediumLost):
            hopeless = False  # a bad sector costs the content that lies there, and no more
        if error.side == "target" and hopeless:
            self._down.setdefault("target", error)
        elif error.side == "source" and isinstance(step, BlobStep):
            if step.descriptor.is_foreign:
                return  # the publisher may have been asked for it, which says nothing about the source
            if hopeless:
                self._down.setdefault(f"source {step.source_store}", error)
            elif not isinstance(error, NotFound):  # another repository of the source may have it
                self._bad.setdefault((step.source_store, step.descriptor.digest), error)

    def _is_lasting(self, error: Unreachable) -> bool:
        """Whether the next step will meet the same error. A passing error lasts too if nothing moved for too long."""
        return not _is_passing(error) or self._clock.monotonic_s() - self._moved_s >= self._give_up_after_s / 2


def _is_passing(error: Unreachable) -> bool:
    """Whether the next step may well succeed: after a server's own failure, or a request to slow down."""
    return error.code in {"server-trouble", "too-many-requests", "stalled", "too-slow"}
