"""The blobs of a layout: finding and reading them safely, also in a layout from elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path

from transload.errors import BlobUnknown, DigestInvalid, FolderUnsafe, LocalError
from transload.files import Folder, chunks_of, closed_after, exactly, local_errors, read_up_to
from transload.oci import Descriptor, Digest
from transload.ports import Chunk


class Blobs:
    """Read access to `blobs/<algorithm>/<encoded>` below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real_root = Path(os.path.realpath(root))
        self._real_blobs = f"{self._real_root}/blobs"

    def expected_path(self, digest: Digest) -> Path:
        """The path where a blob belongs, whether or not it is there."""
        return self.root / "blobs" / digest.algorithm / digest.encoded

    def path(self, digest: Digest) -> Path:
        """The file of a blob. Raises `BlobUnknown`; `FolderUnsafe` if it is not a file inside this layout."""
        return self._located(digest)[0]

    def size(self, digest: Digest) -> int:
        """The size of a blob's file in bytes. Raises as `path` does."""
        return self._located(digest)[1]

    def has(self, digest: Digest) -> bool:
        """Whether there is a blob with this digest, of any size. Raises `FolderUnsafe` as `path` does."""
        try:
            return self.size(digest) >= 0
        except BlobUnknown:
            return False

    def exists(self, descriptor: Descriptor) -> bool:
        """Whether there is a blob with this digest and size. Raises `FolderUnsafe` as `path` does."""
        with suppress(OSError):  # looked up once more below, to say what is wrong
            try:
                found = self._without_links(descriptor.digest)
            except (FileNotFoundError, NotADirectoryError):
                return False
            if found is not None and stat.S_ISREG(found[1].st_mode):
                return found[1].st_size == descriptor.size
        try:
            return self._located(descriptor.digest)[1] == descriptor.size
        except BlobUnknown:
            return False

    def exist(self, descriptors: Sequence[Descriptor]) -> list[bool]:
        """`exists` for each of these; the folders are opened once for all of them."""
        found: list[bool | None] = [None] * len(descriptors)
        by_algorithm: dict[str, list[int]] = {}
        for place, descriptor in enumerate(descriptors):
            by_algorithm.setdefault(descriptor.digest.algorithm, []).append(place)
        for algorithm, places in by_algorithm.items():
            folder = Folder(self._real_root, ("blobs", algorithm))
            with suppress(OSError, LocalError, FolderUnsafe):  # the rest is looked up alone, which says why
                statuses = folder.statuses(descriptors[place].digest.encoded for place in places)
                for place, status in zip(places, statuses, strict=True):
                    if status is None:
                        found[place] = False
                    elif stat.S_ISREG(status.st_mode):
                        found[place] = status.st_size == descriptors[place].size
        pairs = zip(found, descriptors, strict=True)
        return [self.exists(descriptor) if there is None else there for there, descriptor in pairs]

    def _located(self, digest: Digest) -> tuple[Path, int]:
        expected = self.expected_path(digest)
        with local_errors("looking for", expected):
            try:
                found = self._without_links(digest)
                real, status = (Path(found[0]), found[1]) if found else _followed(expected)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise self._unknown(digest) from error
        # A layout from elsewhere must not make us send, serve or hash another file of this machine.
        if not real.is_relative_to(self._real_root):
            raise FolderUnsafe(f"blob {digest.short} is a link that leads out of {self.root}", subject=digest)
        if not stat.S_ISREG(status.st_mode):
            raise FolderUnsafe(f"blob {digest.short} in {self.root} is not a file", subject=digest)
        return real, status.st_size

    def _without_links(self, digest: Digest) -> tuple[str, os.stat_result] | None:
        """Where a blob is, with its status; None if there is a link on the way. Half the cost of `_followed`.

        The blob is looked at first: if it is missing, it does not matter what leads there.
        """
        folder = f"{self._real_blobs}/{digest.algorithm}"
        path = f"{folder}/{digest.encoded}"
        status, *above = [os.lstat(each) for each in (path, folder, self._real_blobs)]
        if any(stat.S_ISLNK(each.st_mode) for each in (status, *above)):
            return None
        return path, status

    @contextmanager
    def open(self, descriptor: Descriptor, offset: int = 0, length: int | None = None) -> Iterator[Iterator[Chunk]]:
        """Bytes of a blob, as `transload.ports.Reads` gives them; each chunk is a view of one buffer."""
        file, path, size = self._plain(descriptor.digest) or self._behind_links(descriptor.digest)
        with closed_after(file):
            descriptor.check_size(size, f"oci:{self.root}")
            wanted = descriptor.size - offset if length is None else length
            if offset:
                with local_errors("reading", path):
                    file.seek(offset)
            yield exactly(chunks_of(file, path, wanted), wanted, f"blob {descriptor.digest.short}", descriptor.digest)

    def contents(self, descriptors: Sequence[Descriptor]) -> Iterator[bytes | None]:
        """See `transload.gathers.ReadsMany`: the folders are opened once for all of them."""
        with ExitStack() as stack:
            folders: dict[str, Folder] = {}
            for descriptor in descriptors:
                content = None
                with suppress(OSError, LocalError, FolderUnsafe):
                    algorithm = descriptor.digest.algorithm
                    if algorithm not in folders:
                        folder = Folder(self._real_root, ("blobs", algorithm))
                        folders[algorithm] = stack.enter_context(folder.held())
                    content = folders[algorithm].read(descriptor.digest.encoded, descriptor.size + 1)  # one too many
                yield content

    def read(self, digest: Digest, limit: int) -> bytes:
        """The first `limit` bytes of a blob; all of it if it is not longer. Raises as `path` does."""
        with suppress(OSError, LocalError, FolderUnsafe):  # looked up once more below, to say what is wrong
            return Folder(self._real_root, ("blobs", digest.algorithm)).read(digest.encoded, limit)
        file, path, _ = self._behind_links(digest)
        with local_errors("reading", path), closed_after(file):
            return read_up_to(file, limit)

    def file(self, digest: Digest) -> FileIO:
        """The file of a blob, open for reading. Raises as `path` does."""
        path = self.path(digest)
        with local_errors("reading", path):
            return self._opened(path, digest)

    def _plain(self, digest: Digest) -> tuple[FileIO, Path, int] | None:
        """The open file of a blob, its path and size; None if it is not a plain file without links on the way to it."""
        folder = Folder(self._real_root, ("blobs", digest.algorithm))
        try:
            file = folder.open(digest.encoded, "r")
        except (OSError, LocalError, FolderUnsafe):
            return None
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            return file, folder.path / digest.encoded, status.st_size
        file.close()
        return None

    def _behind_links(self, digest: Digest) -> tuple[FileIO, Path, int]:
        path, size = self._located(digest)
        with local_errors("opening", path):
            return self._opened(path, digest), path, size

    def _opened(self, real: Path, digest: Digest) -> FileIO:
        """Open a file after `path` has checked it. This fails if it was replaced, or a link added, since then.

        Another process may have deleted it meanwhile: then there is no such blob.
        """
        *folders, name = real.relative_to(self._real_root).parts
        try:
            return Folder(self._real_root, tuple(folders)).open(name, "r")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._unknown(digest) from error

    def _unknown(self, digest: Digest) -> BlobUnknown:
        return BlobUnknown(f"oci:{self.root} has no blob {digest.short}", subject=digest)

    def delete(self, digest: Digest) -> None:
        """Delete a blob, if it is there."""
        with local_errors("deleting", self.expected_path(digest)):
            Folder(self.root, ("blobs", digest.algorithm)).unlink(digest.encoded)

    def stored(self, before_s: float) -> dict[Digest, int]:
        """The sizes of all blobs that nobody has written to since `before_s` (wall clock); links are left out."""
        sizes: dict[Digest, int] = {}
        with local_errors("listing", self.root / "blobs"):
            for algorithm in ("sha256", "sha512"):
                folder = Folder(self.root, ("blobs", algorithm))
                for name in folder.entries():
                    status = folder.status(name)
                    if status is not None and stat.S_ISREG(status.st_mode) and status.st_mtime < before_s:
                        with suppress(DigestInvalid):
                            sizes[Digest(f"{algorithm}:{name}")] = status.st_size
        return sizes

    def flush(self) -> None:
        """Make the blobs' names survive a power cut, before a name leads to them."""
        blobs = Folder(self.root, ("blobs",))
        with local_errors("flushing", blobs.path):
            for name in blobs.entries():
                status = blobs.status(name)
                if status is not None and stat.S_ISDIR(status.st_mode):
                    blobs.inner(name).flush()
            blobs.flush()


def _followed(path: Path) -> tuple[Path, os.stat_result]:
    real = Path(os.path.realpath(path, strict=True))  # unlike Path.resolve, it raises OSError for loops
    return real, real.stat()
