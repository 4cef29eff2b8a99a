"""Copying to several targets in one call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from transload.app.job import Job
from transload.app.location import Location
from transload.app.mirror import Prepared
from transload.app.outcome import StartTime
from transload.app.readback import check_on_medium, with_read_back
from transload.app.several import Ended, SeveralRuns, jobs_for
from transload.app.targettree import feeds_of, givers
from transload.clock import SYSTEM_CLOCK
from transload.errors import Interrupted, TargetsFailed, TransloadError, UsageError
from transload.events import ActivityListener, Event, Listener, TargetEvent
from transload.report.several import Results
from transload.report.tally import Tally
from transload.transfer.limits import Limits
from transload.values import frozen
from transload.verbs.means import Means, Progress, at_work
from transload.verbs.run import check_result


def mirrored_to_all(
    job: Job,
    targets: Sequence[Location],
    began: StartTime,
    limits: Limits,
    means: Means,
    *,
    check: bool,
    verify_medium: bool,
    via: Mapping[str, str],
) -> Results:
    """Copy what `job` wants to each target. With `check`, raises `TargetsFailed`, `Interrupted`."""
    if means.target_login is not None:
        raise UsageError(
            "target_login is for one target, and this call has several",
            hint="log in to each of them with docker login or podman login instead",
        )
    jobs = jobs_for(job, targets)
    for target in targets:
        if verify_medium:
            check_on_medium(target)
    names = tuple(str(target) for target in targets)
    feeds = feeds_of(via.items(), targets)
    with at_work(means) as work:
        limits.wait(SYSTEM_CLOCK, work.cancellation, work.listen)
        read_back = partial(with_read_back, stores=work.stores, cancellation=work.cancellation)
        runs = SeveralRuns(
            jobs=jobs,
            stores=work.stores,
            cancellation=work.cancellation,
            began=began,
            limits=limits,
            following=_Heard(names, work.listen),
            finishing=read_back if verify_medium else lambda prepared: prepared,
            feeds=feeds,
        )
        ended, read_again = runs.run()
    parts = tuple(part.result for part in ended)
    results = Results(targets=names, results=parts, read_again=read_again, via=givers(feeds, names))
    if check:
        _check(results, ended)
    return results


@frozen
class _Heard:
    """Passes events on, each with its target. See `transload.app.several.Following`."""

    names: tuple[str, ...]
    listen: Progress

    def working(self, number: int) -> ActivityListener:  # noqa: ARG002 - see the protocol
        return self.listen

    def waiting(self, number: int, giver: int) -> None:
        """No event says it."""

    def planned(self, number: int, prepared: Prepared) -> None:
        """The events say it."""

    def ended(self, number: int, ended: Ended) -> None:
        """The result says it."""

    @contextlib.contextmanager
    def copying(self, number: int, tally: Tally) -> Iterator[Listener]:  # noqa: ARG002 - see the protocol
        name = self.names[number]

        def tell(event: Event) -> None:
            self.listen(TargetEvent(name, event))

        yield tell


def _check(results: Results, ended: Sequence[Ended]) -> None:
    errors = {name: error for name, target in zip(results.targets, ended, strict=True) if (error := _error(target))}
    if not errors:
        return
    for error in errors.values():
        if isinstance(error, Interrupted):
            raise error
    named = "; ".join(f"{name}: {error}" for name, error in errors.items())
    failed = TargetsFailed(
        f"{len(errors)} of {len(ended)} targets failed: {named}",
        hint="run the same again: what is there already is not sent again",
    )
    failed.result, failed.errors, failed.by_target = results, tuple(errors.values()), errors
    raise failed


def _error(ended: Ended) -> TransloadError | None:
    """What went wrong for a target."""
    if ended.error is not None or ended.prepared is None or ended.outcome is None:
        return ended.error
    try:
        check_result(ended.result, ended.prepared, ended.outcome)
    except TransloadError as error:
        return error
    return None
