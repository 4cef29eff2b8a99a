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
from operator import ge
from pathlib import Path
from typing import Any, TypeVar

from transload.bundle.format.contents import BundledImage, ExtraFile, Prerequisite
from transload.bundle.format.edition import Edition
from transload.bundle.format.ledgertext import LedgerText
from transload.bundle.format.volumes import Cut
from transload.documents.value import Document, Value
from transload.errors import BundleInvalid, LedgerTampered, LimitExceeded, TransloadError
from transload.limits import LEDGER_BYTES, LEDGER_VALUES, VOLUMES
from transload.linedjson import pieces
from transload.oci import Descriptor, Digest, Name
from transload.oci.imagelayout import blob_path
from transload.oci.reference import check_repository
from transload.strictjson import OverLimit, check_counts, check_size, read_json
from transload.values import define, evolve, field, frozen

KIND = "transload-bundle"  # so that the signature of a ledger cannot be used for another document
FORMATS = (1, 2, 3)  # the second has a manifest.json, and says so; the third says which edition it is
MEMBERS = 200_000
STREAM_BYTES = 1 << 50  # a pebibyte

_KEYS = frozenset(
    "kind format images blobs extras prerequisites against plan index volume_size volumes size".split()  # noqa: SIM905 - reads better
)
_MORE_KEYS: Mapping[int, frozenset[str]] = {
    1: frozenset(),
    2: frozenset({"manifest"}),
    3: frozenset({"manifest", "edition"}),
}
Item = TypeVar("Item")


@frozen
class StoredBlob:
    """A blob or manifest, the offset of its first byte in the stream, and its subject, if it is a referrer."""

    descriptor: Descriptor
    offset: int
    subject: Digest | None = None

    @property
    def path(self) -> str:
        """The member's name in the archive."""
        return blob_path(self.descriptor.digest)

    @property
    def size(self) -> int:
        """The size of the content in bytes."""
        return self.descriptor.size

    @property
    def digest(self) -> Digest:
        """The digest that the content must have."""
        return self.descriptor.digest

    @property
    def key(self) -> Digest:
        """What tells it from all other members."""
        return self.descriptor.digest


@frozen
class StoredExtra:
    """An extra file, and the offset of its first byte in the stream."""

    name: str
    size: int
    digest: Digest
    offset: int

    @property
    def path(self) -> str:
        """The member's name in the archive."""
        return f"transload/extra/{self.name}"

    @property
    def key(self) -> Digest:
        """What tells it from all other members: a blob, or another file, may have the same content."""
        return Digest.of(f"extra {self.name} {self.digest}".encode())


Stored = StoredBlob | StoredExtra


@frozen
class LedgerImage:
    """An image, and the positions in `Ledger.blobs` of everything that it needs from this bundle."""

    image: BundledImage
    blobs: tuple[int, ...]


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
            "images": map(_image_out, self.images),
            "blobs": map(_blob_out, self.blobs),
            "extras": map(_extra_out, self.extras),
            "prerequisites": map(_prerequisite_out, self.prerequisites),
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
                _check_count(len(entries))
                if any(read(Value(out(entry), document)) != entry for entry in entries):
                    raise _tampered("an entry would be read as another one")
            _check_whole(self)

    def _entries(self) -> Iterator[tuple[Sequence[Any], Callable[[Any], Any], Callable[[Value], Any]]]:
        """The entries of each list, how they are written, and how they are read."""
        yield self.images, _image_out, lambda image: _image_in(image, len(self.blobs))
        yield self.blobs, _blob_out, _blob_in
        yield self.extras, _extra_out, _extra_in
        yield self.prerequisites, _prerequisite_out, _prerequisite_in

    @classmethod
    def decode(cls, raw: bytes) -> Ledger:
        """Read and check. Raises `LedgerTampered`, `LimitExceeded`; `BundleInvalid` for a later format."""
        with _reading():
            check_size(raw, LEDGER_BYTES, LEDGER_VALUES)
            document = read_json(raw, limit=LEDGER_BYTES, values=LEDGER_VALUES)
            _check_format(document)
            ledger = _ledger_in(Value(document, Document("ledger")))
            del document  # it takes more memory than the ledger
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


def _blob_out(blob: StoredBlob) -> dict[str, Any]:
    document = {**blob.descriptor.to_json(), "offset": blob.offset}
    return document | ({"subject": blob.subject} if blob.subject else {})


def _image_out(entry: LedgerImage) -> dict[str, Any]:
    document = entry.image.root.to_json() | {"name": str(entry.image.name), "source": entry.image.source}
    if entry.image.left_out:
        document["left_out"] = list(entry.image.left_out)
    return document | ({"present": True} if entry.image.present else {"blobs": list(entry.blobs)})


