"""Questions that several threads ask, and that are answered once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from transload.values import define, field

Value = TypeVar("Value")


@define(eq=False)
class _Answer:
    """What was answered, once it is `known`. An error is no answer: whoever waits asks for itself."""

    lock: threading.Lock = field(factory=threading.Lock)
    known: bool = False
    value: Any = None


class Answers:
    """What was answered to each question. Who asks while another thread does waits for its answer. Safe for threads."""

    def __init__(self) -> None:
        self._answers: dict[tuple[object, ...], _Answer] = {}
        self._lock = threading.Lock()

    def once(self, question: tuple[object, ...], ask: Callable[[], Value]) -> Value:
        """The answer that is known, or that of `ask`. Raises what `ask` raises, and then the next one asks again."""
        with self._lock:
            answer = self._answers.setdefault(question, _Answer())
        with answer.lock:
            if not answer.known:
                answer.value, answer.known = ask(), True
            return cast("Value", answer.value)
