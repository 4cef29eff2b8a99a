"""Shows a replayed run to whoever looks: `python -m tests.unit.report.look [screen|lines|plan|json|md] [speed]`."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from tests.unit.report.replay import Replay, StoppedClock, planned, result_of
from transload.events import Listener, ignore
from transload.report.jsonl import JsonLines, JsonProgress
from transload.report.lines import LineProgress
from transload.report.markdown import to_markdown
from transload.report.moving import size_of_terminal
from transload.report.planned import planned_lines
from transload.report.styled import Styled
from transload.report.summary import summary_lines
from transload.report.tally import Tally, together
from transload.report.terminal import TerminalProgress
from transload.report.theme import MANY, PLAIN, Look, painted


def main(kind: str = "screen", speed: str = "1", color: str = "auto", stop_after_s: str = "1e9") -> None:
    clock, plan = StoppedClock(), planned()
    tally = Tally(plan, clock)
    look = PLAIN if color == "never" else MANY
    width = size_of_terminal(sys.stderr)[0] if sys.stderr.isatty() else None
    if kind in {"screen", "lines", "plan"}:
        show(planned_lines(plan, width), look)
    if kind == "plan":
        return
    makers: dict[str, Callable[[], AbstractContextManager[Listener]]] = {
        "screen": lambda: TerminalProgress(tally, sys.stderr, look),
        "lines": lambda: LineProgress(tally, sys.stderr),
        "json": lambda: JsonProgress(tally, JsonLines(sys.stdout, clock), clock),
        "md": lambda: contextlib.nullcontext(ignore),
    }
    replay = Replay(plan, clock, stop_after_s=float(stop_after_s))
    shown_s = clock.now_s
    with makers[kind]() as told:
        listen = together(tally, told)
        for event in replay:
            listen(event)
            time.sleep((clock.now_s - shown_s) / float(speed))
            shown_s = clock.now_s
    result = result_of(tally, replay.outcome)
    if kind == "md":
        print(to_markdown(result))
    elif kind != "json":
        show(summary_lines(result, width), look)


def show(lines: Iterable[Styled], look: Look) -> None:
    for line in lines:
        print(painted(line.trimmed, look), file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
