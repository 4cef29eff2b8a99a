"""Digests: names of content made from its bytes (OCI image specification, descriptor.md, "Digests")."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from transload.errors import DigestInvalid, DigestMismatch, SizeMismatch
from transload.expressions import late
from transload.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from hashlib import _Hash

    Chunk = bytes | bytearray | memoryview

# The registered algorithms. A digest of any other algorithm cannot be proved, so it is refused.
_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_LENGTH = 200
_VALID = late("|".join(f"{algorithm}:[0-9a-f]{{{length}}}" for algorithm, length in _HEX_LENGTH.items()))
_FORM = late(r"([a-z0-9]+(?:[.+_-][a-z0-9]+)*):[a-zA-Z0-9=_-]+")


class Digest(str):
    """A validated digest such as `sha256:e3b0…`. It is a `str`, so it can be a key, and be joined and printed.

    Raises `DigestInvalid` for anything but sha256 and sha512 in lower-case hexadecimal of the right length.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Digest:  # noqa: D102 - described by the class
        if isinstance(text, Digest):
            return text
        if _VALID.fullmatch(text):
            return super().__new__(cls, text)
        raise cls._refused(text)

    @classmethod
    def _refused(cls, text: str) -> DigestInvalid:
        form = _FORM.fullmatch(text) if len(text) <= _LENGTH else None
        if not form:
            return DigestInvalid(
                f"{text[:80]!r} is not a digest", hint="a digest is written sha256:<64 hexadecimal digits>"
            )
        algorithm = form[1]
        length = _HEX_LENGTH.get(algorithm)
        if length is None:
            return DigestInvalid(
                f"digest algorithm {algorithm!r} cannot be verified", subject=text, hint="use sha256 or sha512"
            )
        return DigestInvalid(f"{text[:160]!r}: {algorithm} takes {length} lower-case hexadecimal digits")

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Digest:
        """The digest of `content`."""
        return cls(f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}")

    @classmethod
    def of_all(cls, pieces: Iterable[bytes]) -> Digest:
        """The digest of content that comes in pieces."""
        hasher = hashlib.sha256()
        for piece in pieces:
            hasher.update(piece)
        return cls(f"sha256:{hasher.hexdigest()}")

    @property
    def algorithm(self) -> str:
        """`sha256` or `sha512`."""
        return self.partition(":")[0]

    @property
    def encoded(self) -> str:
        """The hexadecimal digits."""
        return self.partition(":")[2]

    @property
    def short(self) -> str:
        """The first twelve digits, for people."""
        return self.encoded[:12]


class Verifier:
    """Counts and hashes bytes as they come, and checks at the end that they have the expected size and digest."""

    def __init__(self, digest: Digest, size: int) -> None:
        self.digest = digest
        self.size = size
        self.seen = 0
        self._hash: _Hash = hashlib.new(digest.algorithm, usedforsecurity=False)

    def update(self, chunk: Chunk) -> None:
        """Take the next bytes. Raises `SizeMismatch` as soon as there are more than promised."""
        self.seen += len(chunk)
        if self.seen > self.size:
            raise SizeMismatch(
                f"content of {self.digest.short} is longer than the promised {number_of(self.size, 'byte')}",
                subject=self.digest,
            )
        self._hash.update(chunk)

    def check(self) -> None:
        """Raise `SizeMismatch` or `DigestMismatch` unless exactly the promised bytes came."""
        if self.seen != self.size:
            raise SizeMismatch(
                f"content of {self.digest.short} has {number_of(self.seen, 'byte')}, its descriptor says {self.size}",
                subject=self.digest,
            )
        encoded = self._hash.hexdigest()
        if encoded != self.digest.encoded:
            raise DigestMismatch(
                f"expected {self.digest}, found {self.digest.algorithm}:{encoded}", subject=self.digest
            )


def verified(chunks: Iterable[Chunk], digest: Digest, size: int) -> bytes:
    """All of `chunks`, which must have this digest and size in bytes. Raises `SizeMismatch`, `DigestMismatch`.

    >>> verified([b"one ", b"piece"], Digest.of(b"one piece"), 9)
    b'one piece'
    """
    verifier, content = Verifier(digest, size), bytearray()
    for chunk in chunks:
        verifier.update(chunk)
        content += chunk
    verifier.check()
    return bytes(content)
