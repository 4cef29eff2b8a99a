"""What goes with an image without being signed itself: tags that cosign makes of its digest, and lists of referrers.

A registry can put anything under such a tag. So what an engine could run is an image there as anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from transload.errors import PolicyRefused, TransloadError
from transload.graph import Node, walk
from transload.oci import Descriptor, Digest, Name
from transload.planning import Item
from transload.planning.survey import Surveyed
from transload.pruning.held import by_beginning, companion_of


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
