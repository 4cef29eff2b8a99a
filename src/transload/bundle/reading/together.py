"""Many small blobs of a bundle, read with its volumes open; see `transload.gathers.ReadsMany`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from transload.bundle.format.blueprint import starts
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.stream import PathOf, StreamReader
from transload.bundle.format.tarheader import header
from transload.errors import TransloadError
from transload.oci import Descriptor
from transload.values import frozen


@frozen
class ReadsTogether:
    """Reads blobs of one bundle whose volumes are all there."""

    ledger: Ledger
    path_of: PathOf

    def contents(self, descriptors: Sequence[Descriptor]) -> Iterator[bytes | None]:
        """See `transload.gathers.ReadsMany`. A blob whose header is not right is not read so."""
        with StreamReader(self.ledger.cut, self.path_of, 0) as reader:
            for descriptor in descriptors:
                content = None
                with suppress(TransloadError):
                    content = self._content(reader, descriptor)
                yield content

    def _content(self, reader: StreamReader, descriptor: Descriptor) -> bytes | None:
        stored = self.ledger.by_digest.get(descriptor.digest)
        if stored is None or stored.size != descriptor.size:
            return None
        expected = header(stored.path, stored.size)
        reader.go_to(starts(stored))
        content = reader.read(len(expected) + stored.size)
        return content[len(expected) :] if content.startswith(expected) else None
