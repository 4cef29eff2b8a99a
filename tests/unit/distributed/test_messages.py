"""What workers tell: it arrives as it was told, and nothing else is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from transload.distributed.messages import Began, Message, Told, shortened
from transload.errors import DigestMismatch, DocumentInvalid, TransloadError
from transload.events import StepDone, StepFailed, StepMoved, StepRetried
from transload.net.traffic import HostTraffic

FAILED = DigestMismatch("damaged content", subject="sha256:00", hint="again", side="source")
WHOLE = Message(
    task="transload-1-2",
    events=(Began(0), StepMoved(0, 10), StepRetried(0, FAILED, 1, 0.5), StepDone(1, "copied", 10, 1.25)),
    notices=("warning: a login cannot be read",),
    traffic={"registry.local": HostTraffic(6, 2, 3, kinds={"GET blob": 6})},
)


def test_a_message_arrives_as_it_was_told() -> None:
    read = Message.from_text(WHOLE.to_text())
    assert (read.task, read.notices, read.traffic) == (WHOLE.task, WHOLE.notices, WHOLE.traffic)
    retried = read.events[2]
    assert isinstance(retried, StepRetried)
    assert [*read.events[:2], read.events[3]] == [*WHOLE.events[:2], WHOLE.events[3]]
    assert vars(retried.error) == vars(FAILED)
    assert type(retried.error) is DigestMismatch


def test_an_error_that_is_not_known_here_is_one_all_the_same() -> None:
    text = WHOLE.to_text().replace("digest-mismatch", "from-the-future")
    retried = Message.from_text(text).events[2]
    assert isinstance(retried, StepRetried)
    assert type(retried.error) is TransloadError


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("events", [{"step": 0, "is": "exploded"}]),
        ("events", [{"step": -1, "is": "began"}]),
        ("events", [{"step": 0, "is": "done", "how": "by magic", "size": 0, "took_ms": 0}]),
        ("events", [{"step": 0, "is": "moved", "position": "far"}]),
        ("traffic", {"host": {"requests": 1}}),
        ("notices", [1]),
        ("more", 1),
    ],
)
def test_what_is_no_message_is_refused(key: str, value: Any) -> None:
    document = json.loads(WHOLE.to_text())
    document[key] = value
    with pytest.raises(DocumentInvalid):
        Message.from_text(json.dumps(document))


def test_positions_that_nobody_will_see_are_left_out() -> None:
    told: list[Told] = [
        Began(0),
        StepMoved(0, 0),
        StepMoved(1, 5),
        StepMoved(0, 10),
        StepMoved(0, 20),
        StepFailed(1, FAILED),
    ]
    assert shortened(told) == (Began(0), StepMoved(0, 20), StepMoved(1, 5), StepFailed(1, FAILED))
    retried: list[Told] = [StepMoved(0, 10), StepRetried(0, FAILED, 1, 0), StepMoved(0, 0), StepMoved(0, 5)]
    assert shortened(retried) == (retried[0], retried[1], StepMoved(0, 5))
