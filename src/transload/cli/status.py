"""`transload status`: the runs that go on or were stopped on this machine, and how to go on with each."""

from __future__ import annotations

import shlex
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from transload.app.runs import HowFar, NotedRun, Status, noted_runs
from transload.app.settings import read_environment
from transload.cli import options
from transload.cli.command import Command
from transload.cli.console import paint_on, show_result, width_of
from transload.cli.output import OutputFormat
from transload.cli.session import Session, open_session
from transload.clock import SYSTEM_CLOCK
from transload.report.exitcodes import MIXED
from transload.report.moving import MovingLines, size_of_terminal
from transload.report.styled import Styled, folded
from transload.report.texts import count, duration, one_line, rate, size_of, time_left

_LOOK_S = 1.0
_STOPPED = 10  # the newest of them are shown to people
_STALE_S = 15.0
_COPYING = frozenset({"mirror", "apply", "pack", "push"})


@click.command(cls=Command)
@click.option("--watch", is_flag=True, help="Show it again every second, until no run goes on but serve.")
@options.reporter
def status(watch: bool, output: OutputFormat, quiet: bool) -> int:
    """Show which runs go on or were stopped on this machine, how far they are, and how to go on with each.

    It reads the notes that runs leave in the state folder of this user, and asks no registry. A stopped run is shown
    until its command was given again and is complete, or until transload clean removes its note.

    \b
      transload status
      transload status --watch
      transload status --output json
    """
    with open_session("status", output, quiet) as session:
        state = session.environment.state
        if state is None:
            found = Status(
                troubles=(
                    (
                        "a state folder",
                        "is missing for this user, so runs are not noted; TRANSLOAD_STATE_DIR can name one",
                    ),
                )
            )
        else:
            found = _watched(session, state, quiet=quiet) if watch else noted_runs(state)
        if not session.output.document("status", **_json(found)):
            if not (watch and _draws()):
                show_result(_lines(found, width_of(sys.stdout), short=quiet))
            _tell_troubles(session, found)
    return MIXED if found.troubles else 0


def _watched(session: Session, state: Path, *, quiet: bool) -> Status:
    """Show what goes on, again and again, until nothing does; returns what there is then."""
    drawn = MovingLines(sys.stdout, paint=paint_on(sys.stdout), moves=_draws() and session.output.speaks)
    told: dict[str, object] | None = None
    try:
        while True:
            found = noted_runs(state)
            columns, rows = size_of_terminal(sys.stdout)
            drawn.draw(_fitting(_lines(found, columns, short=quiet), rows), at_once=True)
            if all(run.command == "serve" for run in found.going_on):  # it only ends when it is told to
                return found
            if not session.output.speaks and (now := _json(found)) != told:
                session.output.document("status", **now)
                told = now
            SYSTEM_CLOCK.sleep_s(_LOOK_S)
    finally:
        drawn.leave()


def _draws() -> bool:
    return sys.stdout.isatty() and not read_environment().dumb_terminal


def _fitting(lines: list[Styled], rows: int) -> list[Styled]:
    """As many lines as the terminal shows at once."""
    room = max(1, rows - 1)
    return (
        lines
        if len(lines) <= room
        else [*lines[: room - 1], Styled.of((f"and {len(lines) - room + 1} more lines", "faint"))]
    )


def _lines(found: Status, width: int | None, *, short: bool = False) -> list[Styled]:
    lines = [_sum(found)]
    shown = found.runs[: len(found.going_on) + _STOPPED]
    for run in () if short else shown:
        lines += [Styled(), *_run_lines(run, width)]
    left = len(found.runs) - len(shown)
    if left and not short:
        sentence = f"{left:,} more stopped before these; --output json has all, transload clean removes old ones"
        lines += [Styled(), *folded("", sentence, width)]
    return lines


