"""What a worker tells the client of a task: events of its steps, as JSON text that is checked when it arrives.

A message is an object with `task`, the task's key, and what happened since the last one: `events` in their order,
`notices` for people, and the `traffic` with each host. A step has the number that it has in the task.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from transload import errors
from transload.documents.value import Value
from transload.errors import Side, TransloadError
from transload.events import Event, How, StepDone, StepFailed, StepMoved, StepRetried, StepStarted
from transload.limits import WORKER_MESSAGE_BYTES, WORKER_MESSAGE_VALUES
from transload.net.traffic import HostTraffic
from transload.values import field, frozen

_KINDS = (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TransloadError))
_ERRORS: dict[str, type[TransloadError]] = {kind.code: kind for kind in _KINDS}
_HINT = "client and workers must have the same version of transload"


@frozen
class Began:
    """A worker began a step of the task."""

    step: int


Told = Began | StepMoved | StepRetried | StepDone | StepFailed
"""What is told of a step. Its size and its name are in the plan."""


@frozen(kw_only=True)
class Message:
    """What happened in a task. `steps` is how many steps it has; an event of another one is refused."""

    task: str
    events: tuple[Told, ...] = ()
    notices: tuple[str, ...] = ()
    traffic: Mapping[str, HostTraffic] = field(factory=dict)

    def to_text(self) -> str:
        """The message as JSON."""
        return json.dumps(
            {
                "task": self.task,
                "events": [_event_out(event) for event in self.events],
                "notices": list(self.notices),
                "traffic": {host: _sums_out(sums) for host, sums in self.traffic.items()},
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_text(cls, text: str) -> Message:
        """Read a message. Raises `DocumentInvalid`."""
        raw = text.encode("utf-8", "replace")
        root = Value.from_json(
            raw, "the message of a worker", limit=WORKER_MESSAGE_BYTES, values=WORKER_MESSAGE_VALUES, hint=_HINT
        )
        root.only("task", "events", "notices", "traffic")
        return cls(
            task=root.get("task").text(),
            events=tuple(map(_event_in, root.get("events").items())),
            notices=root.get("notices").texts(),
            traffic={host: _sums_in(sums) for host, sums in root.get("traffic").entries()},
        )


def told(event: Event) -> Told | None:
    """What the client is told of an event of the engine; None for what it knows itself."""
    if isinstance(event, StepStarted):
        return Began(event.step)
    return event if isinstance(event, StepMoved | StepRetried | StepDone | StepFailed) else None


def shortened(events: Iterable[Told]) -> tuple[Told, ...]:
    """The same without positions that a later one of the same attempt replaces."""
    kept: list[Told] = []
    last: dict[int, int] = {}
    for event in events:
        if isinstance(event, StepMoved):
            place = last.get(event.step)
            earlier = None if place is None else kept[place]
            if place is not None and isinstance(earlier, StepMoved) and earlier.position <= event.position:
                kept[place] = event
                continue
            last[event.step] = len(kept)
        else:
            last.pop(event.step, None)
        kept.append(event)
    return tuple(kept)


# --- out


def _event_out(event: Told) -> dict[str, Any]:
    if isinstance(event, StepMoved):
        return {"step": event.step, "is": "moved", "position": event.position}
    if isinstance(event, StepDone):
        took_ms = round(event.duration_s * 1000)
        return {"step": event.step, "is": "done", "how": event.how, "size": event.size, "took_ms": took_ms}
    if isinstance(event, StepFailed):
        return {"step": event.step, "is": "failed", "error": _error_out(event.error)}
    if isinstance(event, StepRetried):
        wait_ms, error = round(event.wait_s * 1000), _error_out(event.error)
        return {"step": event.step, "is": "retried", "attempt": event.attempt, "wait_ms": wait_ms, "error": error}
    return {"step": event.step, "is": "began"}


def _error_out(error: TransloadError) -> dict[str, Any]:
    stated = {"message": error.message, "side": error.side, "subject": error.subject, "hint": error.hint}
    return {"code": error.code} | {key: value for key, value in stated.items() if value is not None}


def _sums_out(sums: HostTraffic) -> dict[str, Any]:
    whole = {"requests": sums.requests, "received": sums.bytes_received, "sent": sums.bytes_sent}
    return {**whole, "retries": sums.retries, "kinds": dict(sums.kinds)}


# --- in


def _event_in(event: Value) -> Told:
    step, kind = event.get("step").number(), event.get("is").text()
    if kind == "moved":
        event.only("step", "is", "position")
        return StepMoved(step, event.get("position").number())
    if kind == "done":
        event.only("step", "is", "how", "size", "took_ms")
        how = event.get("how").one_of(get_args(How))
        return StepDone(step, how, event.get("size").number(), event.get("took_ms").number() / 1000)
    if kind == "failed":
        event.only("step", "is", "error")
        return StepFailed(step, _error_in(event.get("error")))
    if kind == "retried":
        event.only("step", "is", "attempt", "wait_ms", "error")
        wait_s = event.get("wait_ms").number() / 1000
        return StepRetried(step, _error_in(event.get("error")), event.get("attempt").number(), wait_s)
    event.only("step", "is")
    event.get("is").one_of(("began",))
    return Began(step)


def _error_in(error: Value) -> TransloadError:
    error.only("code", "message", "side", "subject", "hint")
    kind = _ERRORS.get(error.get("code").text(), TransloadError)
    return kind(
        error.get("message").text(),
        subject=error.get("subject").maybe(Value.text),
        hint=error.get("hint").maybe(Value.text),
        side=error.get("side").maybe(lambda side: side.one_of(get_args(Side))),
    )


def _sums_in(sums: Value) -> HostTraffic:
    sums.only("requests", "received", "sent", "retries", "kinds")
    return HostTraffic(
        sums.get("requests").number(),
        sums.get("received").number(),
        sums.get("sent").number(),
        sums.get("retries").number(),
        kinds={kind: number.number() for kind, number in sums.get("kinds").entries()},
    )
