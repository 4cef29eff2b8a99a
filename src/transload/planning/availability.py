"""Checks before a run whether a local source has what it will be asked for, since asking it costs no request.

A differential bundle leaves out what the target should have already, and a folder may lack a file. Without this check,
a run would fail in the middle, blob by blob.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

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
    return [_checked(image, holdings, anywhere, sources, stays) for image in surveyed]


def _checked(
    image: Surveyed, holdings: TargetContent, anywhere: set[Digest], sources: Mapping[str, Source], stays: Stays
) -> Surveyed:
    if image.error is not None:
        return image
    source = sources[image.item.source_store]
    if source.request_costs is not None:
        return image
    wanted = {blob.digest: blob for blob in _lacking(image, holdings, stays) if blob.digest not in anywhere}
    lacking = _absent(source, image.item.source.repository, list(wanted.values()))
    return evolve(image, error=_error(source, lacking)) if lacking else image


def _absent(source: Source, repository: str, wanted: Sequence[Descriptor]) -> list[Descriptor]:
    """Those of these blobs that the source does not have."""
    many = exist_in(source)
    there = many(wanted) if many is not None else [source.exists(repository, blob) for blob in wanted]
    return [blob for blob, found in zip(wanted, there, strict=True) if not found]


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
