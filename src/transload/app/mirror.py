"""Plans a copy between stores and carries it out: what `mirror`, `plan` and `apply` share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from transload.allowance import expect_images
from transload.app.goingback import older_notes
from transload.app.halfway import half_blob_notes
from transload.app.headstart import head_start
from transload.app.job import BODIES
from transload.app.location import Location
from transload.app.rules import ask_once_if_repeated, check_without_engine, policy_notes, refuse_by_rule, trusting_for
from transload.app.selection import Selection, release_names, select
from transload.app.whole import nameless_notes
from transload.errors import (
    LocalError,
    ReleaseUnknown,
    SelectionEmpty,
    TransloadError,
    UsageError,
)
from transload.events import ActivityListener, Listener, Progressed
from transload.oci import Digest, Name
from transload.planning import Plan, Request, asked_so_far, make_plan
from transload.planning.ageing import going_back, moving_in
from transload.planning.planner import no_hint, no_places
from transload.report.result import ReleaseResult
from transload.threads import Cancellation
from transload.transfer import Journal, Outcome, run
from transload.transfer.limits import NO_LIMITS, Limits
from transload.values import evolve, field, frozen

if TYPE_CHECKING:
    from transload.app.attesting import Attestation
    from transload.app.headstart import Early
    from transload.app.job import Job
    from transload.app.stores import Stores
    from transload.app.taking import Taking
    from transload.app.trusting import Judge, Published
    from transload.catalog.ruled import Choice
    from transload.planning.additions import Addition
    from transload.ports import Source, Target
    from transload.report.gated import GateResult
    from transload.report.transferrecord import Carrier, Check
    from transload.transfer.blobs import Opens
    from transload.trust.policy import Verdict

_NAMED = 3  # images named in one sentence


@frozen(kw_only=True)
class Prepared:
    """A plan, the open stores that it names, what rules chose for it, and the target's journal.

    `releases` are those of catalogs that the plan brings whole.

    `finish` is called with the outcome when the run is over, and returns the files that it wrote. `instead` carries the
    plan out in place of the engine; `elsewhere` its steps only, on other machines. `publishers` are read in place of
    the stores' own.

    With `by_size` the biggest blobs come first, as they lie in a bundle, instead of image after image. `published` says
    where images of a bundle come from, by their names in it. `request` is what the plan was made of; `gates` is what
    gates said, by the images' names at the target; `attestations` say the same, to be attached to images that arrive.

    `checks` are what a transfer record says was checked. `plan_digest` is that of the plan which decided what is
    copied, if `plan` only fills a bundle. `verdicts` are what the policy says of images, by their names at the target.
    `taking` is the bundle that is pushed, beside those that were taken before.
    `carrier` is the bundle that is pushed, for the record. `head_start` has begun to move blobs of the plan.
    """

    plan: Plan
    sources: Mapping[str, Source]
    target: Target
    location: Location
    notes: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    additions: tuple[Addition, ...] = ()
    releases: tuple[ReleaseResult, ...] = ()
    journal: Journal = field(factory=Journal)
    finish: Callable[[Outcome], tuple[Path, ...]] | None = None
    instead: Callable[[Listener], Outcome] | None = None
    elsewhere: Callable[[Listener], Outcome] | None = None
    made_earlier: bool = False
    by_size: bool = False
    published: Mapping[str, str] = field(factory=dict)
    publishers: Opens | None = None
    checks: tuple[Check, ...] = ()
    plan_digest: Digest | None = None
    request: Request | None = None
    gates: Mapping[str, tuple[GateResult, ...]] = field(factory=dict)
    attestations: tuple[Attestation, ...] = ()
    verdicts: Mapping[str, Verdict] = field(factory=dict)
    taking: Taking | None = None
    carrier: Carrier | None = None
    head_start: Early | None = None


def request_of(job: Job, selection: Selection) -> Request:
    """The request for the planner."""
    expect_images(len(selection.items))
    return Request(
        selection.items,
        platforms=job.platforms,
        narrowing=job.narrowing,
        referrers=job.referrers,
        foreign_layers=job.foreign_layers,
        foreign_as_held=job.foreign_as_held,
        allow_missing=job.allow_missing,
        recheck=job.recheck,
    )


def prepare(job: Job, stores: Stores, cancellation: Cancellation) -> Prepared:
    """Select the images, ask both sides, and make the plan. Moves nothing. Raises as `select` and `make_plan` do.

    Raises `UsageError` for limits of age, and for a policy, where an engine copies.
    """
    if job.through is not None or job.target.is_engine:
        check_without_engine(job)
    if job.gates is not None:
        _check_gates(job)
    ask_once_if_repeated(job, stores)
    if job.through is not None:
        from transload.app.through import prepare_through  # few runs have an engine copy

        return prepare_through(job, job.through, stores, cancellation)
    if job.target.is_engine:
        from transload.app.intoengine import prepare_into

        return prepare_into(job, stores, cancellation)
    return prepare_selected(job, select(job, stores, cancellation), stores, cancellation, stores.working)


def _check_gates(job: Job) -> None:
    """Raises `UsageError` for what gates cannot look at: an engine has other content than is published."""
    if job.through is not None or job.target.is_engine:
        what = "a copy by an engine" if job.through is not None else "an engine as the target"
        raise UsageError(
            f"--gate does not go with {what}: its images are not those that a gate has seen",
            hint="copy to a folder with --gate first, and from there on",
        )


def with_gates(
    prepared: Prepared, job: Job, stores: Stores, cancellation: Cancellation, *, again: bool = False
) -> Prepared:
    """The same run, without the images that the job's gates refuse. Raises as `Gating.passed` does."""
    if job.gates is None or prepared.request is None:
        return prepared
    from transload.app.gating import Gating  # few runs have gates

    gating = Gating(gates=job.gates, stores=stores, cancellation=cancellation, bodies=job.bodies)
    return gating.passed(prepared, again=again)


