"""From a request to a plan: surveys the items, asks the target what it holds, drafts the steps. Moves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from transload.errors import AccessDenied, CorruptError, Refused, TargetConflict, TransloadError
from transload.events import ActivityListener, ignore
from transload.oci import Digest, Name
from transload.planning.ahead import Ahead, Begin
from transload.planning.availability import check_local_sources, stays_elsewhere
from transload.planning.bothsides import ask_both
from transload.planning.drafting import draft
from transload.planning.expected import asked_so_far, expect_survey, logins_to_come
from transload.planning.plan import Plan
from transload.planning.request import Request
from transload.planning.survey import Surveyed, Surveyor
from transload.planning.targetcontent import Elsewhere, Known, TargetContent, ask_holdings
from transload.ports import NotesReferrers, RequestCosts, Source, Target
from transload.threads import Cancellation
from transload.values import evolve

THREADS = 32  # questions to each side at a time: over a long wire, they do nothing but wait
_LOCAL_THREADS = 1  # the same where nothing is asked over a wire: more of them would only wait for each other

Refuse = Callable[[Sequence[Surveyed]], Mapping[Name, TransloadError]]
"""Which images a rule keeps out, by their names at the target, and why.

It is asked when both sides have said what the names stand for, before the target is asked for content.
"""


def refuse_none(_: Sequence[Surveyed]) -> Mapping[Name, TransloadError]:
    """Every image may pass."""
    return {}


def no_hint(_repository: str, _digest: Digest) -> bool:
    """No earlier run put anything there."""
    return False


def no_places(_digest: Digest) -> Iterable[str]:
    """No other repository may hold it."""
    return ()


def make_plan(
    request: Request,
    sources: Mapping[str, Source],
    target: Target,
    *,
    known: Known = no_hint,
    elsewhere: Elsewhere = no_places,
    refuse: Refuse = refuse_none,
    threads: int = THREADS,
    cancellation: Cancellation | None = None,
    working: ActivityListener = ignore,
    begin: Begin | None = None,
) -> Plan:
    """Find out what has to be done so that `target` holds every item of `request`.

    `known` and `elsewhere` are hints (an earlier run, an inventory): they are used only if the target confirms them.
    Images that `refuse` names fail with its errors, and nothing is planned for them; with another rule than
    `refuse_none`, nothing is asked about an image that is wasted if it is refused.
    `sources` maps each item's `source_store` to a store. An error with one image at its source becomes that image's
    `error`. Raises errors of the target (`Unreachable`, `CredentialsRejected`, …), `TargetConflict` when one target
    name is wanted with different content, and `Interrupted` when cancelled. `working` gets the progress of the
    questions. `begin` is told of blobs that are certain to be copied before all is known (`planning.ahead`).
    """
    cancellation = cancellation or Cancellation()
    if target.request_costs is None and all(source.request_costs is None for source in sources.values()):
        threads = min(threads, _LOCAL_THREADS)
    before = asked_so_far(sources.values(), target)
    expect_survey(request.items, sources, target)
    surveyor = Surveyor(request, sources, target)
    answers = ask_both(
        surveyor,
        request.items,
        sources,
        target,
        eager=refuse is refuse_none,
        threads=threads,
        cancellation=cancellation,
        working=working,
        ahead=Ahead(request, sources, target, begin) if begin is not None and refuse is refuse_none else None,
    )
    surveyed = answers.surveyed
    _check_conflicts(surveyed)
    surveyed = _without(surveyed, refuse(surveyed))
    wrong = surveyor.completeness.wrong if surveyor.completeness else None
    holdings = ask_holdings(surveyed, target, known, elsewhere, threads, cancellation, working, wrong, answers.told)
    stays = stays_elsewhere(request, sources)
    surveyed = check_local_sources(surveyed, holdings, sources, stays)
    request_costs_of = {locator: source.request_costs for locator, source in sources.items()}
    costs = _target_costs(target, surveyed, holdings)
    plan = draft(target.locator, request, surveyed, holdings, stays, request_costs_of, costs)
    return evolve(
        plan,
        requests=plan.requests + logins_to_come(plan, sources, target),
        asked=asked_so_far(sources.values(), target) - before,
    )


def _target_costs(target: Target, surveyed: Iterable[Surveyed], holdings: TargetContent) -> RequestCosts | None:
    """What the target's operations cost. Only if referrers come is it asked whether it keeps their lists itself."""
    noting: NotesReferrers | None = getattr(target, "noting", None)
    costs = target.request_costs
    if costs is None or noting is None:
        return costs
    for image in surveyed:
        repository = image.item.target.repository
        for companion in image.extras:
            manifest = companion.node.manifest
            if manifest.subject is not None and not holdings.has(repository, manifest.digest):
                try:
                    return evolve(costs, note_referrer=noting.requests_to_note(repository, manifest.subject.digest))
                except (AccessDenied, Refused, CorruptError):  # the run will say more, if it meets the same
                    return costs
    return costs


def _without(surveyed: list[Surveyed], refused: Mapping[Name, TransloadError]) -> list[Surveyed]:
    """The images, of which those that are refused only have their error."""
    return [
        evolve(image, root=None, extras=(), error=error)
        if image.error is None and (error := refused.get(image.item.target))
        else image
        for image in surveyed
    ]


def _check_conflicts(surveyed: list[Surveyed]) -> None:
    wanted: dict[Name, Surveyed] = {}
    for image in surveyed:
        if image.error is not None or image.item.target.tag is None:
            continue
        other = wanted.setdefault(image.item.target, image)
        if other.digest != image.digest:
            raise TargetConflict(
                f"{image.item.target} is wanted twice with different content: "
                f"{other.item.source_store}/{other.item.source} and {image.item.source_store}/{image.item.source}",
                subject=str(image.item.target),
                hint="give one of them another target name or tag",
            )
