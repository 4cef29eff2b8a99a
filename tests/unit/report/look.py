"""Shows a replayed run to whoever looks: `python -m tests.unit.report.look [screen|lines|plan] [speed] [color]`."""

from __future__ import annotations

import sys
import time

from tests.unit.report.replay import Replay, StoppedClock, planned
from transload.report.console import make_console, show
from transload.report.lines import LineProgress
from transload.report.planned import planned_lines
from transload.report.tally import Tally, together
from transload.report.terminal import TerminalProgress


def main(kind: str = "screen", speed: str = "1", color: str = "auto") -> None:
    clock, plan = StoppedClock(), planned()
    tally = Tally(plan, clock)
    console = make_console(sys.stderr, color={"auto": None, "always": True, "never": False}[color])
    show(console, planned_lines(plan, console.width if console.is_terminal else None))
    if kind == "plan":
        return
    progress = TerminalProgress(tally, console) if kind == "screen" else LineProgress(tally, sys.stderr)
    listen = together(tally, progress)
    shown_s = clock.now_s
    with progress:
        for event in Replay(plan, clock):
            listen(event)
            time.sleep((clock.now_s - shown_s) / float(speed))
            shown_s = clock.now_s


if __name__ == "__main__":
    main(*sys.argv[1:])