def prepare_selected(
    job: Job,
    selection: Selection,
    stores: Stores,
    cancellation: Cancellation,
    working: ActivityListener,
    judge: Judge | None = None,
    published: Callable[[str, Name], Published] | None = None,
) -> Prepared:
    """The same for images that are selected already. `judge` is shared by runs that copy the same images.

    `published` says whose images they are, if the sources' names do not (`trusting.whose`).
    """
    sources, target, journal = selection.sources, stores.target(job.target), stores.journal(job.target)
    request = request_of(job, selection)
    trusting = trusting_for(job, sources, cancellation, working, judge, published)
    begun = head_start(job, sources, target, journal, stores, cancellation)
    plan = make_plan(
        request,
        sources,
        target,
        begin=begun.begin if begun else None,
        known=journal.knows if begun is None else no_hint,  # it only knows what has begun just now
        elsewhere=journal.places if begun is None else no_places,
        refuse=refuse_by_rule(job, sources, cancellation, trusting),
        cancellation=cancellation,
        working=working,
    )
    check_anything_published(selection, plan)
    notes = (*policy_notes(trusting), *selection.notes, *source_notes(sources), *nameless_notes(plan.images))
    notes += differences(job, selection, plan, working, cancellation)
    notes += older_notes(going_back(moving_in(plan), sources, target, cancellation))
    notes += half_blob_notes(plan, target)
    prepared = Prepared(
        plan=evolve(plan, asked=asked_so_far(sources.values(), target)),
        sources=sources,
        target=target,
        location=job.target,
        notes=notes,
        choices=selection.choices,
        additions=additions_of(selection, plan, job),
        releases=() if job.images else releases_of(selection),
        journal=journal,
        head_start=begun,
        finish=_values_at_end(selection, plan, job),
        request=request,
        checks=trusting.checks() if trusting else (),
        verdicts=trusting.verdicts if trusting else {},
    )
    return with_gates(prepared, job, stores, cancellation)


def _values_at_end(selection: Selection, plan: Plan, job: Job) -> Callable[[Outcome], tuple[Path, ...]] | None:
    if job.values_folder is None:
        return None
    from transload.app.charts.relocating import as_published, finish_with_values  # few runs have charts

    images = as_published(plan.images, selection.published)
    return finish_with_values(selection.charts, images, job.target, job.values_folder)


def additions_of(selection: Selection, plan: Plan, job: Job) -> tuple[Addition, ...]:
    """What each release adds to those before it; empty unless there are several."""
    if len(selection.releases) < 2:
        return ()
    from transload.planning.additions import additions  # few runs bring several

    releases = release_names(selection, job)
    return additions(plan, releases) if len(releases) > 1 else ()


def releases_of(selection: Selection) -> tuple[ReleaseResult, ...]:
    """The releases of catalogs in `selection`, each once."""
    chosen = (
        ReleaseResult(catalog=chosen.catalog.name, release=chosen.release.tag, date=chosen.release.date)
        for chosen in selection.releases
    )
    return tuple(dict.fromkeys(chosen))


def source_notes(sources: Mapping[str, Source]) -> tuple[str, ...]:
    """Notes of the sources about themselves, such as that docker's archives do not keep the publisher's digests."""
    return tuple(note for source in sources.values() for note in getattr(source, "notes", ()))


