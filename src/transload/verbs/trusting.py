"""The policy of a call, as it was given."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from transload.app.job import Job
from transload.errors import UsageError
from transload.values import evolve
from transload.verbs import arguments

if TYPE_CHECKING:
    from transload.trust.policy import Policy

    PolicyGiven = str | Path | Policy | Literal[False] | None


def judged(job: Job, policy: PolicyGiven, at: str | datetime | None) -> Job:
    """The same job with its policy: a file, a `Policy`, or without either that of its image sets; False is for none.

    Raises `TypeError`, `UsageError` for a time without a policy or limits of age, and what `find_policy` raises.
    """
    if job.ages.are_limited:
        return evolve(job, policy=_policy(policy, job.sets), at=None if at is None else _time(at))
    found, time = policy_at(policy, at, job.sets)
    return job if found is None else evolve(job, policy=found, at=time)


def policy_at(
    policy: PolicyGiven, at: str | datetime | None, sets: tuple[str, ...] = ()
) -> tuple[Policy | None, datetime | None]:
    """The policy that is in force, and the time that counts as now for it. Raises as `judged` does."""
    found = _policy(policy, sets)
    time = None if at is None else _time(at)
    if found is None and time is not None:
        raise UsageError("at is the time at which a policy judges signatures, and there is no policy")
    return found, time


def _policy(given: PolicyGiven, sets: tuple[str, ...]) -> Policy | None:
    if given is False:
        return None
    from transload.app.policies import find_policy  # it imports what reads files
    from transload.trust.policy import Policy

    if isinstance(given, Policy):
        return given
    return find_policy(arguments.path_if_any("policy", given), sets)


def _time(given: str | datetime) -> datetime:
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise UsageError("at has no time zone", hint="give it one: datetime(…, tzinfo=UTC)")
        return given.astimezone(UTC)
    from transload.app.policies import time_in

    return time_in(arguments.text("at", given, hint="write 2026-11-26T12:00:00Z"))
