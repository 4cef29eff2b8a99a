"""The folder in which images lie while gates look at them, and from which what passed is copied on.

Invariants:
1. a program gets a folder of its own, made for it; what it does there reaches no target and no other program;
2. blobs that a program may have changed are hashed again before anybody else gets them;
3. nothing stays behind: the folder goes at the end, or when a later run finds that its process was killed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from transload.app.stagingplace import open_up, run_folder
from transload.errors import LocalError, NotFound, TransloadError
from transload.files import local_errors
from transload.layout import LayoutStore
from transload.oci import Descriptor, Digest, Manifest, Name, Verifier
from transload.passing import PassedOn
from transload.ports import Chunk, Source


class Staging:
    """A pool of blobs in `folder`, which is a layout, and the folders of images beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pool = LayoutStore(folder / "pool", create=True)

    def keep(self, output: bytes) -> Path:
        """Write what a program wrote into a file, which goes with the folder. Raises `LocalError`."""
        path = self.folder / f"output-{secrets.token_hex(8)}"
        with local_errors("writing", path):
            path.write_bytes(output)
        return path

    @contextlib.contextmanager
    def image(self, name: Name, root: Manifest, parts: Iterable[Digest]) -> Iterator[Path]:
        """A layout folder with one image, for one program. `parts` are all manifests and blobs below `root`."""
        folder = self.folder / f"image-{secrets.token_hex(4)}"
        try:
            store = LayoutStore(folder, create=True)
            with local_errors("making a folder for a gate in", self.folder):
                for digest in parts:
                    self._give(digest, folder)
            store.put_manifest(name, root, sparse=True)
            yield folder
        finally:
            shutil.rmtree(folder, onerror=open_up)

    def _give(self, digest: Digest, folder: Path) -> None:
        target = folder / "blobs" / digest.algorithm / digest.encoded
        target.parent.mkdir(parents=True, exist_ok=True)
        source = self.pool.paths.path(digest)
        try:
            os.link(source, target)
        except OSError:  # a file system without links, such as exFAT
            shutil.copyfile(source, target)

    def changed(self, blobs: Iterable[Descriptor]) -> Descriptor | None:
        """The first of `blobs` that has other bytes by now; it is taken out of the pool, and so are all others."""
        wrong = [blob for blob in blobs if not self._is_right(blob)]
        for blob in wrong:
            self._drop(blob.digest)
        return wrong[0] if wrong else None

    def drop(self, blobs: Iterable[Descriptor]) -> None:
        """Free the room of blobs that nobody needs any more."""
        for blob in blobs:
            self._drop(blob.digest)

    def _drop(self, digest: Digest) -> None:
        with contextlib.suppress(OSError, NotFound):
            self.pool.paths.path(digest).unlink()

    def _is_right(self, blob: Descriptor) -> bool:
        verifier = Verifier(blob.digest, blob.size)
        try:
            with self.pool.open("", blob) as chunks:
                for chunk in chunks:
                    verifier.update(chunk)
            verifier.check()
        except TransloadError:
            return False
        return True


@contextlib.contextmanager
def staging(state: Path | None) -> Iterator[Staging]:
    """A new folder for staged images, below the state folder, else in one of this user for temporary files.

    What killed runs left there is removed. Raises `LocalError`, `FolderUnsafe`.
    """
    with run_folder(state) as folder:
        yield Staging(folder)


class StagedSource(PassedOn):
    """A source whose blobs are read from the staging folder, as far as they are there: nothing is fetched twice."""

    def __init__(self, source: Source, pool: LayoutStore) -> None:
        super().__init__(source)
        self._pool = pool

    reads_many: None = None  # the pool may have them, and `open` looks there

    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[Chunk]]:
        """See `Reads`. The reader checks the digest."""
        with contextlib.suppress(NotFound, LocalError):
            if self._pool.exists("", descriptor):
                return self._pool.open("", descriptor, offset, length)
        return self._source.open(repository, descriptor, offset, length)


class BesideTarget(PassedOn):
    """A source with the target beside it, which has what a differential bundle leaves out.

    `repositories` are those of the target that may have it.
    """

    def __init__(self, source: Source, target: Source, repositories: Iterable[str]) -> None:
        super().__init__(source)
        self._target = target
        self._repositories = tuple(dict.fromkeys(repositories))

    def fetch(self, name: Name) -> Manifest:
        """See `Resolves`."""
        try:
            return self._source.fetch(name)
        except NotFound:
            for repository in self._repositories if name.digest else ():
                with contextlib.suppress(NotFound):
                    return self._target.fetch(Name(repository, None, name.digest))
            raise

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """See `Reads`."""
        return self._source.exists(repository, descriptor) or self._holder(descriptor) is not None

    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[Chunk]]:
        """See `Reads`."""
        if not self._source.exists(repository, descriptor) and (holder := self._holder(descriptor)) is not None:
            return self._target.open(holder, descriptor, offset, length)
        return self._source.open(repository, descriptor, offset, length)

    def _holder(self, descriptor: Descriptor) -> str | None:
        return next((place for place in self._repositories if self._target.exists(place, descriptor)), None)
