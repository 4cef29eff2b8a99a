"""What happens as JSON Lines, one object per event: the contract of docs/formats/json-output.md."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from copy import copy
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from transload.clock import SYSTEM_CLOCK, Clock
from transload.events import (
    Allowance,
    Event,
    HostTroubled,
    ImageDone,
    Progressed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    StepDone,
    StepFailed,
    StepMoved,
    StepRetried,
)
from transload.planning import BlobStep, Plan
from transload.report.lines import LineStream
from transload.report.planned import planned_json
from transload.report.problem import Problem
from transload.report.pulse import Pulse
from transload.report.result import ImageResult, Result
from transload.report.texts import harmless_json, instant, json_parts
from transload.report.trusted import NOBODY, Trusted
from transload.transfer import ImageOutcome

if TYPE_CHECKING:
    from transload.catalog.ruled import Choice
    from transload.errors import LocalError, TransloadError
    from transload.planning.additions import Addition
    from transload.report.several import Results
    from transload.report.tally import Tally

STREAM_FORMAT = 1
PROGRESS_S = 1.0
HEARTBEAT_S = 10.0
_IMAGES = 3  # how deep an image is in such a line


class JsonLines:
    """Writes the stream. `hello` comes first, `result` or `error` last; between them come the events of a run.

    Lines are ASCII, so that no locale can damage them. Safe to use from several threads.
    """

    def __init__(self, stream: TextIO, clock: Clock = SYSTEM_CLOCK) -> None:
        self._lines = LineStream(stream)
        self._clock = clock
        self._lock = threading.RLock()  # reentrant, since a signal handler may write while the main thread does
        self._target: dict[str, str] = {}

    def of_target(self, name: str) -> JsonLines:
        """The same stream, for events of one of several targets: each says which."""
        lines = copy(self)
        lines._target = {"target": name}
        return lines

    @property
    def full(self) -> LocalError | None:
        """Why lines are missing, if the reader has not simply gone."""
        return self._lines.full

    def hello(self, command: str, version: str, run_id: str | None = None) -> None:
        """The first line: the format that the rest follows."""
        self.tell("hello", format=STREAM_FORMAT, tool="transload", version=version, command=command, run_id=run_id)

    def plan(
        self,
        plan: Plan,
        notes: Iterable[str] = (),
        choices: Iterable[Choice] = (),
        additions: Iterable[Addition] = (),
        trusted: Mapping[str, Trusted] = NOBODY,
    ) -> None:
        """The plan, with what rules for tags chose, and what a policy says of the images."""
        self._tell_whole("plan", planned_json(plan, notes, choices, additions, trusted))

    def result(self, result: Result | Results) -> None:
        """The last line of a run: the same object as the JSON report."""
        self._tell_whole("result", result.to_json())

    def error(self, problem: Problem) -> None:
        """The last line of a command that ended before there was a result."""
        self.tell("error", problem=problem.to_json())

    def notice(self, text: str) -> None:
        """A sentence for people that no other event contains."""
        self.tell("notice", text=text)

    def host(self, event: HostTroubled) -> None:
        """A host that does not answer as it should, or that answers again."""
        self.tell(
            "host",
            host=event.host,
            side=event.side,
            state=event.state,
            troubled_s=round(event.troubled_s, 3),
            left_s=round(event.left_s, 3),
            attempt=event.attempt,
            attempts=event.attempts,
            wait_s=round(event.wait_s, 3),
            until=None if event.until_s is None else instant(event.until_s),
            at_a_time=event.at_a_time,
            allowance=_allowance(event.allowance) if event.allowance else None,
            problem=Problem.of(event.error).to_json() if event.error else None,
        )

    def activity(self, event: Progressed) -> None:
        """What goes on besides copying."""
        self.tell("activity", activity=event.activity, done=event.done, total=event.total, bytes=event.bytes)

    def tell(self, event: str, **fields: Any) -> None:
        """One line; `event` and `time` come first."""
        with self._lock:
            self._lines.write([json.dumps(harmless_json(self._document(event, fields)), separators=(",", ":"))])

    def _tell_whole(self, event: str, value: dict[str, Any]) -> None:
        """The same for something with thousands of images, whose text is made image by image."""
        with self._lock:
            self._lines.write(["".join(json_parts(self._document(event, {event: value}), _IMAGES))])

    def _document(self, event: str, fields: dict[str, Any]) -> dict[str, Any]:
        return {"event": event, "time": instant(self._clock.wall_s()), **self._target, **fields}


def _allowance(allowance: Allowance) -> dict[str, float | None]:
    return {
        "left": allowance.left,
        "of": allowance.of,
        "window_s": allowance.window_s,
        "next_s": None if allowance.next_s is None else round(allowance.next_s, 3),
    }


class JsonProgress:
    """A listener that reads `tally`, which must get each event first.

    Writes progress at most once a second, and every ten seconds when nothing moves.
    """

    def __init__(self, tally: Tally, lines: JsonLines, clock: Clock = SYSTEM_CLOCK, look_s: float = PROGRESS_S) -> None:
        self._tally = tally
        self._lines = lines
        self._clock = clock
        self._told_s = clock.monotonic_s()
        self._steps = {step.id: step for step in tally.plan.steps}
        self._pulse = Pulse(lambda: self._progress(HEARTBEAT_S), look_s)

    def __enter__(self) -> JsonProgress:
        self._pulse.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pulse.stop()

    def __call__(self, event: Event) -> None:
        """Write the events that the format names."""
        match event:
            case StepMoved():
                self._progress()
            case RunStarted():
                self._lines.tell("started", images=event.images, steps=event.steps, bytes_total=event.bytes_total)
            case StepDone():
                self._blob(event)
            case StepRetried():
                self._trouble("retry", event, attempt=event.attempt, wait_s=round(event.wait_s, 3))
            case StepFailed():
                self._trouble("failure", event)
            case ImageDone():
                outcome = ImageOutcome(True, event.error, event.tried)
                image = ImageResult.of(self._tally.plan, event.image, self._tally.images[event.image], outcome)
                self._lines.tell("image", number=event.image, image=image.to_json())
            case RunPaused():
                self._lines.tell("paused", until=event.until)
            case RunResumed():
                self._lines.tell("resumed", paused_s=round(event.paused_s, 3))
            case RunFinished():
                self._progress(0)
                self._lines.tell("finished", duration_s=round(event.duration_s, 3), interrupted=event.interrupted)

    def notice(self, text: str) -> None:
        """See `JsonLines.notice`."""
        self._lines.notice(text)

    def _progress(self, after_s: float = PROGRESS_S) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - self._told_s < after_s:
            return
        self._told_s = now_s
        now = self._tally.snapshot()
        if now.paused_until:
            return
        self._lines.tell(
            "progress",
            bytes=now.position,
            bytes_total=now.total,
            moved_bytes=now.moved,
            rate_bytes_per_s=round(now.rate_bytes_per_s),
            left_s=None if now.left_s is None else round(now.left_s, 1),
            images=now.images,
            images_done=now.images_done,
            images_failed=now.images_failed,
            retries=now.retries,
        )

    def _blob(self, event: StepDone) -> None:
        step = self._steps[event.step]
        if isinstance(step, BlobStep):
            self._lines.tell(
                "blob",
                repository=step.repository,
                digest=step.descriptor.digest,
                size=step.descriptor.size,
                how=event.how,
                duration_s=round(event.duration_s, 3),
            )

    def _trouble(self, name: str, event: StepRetried | StepFailed, **fields: Any) -> None:
        step = self._steps[event.step]
        problem = self._problem(event.error, step.source_store)
        digest = step.descriptor.digest if isinstance(step, BlobStep) else step.digest
        repository = step.repository if isinstance(step, BlobStep) else step.name.repository
        self._lines.tell(name, repository=repository, digest=digest, **fields, problem=problem.to_json())

    def _problem(self, error: TransloadError, source: str) -> Problem:
        return Problem.of(error, source=source, target=self._tally.plan.target)
