"""Small blobs of a run that wait until the target can store many of them at once (`transload.gathers.Gathers`)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import repeat

from transload.errors import TransloadError, at_side
from transload.gathers import Gathers, Put, ReadsMany, exist_in
from transload.oci import Descriptor, Digest, Verifier
from transload.planning import BlobStep, ManifestStep, Plan, Step
from transload.ports import Chunk, Source, Target
from transload.transfer.agenda import is_body, is_heavy
from transload.values import frozen

BLOBS = 4096
BYTES = 4 << 20
"""So many blobs or bytes are stored together at most. A crash costs them once more."""
RUN = 64
"""So many small blobs of a local source one thread reads, before it looks for other work."""
_NAMES, _NAMES_OF = 512, 8


@frozen
class Gathered:
    """A blob that was read and waits; `took_s` is how long reading took, in seconds."""

    step: BlobStep
    content: bytes
    took_s: float


class Arriving:
    """An ingest that keeps a small blob in memory: whoever began it takes `content` after the commit."""

    offset = 0

    def __init__(self, descriptor: Descriptor) -> None:
        self.content = b""
        self._descriptor = descriptor
        self._arrived = bytearray()

    def write(self, chunks: Iterable[Chunk]) -> None:
        """See `transload.ports.Ingest`."""
        for chunk in chunks:
            self._arrived += chunk

    def commit(self) -> None:
        """See `transload.ports.Ingest`."""
        verifier = Verifier(self._descriptor.digest, self._descriptor.size)
        verifier.update(self._arrived)
        verifier.check()
        self.content = bytes(self._arrived)

    def abandon(self) -> None:
        """See `transload.ports.Ingest`."""
        self._arrived.clear()


class Gathering:
    """What waits to be stored at `target`. If it cannot gather, nothing ever does; without `blobs`, no blob does.

    Safe for threads. `one_reads` says that only one thread at a time shall read small blobs, since all sources are
    local: more of them would only wait for each other. A `paced` run passes on blob after blob. With `recheck`, a blob
    that the target has by now is not read.
    """

    def __init__(
        self,
        target: Target,
        sources: Mapping[str, Source],
        *,
        blobs: bool,
        paced: bool = False,
        recheck: bool = False,
    ) -> None:
        self._target = target
        self._sources = sources
        self._paced = paced
        self._recheck = recheck
        self._gathers: Gathers | None = getattr(target, "gathers", None)
        self._blobs = blobs and self._gathers is not None
        self.one_reads = self._blobs and all(store.request_costs is None for store in sources.values())
        self.waiting: list[Gathered] = []
        self._bytes = 0
        self._named = 0
        self._lock = threading.Lock()

    @property
    def names(self) -> int:
        """How many manifests are to be stored together now, at most."""
        return names_together(self._named)

    def takes(self, step: Step) -> bool:
        """Whether this step may be done together with others of its kind."""
        if self._gathers is None:
            return False
        if isinstance(step, ManifestStep):
            return True
        return self._blobs and is_body(step) and not is_heavy(step) and not step.descriptor.is_foreign

    def reads(self, step: Step) -> bool:
        """Whether the blob of this step is to be read now, to be stored with others. May ask the target."""
        if self._gathers is None or not isinstance(step, BlobStep) or not self.takes(step):
            return False
        with at_side("target"):
            if self._recheck and self._target.exists(step.repository, step.descriptor):
                return False
            return not self._gathers.holds(step.descriptor)

    def contents(self, steps: Sequence[Step]) -> Iterator[tuple[Step, bytes | None]]:
        """Each of these steps with the checked bytes of its blob; with None if that has to be read by itself."""
        blobs = [step.descriptor for step in steps if isinstance(step, BlobStep)]
        many: ReadsMany | None = None
        if 1 < len(steps) == len(blobs) and not self._paced:  # of one source: see `Agenda.more`
            many = getattr(self._sources[steps[0].source_store], "reads_many", None)
        if many is None:
            yield from zip(steps, repeat(None))
            return
        there = self._there(blobs)
        contents = many.contents([blob for blob in blobs if blob not in there])
        for step, blob in zip(steps, blobs, strict=True):
            content = None if blob in there else next(contents)
            yield step, content if content is not None and blob.digest == _digest_of(content, blob) else None

    def _there(self, blobs: Sequence[Descriptor]) -> frozenset[Descriptor]:
        """Those that the target has by now. If it cannot say, the steps will, one after the other."""
        many = exist_in(self._target) if self._recheck else None
        if many is None:
            return frozenset()
        with suppress(TransloadError):
            return frozenset(blob for blob, found in zip(blobs, many(blobs), strict=True) if found)
        return frozenset()

    def add(self, gathered: Gathered) -> list[Gathered]:
        """Keep a blob until there are enough; then all of them, which the caller stores."""
        with self._lock:
            self.waiting.append(gathered)
            self._bytes += len(gathered.content)
            if len(self.waiting) < BLOBS and self._bytes < BYTES:
                return []
            return self._all()

    def rest(self) -> list[Gathered]:
        """All that wait; the caller stores them."""
        with self._lock:
            return self._all()

    def _all(self) -> list[Gathered]:
        waiting, self.waiting, self._bytes = self.waiting, [], 0
        return waiting

    def store(self, group: Iterable[Gathered]) -> None:
        """Store blobs at the target. After an error, some may be there."""
        if self._gathers is not None:
            with at_side("target"):
                self._gathers.put_blobs([(gathered.step.descriptor, gathered.content) for gathered in group])

    def name(self, steps: Iterable[Step], plan: Plan, goals: Mapping[int, object]) -> None:
        """Store manifests at the target. Those that are not among `goals` complete no image, so they are parts."""
        if self._gathers is not None:
            puts = [
                Put(
                    name=step.name,
                    manifest=plan.manifests[step.digest],
                    part=step.id not in goals,
                    sparse=bool(step.left_out),
                )
                for step in steps
                if isinstance(step, ManifestStep)
            ]
            with at_side("target"):
                self._gathers.put_manifests(puts)
            with self._lock:
                self._named += len(puts)


def names_together(named: int) -> int:
    """How many manifests are stored together when so many of the run are.

    A folder writes the list of all each time. With an eighth more each time, that work grows with the number of images,
    and not with its square.

    >>> names_together(0), names_together(80_000)
    (512, 10000)
    """
    return max(_NAMES, named // _NAMES_OF)


def _digest_of(content: bytes, blob: Descriptor) -> Digest | None:
    return Digest.of(content, blob.digest.algorithm) if len(content) == blob.size else None
