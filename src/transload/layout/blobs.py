"""The blobs of a layout: where they lie, and how they are read without trusting what lies there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from transload.errors import BlobUnknown, FolderUnsafe
from transload.files import Folder, chunks_of, exactly, local_errors, read_up_to
from transload.oci import Descriptor, Digest
from transload.ports import Chunk


class Blobs:
    """Read access to `blobs/<algorithm>/<encoded>` below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real_root = Path(os.path.realpath(root))

    def place(self, digest: Digest) -> Path:
        """Where a blob belongs, whether or not it is there."""
        return self.root / "blobs" / digest.algorithm / digest.encoded

    def path(self, digest: Digest) -> Path:
        """The file that holds a blob. Raises `BlobUnknown`, and `FolderUnsafe` if it is no file of this layout."""
        return self._found(digest)[0]

    def size(self, digest: Digest) -> int:
        """How many bytes the file of a blob has. Raises as `path` does."""
        return self._found(digest)[1]

    def holds(self, descriptor: Descriptor) -> bool:
        """Whether there is a blob with this digest and size. Raises `FolderUnsafe` as `path` does."""
        try:
            return self.size(descriptor.digest) == descriptor.size
        except BlobUnknown:
            return False

    def _found(self, digest: Digest) -> tuple[Path, int]:
        place = self.place(digest)
        with local_errors("looking for", place):
            try:
                real = Path(os.path.realpath(place, strict=True))  # unlike Path.resolve, tells loops as OSError
                status = real.stat()
            except (FileNotFoundError, NotADirectoryError) as error:
                raise BlobUnknown(f"oci:{self.root} has no blob {digest.short}", subject=digest) from error
        # A layout from elsewhere must not make us send, serve or hash any other file of this machine.
        if not real.is_relative_to(self._real_root):
            raise FolderUnsafe(f"blob {digest.short} is a link that leads out of {self.root}", subject=digest)
        if not stat.S_ISREG(status.st_mode):
            raise FolderUnsafe(f"blob {digest.short} in {self.root} is not a file", subject=digest)
        return real, status.st_size

    @contextmanager
    def open(self, descriptor: Descriptor, offset: int = 0, length: int | None = None) -> Iterator[Iterator[Chunk]]:
        """See `transload.ports.Reads`; each chunk is a view of one buffer."""
        path, size = self._found(descriptor.digest)
        descriptor.check_size(size, f"oci:{self.root}")
        wanted = descriptor.size - offset if length is None else length
        with local_errors("opening", path):
            file = self._opened(path)
        with file:
            with local_errors("reading", path):
                file.seek(offset)
            yield exactly(chunks_of(file, path, wanted), wanted, f"blob {descriptor.digest.short}", descriptor.digest)

    def read(self, digest: Digest, limit: int) -> bytes:
        """The first `limit` bytes of a blob, whole if it is not longer. Raises as `path` does."""
        path = self.path(digest)
        with local_errors("reading", path), self._opened(path) as file:
            return read_up_to(file, limit)

    def file(self, digest: Digest) -> FileIO:
        """The file of a blob, open for reading. Raises as `path` does."""
        path = self.path(digest)
        with local_errors("reading", path):
            return self._opened(path)

    def _opened(self, real: Path) -> FileIO:
        """A file that was found, unless something was put in its place, or a link in its way, since it was found."""
        *folders, name = real.relative_to(self._real_root).parts
        return Folder(self._real_root, tuple(folders)).open(name, "r")

    def delete(self, digest: Digest) -> None:
        """Take a blob away, if it is there."""
        with local_errors("deleting", self.place(digest)):
            Folder(self.root, ("blobs", digest.algorithm)).unlink(digest.encoded)
