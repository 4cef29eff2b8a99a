"""Layers from a seed: valid gzipped tars with one pseudo-random file, which are made again at each reading.

Nothing is compressed (RFC 1951, section 3.2.4, "stored" blocks): random bytes would not shrink, and the output must not
depend on the version of a compressor. A layer is made piece by piece, so it is never whole in memory.
"""

from __future__ import annotations

import hashlib
import random
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator

from transload.oci import Descriptor, Digest
from transload.oci.mediatype import OCI_LAYER_GZIP
from transload.values import evolve, field, frozen

_PIECE = 256 << 10  # bytes made at a time
_STORED = 0xFFFF  # the longest stored block of deflate
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # no name, no time, operating system unknown


@frozen
class Content:
    """A blob: its descriptor, and a function that makes its bytes, as often as needed."""

    descriptor: Descriptor
    make: Callable[[], Iterable[bytes]] = field(eq=False, repr=False)

    @classmethod
    def of(cls, raw: bytes, media_type: str, algorithm: str = "sha256") -> Content:
        """A small blob with these bytes."""
        return cls(Descriptor(media_type, Digest.of(raw, algorithm), len(raw)), lambda: (raw,) if raw else ())

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in pieces of at most some hundred kilobytes."""
        return iter(self.make())

    def read(self) -> bytes:
        """The bytes, joined."""
        return b"".join(self.chunks())


@frozen
class Layer(Content):
    """A layer blob; `diff_id` is the digest of the tar inside (OCI image specification, config.md, "DiffID")."""

    diff_id: Digest

    def typed(self, media_type: str) -> Layer:
        """The same bytes under another media type."""
        return evolve(self, descriptor=evolve(self.descriptor, media_type=media_type))


def layer(seed: object, size: int, media_type: str = OCI_LAYER_GZIP, algorithm: str = "sha256") -> Layer:
    """A layer with one file of `size` random bytes; the blob itself is at least 1.5 KiB larger."""
    whole, inner, length = hashlib.new(algorithm), hashlib.sha256(), 0

    def tar() -> Iterator[bytes]:
        for piece in _tar(seed, size):
            inner.update(piece)
            yield piece

    for piece in _gzip(tar()):
        whole.update(piece)
        length += len(piece)
    descriptor = Descriptor(media_type, Digest(f"{algorithm}:{whole.hexdigest()}"), length)
    return Layer(descriptor, lambda: _gzip(_tar(seed, size)), Digest(f"sha256:{inner.hexdigest()}"))


def noise(seed: object, size: int) -> Iterator[bytes]:
    """`size` pseudo-random bytes in pieces; the same for the same seed on every machine."""
    source = random.Random(str(seed))  # noqa: S311 - content of tests, not a secret
    for start in range(0, size, _PIECE):
        yield source.randbytes(min(_PIECE, size - start))


def _tar(seed: object, size: int) -> Iterator[bytes]:
    name = f"srv/{hashlib.sha256(str(seed).encode()).hexdigest()[:16]}"  # layers of one image must not collide
    entry = tarfile.TarInfo(name)
    entry.size = size
    yield entry.tobuf(tarfile.GNU_FORMAT)
    yield from noise(seed, size)
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def _gzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    checksum, length = 0, 0
    yield _GZIP_HEADER
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
        length += len(piece)
        yield b"".join(_stored(piece))
    yield b"\x01\0\0\xff\xff" + struct.pack("<II", checksum, length & 0xFFFFFFFF)


def _stored(piece: bytes) -> Iterator[bytes]:
    for start in range(0, len(piece), _STORED):
        part = piece[start : start + _STORED]
        yield struct.pack("<BHH", 0, len(part), len(part) ^ 0xFFFF)
        yield part
