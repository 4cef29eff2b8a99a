"""Runs that never happened: a plan of large images made of nothing, and what an engine would tell of doing it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from typing import Literal

from attrs import define, frozen

from transload.errors import DigestMismatch, ManifestUnknown, ServerTrouble, TransloadError, Truncated
from transload.events import (
    Event,
    ImageDone,
    RunFinished,
    RunStarted,
    StepDone,
    StepFailed,
    StepMoved,
    StepRetried,
    StepStarted,
)
from transload.graph import Node
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.mediatype import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST
from transload.planning import BlobStep, Item, Plan, Request, Step
from transload.planning.drafting import draft
from transload.planning.survey import Surveyed
from transload.planning.targetcontent import TargetContent
from transload.ports import RequestCosts
from transload.report.hosttotals import HostTotals
from transload.report.result import Result
from transload.report.tally import Tally
from transload.transfer import ImageOutcome, Outcome
from transload.transfer.agenda import Agenda, always, is_body, never

SOURCE = "mcr.microsoft.com"
TARGET = "registry.plant-7.example:5000"
TAG = "v1.40.0_2025-06-10"
MIB = 1 << 20
BODIES = 8


@define
class StoppedClock:
    """A clock that moves when told to."""

    now_s: float = 1000.0
    began_wall_s: float = 1_750_000_000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.began_wall_s + self.now_s - 1000.0

    def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:
        self.now_s += seconds


# --- a plan


@frozen
class Wanted:
    """One image of the plan to be: how large its own layers are, and what is special about it."""

    name: str
    layers: tuple[int, ...] = (30 * MIB, 2 * MIB)
    at_target: str = "absent"
    error: TransloadError | None = None
    optional: bool = False
    notes: tuple[str, ...] = ()


RELEASE = (
    Wanted("arc-bootstrapper", (9 * MIB,)),
    Wanted("arc-controller", (41 * MIB, 3 * MIB), "other"),
    Wanted("arc-ha-orchestrator", (12 * MIB,)),
    Wanted("arc-monitor-collector", (64 * MIB, 22 * MIB, 4096)),
    Wanted("arc-monitor-elasticsearch", (310 * MIB,)),
    Wanted("arc-monitor-fluentbit", (28 * MIB, 700_000)),
    Wanted("arc-monitor-grafana", (120 * MIB, 45 * MIB), "other"),
    Wanted("arc-monitor-influxdb", (), "same"),
    Wanted("arc-monitor-kibana", (), "same"),
    Wanted("arc-monitor-telegraf", (70 * MIB,)),
    Wanted("arc-postgres-17", (88 * MIB, 19 * MIB)),
    Wanted("arc-server-controller", (23 * MIB,)),
    Wanted("arc-service-proxy", (17 * MIB,)),
    Wanted("arc-sqlmi", (580 * MIB, 12 * MIB)),
    Wanted("arc-dataservices-watchdog", (6 * MIB,), notes=("2 of 5 platform entries (linux/amd64); index rewritten",)),
    Wanted(
        "arc-legacy-agent",
        error=ManifestUnknown(f"{SOURCE} has no arcdata/arc-legacy-agent:{TAG}", hint="check the tag", side="source"),
    ),
    Wanted(
        "arc-optional-tools",
        error=ManifestUnknown(f"{SOURCE} has no arcdata/arc-optional-tools:{TAG}", side="source"),
        optional=True,
    ),
)


def planned(wanted: Iterable[Wanted] = RELEASE) -> Plan:
    """The plan that brings `wanted` to a registry that has the base layer of some already."""
    base = _blob("base", 74 * MIB)
    surveyed = [_surveyed(one, base) for one in wanted]
    held = frozenset({("mirror/arcdata/arc-controller", base.digest)})
    request_costs_of = {SOURCE: RequestCosts()}
    return draft(
        TARGET,
        Request(()),
        surveyed,
        TargetContent(blobs_per_repository=True, pairs=held),
        lambda *_: False,
        request_costs_of,
        RequestCosts(),
    )


def _surveyed(wanted: Wanted, base: Descriptor) -> Surveyed:
    item = Item(
        SOURCE,
        Name(f"arcdata/{wanted.name}", TAG),
        Name(f"mirror/arcdata/{wanted.name}", TAG),
        optional=wanted.optional,
    )
    if wanted.error is not None:
        return Surveyed(item=item, error=wanted.error)
    if wanted.at_target == "same":
        digest = Digest.of(wanted.name.encode())
        unchanged = Descriptor(OCI_MANIFEST, digest, 500)
        return Surveyed(item=item, root=None, published=unchanged, at_target=unchanged)
    layers = [base, *(_blob(f"{wanted.name}/{place}", size) for place, size in enumerate(wanted.layers))]
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _blob(wanted.name, 1500, OCI_CONFIG).to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    manifest = Manifest.parse(json.dumps(document).encode())
    other = Descriptor(OCI_MANIFEST, Digest.of(b"older"), 500) if wanted.at_target == "other" else None
    return Surveyed(item=item, root=Node(manifest), published=manifest.descriptor, at_target=other, notes=wanted.notes)


def _blob(seed: str, size: int, media_type: str = OCI_LAYER_GZIP) -> Descriptor:
    return Descriptor(media_type, Digest.of(seed.encode()), size)


# --- a run


@frozen
class Trouble:
    """What befalls the largest layer of an image: `retries` broken attempts, then `fatal` if there is one."""

    image: str
    retries: int = 0
    fatal: TransloadError | None = None


TROUBLES = (
    Trouble("arc-monitor-grafana", retries=1),
    Trouble("arc-sqlmi", retries=2),
    Trouble(
        "arc-postgres-17",
        fatal=DigestMismatch(
            f"expected {Digest.of(b'a')}, found {Digest.of(b'b')}",
            hint="the source delivers damaged content; try again later, or from another mirror",
            side="source",
        ),
    ),
)


class Replay:
    """Iterates over events, moving the clock on: what `transfer.run` would tell at `rate` bytes per second."""

    def __init__(
        self,
        plan: Plan,
        clock: StoppedClock,
        troubles: Iterable[Trouble] = TROUBLES,
        rate: int = 45 * MIB,
        stop_after_s: float | None = None,
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.outcomes: dict[int, ImageOutcome] = {}
        self._rate = rate
        self._stop_after_s = stop_after_s
        self._began_s = clock.now_s
        self._agenda = Agenda(plan.steps)
        self._goals = {number: set(image.goals) for number, image in enumerate(plan.images)}
        self._troubles = {self._largest(trouble.image): trouble for trouble in troubles}
        self._broken: dict[int, int] = {}
        self._waits: dict[int, float] = {}
        self._moving: dict[int, tuple[BlobStep, float, float]] = {}

    @property
    def outcome(self) -> Outcome:
        images = tuple(self.outcomes.get(number, ImageOutcome(False, None)) for number in range(len(self.plan.images)))
        return Outcome(images, self._stopped(), self.clock.now_s - self._began_s)

    def __iter__(self) -> Iterator[Event]:
        yield RunStarted(len(self.plan.images), len(self.plan.steps), self.plan.copied.bytes)
        for number, image in enumerate(self.plan.images):
            if image.error is not None or not image.goals:
                yield self._image(number, image.error)
        while self._agenda.open and not self._stopped():
            yield from self._take()
            self.clock.now_s += 0.05
            yield from self._advance(0.05)
        yield RunFinished(self.clock.now_s - self._began_s, self._stopped())

    def _stopped(self) -> bool:
        return self._stop_after_s is not None and self.clock.now_s - self._began_s >= self._stop_after_s

    def _largest(self, image: str) -> int:
        own = [step for step in self.plan.blob_steps() if step.repository.endswith(f"/{image}") and not step.origin]
        return max(own, key=lambda step: step.descriptor.size).id

    def _take(self) -> Iterator[Event]:
        while (step := self._agenda.take(heavy=always if len(self._moving) < BODIES else never)) is not None:
            size = step.descriptor.size if isinstance(step, BlobStep) else 600
            yield StepStarted(step.id, "", step.label, size)
            if is_body(step):
                assert isinstance(step, BlobStep)
                self._moving[step.id] = (step, 0.0, self.clock.now_s)
                yield StepMoved(step.id, 0)
            else:
                how: Literal["mounted", "tagged"] = "mounted" if isinstance(step, BlobStep) else "tagged"
                yield from self._done(step, StepDone(step.id, how, 0, 0.01))

    def _advance(self, seconds: float) -> Iterator[Event]:
        active = [one for one in self._moving if self._waits.get(one, 0.0) <= self.clock.now_s]
        for one in active:
            step, position, started_s = self._moving[one]
            size = step.descriptor.size
            if self._waits.pop(one, None) is not None:  # the next attempt tells where it begins
                yield StepMoved(one, int(position))
            position = min(size, position + self._rate * seconds / len(active))
            self._moving[one] = (step, position, started_s)
            yield StepMoved(one, int(position))
            trouble = self._troubles.get(one)
            if trouble and position > size / 2 and self._broken.get(one, 0) < trouble.retries:
                yield self._break(one, size, position)
            elif trouble and trouble.fatal and position >= size:
                del self._moving[one]
                yield from self._failed(step, trouble.fatal)
            elif position >= size:
                del self._moving[one]
                yield from self._done(step, StepDone(one, "copied", size, self.clock.now_s - started_s))

    def _break(self, one: int, size: int, position: float) -> Event:
        attempt = self._broken[one] = self._broken.get(one, 0) + 1
        self._waits[one] = self.clock.now_s + 1.5 * attempt
        if attempt > 1:  # this target cannot resume: the attempt starts over
            self._moving[one] = (self._moving[one][0], 0.0, self._moving[one][2])
            return StepRetried(one, ServerTrouble("registry.plant-7.example answered 502", side="target"), attempt, 3.0)
        error = Truncated(f"the body ended after {int(position)} of {size} bytes", side="source")
        return StepRetried(one, error, attempt, 1.5)

    def _done(self, step: Step, event: StepDone) -> Iterator[Event]:
        self._agenda.done(step)
        yield event
        for number, goals in self._goals.items():
            if step.id in goals:
                goals.discard(step.id)
                if not goals and number not in self.outcomes:
                    yield self._image(number, None)

    def _failed(self, step: Step, error: TransloadError) -> Iterator[Event]:
        yield StepFailed(step.id, error)
        lost = {one.id for one in self._agenda.failed(step)}
        for number, goals in self._goals.items():
            if goals & lost and number not in self.outcomes:
                yield self._image(number, error)

    def _image(self, number: int, error: TransloadError | None) -> Event:
        self.outcomes[number] = ImageOutcome(True, error)
        return ImageDone(number, error)


def result_of(tally: Tally, outcome: Outcome) -> Result:
    """The result of a replayed run, with all that a caller would add."""
    return Result.of(
        tally,
        outcome,
        asked="arcdata v1.40.0_2025-06-10",
        began_wall_s=1_750_000_000.0,
        duration_s=outcome.duration_s + 1.2,
        versions={"transload": "1.0.0", "python": "3.13.5"},
        traffic=(
            HostTotals(host=SOURCE, requests=87, bytes_received=1_504_000_000, bytes_sent=41_000, side="source"),
            HostTotals(host=TARGET, requests=143, bytes_received=62_000, bytes_sent=1_505_000_000, side="target"),
        ),
        retry=lambda names: (
            f"transload mirror arcdata --to {TARGET}/mirror {' '.join(f'--image {one}' for one in names)}"
        ),
    )
