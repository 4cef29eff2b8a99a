"""Judges the images of a plan that was saved earlier, before anything is copied.

The file of a plan may come from anywhere. So what is judged must be what its steps bring: under each tag the image that
the plan names for it, by a step that it names among those of this image, since an image without steps is not judged;
of an index that was narrowed, nothing but entries of the published one; and beside it no other image.
"""

from __future__ import annotations

from functools import partial

from transload.app.belonging import all_below, brought_beside
from transload.app.mirror import Prepared
from transload.app.trusting import Judge, Published, Trusting
from transload.errors import DocumentInvalid, Interrupted, TransloadError, as_result, at_side
from transload.graph import Node
from transload.oci import Manifest, Name
from transload.oci.cosign import subject_of
from transload.planning import Item
from transload.planning.companions import Companion
from transload.planning.leaving import without
from transload.planning.narrowing import rewritten
from transload.planning.plan import ManifestStep, Plan, PlannedImage
from transload.planning.survey import Surveyed
from transload.ports import Source
from transload.threads import Cancellation, in_parallel
from transload.values import evolve

_THREADS = 8
_HINT = "make the plan again: transload plan"


def judged_plan(prepared: Prepared, judge: Judge, cancellation: Cancellation, *, own: bool) -> Prepared:
    """The same without the images that the policy refuses; they fail, and the others go on.

    An image of which nothing is copied is not judged. `own` says that the plan was made here: if not, where it says
    that an image comes from may not choose a weaker rule. Raises `DocumentInvalid` for a plan that puts something else
    under a tag than it says, `PartMissing` without a library that is needed, and `Interrupted`.
    """
    plan = prepared.plan
    _check_steps(plan)

    def surveyed(image: PlannedImage) -> Surveyed:
        return _surveyed(plan, image, prepared.sources[image.source_store])

    images = in_parallel(surveyed, plan.images, _THREADS, cancellation)
    published = partial(_published, own=own)
    trusting = Trusting(judge=judge, sources=prepared.sources, published=published, cancellation=cancellation)
    refused = trusting.refuse(images)
    errors: dict[int, TransloadError] = {}
    for number, image in enumerate(images):
        error = image.error or refused.get(image.item.target)
        if error is not None and plan.images[number].error is None:
            errors[number] = error
    return evolve(
        prepared,
        plan=without(plan, errors) if errors else plan,
        notes=(*trusting.notes(), *prepared.notes),
        checks=(*prepared.checks, *trusting.checks()),
        verdicts=trusting.verdicts,
    )


def _published(store: str, name: Name, *, own: bool) -> Published:
    published = Published.at(store, name.repository)
    return evolve(published, proved=published.proved and own)


def _check_steps(plan: Plan) -> None:
    """Raises `DocumentInvalid` unless each manifest is for an image, and each tag for the image that it names.

    Tags of cosign are for the image that they are brought with.
    """
    goals = {(image.target, image.digest, goal) for image in plan.images for goal in image.goals}
    needed = all_below({goal: None for _, _, goal in goals}, lambda number: plan.steps[number].needs)
    named = {(image.target, image.digest) for image in plan.images}
    for step in plan.steps:
        if not isinstance(step, ManifestStep):
            continue
        if step.name.tag is None or subject_of(step.name.tag) is not None:
            why = "" if step.id in needed else "which no image needs"
        elif (step.name, step.digest) in named:
            why = "" if (step.name, step.digest, step.id) in goals else "which is no step of that image"
        else:
            why = "and names no such image"
        if why:
            raise DocumentInvalid(
                f"the plan would put {step.digest.short} under {step.name}, {why}", subject=str(step.name), hint=_HINT
            )


def _surveyed(plan: Plan, image: PlannedImage, source: Source) -> Surveyed:
    """What the plan says of an image, as a survey says it. Of a narrowed index, the published one is asked for."""
    item = Item(image.source_store, image.source, image.target)
    manifest = plan.manifests.get(image.digest) if image.digest and image.goals else None
    extras = tuple(Companion(Node(beside)) for beside in brought_beside(plan, image))
    if image.error is not None or manifest is None:  # at most signatures are copied, which come after an image
        return Surveyed(item=item, error=image.error, extras=extras)
    if image.source_digest is None:
        what = f"the plan does not say what {image.source_label} stands for"
        return Surveyed(item=item, error=DocumentInvalid(what, subject=image.label, hint=_HINT))
    if manifest.digest == image.source_digest:
        return Surveyed(item=item, root=Node(manifest), published=manifest.descriptor, extras=extras)
    try:
        with at_side("source"):
            published = source.fetch(image.source.at(image.source_digest))
        if not _is_part(manifest, published):
            raise DocumentInvalid(
                f"the plan says that {image.label} is a part of {published.digest.short} at the source, and it is not",
                subject=image.label,
                hint=_HINT,
            )
    except Interrupted:
        raise
    except TransloadError as error:
        return Surveyed(item=item, error=as_result(error))
    return Surveyed(item=item, root=Node(manifest), published=published.descriptor, extras=extras)


def _is_part(manifest: Manifest, published: Manifest) -> bool:
    """Whether this is the published index with only some of its entries, or one of them."""
    entries = {child.digest: child for child in published.manifests}
    if manifest.digest in entries:
        return True
    kept = {child.digest: child for child in manifest.manifests if child.digest in entries}
    return bool(kept) and rewritten(published, kept).digest == manifest.digest
