"""A plan carried out and told: what `mirror`, `apply` and `demo` have in common."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Callable

from attrs import frozen

from transload import __version__
from transload.app.job import Job
from transload.app.mirroring import Prepared, carry_out
from transload.app.stores import Stores
from transload.cli.progress import Telling
from transload.clock import SYSTEM_CLOCK
from transload.errors import Side
from transload.nursery import Cancellation
from transload.planning import Narrowing
from transload.report.result import HostTraffic, Result
from transload.report.tally import Tally, together


@frozen
class Began:
    """When a command began, on both clocks, and what it was asked."""

    asked: str
    wall_s: float
    monotonic_s: float

    @classmethod
    def now(cls, asked: str) -> Began:
        """This moment."""
        return cls(asked, SYSTEM_CLOCK.wall_s(), SYSTEM_CLOCK.monotonic_s())


def carry(
    prepared: Prepared,
    stores: Stores,
    telling: Telling,
    cancellation: Cancellation,
    began: Began,
    retry: Callable[[tuple[str, ...]], str],
    bodies: int = 8,
) -> Result:
    """Tell the totals, run the plan with progress, tell the result."""
    telling.totals(prepared.plan, prepared.notes)
    tally = Tally(prepared.plan)
    with telling.progress(tally) as progress:
        outcome = carry_out(prepared, stores, together(tally, progress), cancellation, bodies)
    result = Result.of(
        tally,
        outcome,
        asked=began.asked,
        began_wall_s=began.wall_s,
        duration_s=SYSTEM_CLOCK.monotonic_s() - began.monotonic_s,
        versions={"transload": __version__, "python": platform.python_version()},
        traffic=_traffic(prepared, stores),
        retry=retry,
        notes=prepared.notes,
    )
    telling.result(result)
    return result


def _traffic(prepared: Prepared, stores: Stores) -> tuple[HostTraffic, ...]:
    network = stores.used_network
    if network is None:
        return ()
    sources, target = set(prepared.sources), prepared.target.locator

    def side(host: str) -> Side | None:
        if host == target:
            return None if host in sources else "target"
        return "source" if host in sources else None

    return tuple(
        HostTraffic(host, sums.requests, sums.bytes_received, sums.bytes_sent, side(host))
        for host, sums in sorted(network.traffic.hosts().items())
    )


def retry_command(job: Job) -> Callable[[tuple[str, ...]], str]:
    """Writes the command line that does only the named images of `job` again (all of them without names)."""

    def command(names: tuple[str, ...]) -> str:
        prefix = f"{job.target.prefix}/" if job.target.prefix else ""
        images = (name.removeprefix(prefix).partition("@")[0].rpartition(":") for name in names)
        chosen = dict.fromkeys(repository if colon else tag for repository, colon, tag in images)
        words = ["transload", "mirror", *command_words(job)]
        for image in chosen:
            words += ["--image", image]
        return shlex.join(words)

    return command


def command_words(job: Job) -> list[str]:
    """`job` as the words of a command line; logins are not part of it."""
    words = [*job.sets, "--to", str(job.target)]
    named = {
        "--from": str(job.origin) if job.origin else None,
        "--source-registry": job.source_registry,
        "--source-repository": job.source_repository,
        "--tag": job.tag,
        "--target-tag": job.target_tag,
        "--narrow": job.narrowing.value if job.platforms and job.narrowing is not Narrowing.REWRITTEN else None,
    }
    for flag, value in named.items():
        words += [flag, value] if value is not None else []
    for one in job.platforms:
        words += ["--platform", str(one)]
    for flag in ("referrers", "foreign_layers", "allow_missing", "discover", "flatten"):
        words += [f"--{flag.replace('_', '-')}"] if getattr(job, flag) else []
    return words
