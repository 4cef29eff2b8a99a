"""What is asked of an engine, whichever it is: docker and podman by their API, containerd by its program."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from transload.engines.address import EngineAddress
from transload.engines.archive import EngineImage
from transload.errors import TransloadError
from transload.oci import Digest, Manifest, Platform, Reference
from transload.ports import Chunk

Check = Callable[[], None]
"""Called again and again while an engine is waited for; raises `Interrupted` to end the wait."""


class Engine(Protocol):
    """An engine of this machine that takes images. It is asked once, when it is opened, what it is."""

    @property
    def address(self) -> EngineAddress:
        """Where it is."""
        ...

    @property
    def title(self) -> str:
        """What it is, for people: `docker 20.10.24`."""
        ...

    @property
    def platform(self) -> Platform:
        """What it runs."""
        ...

    @property
    def keeps_indexes(self) -> bool:
        """Whether it keeps an index and names by digest, rather than one image by its tag."""
        ...

    def identity(self, name: Reference) -> str | None:
        """The digest by which it knows what has this name now; None if nothing has. Raises `Unreachable`, …"""
        ...

    def held(self, image: EngineImage, loaded: Iterable[Manifest]) -> frozenset[Digest]:
        """What it has of an image already, so that blobs need not be sent; `loaded` are the images of this run so far.

        All of it, where it keeps indexes; else only layers that it surely has.
        """
        ...

    def why_not(self, image: EngineImage) -> TransloadError | None:
        """The error for an image that this engine would not take; None if it may."""
        ...

    def load(self, image: EngineImage, archive: Iterable[Chunk]) -> None:
        """Give it the image as a tar, which is read once. An error of `archive` passes through unchanged.

        Raises `StorageFull`, `Refused`, `ServerTrouble`, `Stalled`, `Unreachable`, `Interrupted`.
        """
        ...
