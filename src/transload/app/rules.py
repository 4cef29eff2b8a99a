"""Rules of the user that keep images out of a run: a policy on signatures, and limits of age."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from transload.errors import TransloadError, UsageError
from transload.planning.ages import by_created_field, too_young_or_old
from transload.planning.planner import Refuse, refuse_none

if TYPE_CHECKING:
    from transload.app.job import Job
    from transload.app.stores import Stores
    from transload.app.trusting import Judge, Published, Trusting
    from transload.events import ActivityListener
    from transload.oci import Name
    from transload.planning.planner import Refuse
    from transload.planning.survey import Surveyed
    from transload.ports import Source
    from transload.threads import Cancellation


def ask_once_if_repeated(job: Job, stores: Stores) -> None:
    """Let sources keep their answers if they are asked again: by gates' own plan, or by who looks for signatures."""
    if job.gates is not None or job.policy is not None:
        stores.asks_sources_once = True


def check_without_engine(job: Job) -> None:
    """Raises `UsageError` for rules that nobody can keep where an engine copies."""
    if job.ages.are_limited:
        raise UsageError("limits of age do not go with an engine", hint=f"leave {' '.join(job.ages.words)} out")
    if job.policy is not None:
        raise UsageError(
            f"the policy {job.policy.file} does not go with an engine: what it stores is not what was signed",
            hint="mirror to a folder with the policy first, and from there on; or leave the policy out (--no-policy)",
        )


def trusting_for(
    job: Job,
    sources: Mapping[str, Source],
    cancellation: Cancellation,
    working: ActivityListener,
    judge: Judge | None = None,
    published: Callable[[str, Name], Published] | None = None,
) -> Trusting | None:
    """Who judges the images of `job`, if it has a policy. `judge` is shared by runs that copy the same images.

    `published` says whose images they are, if the sources' names do not.
    """
    if job.policy is None:
        return None
    from transload.app.trusting import Judge, Trusting, whose  # most runs have no policy

    return Trusting(
        judge=judge or Judge(job.policy, job.at),
        sources=sources,
        published=published or whose(sources),
        cancellation=cancellation,
        working=working,
    )


def refuse_by_rule(
    job: Job, sources: Mapping[str, Source], cancellation: Cancellation, trusting: Trusting | None = None
) -> Refuse:
    """Which images the policy of `job` refuses, and which of the others are too young or too old."""
    if trusting is None and not job.ages.are_limited:
        return refuse_none

    def refuse(surveyed: Sequence[Surveyed]) -> Mapping[Name, TransloadError]:
        refused = trusting.refuse(surveyed) if trusting else {}
        rest = [image for image in surveyed if image.item.target not in refused]
        date = trusting.date if trusting else by_created_field
        return {**refused, **too_young_or_old(rest, job.ages, sources, cancellation, date=date, at=job.at)}

    return refuse


def policy_notes(trusting: Trusting | None) -> tuple[str, ...]:
    """What the policy decided; nothing without one."""
    return tuple(trusting.notes()) if trusting else ()
