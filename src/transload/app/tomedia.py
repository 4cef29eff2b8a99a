"""`pack --to-media`: writes a bundle volume by volume to one medium after the other, without room for the whole.

One thread writes the stream in order, so each blob is fetched once, and goes straight to its place. The events are
those of every run, so bars, reports and results are too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from transload.app.bundling import filling_plan
from transload.app.mirror import Prepared
from transload.app.readback import counted, told
from transload.app.stores import Stores
from transload.bundle.format.blueprint import Blueprint
from transload.bundle.format.entries import Stored, StoredBlob
from transload.bundle.writing.onmedia import Ask, MediaWriter
from transload.bundle.writing.sequence import Sequence
from transload.bundle.writing.written import WrittenVolumes
from transload.clock import SYSTEM_CLOCK
from transload.errors import BlobUnknown, Interrupted, UsageError, at_side
from transload.events import ImageDone, Listener, RunFinished, RunStarted, StepDone, StepMoved, StepStarted
from transload.files.readback import ReadBack
from transload.oci import Digest
from transload.planning.plan import BlobStep, ManifestStep, Plan
from transload.ports import Chunk
from transload.threads import Cancellation
from transload.transfer import ImageOutcome, Outcome
from transload.values import evolve


def onto_media(
    prepared: Prepared,
    blueprint: Blueprint,
    stores: Stores,
    cancellation: Cancellation,
    *,
    ask: Ask | None,
    verify_medium: bool,
    rewrite: tuple[int, ...],
) -> Prepared | None:
    """The run that writes what is left of the bundle to media; None if earlier runs have written all of it.

    The volumes `rewrite` are written again. Raises `UsageError` if there is no such volume.
    """
    path = Path(prepared.location.value)
    origins = _Origins(prepared, stores, cancellation)
    written = WrittenVolumes(stores.state / "media" if stores.state else None, path.name, blueprint.digest)
    _forget(written, blueprint, rewrite)
    writer = MediaWriter(path, blueprint, written)
    if not writer.left:
        return None
    held = {member.digest for member in blueprint.ledger.blobs if writer.is_done(member)}
    plan = filling_plan(prepared.plan, prepared.location.locator, lambda blob: blob.digest in held)
    back = ReadBack() if verify_medium else None

    def run(listen: Listener) -> Outcome:
        telling = _Telling(plan, listen)
        sequence = Sequence(blueprint, origins.open, telling.passed)
        try:
            writer.write(sequence, ask, stores.notice, back, counted(stores, cancellation, blueprint.cut.size))
        except Interrupted:
            return telling.end(complete=False)
        if back is not None:
            stores.notice(told(back, path.absolute().parent))
        return telling.end(complete=True)

    return evolve(prepared, plan=plan, instead=run)


def _forget(written: WrittenVolumes, blueprint: Blueprint, rewrite: tuple[int, ...]) -> None:
    unknown = [volume for volume in rewrite if volume not in blueprint.cut.numbers]
    if unknown:
        raise UsageError(f"the bundle has no volume {unknown[0]}: it has {blueprint.cut.count}")
    written.forget(rewrite)


class _Origins:
    """Reads blobs where the plan found them."""

    def __init__(self, prepared: Prepared, stores: Stores, cancellation: Cancellation) -> None:
        self._sources = prepared.sources
        self._stores = stores
        self._cancellation = cancellation
        steps = sorted(prepared.plan.blob_steps(), key=lambda step: step.origin is None)
        self._steps: Mapping[Digest, BlobStep] = {step.descriptor.digest: step for step in steps}

    @contextmanager
    def open(self, member: StoredBlob, offset: int, length: int) -> Iterator[Iterator[Chunk]]:
        """Bytes of a blob; a foreign layer that its source lacks comes from its publisher."""
        step = self._steps[member.digest]
        blob, repository = step.descriptor, step.source_repository
        with at_side("source"), ExitStack() as stack:
            try:
                source = self._sources[step.source_store]
                chunks = stack.enter_context(source.open(repository, blob, offset, length))
            except BlobUnknown:
                if not blob.is_foreign or not blob.urls:
                    raise
                chunks = stack.enter_context(self._stores.publishers.open(repository, blob, offset, length))
            yield self._checked(chunks)

    def _checked(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            self._cancellation.check()
            yield chunk


class _Telling:
    """Tells what happens in the events of a run, which begins when this is made."""

    def __init__(self, plan: Plan, listen: Listener) -> None:
        self._plan, self._listen = plan, listen
        self._steps = {step.descriptor.digest: step for step in plan.blob_steps()}
        self._started: dict[Digest, float] = {}
        self._began_s = SYSTEM_CLOCK.monotonic_s()
        listen(RunStarted(len(plan.images), len(plan.steps), plan.copied.bytes))

    def passed(self, member: Stored, count: int) -> None:
        """Tell that `count` bytes of a member are written."""
        step = self._steps.get(member.digest)
        if step is None or not isinstance(member, StoredBlob):
            return
        now_s = SYSTEM_CLOCK.monotonic_s()
        if member.digest not in self._started:
            self._started[member.digest] = now_s
            self._listen(StepStarted(step.id, member.digest, step.label, member.size))
        self._listen(StepMoved(step.id, count))
        if count == member.size:
            self._listen(StepDone(step.id, "copied", member.size, now_s - self._started[member.digest]))

    def end(self, *, complete: bool) -> Outcome:
        """Tell how the run ended: images are of use only when every volume is written."""
        if complete:
            for step in self._plan.steps:
                if isinstance(step, ManifestStep):
                    self._listen(StepStarted(step.id, step.digest, step.label, 0))
                    self._listen(StepDone(step.id, "tagged" if step.name.tag else "stored", 0, 0.0))
        outcomes = []
        for number, image in enumerate(self._plan.images):
            outcomes.append(ImageOutcome(done=complete or image.error is not None, error=image.error))
            if outcomes[-1].done:
                self._listen(ImageDone(number, image.error))
        duration_s = SYSTEM_CLOCK.monotonic_s() - self._began_s
        self._listen(RunFinished(duration_s, not complete))
        return Outcome(tuple(outcomes), not complete, duration_s)
