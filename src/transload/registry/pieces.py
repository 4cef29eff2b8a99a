"""Chunks on their way into an upload: hashed as they pass, and cut into bodies of exact length without copying."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transload.oci import Verifier
from transload.ports import Chunk


class BodyTooShort(Exception):
    """The chunks ended before the announced length; raised so that the connection is dropped, not left waiting."""


class ChunkedBody:
    """Hands chunks on in bodies of an exact length.

    `at` is where the first chunk belongs. What the verifier has already seen of it (a part that an interrupted upload
    sends again) is not hashed twice; that it is the same, the registry proves with the digest.
    """

    def __init__(self, chunks: Iterable[Chunk], verifier: Verifier, at: int) -> None:
        self._chunks = iter(chunks)
        self._verifier = verifier
        self._at = at
        self._rest: memoryview = memoryview(b"")

    def take(self, length: int, *, proved: bool = False) -> Iterator[memoryview]:
        """Exactly `length` bytes, or `BodyTooShort`. With `proved`, the last chunk is sent only if the digest is right.

        Raises what the chunks raise, `SizeMismatch`, `DigestMismatch`.
        """
        left = length
        while left:
            chunk = self._rest or self._next()
            if chunk is None:
                raise BodyTooShort
            piece, self._rest = chunk[:left], chunk[left:]
            left -= len(piece)
            if proved and not left:
                self._verifier.check()
            yield piece

    def finish(self) -> None:
        """Look whether more comes than promised. Raises `SizeMismatch`."""
        while self._next() is not None:
            pass

    def _next(self) -> memoryview | None:
        for chunk in self._chunks:
            view = memoryview(chunk)
            if len(view):
                self._hash(view)
                return view
        return None

    def _hash(self, view: memoryview) -> None:
        known = max(0, min(self._verifier.seen - self._at, len(view)))
        self._at += len(view)
        if known < len(view):
            self._verifier.update(view[known:] if known else view)
