"""Blobs of a layout that were found damaged: noted in it, so that the next run brings them again.

A blob counts as there if its file has the right size, since hashing everything on each run would take hours. Whoever
has read a blob and found other bytes notes it: as an empty file with its digest as its name, in `.transload/damaged`,
which other tools ignore. The blob itself stays where it is. A note is only a hint: whoever meets it hashes the blob.
"""

from __future__ import annotations

import contextlib
import threading
from functools import cached_property

from transload.errors import CorruptError, DigestInvalid, TransloadError
from transload.files import Folder, chunks_of, local_errors
from transload.layout.blobs import Blobs
from transload.oci import Descriptor, Digest, Verifier


class Doubts:
    """The notes in `folder`, read once. Safe for threads."""

    def __init__(self, folder: Folder, blobs: Blobs) -> None:
        self._folder = folder
        self._blobs = blobs
        self._confirmed: set[Digest] = set()
        self._lock = threading.Lock()

    @cached_property
    def _noted(self) -> set[Digest]:
        with contextlib.suppress(OSError, TransloadError):  # notes that cannot be read count as none
            return {digest for name in self._folder.entries() if (digest := _digest_of(name)) is not None}
        return set()

    def note(self, digest: Digest) -> None:
        """Note that a blob is damaged. Raises `LocalError` where the folder cannot be written to."""
        with self._lock, local_errors("writing", self._folder.path):
            self._folder.make()
            self._folder.open(_name_of(digest), "a+").close()
            self._noted.add(digest)

    def confirms(self, descriptor: Descriptor) -> bool:
        """Whether a blob is noted, and its bytes are wrong indeed. Hashes only blobs that are noted, and each once."""
        digest = descriptor.digest
        if digest not in self._noted:
            return False
        with self._lock:
            if digest in self._noted and digest not in self._confirmed:
                if self._is_right(descriptor):
                    self._forget(digest)
                else:
                    self._confirmed.add(digest)
            return digest in self._noted

    def settle(self, digest: Digest) -> None:
        """Forget the note on a blob that has arrived again."""
        if digest in self._noted:
            with self._lock:
                self._confirmed.discard(digest)
                self._forget(digest)

    def _forget(self, digest: Digest) -> None:
        self._noted.discard(digest)
        with contextlib.suppress(OSError):  # a note that stays costs one hashing
            self._folder.unlink(_name_of(digest))

    def _is_right(self, descriptor: Descriptor) -> bool:
        verifier = Verifier(descriptor.digest, descriptor.size)
        path = self._blobs.expected_path(descriptor.digest)
        try:
            with self._blobs.file(descriptor.digest) as file:
                for chunk in chunks_of(file, path):
                    verifier.update(chunk)
            verifier.check()
        except CorruptError:
            return False
        return True


def _name_of(digest: Digest) -> str:
    return f"{digest.algorithm}-{digest.encoded}"


def _digest_of(name: str) -> Digest | None:
    try:
        return Digest(name.replace("-", ":", 1))
    except DigestInvalid:
        return None
