"""The port of stores whose blobs lie in larger files, so that the kernel can send them; see `transload.ports`.

It is the attribute `in_files` of a store; one without it has none, or None there.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import FileIO
from typing import Protocol

from transload.oci import Descriptor
from transload.values import frozen


@frozen
class Piece:
    """Where bytes lie: `length` of them from `offset` on in an open file, which whoever gets this closes."""

    file: FileIO
    offset: int
    length: int


class InFiles(Protocol):
    """Knows where a blob lies in larger files on a local disk."""

    def pieces(self, descriptor: Descriptor, offset: int, length: int) -> Iterator[Piece]:
        """The pieces with these bytes of a blob in order. Raises what `open` raises, at the first step or later."""
        ...
