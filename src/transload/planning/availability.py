"""Whether a source has what it will be asked for: asked beforehand where asking costs nothing.

A differential bundle leaves out what the far side is said to have, and a folder may lack a file. Without this check a
run would find out in the middle, blob by blob.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import evolve

from transload.errors import PrerequisiteMissing
from transload.graph import walk
from transload.oci import Descriptor, Digest
from transload.planning.request import Request
from transload.planning.survey import Surveyed
from transload.planning.targetcontent import TargetContent, needed
from transload.ports import Source
from transload.wording import in_words

_NAMED = 3

Stays = Callable[[Surveyed, Descriptor], bool]
"""Whether a blob of an image is not copied, since its publisher keeps it elsewhere."""


def stays_elsewhere(request: Request, sources: Mapping[str, Source]) -> Stays:
    """Which foreign layers of an image are left where their publisher keeps them."""

    def stays(found: Surveyed, blob: Descriptor) -> bool:
        if not blob.is_foreign or not request.foreign_layers:
            return blob.is_foreign
        item = found.item
        return request.foreign_as_held and not sources[item.source_store].holds(item.source.repository, blob)

    return stays


def check_local_sources(
    surveyed: Iterable[Surveyed], holdings: TargetContent, sources: Mapping[str, Source], stays: Stays
) -> list[Surveyed]:
    """The same, images with an error that need a blob which neither their local source nor the target has."""
    anywhere = {digest for _, digest in holdings.pairs}
    return [_checked(found, holdings, anywhere, sources, stays) for found in surveyed]


def _checked(
    found: Surveyed, holdings: TargetContent, anywhere: set[Digest], sources: Mapping[str, Source], stays: Stays
) -> Surveyed:
    if found.error is not None:
        return found
    source = sources[found.item.source_store]
    if source.request_costs is not None:
        return found
    repository = found.item.source.repository
    lacking = {
        blob.digest: blob
        for blob in _lacking(found, holdings, stays)
        if blob.digest not in anywhere and not source.holds(repository, blob)
    }
    return evolve(found, error=_error(source, list(lacking.values()))) if lacking else found


def _lacking(found: Surveyed, holdings: TargetContent, stays: Stays) -> Iterable[Descriptor]:
    """What the target does not hold in the image's repository; a foreign layer with a URL can be had there."""
    repository = found.item.target.repository
    for tree, _ in needed(found):
        for node in walk(tree, lambda node: not holdings.has(repository, node.manifest.digest)):
            for blob in node.manifest.blobs:
                if not (blob.is_foreign and (blob.urls or stays(found, blob))):
                    yield blob


def _error(source: Source, lacking: list[Descriptor]) -> PrerequisiteMissing:
    """The same for every image that lacks the same, so that reports tell it once."""
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
