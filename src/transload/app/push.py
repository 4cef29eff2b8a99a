"""Pushes a carried store: every image of a bundle, folder or archive, to a target, without unpacking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.detect import CarriedStore, select_carried, signature_checks, signature_notes, volume_notes
from transload.app.goingback import older_notes
from transload.app.halfway import half_blob_notes
from transload.app.job import Job
from transload.app.mirror import (
    Prepared,
    request_of,
    source_notes,
    with_gates,
)
from transload.app.rules import policy_notes, refuse_by_rule, trusting_for
from transload.app.stores import Stores
from transload.app.taking import Taking
from transload.app.trusthints import carries_hints
from transload.app.whole import nameless_notes
from transload.bundle.format.ledger import Ledger
from transload.bundle.reading.reader import BundleStore
from transload.catalog.selected import join
from transload.errors import PrerequisiteMissing, TransloadError, WouldGoBack
from transload.oci import Digest, Name
from transload.planning import Plan, make_plan
from transload.planning.ageing import GoingBack, compared, moving_among
from transload.planning.compressing import CompressedStore
from transload.planning.survey import Surveyed
from transload.ports import Source
from transload.report.gateattestation import ARTIFACT_TYPE as GATE_ARTIFACT_TYPE
from transload.report.texts import count
from transload.threads import Cancellation
from transload.transfer import Journal, Outcome

if TYPE_CHECKING:
    from transload.report.transferrecord import Carrier, Check


def prepare_push(
    carried: CarriedStore,
    job: Job,
    stores: Stores,
    cancellation: Cancellation,
    *,
    compress: bool = False,
    allow_older: bool = False,
    run_id: str = "",
) -> Prepared:
    """Plan the push of `carried`; `job` names the target and the images. Moves nothing.

    With `compress`, uncompressed layers are sent compressed; they are compressed here once, to learn their digests.
    Content that a differential bundle leaves out is looked for at the target first. Images that cannot be completed
    become failures of the plan; the others can still be pushed. So do images whose tag would go back to older content,
    and all new ones of a bundle that is older than the newest of its kind taken here, unless `allow_older`. `run_id` is
    remembered with a bundle that was taken.
    """
    selection = select_carried(carried, job, stores.working)
    bundle = carried.bundle
    published = {str(entry.image.name): entry.image.source for entry in bundle.ledger.images} if bundle else {}
    compressed = CompressedStore(carried.source, cancellation) if compress else None
    sources: dict[str, Source] = {carried.location.locator: compressed or carried.source}
    target, journal = stores.target(job.target), stores.journal(job.target)
    request = request_of(job, selection)
    older: list[GoingBack] = []
    trusting = trusting_for(job, sources, cancellation, stores.working)
    if trusting is not None and bundle is not None:
        from transload.app.trusting import whose  # few pushes have a policy

        trusting.published = whose({carried.location.locator: bundle})
        trusting.beside = target if bundle.ledger.against else None
    by_rule = refuse_by_rule(job, sources, cancellation, trusting)
    taking = Taking(bundle, job.target, stores, allow_older=allow_older, run_id=run_id) if bundle else None

    def refuse(surveyed: Sequence[Surveyed]) -> Mapping[Name, TransloadError]:
        tags = compared(moving_among(surveyed), sources, target, cancellation)
        older.extend(back for tag in tags if (back := tag.going_back))
        refused = {} if allow_older else {tag.name: _would_go_back(tag) for tag in older if not tag.doubtful}
        undecided = {tag.name for tag in tags if not tag.is_decided}
        of_bundle = taking.refuse(surveyed, undecided) if taking else {}
        return {**of_bundle, **refused, **by_rule(surveyed)}

    plan = make_plan(
        request,
        sources,
        target,
        known=journal.knows,
        elsewhere=_elsewhere(bundle.ledger if bundle else None, job.target.prefix, journal),
        refuse=refuse,
        cancellation=cancellation,
        working=stores.working,
    )
    carrier = _carrier(bundle) if bundle else None
    notes = tuple(_bundle_notes(bundle, plan, job, carrier)) if bundle else source_notes(selection.sources)
    notes = (*policy_notes(trusting), *notes, *nameless_notes(plan.images), *_compression_notes(compressed))
    notes += older_notes(tag for tag in older if allow_older or tag.doubtful)
    notes += (*(taking.notes() if taking else ()), *half_blob_notes(plan, target))
    one_by_one = bundle is not None and any(bundle.lacking())
    prepared = Prepared(
        plan=plan,
        sources=sources,
        target=target,
        location=job.target,
        notes=notes,
        journal=journal,
        finish=_at_end(taking, _values_at_end(carried.source, plan, job), whole=not job.images),
        by_size=one_by_one,
        checks=(*_bundle_checks(bundle, taking), *(trusting.checks() if trusting else ())),
        taking=taking,
        carrier=carrier,
        request=request,
        published=published,
        verdicts=trusting.verdicts if trusting else {},
    )
    return with_gates(prepared, job, stores, cancellation)


def _bundle_checks(bundle: BundleStore | None, taking: Taking | None) -> Iterator[Check]:
    if bundle is not None:
        yield from signature_checks(bundle)
    if taking is not None:
        yield taking.check()


def _carrier(bundle: BundleStore) -> Carrier:
    from transload.app.bundlerecord import carrier_of  # it imports what signs

    return carrier_of(bundle)


def _would_go_back(tag: GoingBack) -> WouldGoBack:
    now, then = tag.times
    return WouldGoBack(
        f"{tag.name} would go back to older content: what is there says that it was made {now}, this was made {then}",
        subject=str(tag.name),
        side="target",
        hint="to go back all the same, push again with --allow-older",
    )


def _at_end(
    taking: Taking | None, then: Callable[[Outcome], tuple[Path, ...]] | None, *, whole: bool
) -> Callable[[Outcome], tuple[Path, ...]]:
    def finish(outcome: Outcome) -> tuple[Path, ...]:
        if taking is not None:
            taking.remember(outcome, whole=whole)
        return then(outcome) if then is not None else ()

    return finish


def _values_at_end(source: Source, plan: Plan, job: Job) -> Callable[[Outcome], tuple[Path, ...]] | None:
    if job.values_folder is None:
        return None
    from transload.app.charts.relocating import finish_with_carried_values  # few runs have charts

    return finish_with_carried_values(source, plan.images, job.target, job.values_folder)


def _compression_notes(compressed: CompressedStore | None) -> Iterator[str]:
    if compressed is not None and compressed.layers:
        layers = count(compressed.layers, "layer")
        yield f"{layers} compressed with gzip: the images get new digests, their configs stay as they are"
        if compressed.left_out:
            lost = count(compressed.left_out, "attestation")
            yield f"{lost} left out: what they say is of the images as they were, before their layers were compressed"
    elif compressed is not None:
        yield "--compress found no layer that is not compressed already"


def _bundle_notes(bundle: BundleStore, plan: Plan, job: Job, carrier: Carrier | None) -> Iterator[str]:
    yield from signature_notes(bundle)
    if carrier is not None and carrier.record is not None and carrier.record.problem is not None:
        yield f"the transfer record that the bundle carries does not count: {carrier.record.problem}"
    if job.policy is None and carries_hints(bundle.ledger):
        yield "this bundle carries a policy as a hint, which decides nothing: give your own with --policy"
    yield from _carried_notes(plan)
    yield from _prerequisite_notes(plan, bundle.ledger)
    yield from volume_notes(bundle)


def _carried_notes(plan: Plan) -> Iterator[str]:
    """A note on what gates of the sender said: nobody should take that for a check of this side."""
    said = {
        manifest.subject.digest
        for manifest in plan.manifests.values()
        if manifest.subject is not None and manifest.artifact_type == GATE_ARTIFACT_TYPE
    }
    if said:
        yield f"{count(len(said), 'image')} with what gates of the sender said: that is no check of this side"


def _prerequisite_notes(plan: Plan, ledger: Ledger) -> Iterator[str]:
    lacking = sum(isinstance(image.error, PrerequisiteMissing) for image in plan.images)
    if lacking:
        against = f" (packed against {ledger.against})" if ledger.against else ""
        images = f"{lacking} of {count(len(plan.images), 'image')}"
        yield f"the bundle leaves out content of {images}, and the target does not have it{against}"


def _elsewhere(ledger: Ledger | None, prefix: str, journal: Journal) -> Callable[[Digest], Iterable[str]]:
    """Repositories of the target that may have what the bundle leaves out, or what an unfinished run brought.

    First under the prefix, then under the name as it is, in case the inventory was taken of the whole registry.
    """
    prerequisites = ledger.prerequisites if ledger else ()
    repositories = {piece.descriptor.digest: piece.repositories for piece in prerequisites}

    def hints(digest: Digest) -> Iterable[str]:
        named = chain.from_iterable((join(prefix, path), path) for path in repositories.get(digest, ()))
        return filter(None, dict.fromkeys((*named, *journal.places(digest))))

    return hints
