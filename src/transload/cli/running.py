"""A plan carried out and told: what `mirror`, `apply` and `demo` have in common."""

from __future__ import annotations

import platform
from collections.abc import Callable

from attrs import frozen

from transload.app.mirror import Prepared, carry_out, check_room
from transload.app.stores import Stores
from transload.cli.output import Output
from transload.clock import SYSTEM_CLOCK
from transload.errors import Side
from transload.planning import Plan
from transload.report.result import HostTotals, Result
from transload.report.tally import Tally, together
from transload.threads import Cancellation
from transload.version import __version__


@frozen
class StartTime:
    """When a command began, on both clocks, and what it was asked."""

    asked: str
    wall_s: float
    monotonic_s: float

    @classmethod
    def now(cls, asked: str) -> StartTime:
        """This moment."""
        return cls(asked, SYSTEM_CLOCK.wall_s(), SYSTEM_CLOCK.monotonic_s())


def carry(
    prepared: Prepared,
    stores: Stores,
    reporter: Output,
    cancellation: Cancellation,
    began: StartTime,
    retry: Callable[[tuple[str, ...]], str],
    bodies: int = 8,
    agree: Callable[[Plan], None] = lambda _: None,
) -> Result:
    """Tell the totals, run the plan with progress, tell the result; `retry` without names writes the whole command.

    `agree` is called before anything is copied, and raises if that is not wanted.
    """
    reporter.totals(prepared.plan, prepared.notes)
    check_room(prepared)
    agree(prepared.plan)
    tally = Tally(prepared.plan)
    with reporter.progress(tally) as progress:
        outcome = carry_out(prepared, stores, together(tally, progress), cancellation, bodies)
    result = Result.of(
        tally,
        outcome,
        asked=began.asked,
        began_wall_s=began.wall_s,
        duration_s=SYSTEM_CLOCK.monotonic_s() - began.monotonic_s,
        versions={"transload": __version__, "python": platform.python_version()},
        traffic=_traffic(prepared, stores),
        retry=lambda names: retry(names if len(names) < _expected(prepared.plan) else ()),
        notes=prepared.notes,
    )
    reporter.result(result)
    return result


def _expected(plan: Plan) -> int:
    return sum(not image.excused for image in plan.images)


def _traffic(prepared: Prepared, stores: Stores) -> tuple[HostTotals, ...]:
    network = stores.used_network
    if network is None:
        return ()
    sources, target = set(prepared.sources), prepared.target.locator

    def side(host: str) -> Side | None:
        if host == target:
            return None if host in sources else "target"
        return "source" if host in sources else None

    return tuple(
        HostTotals(host, sums.requests, sums.bytes_received, sums.bytes_sent, side(host))
        for host, sums in sorted(network.traffic.hosts().items())
    )
