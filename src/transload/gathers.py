"""The ports of stores that can store many small things at once, or read them; see `transload.ports` for attributes.

They are the attributes `gathers` of a target and `reads_many` of a source; a store without one has none, or None there.
A store of one pool may also have the method of `ExistMany`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from transload.oci import Descriptor, Manifest, Name
from transload.values import frozen


@frozen(kw_only=True)
class Put:
    """A manifest that is to be stored under a name. The fields mean what they mean for `Names.put_manifest`."""

    name: Name
    manifest: Manifest
    part: bool = False
    sparse: bool = False


class Gathers(Protocol):
    """Stores many small things for the price of one (`gathers`): with one flush, and one change of a list.

    After an error some of them may be stored. Whoever calls then stores each by itself, and learns which one is wrong.
    """

    def holds(self, descriptor: Descriptor) -> bool:
        """Whether an earlier run stored this blob where a plan does not see it, so that it need not be read again."""
        ...

    def put_blobs(self, blobs: Sequence[tuple[Descriptor, bytes]]) -> None:
        """Check the digest of each blob, and make all of them visible. Raises what `Ingest` raises."""
        ...

    def put_manifests(self, puts: Sequence[Put]) -> None:
        """Store manifests in this order, each as `Names.put_manifest` does. Raises the same errors."""
        ...


class ReadsMany(Protocol):
    """Reads many small blobs for less than one after the other costs (`reads_many`)."""

    def contents(self, descriptors: Sequence[Descriptor]) -> Iterator[bytes | None]:
        """The bytes of each blob, read when they are asked for, and checked by nobody yet.

        None for one that cannot be read so, whatever the reason: whoever wants it opens it, and learns what is wrong.
        """
        ...


class ExistMany(Protocol):
    """A store of one pool that looks for many blobs for less than one after the other costs."""

    def exist(self, descriptors: Sequence[Descriptor]) -> list[bool]:
        """For each of these what `exists` would say. Raises the same errors."""
        ...


def exist_in(store: object) -> Callable[[Sequence[Descriptor]], list[bool]] | None:
    """How a store looks for many blobs at once; None if it cannot."""
    many: Callable[[Sequence[Descriptor]], list[bool]] | None = getattr(store, "exist", None)
    return many
