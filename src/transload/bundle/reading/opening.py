"""Opens a bundle: from the first bytes to a ledger that can be trusted, always in this order.

1. the stream begins as ours do, and its members are where ours are;
2. if a key is demanded, the signature is there, by that key, and over the ledger's bytes; nothing was parsed before;
3. the ledger is valid and consistent: every offset follows from the sizes;
4. `index.json` and `manifest.json` have the digests that the ledger states, and the first says the same as the ledger.
"""

from __future__ import annotations

import hashlib

from transload.bundle.format.blueprint import (
    LEDGER,
    MARKER_CONTENT,
    SIGNATURE,
    SIGNATURE_BYTES,
    head_size,
    index_of,
    is_in_place,
)
from transload.bundle.format.keys import PublicKey, Signature, check_signature
from transload.bundle.format.ledger import Ledger
from transload.bundle.format.saved import SAVED
from transload.bundle.format.stream import StreamReader
from transload.bundle.format.tarheader import BLOCK, header, names, padding, size_in
from transload.errors import (
    BundleInvalid,
    BundleUnsigned,
    IndexTampered,
    LedgerTampered,
    LimitExceeded,
    VolumeTruncated,
)
from transload.limits import INDEX_BYTES, LEDGER_BYTES, SAVED_BYTES
from transload.oci import Digest
from transload.oci.imagelayout import INDEX, MARKER
from transload.values import frozen


@frozen
class Opened:
    """A ledger, and the signature that the bundle has; `verified` if it was checked with a key.

    `digest` is that of the ledger's bytes.
    """

    ledger: Ledger
    digest: Digest
    signature: Signature | None
    verified: bool


def open_bundle(reader: StreamReader, key: PublicKey | None) -> Opened:
    """Read the head of the stream; `reader` must be at its beginning.

    Raises `BundleInvalid`, `BundleUnsigned`, `BundleForeignSignature`, `LedgerTampered`, `IndexTampered`,
    `MemberUnsafe`, `MemberDamaged`, `LimitExceeded`, `VolumeTruncated`, and what reading raises.
    """
    _check_beginning(reader, key)
    index_size = _size(_block(reader), INDEX, INDEX_BYTES)
    index_offset = reader.offset
    reader.skip(index_size + padding(index_size))
    raw = _content(reader, _size(_block(reader), LEDGER, LEDGER_BYTES))
    block = reader.read(BLOCK)
    signature = None
    if names(block, SIGNATURE):
        signature = Signature.decode(_content(reader, _size(block, SIGNATURE, SIGNATURE_BYTES)))
        block = reader.read(BLOCK)
    if key is not None:
        if signature is None:
            raise BundleUnsigned("the bundle is not signed", hint="get it again from whoever made it, signed")
        check_signature(key, raw, signature)
    ledger = Ledger.decode(raw)
    saved_offset = reader.offset
    saved_size = None if ledger.saved_digest is None else _size(block, SAVED, SAVED_BYTES)
    if not is_in_place(ledger, head_size(index_size, len(raw), signed=signature is not None, saved_bytes=saved_size)):
        raise LedgerTampered("the ledger of the bundle is damaged: it contradicts itself", subject=LEDGER)
    reader.skip(index_offset - reader.offset)
    _check_index(reader, index_size, ledger)
    if saved_size is not None and ledger.saved_digest is not None:
        reader.skip(saved_offset - reader.offset)
        _check_digest(reader, SAVED, saved_size, ledger.saved_digest)
    return Opened(ledger, Digest.of(raw), signature, verified=key is not None)


def _check_beginning(reader: StreamReader, key: PublicKey | None) -> None:
    expected = header(MARKER, len(MARKER_CONTENT)) + MARKER_CONTENT + bytes(padding(len(MARKER_CONTENT)))
    beginning = reader.read(len(expected))
    if beginning != expected:
        if beginning and expected.startswith(beginning):
            raise _truncated()
        if key is not None:  # perhaps somebody put another tool's archive in the bundle's place
            raise BundleUnsigned(
                "this is not a bundle of transload, so it carries no signature",
                hint="get the bundle again from whoever made it, signed",
            )
        raise BundleInvalid(
            "this is not a bundle of transload",
            hint="an archive of another tool is written archive:FILE",
        )


def _block(reader: StreamReader) -> bytes:
    block = reader.read(BLOCK)
    if len(block) < BLOCK:
        raise _truncated()
    return block


def _size(block: bytes, name: str, limit: int) -> int:
    """The size of the member whose header this is."""
    size = size_in(block, name)
    if size > limit:
        raise LimitExceeded(f"{name} in the bundle has {size} bytes, {limit} are allowed", subject=name)
    return size


def _content(reader: StreamReader, size: int) -> bytes:
    content = reader.read(size)
    if len(content) < size:
        raise _truncated()
    reader.skip(padding(size))
    return content


def _check_digest(reader: StreamReader, name: str, size: int, digest: Digest) -> None:
    hasher = hashlib.new(digest.algorithm, usedforsecurity=False)
    for chunk in reader.chunks(size):
        hasher.update(chunk)
    if hasher.hexdigest() != digest.encoded:
        raise IndexTampered(
            f"{name} in the bundle does not have the digest that the ledger states",
            subject=name,
            hint="do not use this bundle: get it again from whoever made it",
        )


def _check_index(reader: StreamReader, size: int, ledger: Ledger) -> None:
    _check_digest(reader, INDEX, size, ledger.index_digest)
    if Digest.of(index_of(ledger), ledger.index_digest.algorithm) != ledger.index_digest:
        raise IndexTampered(
            "index.json and the ledger of the bundle differ: other tools would read other images from it",
            subject=INDEX,
            hint="do not use this bundle: get it again from whoever made it",
        )


def _truncated() -> VolumeTruncated:
    return VolumeTruncated(
        "the bundle ends before its ledger does", hint="copy the first volume again from where it was made"
    )
