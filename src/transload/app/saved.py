"""A plan that was made earlier, with its stores open: all of it, as `apply` carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transload.allowance import expect_images
from transload.app.goingback import older_notes
from transload.app.halfway import half_blob_notes
from transload.app.location import Location
from transload.app.mirror import Prepared
from transload.errors import NotFound, Refused, SelectionEmpty, TransloadError, at_side
from transload.oci import Name
from transload.planning import Plan, expect_run
from transload.planning.ageing import going_back, moving_in
from transload.planning.plan import PlannedImage
from transload.threads import in_parallel
from transload.values import evolve

if TYPE_CHECKING:
    from transload.app.stores import Stores
    from transload.ports import Target

_THREADS = 8


def prepare_saved(plan: Plan, stores: Stores) -> Prepared:
    """Open the stores of a plan, and look whether its unchanged images still are.

    Raises as `check_has_images` and `open_saved` do.
    """
    check_has_images(plan)
    prepared = open_saved(plan, stores)
    target = prepared.target
    plan = evolve(plan, images=tuple(in_parallel(lambda image: _as_it_is_now(image, target), plan.images, _THREADS)))
    notes = (*older_notes(going_back(moving_in(plan), prepared.sources, target)), *half_blob_notes(plan, target))
    return evolve(prepared, plan=plan, notes=notes)


def check_has_images(plan: Plan) -> None:
    """Raises `SelectionEmpty`."""
    if not plan.images:
        raise SelectionEmpty("the plan has no image, so there is nothing to do", hint="make it again: transload plan")


def open_saved(plan: Plan, stores: Stores) -> Prepared:
    """Open the stores of a plan, or of a share; nothing is asked. Raises `UsageError` for one that is no target."""
    expect_images(len(plan.images))
    location = Location.parse(plan.target)
    origins = {locator: Location.parse(locator) for locator in plan.sources}
    stores.limit_source_login(frozenset(origin.host for origin in origins.values() if origin.host))
    sources = {locator: stores.source(origin) for locator, origin in origins.items()}
    target = stores.target(location)
    expect_run(plan, sources, target)
    return Prepared(
        plan=plan,
        sources=sources,
        target=target,
        location=location,
        journal=stores.journal(location),
        made_earlier=True,
    )


def _as_it_is_now(image: PlannedImage, target: Target) -> PlannedImage:
    """The image, failed if the plan has nothing to do for it but the target has lost or changed it since."""
    if image.status != "unchanged" or image.digest is None or image.goals:
        return image
    name = Name(image.target.repository, image.target.tag) if image.target.tag else image.target.at(image.digest)
    hint = "make the plan again: transload plan"
    try:
        with at_side("target"):
            if target.resolve(name).digest == image.digest:
                return image
            error: TransloadError = Refused(
                f"{name} has got other content since the plan was made", subject=str(name), hint=hint
            )
    except NotFound:
        error = NotFound(f"{name} was there when the plan was made, and is not there now", subject=str(name), hint=hint)
    error.side = "target"
    return evolve(image, status="failed", error=error)
