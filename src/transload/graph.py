"""Graphs of manifests: an image is a tree whose inner nodes are indexes and whose leaves point at blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import field, frozen

from transload.errors import LimitExceeded
from transload.oci import Descriptor, Digest, Manifest

DEPTH = 8
"""Indexes within indexes. Real ones are one deep; what is deeper than this was made to hurt."""

NODES = 20_000
"""Manifests of one image, each counted once: more than the largest index that may be (`ENTRIES`) with attestations."""


@frozen
class Node:
    """A manifest and those of its children that are part of the graph."""

    manifest: Manifest
    children: tuple[Node, ...] = field(default=(), repr=False)


def grow(
    root: Manifest,
    fetch: Callable[[Descriptor], Manifest],
    keep: Callable[[Descriptor], bool] = lambda _: True,
) -> Node:
    """Read the children of `root`, and theirs, with `fetch`; children that `keep` refuses are left out.

    A child is read once, however often it is listed. Raises `LimitExceeded` for indexes nested deeper than `DEPTH` or
    more than `NODES` manifests in all, and whatever `fetch` raises.
    """
    known: dict[Digest, Node] = {}

    def visit(manifest: Manifest, depth: int) -> Node:
        if depth > DEPTH:
            raise LimitExceeded(f"indexes are nested deeper than {DEPTH}", subject=root.digest)
        children = []
        for child in manifest.manifests:
            if not keep(child):
                continue
            if child.digest not in known:
                if len(known) >= NODES:
                    raise LimitExceeded(f"an image of more than {NODES} manifests", subject=root.digest)
                known[child.digest] = visit(fetch(child), depth + 1)
            children.append(known[child.digest])
        return Node(manifest, tuple(children))

    return visit(root, 0)


def walk(root: Node, enter: Callable[[Node], bool] = lambda _: True) -> Iterator[Node]:
    """Every node once, children before their parents, the root last; what `enter` refuses is left out with all below.

    A node of which one parent was left out is still there for the sake of another.
    """
    seen: set[Digest] = set()

    def visit(node: Node) -> Iterator[Node]:
        if node.manifest.digest in seen or not enter(node):
            return
        seen.add(node.manifest.digest)
        for child in node.children:
            yield from visit(child)
        yield node

    return visit(root)