def _extra_out(extra: StoredExtra) -> dict[str, Any]:
    return {"name": extra.name, "size": extra.size, "digest": extra.digest, "offset": extra.offset}


def _prerequisite_out(needed: Prerequisite) -> dict[str, Any]:
    return {
        **needed.descriptor.to_json(),
        "repositories": list(needed.repositories),
        "images": list(needed.images),
    }


def _ledger_in(root: Value) -> Ledger:
    number, blobs = root.get("format").content, _list(root.get("blobs"), _blob_in)
    ledger = Ledger(
        images=_list(root.get("images"), lambda image: _image_in(image, len(blobs))),
        blobs=blobs,
        extras=_list(root.get("extras"), _extra_in),
        prerequisites=_list(root.get("prerequisites"), _prerequisite_in),
        against=_text(root.get("against")),
        plan_digest=root.get("plan").maybe(_digest),
        index_digest=_digest(root.get("index")),
        saved_digest=_digest(root.get("manifest")) if number == 2 else root.get("manifest").maybe(_digest),
        edition=Edition.of(root.get("edition")) if number == 3 else None,
        volume_bytes=root.get("volume_size").maybe(_bytes),
        size=_bytes(root.get("size")),
    )
    _check_whole(ledger)
    return ledger


def _check_whole(ledger: Ledger) -> None:
    digests, names = {blob.digest for blob in ledger.blobs}, {entry.image.name for entry in ledger.images}
    if len(digests) != len(ledger.blobs) or len(names) != len(ledger.images):
        raise ValueError("something is listed twice")
    if ledger.cut.count > VOLUMES:
        raise LimitExceeded(f"a bundle of {ledger.cut.count} volumes, {VOLUMES} are allowed")


def _blob_in(blob: Value) -> StoredBlob:
    return StoredBlob(_descriptor(blob), _bytes(blob.get("offset")), blob.get("subject").maybe(_digest))


def _image_in(value: Value, blobs: int) -> LedgerImage:
    image = BundledImage(
        value.get("name").read(Name.parse),
        _descriptor(value),
        _text(value.get("source")),
        present=value.get("present").maybe(Value.truth, False),
        left_out=value.get("left_out").maybe(lambda left_out: _list(left_out, _digest), ()),
    )
    needed = value.get("blobs").maybe(lambda numbers: _bounded(numbers).numbers(blobs), ())
    if any(map(ge, needed, needed[1:])):
        raise value.get("blobs").fail(f"{image.name} needs a blob twice, or they are not in order")
    return LedgerImage(image, needed)


def _extra_in(value: Value) -> StoredExtra:
    # Made as an `ExtraFile`, so that the same rules hold for its name.
    size, digest, offset = _bytes(value.get("size")), _digest(value.get("digest")), _bytes(value.get("offset"))
    extra = value.get("name").read(lambda name: ExtraFile(name, Path(), size, digest))
    return StoredExtra(extra.name, extra.size, extra.digest, offset)


def _prerequisite_in(value: Value) -> Prerequisite:
    repositories = _list(value.get("repositories"), lambda repository: repository.read(check_repository))
    return Prerequisite(_descriptor(value), repositories, _list(value.get("images"), _text))


def _descriptor(value: Value) -> Descriptor:
    descriptor = value.made(_to_descriptor)
    if descriptor.size > STREAM_BYTES:
        raise LimitExceeded(f"a size of {descriptor.size} bytes, no bundle is larger than {STREAM_BYTES}")
    if not descriptor.artifact_type.isprintable():
        raise value.fail("has an artifact type that is not printable")
    return descriptor


def _to_descriptor(content: Any) -> Descriptor:
    return Descriptor.from_json(content, "the descriptor")


def _list(value: Value, read: Callable[[Value], Item]) -> tuple[Item, ...]:
    return tuple(map(read, _bounded(value).items()))


def _bounded(value: Value) -> Value:
    """This list, of at most `MEMBERS` entries."""
    if isinstance(value.content, list):
        _check_count(len(value.content))
    return value


def _check_count(count: int) -> None:
    if count > MEMBERS:
        raise LimitExceeded(f"a ledger with a list of {count} entries, {MEMBERS} are allowed")


def _bytes(value: Value) -> int:
    if type(value.content) is int and value.content > STREAM_BYTES:
        raise LimitExceeded(f"a size of {str(value.content)[:40]} bytes, no bundle is larger than {STREAM_BYTES}")
    return value.number()


def _digest(value: Value) -> Digest:
    return value.read(Digest)


def _text(value: Value) -> str:
    text = value.text()
    if not text.isprintable():  # these texts are printed to terminals
        raise value.wrong("printable text")
    return text
