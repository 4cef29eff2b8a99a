"""Checks before a run whether a local source has what it will be asked for, since asking it costs no request.

A differential bundle leaves out what the target should have already, and a folder may lack a file. Without this check,
a run would fail in the middle, blob by blob.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from transload.errors import PrerequisiteMissing
from transload.gathers import exist_in
from transload.graph import walk
from transload.oci import Descriptor, Digest
from transload.planning.request import Request
from transload.planning.survey import Surveyed
from transload.planning.targetcontent import TargetContent, needed
from transload.ports import Source
from transload.values import evolve
from transload.wording import in_words

_NAMED = 3

Stays = Callable[[Surveyed, Descriptor], bool]
"""Whether a blob of an image is not copied, since its publisher keeps it elsewhere."""


def stays_elsewhere(request: Request, sources: Mapping[str, Source]) -> Stays:
    """The rule which foreign layers of an image are left where their publisher keeps them."""

    def stays(image: Surveyed, blob: Descriptor) -> bool:
        if not blob.is_foreign or not request.foreign_layers:
            return blob.is_foreign
        item = image.item
        return request.foreign_as_held and not sources[item.source_store].exists(item.source.repository, blob)

    return stays


def check_local_sources(
    surveyed: Iterable[Surveyed], holdings: TargetContent, sources: Mapping[str, Source], stays: Stays
) -> list[Surveyed]:
    """The same images; those that need a blob that neither their local source nor the target has get an error."""
    anywhere = {digest for _, digest in holdings.pairs}
    images = list(surveyed)
    wanted: dict[tuple[str, str], dict[Digest, Descriptor]] = {}
    for image in images:
        if (place := _place(image, sources)) is not None:
            blobs = _lacking(image, holdings, stays)
            wanted.setdefault(place, {}).update({blob.digest: blob for blob in blobs if blob.digest not in anywhere})
    absent = {
        place: _absent(sources[place[0]], place[1], list(blobs.values())) for place, blobs in wanted.items() if blobs
    }
    return [_checked(image, holdings, absent, sources, stays) for image in images] if any(absent.values()) else images


def _place(image: Surveyed, sources: Mapping[str, Source]) -> tuple[str, str] | None:
    """Where blobs of an image are looked for: a store and a repository, which is empty in one pool; None if nowhere."""
    source = sources[image.item.source_store]
    if image.error is not None or source.request_costs is not None:
        return None
    return image.item.source_store, "" if exist_in(source) else image.item.source.repository


def _checked(
    image: Surveyed,
    holdings: TargetContent,
    absent: Mapping[tuple[str, str], Set[Digest]],
    sources: Mapping[str, Source],
    stays: Stays,
) -> Surveyed:
    place = _place(image, sources)
    gone = absent.get(place, frozenset()) if place else frozenset()
    lacking = {blob.digest: blob for blob in _lacking(image, holdings, stays) if blob.digest in gone} if gone else {}
    return evolve(image, error=_error(sources[image.item.source_store], list(lacking.values()))) if lacking else image


def _absent(source: Source, repository: str, wanted: Sequence[Descriptor]) -> frozenset[Digest]:
    """Those of these blobs that the source does not have."""
    many = exist_in(source)
    there = many(wanted) if many is not None else [source.exists(repository, blob) for blob in wanted]
    return frozenset(blob.digest for blob, found in zip(wanted, there, strict=True) if not found)


def _lacking(image: Surveyed, holdings: TargetContent, stays: Stays) -> Iterable[Descriptor]:
    """Blobs that the image's repository at the target lacks. A foreign layer with a URL can be read from there."""
    repository = image.item.target.repository
    for tree, _ in needed(image):
        for node in walk(tree, lambda node: not holdings.has(repository, node.manifest.digest)):
            for blob in node.manifest.blobs:
                if not (blob.is_foreign and (blob.urls or stays(image, blob))):
                    yield blob


def _error(source: Source, lacking: list[Descriptor]) -> PrerequisiteMissing:
    """The error, with equal words for images that lack the same blobs, so that reports show it once."""
    named = ", ".join(blob.digest.short for blob in lacking[:_NAMED]) + (", …" if len(lacking) > _NAMED else "")
    blobs, verb = (f"{len(lacking)} blobs", "are") if len(lacking) > 1 else ("a blob", "is")
    size = in_words(sum(blob.size for blob in lacking))
    return PrerequisiteMissing(
        f"{blobs} ({size}) {verb} neither in {source.locator} nor at the target: {named}",
        side="target",
        hint="this copy is not complete: save or copy the image again"
        if getattr(source, "keeps_parts", False)
        else "push the bundle that came before it first; or pack it again, "
        "without --against or against an inventory of this target",
    )
