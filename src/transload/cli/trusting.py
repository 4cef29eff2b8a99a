"""`--policy` and `--at`: which signatures images must have, and how that gets into the job."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from transload.cli.declaring import as_value, option, stacked
from transload.cli.kinds import NamedPath
from transload.errors import UsageError
from transload.values import evolve, frozen

if TYPE_CHECKING:
    from transload.cli.gather import Gathered
    from transload.trust.policy import Policy


@frozen(kw_only=True)
class TrustFlags:
    """The policy of a run, and the time it is judged at: `trusting.policies`."""

    policy: Path | None = None
    no_policy: bool = False
    at: datetime | None = None

    @property
    def words(self) -> list[str]:
        """The same as the words of a command line."""
        words = ["--policy", str(self.policy)] if self.policy and not self.no_policy else []
        words += ["--no-policy"] if self.no_policy else []
        return words + (["--at", f"{self.at:%Y-%m-%dT%H:%M:%SZ}"] if self.at else [])


def _flags(policy: Path | None, no_policy: bool, at: str | None) -> TrustFlags:
    """Raises `UsageError` for flags that contradict each other."""
    if no_policy and policy is not None:
        given = click.get_current_context().get_parameter_source("policy")
        if given is ParameterSource.COMMANDLINE:
            raise UsageError("--policy and --no-policy contradict each other", hint="leave one of them out")
        policy = None
    if at is None:
        return TrustFlags(policy=policy, no_policy=no_policy)
    from transload.app.policies import time_in  # few runs have a policy

    return TrustFlags(policy=policy, no_policy=no_policy, at=time_in(at))


def _policy(effect: str) -> Any:
    return option(
        "--policy",
        type=NamedPath(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"Which signatures images must have; the others are refused{effect}.",
    )


_others = stacked(
    # No variables: each run should say itself that it judges by another time, or not at all.
    click.option("--no-policy", is_flag=True, help="Judge by no policy, also not by that of the image set."),
    click.option(
        "--at",
        metavar="TIME",
        help="For policies and ages: the time that counts as now, where the clock is wrong: 2026-11-26T12:00:00Z.",
    ),
)

policies = as_value("trust", _flags, _policy(" (transload.yaml beside an image set does the same)"), _others)

named_policies = as_value("trust", _flags, _policy(""), _others)
"""For commands that judge only by a policy that is named to them, or is a default."""


def with_policy(gathered: Gathered, trust: TrustFlags, tell: Callable[[str], None]) -> Gathered:
    """The same job with its policy; `tell` is given a sentence on a policy of a set that is not in force.

    Raises what `find_policy` raises, and `UsageError` for --at without a policy or limits of age.
    """
    job = gathered.job
    from transload.app.policies import find_policy, left_out

    policy = None if trust.no_policy else find_policy(trust.policy, job.sets)
    if trust.no_policy or trust.policy:
        for path in left_out(trust.policy, job.sets):
            tell(f"the policy {path} is not in force: {f'{trust.policy} is' if trust.policy else '--no-policy'}")
    if policy is None and not job.ages.are_limited:
        _check_time_is_used(trust, ", --min-age or --max-age")
        return gathered
    return evolve(gathered, job=evolve(job, policy=policy, at=trust.at))


def policy_named(trust: TrustFlags) -> Policy | None:
    """The policy in the file that is named. Raises `UsageError` for --at without one, and as `read_policy` does."""
    if trust.policy is None:
        _check_time_is_used(trust)
        return None
    from transload.trust.policyfile import read_policy  # few commands have a policy

    return read_policy(trust.policy)


def _check_time_is_used(trust: TrustFlags, others: str = "") -> None:
    if trust.at is not None:
        raise UsageError(
            "--at is the time at which a policy judges signatures, and there is no policy",
            hint=f"add --policy FILE{others}",
        )
