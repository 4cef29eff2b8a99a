"""Selects everything that a store has: images by tag, by digest, and without a name."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from transload.app.restricting import chosen, to_item, with_target_tag
from transload.catalog.selected import Selected
from transload.errors import NotFound, SelectionEmpty, TransloadError, UsageError, at_side
from transload.oci import Name, Reference
from transload.oci.cosign import subject_of
from transload.oci.referrers import is_fallback
from transload.planning import Item, Referrers
from transload.report.texts import count
from transload.wording import hint

if TYPE_CHECKING:
    from transload.app.job import Job
    from transload.app.location import Location
    from transload.planning.plan import PlannedImage
    from transload.ports import Source

_NAMED = 3  # images named in one sentence


def everything(
    source: Source, origin: Location, job: Job, counted: Callable[[int], object] = lambda _number: None
) -> tuple[tuple[Item, ...], tuple[str, ...]]:
    """Every image at and under the prefix of `origin` that `job` wants, and notes on what was left out.

    `counted` gets the number of tags of each repository. Raises `SelectionEmpty` if there is no image, and what
    `items_of` raises.
    """
    tagless: list[str] = []
    with at_side("source"):
        names = list(names_under(source, origin.prefix, tagless, counted))
        if not names:
            raise nothing_there(source, origin)
    lists = frozenset(name for name in names if is_fallback(name.tag))
    signatures = {name for name in names if subject_of(name.tag)} if job.referrers is Referrers.LEFT else set()
    wanted = (name for name in names if _is_named(name, job) or not (name in lists or name in signatures))
    notes = () if job.images else _list_notes(len(lists))
    return items_of(sorted(wanted), origin, job), (*_tagless_notes(tagless), *notes)


def _is_named(name: Name, job: Job) -> bool:
    """Whether `job` asks for this very tag, and not for all of its repository."""
    return name.tag is not None and any(image.rpartition(":")[2] == name.tag for image in job.images)


def _list_notes(lists: int) -> Iterator[str]:
    """Lists of referrers under tags, for registries without the API, are no images: a target has lists of its own."""
    if lists:
        are = "1 tag has a list" if lists == 1 else f"{lists} tags have lists"
        yield f"{are} of referrers and no image: referrers come with their image, and the target gets lists of its own"


def _tagless_notes(repositories: list[str]) -> Iterator[str]:
    if repositories:
        named = ", ".join(repositories[:_NAMED]) + (", …" if len(repositories) > _NAMED else "")
        have = "1 repository has" if len(repositories) == 1 else f"{len(repositories)} repositories have"
        yield f"{have} no tags, and their images can only be named by digest: {named}"


def items_of(names: Sequence[Name], origin: Location, job: Job) -> tuple[Item, ...]:
    """The planner's items for `names` in the store at `origin`, those below its prefix first.

    An image without a repository (a bare tag, or only a digest) gets the target's prefix as its repository; folders
    and bundles take it without one. Raises `ImageUnknown`, `UsageError` if the repository is unknown.
    """
    named = [_offer(name, origin, job) for name in names if _below(name, origin)]
    bare = [_bare_offer(name, origin, job) for name in names if not _below(name, origin)]
    items = chosen((*named, *bare), job)
    lost = [item for item in items if not item.target.repository]
    if lost and job.target.kind == "registry":
        raise _without_repository(lost[0], origin, job)
    return with_target_tag(items, job)


def names_under(
    source: Source,
    prefix: str,
    tagless: list[str] | None = None,
    counted: Callable[[int], object] = lambda _number: None,
) -> Iterator[Name]:
    """Every tag at and under `prefix`, and every untagged image that the store lists; `counted` gets numbers of tags.

    Registries also list repositories that are empty or have no tag; these are added to `tagless`.
    """
    lists = getattr(source, "lists", None)
    for repository in source.repositories():
        if _is_under(repository, prefix):
            tags = _tags(source, repository)
            counted(len(tags))
            yield from (Name(repository, tag) for tag in tags)
            if not tags and not lists and tagless is not None:
                tagless.append(repository)
    if lists is not None:
        yield from (name for name in lists.untagged() if _is_under(name.repository, prefix))


def _tags(source: Source, repository: str) -> list[str]:
    try:
        return list(source.tags(repository))
    except NotFound:
        return []


def nothing_there(source: Source, location: Location) -> SelectionEmpty:
    """The error for a store or prefix without images. It names the repositories that the store has instead."""
    repositories: list[str] = []
    with contextlib.suppress(TransloadError):  # asked only for the hint
        repositories = sorted(filter(None, source.repositories()))
    message = (
        f"{location.locator} has no image under {location.prefix}"
        if location.prefix
        else f"there is no image in {location}"
    )
    instead = "check that this is the right one"
    if location.kind == "registry":
        instead = "the registry may list only what this login may see: try another one, or name the images"
    if location.is_engine and location.value:
        named = str(location).partition(":")[2]
        instead = f"an image is written beside it: --from {location.kind}: {named}"
    return SelectionEmpty(
        message,
        subject=str(location),
        hint=hint(location.prefix or location.value, repositories, what="it has") or instead,
    )


def _is_under(repository: str, prefix: str) -> bool:
    return not prefix or f"{repository}/".startswith(f"{prefix}/")


def _below(name: Name, origin: Location) -> bool:
    return name.repository not in {"", origin.prefix}


def _offer(name: Name, origin: Location, job: Job) -> tuple[Item, tuple[str, ...]]:
    relative = name.repository.removeprefix(f"{origin.prefix}/") if origin.prefix else name.repository
    selected = Selected(Reference("localhost", name), relative, name.tag)
    return to_item(selected, origin.locator, name, job), (relative, relative.rpartition("/")[2], selected.place)


def _bare_offer(name: Name, origin: Location, job: Job) -> tuple[Item, tuple[str, ...]]:
    """The item of an image without repository, and its names for --image: tag or digest, or its target's name."""
    target = Name(job.target.prefix, name.tag, name.digest)
    own = str(name.tag or name.digest)
    return Item(origin.locator, name, target), (own, str(target), job.target.prefix)


