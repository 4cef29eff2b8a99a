"""Graphs of manifests: an image is a tree whose inner nodes are indexes and whose leaves point at blobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from transload.errors import LimitExceeded
from transload.limits import IMAGE_MANIFESTS, IMAGE_MANIFESTS_BYTES, INDEX_DEPTH
from transload.oci import Descriptor, Digest, Manifest
from transload.values import field, frozen
from transload.wording import in_words


@frozen
class Node:
    """A manifest and its children, as far as they are part of the graph."""

    manifest: Manifest
    children: tuple[Node, ...] = field(default=(), repr=False)


class Allowance:
    """How many bytes of memory some manifests may take together, and how many they take. Safe for threads.

    `within` is a larger allowance that this one is a part of.
    """

    def __init__(self, what: str, limit: int, within: Allowance | None = None) -> None:
        self._what = what
        self._limit = limit
        self._within = within
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, manifest: Manifest) -> Manifest:
        """Count a manifest that will be kept in memory, and return it. Raises `LimitExceeded`."""
        self._take(manifest.weight, manifest.digest)
        return manifest

    def _take(self, count: int, digest: Digest) -> None:
        with self._lock:
            if self._taken + count > self._limit:
                raise LimitExceeded(
                    f"the manifests of {self._what} take more than {in_words(self._limit)} of memory",
                    subject=digest,
                    hint="do fewer images at a time" if self._within is None else None,
                )
            if self._within is not None:
                self._within._take(count, digest)
            self._taken += count

    def settle(self, count: int) -> None:
        """Correct the number of bytes taken: `count` of them are kept in the end."""
        with self._lock:
            change, self._taken = count - self._taken, count
        if self._within is not None:
            with self._within._lock:
                self._within._taken += change


def grow(
    root: Manifest,
    fetch: Callable[[Descriptor], Manifest],
    keep: Callable[[Descriptor], bool] = lambda _: True,
) -> Node:
    """Read all manifests below `root` with `fetch`. Children for which `keep` is False are left out.

    Each child is read once, however often it is listed. Raises `LimitExceeded` for indexes nested deeper than
    `INDEX_DEPTH`, for more than `IMAGE_MANIFESTS` manifests or `IMAGE_MANIFESTS_BYTES` of them in all, and whatever
    `fetch` raises.
    """
    allowance = Allowance("an image", IMAGE_MANIFESTS_BYTES)
    return _Growing(root.digest, lambda child: allowance.take(fetch(child)), keep).visit(allowance.take(root), 0)


class _Growing:
    """A tree that grows. A class, since an inner function that calls itself stays until garbage is searched for."""

    def __init__(
        self, root: Digest, fetch: Callable[[Descriptor], Manifest], keep: Callable[[Descriptor], bool]
    ) -> None:
        self._root = root
        self._fetch = fetch
        self._keep = keep
        self._known: dict[Digest, Node] = {}

    def visit(self, manifest: Manifest, depth: int) -> Node:
        if depth > INDEX_DEPTH:
            raise LimitExceeded(f"indexes are nested deeper than {INDEX_DEPTH}", subject=self._root)
        children = []
        for child in manifest.manifests:
            if not self._keep(child):
                continue
            if child.digest not in self._known:
                if len(self._known) >= IMAGE_MANIFESTS:
                    raise LimitExceeded(f"an image of more than {IMAGE_MANIFESTS} manifests", subject=self._root)
                self._known[child.digest] = self.visit(self._fetch(child), depth + 1)
            children.append(self._known[child.digest])
        return Node(manifest, tuple(children))


def walk(root: Node, enter: Callable[[Node], bool] = lambda _: True) -> Iterator[Node]:
    """Every node once, children before their parents, the root last.

    Nodes for which `enter` is False are left out with all below them, unless another parent leads there.
    """
    return _walked(root, enter, set())


def _walked(node: Node, enter: Callable[[Node], bool], seen: set[Digest]) -> Iterator[Node]:
    if node.manifest.digest in seen or not enter(node):
        return
    seen.add(node.manifest.digest)
    for child in node.children:
        yield from _walked(child, enter, seen)
    yield node
