"""Turns selected images into the items of a run: which ones --image means, and their names at the target. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from transload.catalog.selected import Selected, join
from transload.errors import ImageUnknown, UsageError
from transload.oci import Name
from transload.planning import Item
from transload.report.texts import count
from transload.values import evolve
from transload.wording import hint

if TYPE_CHECKING:
    from transload.app.job import Job

One = TypeVar("One")


def restricted(selected: Iterable[Selected], job: Job) -> tuple[Selected, ...]:
    """The images that `job.images` names: by repository, by its last part, or by repository:tag at the target."""
    return chosen(
        (
            (selection, (selection.repository, selection.repository.rpartition("/")[2], selection.place))
            for selection in selected
        ),
        job,
    )


def chosen(offered: Iterable[tuple[One, tuple[str, ...]]], job: Job) -> tuple[One, ...]:
    """The offered things that `job.images` names; all, if it names nothing. Each comes with its possible names.

    Raises `ImageUnknown` with close matches, or with some of the names.
    """
    everything = tuple(offered)
    wanted = set(job.images)
    known = {name for _, names in everything for name in names}
    unknown = [image for image in job.images if image not in known]
    if unknown:
        raise ImageUnknown(
            f"no wanted image is called {unknown[0][:140]!r}",
            subject=unknown[0],
            hint=hint(unknown[0], [names[0] for _, names in everything], what="there are", also=sorted(known)),
        )
    return tuple(thing for thing, names in everything if not wanted or wanted.intersection(names))


def to_item(wanted: Selected, store: str, source: Name, job: Job) -> Item:
    """The planner's item for a selected image: called `source` in `store`, under the job's target prefix."""
    repository = wanted.repository.rpartition("/")[2] if job.flatten else wanted.repository
    target = Name(join(job.target.prefix, repository), wanted.tag, None if wanted.tag else source.digest)
    return Item(store, source, target, optional=wanted.optional, platforms=wanted.platforms)


def with_target_tag(items: tuple[Item, ...], job: Job) -> tuple[Item, ...]:
    """The same, with `job.target_tag` for the image without a tag. Raises `UsageError` if there is not exactly one."""
    if job.target_tag is None:
        return items
    untagged = [item for item in items if item.target.tag is None]
    if len(untagged) != 1 and job.tags_by_default:
        return items
    if len(untagged) != 1:
        have = (
            f"{count(len(untagged), 'image')} {'has' if len(untagged) == 1 else 'have'}"
            if untagged
            else "every image has"
        )
        what = "no tag" if untagged else "a tag"
        raise UsageError(
            f"--target-tag {job.target_tag} is for one image without a tag, and {have} {what}",
            hint="choose one with --image" if untagged else "leave --target-tag out",
        )
    return tuple(
        evolve(item, target=Name(item.target.repository, job.target_tag)) if item is untagged[0] else item
        for item in items
    )