def _without_repository(item: Item, origin: Location, job: Job) -> UsageError:
    called = (
        f"calls an image {item.source.tag!r}, without a repository"
        if item.source.tag
        else "has an image without a name"
    )
    if item.source.repository:
        called = f"is one repository, {item.source.repository}, and its name at the target is not known"
    return UsageError(
        f"{origin} {called}", subject=str(item.source), hint=f"say which repository it goes to: --to {job.target}/NAME"
    )


def serving_notes(source: Source) -> Iterator[str]:
    """Notes on images of a served store that clients cannot find by name."""
    names = list(names_under(source, ""))
    if not names:
        yield "there is no image in it yet"
    bare = [name for name in names if not name.repository]
    if bare:
        named = ", ".join(str(name.tag or name.digest) for name in bare[:_NAMED]) + (
            ", …" if len(bare) > _NAMED else ""
        )
        have = "has" if len(bare) == 1 else "have"
        yield (
            f"{len(bare)} of {count(len(names), 'image')} {have} no repository: "
            f"clients can pull them by digest only: {named}"
        )


def nameless_notes(images: Iterable[PlannedImage]) -> Iterator[str]:
    """Notes on images without a tag: those without any name in their store, and those whose digest changes."""
    for image in images:
        if image.target.tag is not None:
            continue
        name = image.target.at(image.digest) if image.digest else image.target
        if not image.source.repository and image.target.repository:
            yield f"an image in {image.source_store} has no name, so it becomes {name} (--target-tag gives it a tag)"
        elif image.digest and image.source_digest not in {None, image.digest}:
            yield f"{image.source} has no tag, and its digest does not stay: it becomes {name}"