def check_anything_published(selection: Selection, plan: Plan) -> None:
    """Check that the source has any image of a release: one error says more than one for each image.

    Raises `ReleaseUnknown`; `SelectionEmpty` if every image is missing, and all of them are optional.
    """
    if any(image.status != "missing" for image in plan.images):
        return
    of_catalogs = [chosen for chosen in selection.releases if not chosen.catalog.is_set]
    if not of_catalogs:
        if all(image.excused for image in plan.images):
            raise all_missing([image.label for image in plan.images])
        return
    from transload.app.releases import source_tags

    chosen = of_catalogs[-1]
    newest: list[str] = []
    with contextlib.suppress(TransloadError):  # asked only for the hint
        tags = source_tags(chosen.catalog, chosen.origin, chosen.source)
        newest = [offer.release.tag for offer in chosen.catalog.releases_at_source(tags)][:4]
    raise ReleaseUnknown(
        f"{chosen.origin} has no image of {chosen.catalog.name} {chosen.release.tag}",
        subject=chosen.release.tag,
        side="source",
        hint=f"its newest releases are {', '.join(newest)}" if newest else None,
    )


def all_missing(names: Sequence[str]) -> SelectionEmpty:
    """The error for images that are all optional, and all missing."""
    images = "the only image is" if len(names) == 1 else f"none of the {len(names)} images is"
    named = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    return SelectionEmpty(f"{images} published: {named}", side="source", hint="check the names")


def differences(
    job: Job, selection: Selection, plan: Plan, working: ActivityListener, cancellation: Cancellation
) -> tuple[str, ...]:
    """How the catalogs' lists differ from what is published; asked only if the plan has something to do."""
    if job.discover or job.images or not (plan.steps or plan.failures):
        return ()
    notes: list[str] = []
    of_catalogs = [chosen for chosen in selection.releases if not chosen.catalog.is_set]
    if of_catalogs:
        from transload.app.published import compare_with_source  # for catalogs that bring something new

        working(Progressed("comparing"))
    for chosen in of_catalogs:
        notes += compare_with_source(chosen.catalog, chosen.release, chosen.source, chosen.origin.prefix, cancellation)
    return tuple(dict.fromkeys(notes))


def publishers_of(plan: Plan, stores: Stores) -> Opens | None:
    """Who keeps the foreign layers of a plan; None if it has none."""
    return stores.publishers if any(blob.descriptor.is_foreign for blob in plan.blob_steps()) else None


def carry_out(
    prepared: Prepared,
    stores: Stores,
    listen: Listener,
    cancellation: Cancellation,
    bodies: int = BODIES,
    limits: Limits = NO_LIMITS,
) -> Outcome:
    """Run the plan. A journal keeps which blobs arrived until the run is complete."""
    plan, journal = prepared.plan, prepared.journal
    if prepared.instead is not None:
        return prepared.instead(listen)
    if prepared.elsewhere is not None:
        outcome = prepared.elsewhere(listen)
    else:
        outcome = _moved(prepared, stores, listen, cancellation, bodies, limits)
    if prepared.head_start is not None:
        prepared.head_start.close()
    if prepared.attestations and not outcome.interrupted:
        from transload.app.attesting import attach_all  # few runs have gates

        outcome = evolve(outcome, attached=attach_all(prepared.attestations, plan, outcome, prepared.target))
    if prepared.finish is not None:
        outcome = evolve(outcome, written=tuple(map(str, prepared.finish(outcome))))
    ends = zip(plan.images, outcome.images, strict=True)
    in_order = (ended.done and (ended.error is None or image.excused) for image, ended in ends)
    if plan.share is None and all(in_order):
        with contextlib.suppress(LocalError):  # a state folder that cannot be written to must not fail a finished run
            journal.clear()
    return outcome


def _moved(
    prepared: Prepared, stores: Stores, listen: Listener, cancellation: Cancellation, bodies: int, limits: Limits
) -> Outcome:
    pace = stores.pace_of_files(prepared.sources.values(), prepared.target)
    return run(
        prepared.plan,
        prepared.sources,
        prepared.target,
        listen=listen,
        journal=prepared.journal,
        cancellation=cancellation,
        bodies=min(bodies, stores.most_bodies),
        pace=pace.pieces if pace else None,
        recheck=prepared.made_earlier,
        by_size=prepared.by_size,
        publishers=prepared.publishers or publishers_of(prepared.plan, stores),
        give_up_after_s=stores.patience_s,
        limits=limits,
        head_start=prepared.head_start.started if prepared.head_start else None,
    )
