"""What is said of blobs that are half there: whether the target can go on with them, and what a stopped run left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transload.report.texts import count, size

if TYPE_CHECKING:
    from transload.app.location import Location
    from transload.planning import Plan
    from transload.planning.plan import Share
    from transload.ports import Continues, Target


def half_blob_notes(plan: Plan, target: Target) -> tuple[str, ...]:
    """A note if the plan has large blobs for a registry that is known not to take up half of one."""
    if not _has_large_blobs(plan, target) or _resumes(target) is not False:
        return ()
    return (f"{target.locator} does not take up half a blob: one that breaks off is sent again from its beginning",)


def unknown_half_notes(plan: Plan, target: Target) -> tuple[str, ...]:
    """A note if the plan has large blobs for a registry of which it is not known whether it takes up half of one."""
    if not _has_large_blobs(plan, target) or _resumes(target) is not None:
        return ()
    host = target.locator
    return (f"it is not known whether {host} goes on with half a blob; to find out: transload check {host}",)


def _has_large_blobs(plan: Plan, target: Target) -> bool:
    costs = target.request_costs
    return costs is not None and any(step.descriptor.size > costs.small_blob_bytes for step in plan.blob_steps())


def _resumes(target: Target) -> bool | None:
    """Whether a registry takes up half a blob, if that is known; None also for other stores."""
    capabilities = getattr(target, "capabilities", None)
    return capabilities.resumes if capabilities is not None else None


def goes_on(target: Target, *, noted: bool) -> bool:
    """Whether a later run may go on with half a blob at a registry. `noted`: it will know where."""
    return noted and _resumes(target) is not False


def kept_half(underway: Share, location: Location, target: Target, *, noted: bool) -> str | None:
    """What becomes of the blobs that were under way when a run was stopped; None if there were none.

    `noted`: whether a later run will know where the uploads go on.
    """
    if not underway.blobs:
        return None
    blobs = "1 blob was" if underway.blobs == 1 else f"{count(underway.blobs, 'blob')} were"
    what = f"{blobs} half-way"
    arrived = size(underway.bytes)
    if location.kind != "registry":
        return f"{what}: the {arrived} that had arrived are parked, and the next run goes on there"
    host = location.value
    if not noted:
        return f"{what}, and the {arrived} that had arrived will be sent again: there is no state folder"
    continues: Continues | None = getattr(target, "continues", None)
    kept = continues.kept_bytes if continues is not None else 0
    if kept:
        return f"{what}: {host} keeps {size(kept)} that had arrived, and the next run goes on there"
    resumes = _resumes(target)
    if resumes:
        return f"{what}: {host} keeps what it had got, and the next run goes on there"
    if resumes is False:
        return f"{what}, and the {arrived} that had arrived will be sent again: {host} does not take up half a blob"
    return f"{what}: if {host} has kept what it had got, the next run goes on there"
