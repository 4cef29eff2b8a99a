"""Many small blobs on their way into a layout: written beside the blobs, flushed together, and then moved among them.

A file of a small blob is not worth being taken up by a later run, so it has one writer and no lock of its own:
one lock is held for all files of a group. So the next run sees that their writer was killed, and deletes them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress

from transload.errors import Busy, LocksMissing
from transload.files import Folder, flush_files, local_errors
from transload.gathers import Put
from transload.layout.ingest import LOCK, digest_of_parked, grouped
from transload.layout.names import LayoutNames
from transload.locks import claimed
from transload.oci import Descriptor, Digest, Verifier


class LayoutGathers:
    """Stores many things at once below `root`, by way of `unfinished`. `prepare` makes that folder.

    `arrived` is called with every blob that is stored.
    """

    def __init__(
        self,
        root: Folder,
        unfinished: Folder,
        names: LayoutNames,
        prepare: Callable[[], None],
        arrived: Callable[[Digest], None],
    ) -> None:
        self._root = root
        self._unfinished = unfinished
        self._names = names
        self._prepare = prepare
        self._arrived = arrived

    def holds(self, descriptor: Descriptor) -> bool:  # noqa: ARG002 - a plan sees all that a layout has
        """See `transload.gathers.Gathers`."""
        return False

    def put_blobs(self, blobs: Sequence[tuple[Descriptor, bytes]]) -> None:
        """See `transload.gathers.Gathers`."""
        by_algorithm: dict[str, dict[Digest, bytes]] = {}
        for descriptor, content in blobs:
            verifier = Verifier(descriptor.digest, descriptor.size)
            verifier.update(content)
            verifier.check()
            by_algorithm.setdefault(descriptor.digest.algorithm, {})[descriptor.digest] = content
        self._prepare()
        for algorithm, contents in by_algorithm.items():
            self._store(contents, self._root.inner("blobs", algorithm))
        for descriptor, _ in blobs:
            self._arrived(descriptor.digest)

    def put_manifests(self, puts: Sequence[Put]) -> None:
        """See `transload.gathers.Gathers`."""
        self._names.put(puts)

    def _store(self, contents: Mapping[Digest, bytes], blobs: Folder) -> None:
        with local_errors("writing", self._unfinished.path):
            blobs.make()
            with self._unfinished.held() as folder, blobs.held() as there, grouped(folder) as new_name:
                written: dict[str, Digest] = {}
                try:
                    for digest, content in contents.items():
                        name = new_name()
                        written[name] = digest
                        folder.create(name, content)
                    flush_files(folder, list(written))
                    for name, digest in list(written.items()):
                        folder.move(name, there, digest.encoded)
                        del written[name]
                    _drop_parked(folder, contents)
                finally:
                    for name in written:
                        with suppress(OSError):  # the first error is the one to report
                            folder.unlink(name)


def _drop_parked(folder: Folder, digests: Container[str]) -> None:
    """Delete what earlier runs kept of blobs that have arrived whole, unless another process writes it."""
    for name in folder.entries():
        if digest_of_parked(name) in digests:
            with suppress(Busy, LocksMissing, OSError), claimed(folder, f"{name}{LOCK}"):
                folder.unlink(name)
