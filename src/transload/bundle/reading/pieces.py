"""Where the bytes of a bundle's blobs lie in its volumes; see `transload.infiles`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from transload.bundle.format.stream import PathOf
from transload.bundle.format.volumes import Cut
from transload.files import local_errors, open_file
from transload.infiles import Piece
from transload.oci import Descriptor
from transload.values import frozen


@frozen
class InVolumes:
    """Blobs of one bundle. `place_of` checks that these bytes are there, and says where in the stream they begin."""

    cut: Cut
    path_of: PathOf
    place_of: Callable[[Descriptor, int, int], int]

    def pieces(self, descriptor: Descriptor, offset: int, length: int) -> Iterator[Piece]:
        """See `transload.infiles.InFiles`."""
        for extent in self.cut.spans(self.place_of(descriptor, offset, length), length):
            path = self.path_of(extent.volume)
            with local_errors("reading", path):
                yield Piece(open_file(path), extent.offset, extent.length)
