"""The ledger: what a bundle holds and where, as canonical JSON that can be signed (docs/formats/bundle.md).

Invariants, held by `Ledger.decode`:
1. the bytes are those that `Ledger.encode` writes, so that the same facts have only one ledger, and no key is twice;
2. every name, digest and size is valid, and every number is within the limits of this module;
3. every image lists the blobs that it needs, so that a lost volume can be reported without reading manifests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from transload.bundle.format.contents import Prerequisite
from transload.bundle.format.edition import Edition
from transload.bundle.format.entries import (
    Item,
    LedgerImage,
    StoredBlob,
    StoredExtra,
    blob_in,
    blob_out,
    blob_text,
    bytes_in,
    check_count,
    digest_in,
    extra_in,
    extra_out,
    image_in,
    image_out,
    listed,
    prerequisite_in,
    prerequisite_out,
    text_in,
)
from transload.bundle.format.ledgertext import LedgerText
from transload.bundle.format.piecewise import Apart, taken_apart
from transload.bundle.format.volumes import Cut
from transload.documents.value import Document, Value
from transload.errors import BundleInvalid, LedgerTampered, LimitExceeded, TransloadError
from transload.limits import LEDGER_BYTES, LEDGER_VALUES, VOLUMES
from transload.linedjson import pieces
from transload.oci import Descriptor, Digest, Name
from transload.strictjson import OverLimit, check_counts, check_size
from transload.values import define, evolve, field

KIND = "transload-bundle"  # so that the signature of a ledger cannot be used for another document
FORMATS = (1, 2, 3)  # the second has a manifest.json, and says so; the third says which edition it is
_KEYS = frozenset(
    "kind format images blobs extras prerequisites against plan index volume_size volumes size".split()  # noqa: SIM905 - reads better
)
_MORE_KEYS: Mapping[int, frozenset[str]] = {
    1: frozenset(),
    2: frozenset({"manifest"}),
    3: frozenset({"manifest", "edition"}),
}


@define(frozen=True, slots=False, kw_only=True)
class Ledger:
    """The whole ledger. `size` is that of the stream; offsets are in the stream. `volume_bytes` None means not cut.

    The format, and the meaning of each entry, is docs/formats/bundle.md. Sizes and offsets are bytes. `edition` is None
    in bundles of versions that did not say when they packed them.
    """

    images: tuple[LedgerImage, ...]
    blobs: tuple[StoredBlob, ...] = field(repr=False)
    extras: tuple[StoredExtra, ...]
    prerequisites: tuple[Prerequisite, ...]
    against: str
    plan_digest: Digest | None
    index_digest: Digest
    saved_digest: Digest | None = None
    edition: Edition | None = None
    volume_bytes: int | None
    size: int

    @property
    def format(self) -> int:
        """The number of the format: 3 for a bundle with an edition, else 2 for one with a `manifest.json`."""
        return 3 if self.edition else 2 if self.saved_digest else 1

    @property
    def cut(self) -> Cut:
        """How the stream is cut into volumes."""
        return Cut(self.size, self.volume_bytes)

    @cached_property
    def by_digest(self) -> Mapping[Digest, StoredBlob]:
        """Every blob and manifest by its digest."""
        return {blob.digest: blob for blob in self.blobs}

    @cached_property
    def assumed(self) -> Mapping[Digest, Descriptor]:
        """Content that is not in the bundle and must be at the target: prerequisites, and images that were left out."""
        left_out = {entry.image.root.digest: entry.image.root for entry in self.images if entry.image.present}
        return left_out | {needed.descriptor.digest: needed.descriptor for needed in self.prerequisites}

    @cached_property
    def by_name(self) -> Mapping[Name, LedgerImage]:
        """Every image by its name, also those that were left out."""
        return {entry.image.name: entry for entry in self.images}

    @cached_property
    def by_place(self) -> Mapping[tuple[str, Digest], LedgerImage]:
        """The first image with each digest in each repository."""
        return {(entry.image.name.repository, entry.image.root.digest): entry for entry in reversed(self.images)}

    @cached_property
    def needed_by(self) -> Mapping[Digest, Sequence[int]]:
        """The positions in `images` of the images that need each blob."""
        needing: list[list[int]] = [[] for _ in self.blobs]
        for number, image in enumerate(self.images):
            for position in image.blobs:
                needing[position].append(number)
        return {blob.digest: images for blob, images in zip(self.blobs, needing, strict=True)}

    @cached_property
    def text(self) -> LedgerText:
        """What is known of its text. The digest is the identity of the bundle."""
        return LedgerText.of(self.encoded())

    def encode(self) -> bytes:
        """Canonical JSON: pure ASCII, sorted keys, one value on a line."""
        return b"".join(self.encoded())

    def encoded(self) -> Iterator[bytes]:
        """The same in pieces: a large ledger takes tens of megabytes, and nobody needs all of it at once."""
        document = {
            "kind": KIND,
            "format": self.format,
            "images": map(image_out, self.images),
            "blobs": map(blob_text, self.blobs),
            "extras": map(extra_out, self.extras),
            "prerequisites": map(prerequisite_out, self.prerequisites),
            "against": self.against,
            "plan": self.plan_digest,
            "index": self.index_digest,
            **({"manifest": self.saved_digest} if self.saved_digest or self.edition else {}),
            **({"edition": self.edition.to_json()} if self.edition else {}),
            "volume_size": self.volume_bytes,
            "volumes": self.cut.count,
            "size": self.size,
        }
        return (piece.encode("ascii") for piece in pieces(document))

    def _is_written_as(self, raw: bytes) -> bool:
        position = 0
        for piece in self.encoded():
            if not raw.startswith(piece, position):
                return False
            position += len(piece)
        return position == len(raw)

    def check_readable(self) -> None:
        """Raise what `decode` would raise for its text. Each entry is read by itself, so it takes little memory."""
        Ledger.decode(evolve(self, images=(), blobs=(), extras=(), prerequisites=()).encode())
        document = Document("ledger")
        with _reading():
            check_counts(self.text.size, self.text.values, LEDGER_BYTES, LEDGER_VALUES)
            for entries, out, read in self._entries():
                check_count(len(entries))
                if any(read(Value(out(entry), document)) != entry for entry in entries):
                    raise _tampered("an entry would be read as another one")
            _check_whole(self)

    def _entries(self) -> Iterator[tuple[Sequence[Any], Callable[[Any], Any], Callable[[Value], Any]]]:
        """The entries of each list, how they are written, and how they are read."""
        yield self.images, image_out, lambda image: image_in(image, len(self.blobs))
        yield self.blobs, blob_out, blob_in
        yield self.extras, extra_out, extra_in
        yield self.prerequisites, prerequisite_out, prerequisite_in

    @classmethod
    def decode(cls, raw: bytes) -> Ledger:
        """Read and check. Raises `LedgerTampered`, `LimitExceeded`; `BundleInvalid` for a later format."""
        with _reading():
            check_size(raw, LEDGER_BYTES, LEDGER_VALUES)
            apart = taken_apart(raw)
            _check_format(apart.document)
            ledger = _ledger_in(apart)
            if ledger._is_written_as(raw):
                vars(ledger)["text"] = LedgerText.of((raw,))  # so that it is not written once more
                return ledger
        raise _tampered("it does not have the form of a ledger")


@contextmanager
def _reading() -> Iterator[None]:
    """What is wrong with a ledger, in words for people."""
    try:
        yield
    except (BundleInvalid, LimitExceeded, LedgerTampered):
        raise
    except OverLimit as error:
        raise LimitExceeded(
            f"the ledger of the bundle is too large: {error}", hint="a bundle of fewer images has a smaller one"
        ) from error
    except (ValueError, TransloadError) as error:
        raise _tampered(f"it cannot be read ({str(error)[:200]})") from error


def _tampered(what: str) -> LedgerTampered:
    return LedgerTampered(
        f"the ledger of the bundle is damaged: {what}",
        subject="transload/ledger.json",
        hint="copy the first volume again from where it was made",
    )


def _check_format(document: Any) -> None:
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise _tampered("it does not say that it is a ledger")
    number = document.get("format")
    if type(number) is not int or number not in FORMATS:
        raise BundleInvalid(
            f"the bundle has format {str(number)[:20]}, this version reads formats up to {FORMATS[-1]}",
            hint="use the version of transload that made it, or a later one",
        )
    if document.keys() != _KEYS | _MORE_KEYS[number]:
        raise _tampered("its keys are not those of a ledger")


def _ledger_in(apart: Apart) -> Ledger:
    root = Value(apart.document, Document("ledger"))

    def entries(key: str, read: Callable[[Value], Item]) -> tuple[Item, ...]:
        whole = root.get(key)
        if key not in apart.spans:
            return listed(whole, read)
        check_count(apart.count(key))
        return tuple(read(Value(entry, whole.document, whole, at)) for at, entry in enumerate(apart.entries(key)))

    number, blobs = root.get("format").content, entries("blobs", blob_in)
    ledger = Ledger(
        images=entries("images", lambda image: image_in(image, len(blobs))),
        blobs=blobs,
        extras=entries("extras", extra_in),
        prerequisites=entries("prerequisites", prerequisite_in),
        against=text_in(root.get("against")),
        plan_digest=root.get("plan").maybe(digest_in),
        index_digest=digest_in(root.get("index")),
        saved_digest=digest_in(root.get("manifest")) if number == 2 else root.get("manifest").maybe(digest_in),
        edition=Edition.of(root.get("edition")) if number == 3 else None,
        volume_bytes=root.get("volume_size").maybe(bytes_in),
        size=bytes_in(root.get("size")),
    )
    _check_whole(ledger)
    return ledger


def _check_whole(ledger: Ledger) -> None:
    digests, names = {blob.digest for blob in ledger.blobs}, {entry.image.name for entry in ledger.images}
    if len(digests) != len(ledger.blobs) or len(names) != len(ledger.images):
        raise ValueError("something is listed twice")
    if ledger.cut.count > VOLUMES:
        raise LimitExceeded(f"a bundle of {ledger.cut.count} volumes, {VOLUMES} are allowed")
