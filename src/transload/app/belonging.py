"""What goes with an image without being signed itself: tags that cosign makes of its digest, and lists of referrers.

A registry can put anything under such a tag. So what an engine could run is an image there as anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from transload.errors import PolicyRefused, TransloadError
from transload.graph import Node, walk
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.planning import Item, ManifestStep, Plan
from transload.planning.plan import PlannedImage
from transload.planning.survey import Surveyed
from transload.pruning.held import by_beginning, companion_of

Key = TypeVar("Key")


def belonging(surveyed: Iterable[Surveyed]) -> dict[Item, Item]:
    """The items that are tags of signatures, or of lists of them, each with the image of the run that it belongs to.

    They are found where everything in a repository is wanted. Nobody signs them: they go with their image. One that
    gets another name at the target could be taken for an image there; so could one of two that belong to each other.
    """
    surveyed = tuple(surveyed)
    images: dict[tuple[str, str, Digest], Item] = {}
    for image in surveyed:
        nodes = [node.manifest.digest for node in walk(image.root)] if image.root else []
        for digest in filter(None, (image.source_digest, *nodes)):
            images.setdefault((image.item.source_store, image.item.source.repository, digest), image.item)
    longer = by_beginning(digest for _, _, digest in images)
    belongs: dict[Item, Item] = {}
    for image in surveyed:
        item = image.item
        subject = companion_of(item.source.tag, longer)
        found = images.get((item.source_store, item.source.repository, subject)) if subject else None
        beside = found is not None and item.target == Name(found.target.repository, item.source.tag)
        if found is not None and found != item and beside and not (image.root and holds_images(image.root)):
            belongs[item] = found
    ends = ((item, _end(item, belongs)) for item in belongs)
    return {item: end for item, end in ends if end is not None}


def _end(item: Item, belongs: Mapping[Item, Item]) -> Item | None:
    """The image to which an item belongs, maybe by way of others; None if they only belong to each other."""
    seen: set[Item] = set()
    while item in belongs:
        if item in seen:
            return None
        seen.add(item)
        item = belongs[item]
    return item


def holds_images(root: Node) -> bool:
    """Whether an engine could run something of what is there."""
    return any(node.manifest.is_runnable for node in walk(root))


def images_beside(image: Surveyed) -> Iterator[Descriptor]:
    """Companions of an image that an engine could run, and that are no part of it."""
    parts = {node.manifest.digest for node in walk(image.root)} if image.root else set()
    for companion in image.extras:
        if companion.node.manifest.digest not in parts and holds_images(companion.node):
            yield companion.node.manifest.descriptor


def with_their_images(
    belongs: Mapping[Item, Item], refused: Mapping[Name, TransloadError]
) -> Iterator[tuple[Name, TransloadError]]:
    """The errors of items whose images are refused."""
    for item, image in belongs.items():
        if image.target in refused:
            yield (
                item.target,
                PolicyRefused(
                    f"{item.label} belongs to {image.label}, which is not copied",
                    subject=item.label,
                    side="source",
                    hint="it comes with that image",
                ),
            )


def brought_beside(plan: Plan, image: PlannedImage) -> Iterator[Manifest]:
    """The manifests that the steps of an image bring beside it: they are no part of what it stands for."""
    root = {image.digest: None} if image.digest in plan.manifests else {}
    parts = all_below(root, lambda digest: listed(plan.manifests, digest))
    for number in all_below(dict.fromkeys(image.goals), lambda number: plan.steps[number].needs):
        step = plan.steps[number]
        if isinstance(step, ManifestStep) and step.digest not in parts:
            yield plan.manifests[step.digest]


def listed(manifests: Mapping[Digest, Manifest], digest: Digest | None) -> Iterable[Digest]:
    """The children of an index, as far as it is known."""
    manifest = manifests.get(digest) if digest else None
    return [child.digest for child in manifest.manifests] if manifest else ()


def all_below(first: Mapping[Key, None], more: Callable[[Key], Iterable[Key]]) -> dict[Key, None]:
    """All that can be reached from `first`, each once."""
    found, pending = dict(first), list(first)
    while pending:
        new = [key for key in more(pending.pop()) if key not in found]
        found |= dict.fromkeys(new)
        pending += new
    return found
