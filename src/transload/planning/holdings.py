"""What the target already holds of the content that is wanted: asked once each, never where the answer is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from attrs import frozen

from transload.errors import AccessDenied, NotFound, at_side
from transload.graph import Node
from transload.nursery import Cancellation, in_parallel
from transload.oci import Descriptor, Digest
from transload.planning.survey import Surveyed
from transload.ports import Target

Known = Callable[[str, Digest], bool]
"""Whether an earlier run put this blob into this repository of the target: a hint, always checked."""


@frozen
class Holdings:
    """Pairs of repository and digest that the target holds. In a pool, every repository is the same one."""

    scoped: bool
    pairs: frozenset[tuple[str, Digest]] = frozenset()

    def scope(self, repository: str) -> str:
        """What stands for the repository in `pairs`."""
        return repository if self.scoped else ""

    def has(self, repository: str, digest: Digest) -> bool:
        """Whether the target holds it there."""
        return (self.scope(repository), digest) in self.pairs


def ask_holdings(
    surveyed: Iterable[Surveyed], target: Target, known: Known, threads: int, cancellation: Cancellation
) -> Holdings:
    """Ask the target about every child manifest and blob that a surveyed image needs.

    A repository that does not exist holds nothing, and is only asked for what `known` remembers. What is below a
    child manifest that is there, is there too: registries check it when they take a manifest.
    """
    moving = [found for found in surveyed if found.root is not None or found.extras]
    fresh = _fresh_repositories(moving, target, threads, cancellation) if target.scoped else frozenset()
    holdings = Holdings(target.scoped)

    def ask(wanted: Iterable[tuple[str, Descriptor]]) -> frozenset[tuple[str, Digest]]:
        pairs = {(holdings.scope(repository), one.digest): (repository, one) for repository, one in wanted}
        asked = [
            (repository, one)
            for repository, one in pairs.values()
            if repository not in fresh or known(repository, one.digest)
        ]
        with at_side("target"):
            answers = in_parallel(lambda pair: _holds(target, *pair), asked, threads, cancellation)
        return frozenset(
            (holdings.scope(pair[0]), pair[1].digest) for pair, held in zip(asked, answers, strict=True) if held
        )

    manifests = Holdings(target.scoped, ask(_inner_manifests(moving)))
    return Holdings(target.scoped, manifests.pairs | ask(_blobs(moving, manifests)))


def needed(found: Surveyed) -> Iterator[tuple[Node, bool]]:
    """The trees that an image brings, each with whether its root is the image itself."""
    for extra in found.extras:
        yield extra.node, False
    if found.root is not None:
        yield found.root, True


def _fresh_repositories(
    moving: Iterable[Surveyed], target: Target, threads: int, cancellation: Cancellation
) -> frozenset[str]:
    existing = {found.item.target.repository for found in moving if found.at_target is not None}
    unsure = sorted({found.item.target.repository for found in moving} - existing)

    def is_fresh(repository: str) -> bool:
        try:
            next(iter(target.tags(repository)), None)
        except (NotFound, AccessDenied):
            return True
        return False

    with at_side("target"):
        answers = in_parallel(is_fresh, unsure, threads, cancellation)
    return frozenset(repository for repository, fresh in zip(unsure, answers, strict=True) if fresh)


def _holds(target: Target, repository: str, descriptor: Descriptor) -> bool:
    try:
        return target.holds(repository, descriptor)
    except AccessDenied:  # not ours to see is not there, until the upload says more
        return False


def _inner_manifests(moving: Iterable[Surveyed]) -> Iterator[tuple[str, Descriptor]]:
    def below(node: Node) -> Iterator[Descriptor]:
        for child in node.children:
            yield child.manifest.descriptor
            yield from below(child)

    for found in moving:
        for tree, is_image in needed(found):
            if not is_image:
                yield found.item.target.repository, tree.manifest.descriptor
            for descriptor in below(tree):
                yield found.item.target.repository, descriptor


def _blobs(moving: Iterable[Surveyed], manifests: Holdings) -> Iterator[tuple[str, Descriptor]]:
    def under(repository: str, node: Node) -> Iterator[Descriptor]:
        if not manifests.has(repository, node.manifest.digest):
            yield from node.manifest.blobs
            for child in node.children:
                yield from under(repository, child)

    for found in moving:
        for tree, _ in needed(found):
            for blob in under(found.item.target.repository, tree):
                yield found.item.target.repository, blob
