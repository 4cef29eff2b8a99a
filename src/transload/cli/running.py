"""Carries out a plan and writes its output: what `mirror`, `apply` and `demo` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from transload.app.halfway import kept_half
from transload.app.job import BODIES
from transload.app.mirror import Prepared, carry_out
from transload.app.outcome import StartTime, result_of
from transload.app.room import check_limit, check_room
from transload.report.tally import Tally, together
from transload.transfer.limits import NO_LIMITS, Limits

if TYPE_CHECKING:
    from transload.app.recording import Recording
    from transload.app.stores import Stores
    from transload.cli.session import Session
    from transload.planning import Plan
    from transload.report.result import Result


def carry(
    session: Session,
    stores: Stores,
    prepared: Prepared,
    began: StartTime,
    retry: Callable[[tuple[str, ...]], str],
    bodies: int = BODIES,
    limits: Limits = NO_LIMITS,
    agree: Callable[[Plan], None] = lambda _: None,
    recording: Recording | None = None,
) -> Result:
    """Write the totals, run the plan with progress, write the result. `retry` without names gives the whole command.

    `agree` is called before anything is copied, and raises if the user says no. `recording` writes the
    transfer record.
    """
    if recording is not None:
        recording.check(prepared)
    session.output.totals(prepared.plan, prepared.notes, prepared.choices, prepared.additions, prepared.verdicts)
    check_room(prepared)
    check_limit(prepared, limits)
    agree(prepared.plan)
    tally = Tally(prepared.plan)
    with session.output.progress(tally) as progress:
        outcome = carry_out(
            prepared, stores, together(tally, session.following(tally), progress), session.cancellation, bodies, limits
        )
    if outcome.interrupted or outcome.out_of_bytes:
        noted = prepared.journal.can_write()
        half = kept_half(outcome.underway, prepared.location, prepared.target, noted=noted)
        if half is not None:
            session.output.notice(half)
    everything = sum(not image.excused for image in prepared.plan.images)
    result = result_of(
        prepared, stores, tally, outcome, began, lambda names: retry(names if len(names) < everything else ())
    )
    try:
        if recording is not None:
            session.output.recorded(recording.write(prepared, result, session.cancellation))
    finally:
        session.output.result(result)
    return result
