"""How a run ended, as one value: what the command line reports and the library returns."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import TYPE_CHECKING

from transload.app.runid import checked_run_id
from transload.clock import SYSTEM_CLOCK
from transload.errors import Interrupted, Side, TransloadError
from transload.report.hosttotals import HostTotals
from transload.report.problem import Problem
from transload.report.result import Result
from transload.report.trusted import trusted_by_name
from transload.values import evolve, frozen
from transload.version import __version__

if TYPE_CHECKING:
    from transload.app.mirror import Prepared
    from transload.app.stores import Stores
    from transload.report.tally import Tally
    from transload.transfer import Outcome


@frozen
class StartTime:
    """When a run began, on both clocks, its name, and what was asked: a command line or a call."""

    asked: str
    wall_s: float
    monotonic_s: float
    run_id: str

    @classmethod
    def now(cls, asked: str, run_id: str | None = None) -> StartTime:
        """This moment. The run gets a new name if it has none. Raises `UsageError` for one that cannot be."""
        return cls(asked, SYSTEM_CLOCK.wall_s(), SYSTEM_CLOCK.monotonic_s(), checked_run_id(run_id))


def result_of(
    prepared: Prepared,
    stores: Stores,
    tally: Tally,
    outcome: Outcome,
    began: StartTime,
    retry: Callable[[tuple[str, ...]], str] | None = None,
    without: frozenset[str] = frozenset(),
) -> Result:
    """The result of a run; `retry` makes the command that copies the named images again.

    The traffic of hosts in `without` does not count: it belongs to other targets of the same command.
    """
    result = Result.of(
        tally,
        outcome,
        asked=began.asked,
        began_wall_s=began.wall_s,
        duration_s=SYSTEM_CLOCK.monotonic_s() - began.monotonic_s,
        versions=_versions(),
        traffic=tuple(host for host in _traffic(prepared, stores) if host.host not in without),
        retry=retry,
        notes=prepared.notes,
        published=prepared.published,
        gates=prepared.gates,
        trusted=trusted_by_name(prepared.verdicts),
        releases=prepared.releases,
        run_id=began.run_id,
    )
    return evolve(result, bundle=prepared.taking.order) if prepared.taking else result


def not_begun(error: TransloadError, began: StartTime, sources: tuple[str, ...], target: str) -> Result:
    """The result for a target where an error came before there was anything to copy."""
    is_target = error.side == "target"
    return Result(
        asked=began.asked,
        sources=sources,
        target=target,
        images=(),
        interrupted=isinstance(error, Interrupted),
        began_wall_s=began.wall_s,
        duration_s=SYSTEM_CLOCK.monotonic_s() - began.monotonic_s,
        versions=_versions(),
        run_id=began.run_id,
        problem=Problem.of(error, target=target if is_target else None),
    )


def _versions() -> dict[str, str]:
    return {"transload": __version__, "python": platform.python_version()}


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
        HostTotals(
            host=host,
            requests=sums.requests,
            bytes_received=sums.bytes_received,
            bytes_sent=sums.bytes_sent,
            side=side(host),
            by_purpose=sums.kinds,
        )
        for host, sums in sorted(network.traffic.hosts().items())
    )