def _sum(found: Status) -> Styled:
    if not found.runs:
        return Styled.of("no run could be read" if found.troubles else "no run goes on, and none was stopped")
    going, unknown = len(found.going_on), sum(run.state == "unknown" for run in found.runs)
    stopped = len(found.runs) - going - unknown
    parts = [f"{count(going, 'run')} going on" if going else "no run goes on"]
    parts += [f"{stopped:,} stopped"] if stopped else []
    parts += [f"{unknown:,} of which it is not known"] if unknown else []
    parts += [f"{found.more:,} more notes not read"] if found.more else []
    return Styled.of((", ".join(parts), "strong"))


def _run_lines(run: NotedRun, width: int | None) -> Iterator[Styled]:
    now_s = SYSTEM_CLOCK.wall_s()
    yield from _head(run, now_s, width)
    if run.far is not None and (run.far.images or run.state == "going-on"):
        yield from folded("  ", _far(run.far, now_s, going_on=run.state == "going-on"), width)
    elif run.state == "going-on" and run.command in _COPYING:
        yield Styled.of("  nothing is copied yet")
    if run.state == "going-on":
        yield Styled.of(f"  {one_line(run.line)}")
        return
    if run.ended and run.ended.hint:
        yield from folded("  hint: ", one_line(run.ended.hint), width)
    yield Styled.of(("  to go on: ", "strong"), one_line(_typed(run)))


def _head(run: NotedRun, now_s: float, width: int | None) -> Iterator[Styled]:
    who = f"process {run.pid}" + ("" if run.host == socket.gethostname() else f" at {one_line(run.host)}")
    name = one_line(run.command)
    if run.state == "going-on":
        yield from folded(f"{name} ", f"goes on for {duration(now_s - run.began_s)}; {who}", width, "good")
    elif run.state == "unknown":
        why = f"began {_ago(run.began_s, now_s)}; whether it goes on is not known, since its disk has no locks ({who})"
        yield from folded(f"{name} ", why, width, "warn")
    elif run.ended is None:
        why = f"was killed, or the machine went down; last heard of {_ago(run.seen_s, now_s)}"
        yield from folded(f"{name} ", why, width, "bad")
    else:
        why = f"ended {_ago(run.ended.ended_s, now_s)}: {one_line(run.ended.why)}"
        yield from folded(f"{name} ", why, width, "bad")


def _ago(then_s: float, now_s: float) -> str:
    """A moment: the day and the minute in UTC, and how long ago that is."""
    moment = datetime.fromtimestamp(then_s, UTC).strftime("%Y-%m-%d %H:%MZ")
    return f"{moment}, {duration(max(0.0, now_s - then_s))} ago"


def _far(far: HowFar, now_s: float, *, going_on: bool) -> str:
    if not far.images and far.paused_until:
        return f"waits until {one_line(far.paused_until)}; nothing is copied yet"
    of_share = f"share {one_line(far.share)}: its part of " if far.share else ""
    parts = [f"{of_share}{far.images_done:,} of {count(far.images, 'image')}"]
    parts += [f"{far.images_failed:,} failed"] if far.images_failed else []
    parts += [size_of(far.bytes, far.bytes_total)] if far.bytes_total else []
    if not going_on:
        return ", ".join(parts)
    age_s = now_s - far.noted_s
    if far.paused_until:
        parts.append(f"waits until {one_line(far.paused_until)}")
    elif age_s > _STALE_S:
        parts.append(f"nothing has moved for {duration(age_s)}")
    elif far.bytes < far.bytes_total:
        parts += [rate(far.rate_bytes_per_s)] if far.rate_bytes_per_s else []
        parts += [time_left(far.left_s)] if far.left_s is not None else []
    return ", ".join(parts)


def _typed(run: NotedRun) -> str:
    """The command that goes on, from the current folder."""
    if not run.folder or run.folder == str(Path.cwd()):
        return run.again
    return f"cd {shlex.quote(run.folder)} && {run.again}"


def _tell_troubles(session: Session, found: Status) -> None:
    for path, why in found.troubles:
        session.output.warn(f"{path} {why}")


def _json(found: Status) -> dict[str, object]:
    return {
        "going_on": len(found.going_on),
        "runs": [run.to_json() for run in found.runs],
        "unread": [{"path": path, "why": why} for path, why in found.troubles],
        "more": found.more,
    }
